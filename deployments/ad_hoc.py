"""Flows by their names, for a run in this process."""

from collections.abc import Callable
from typing import Any

from connectors.kit.errors import BadConfiguration
from flows.check_catalogue import check_catalogue
from flows.dispatch_back import dispatch_back
from flows.orders_to_warehouse import orders_to_warehouse
from flows.publish_analytics import publish_analytics
from flows.reap_runs import reap_runs
from flows.retention import retention

FLOWS = {flow.name: flow for flow in (orders_to_warehouse, dispatch_back, check_catalogue, publish_analytics, reap_runs, retention)}


def flow_named(name: str) -> Callable[..., Any]:
    """The flow. Raises BadConfiguration."""
    if name not in FLOWS:
        raise BadConfiguration(f"running {name!r}", "there is no such flow", f"Choose from {', '.join(FLOWS)}.")
    return FLOWS[name]
