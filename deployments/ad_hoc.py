"""Flows by their names, for a run in this process."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import flows
from connectors.kit.errors import BadConfiguration


def all_flows() -> dict[str, Callable[..., Any]]:
    """Every flow there is, by name. A file in flows/ holds one, and is named after it."""
    found = (getattr(importlib.import_module(f"flows.{module.name}"), module.name) for module in pkgutil.iter_modules(flows.__path__))
    return {flow.name: flow for flow in found}


def flow_named(name: str) -> Callable[..., Any]:
    """The flow. Raises BadConfiguration."""
    known = all_flows()
    if name not in known:
        raise BadConfiguration(f"running {name!r}", "there is no such flow", f"Choose from {', '.join(sorted(known))}.")
    return known[name]
