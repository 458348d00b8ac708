"""Flows by their names, for a run in this process."""

from collections.abc import Callable
from typing import Any

from connectors.kit.errors import BadConfiguration
from flows.check_catalogue import check_catalogue
from flows.dispatch_back import dispatch_back
from flows.drift_watch import drift_watch
from flows.inventory_delta_sync import inventory_delta_sync
from flows.orders_to_warehouse import orders_to_warehouse
from flows.publish_analytics import publish_analytics
from flows.reap_runs import reap_runs
from flows.route_audit import route_audit

FLOWS = {flow.name: flow for flow in (orders_to_warehouse, dispatch_back, inventory_delta_sync, check_catalogue, publish_analytics, reap_runs, drift_watch, route_audit)}


def flow_named(name: str) -> Callable[..., Any]:
    """The flow. Raises BadConfiguration."""
    if name not in FLOWS:
        raise BadConfiguration(f"running {name!r}", "there is no such flow", f"Choose from {', '.join(FLOWS)}.")
    return FLOWS[name]
