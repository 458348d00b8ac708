"""The flows' own sentences as plain functions, each for one process's life; and what is asked of the ledger in between.

An error of ours ends a step as it ends a flow run: what it left owed is the next run's.
"""

import json
from typing import Any

import pandas as pd

from connectors.house import House
from connectors.snapshots.query import query
from deployments import demo_checks, demo_checks_stock
from deployments.demo_orders import Period
from deployments.demo_world import STOREFRONT, WAREHOUSE
from tasks import analytics, deliver, dispatches, inbound, mappings, orders, refunds, refunds_seen, returns, rmas, stock, stock_send, stock_watch

CHUNK = 5
LEFT_TO_THE_DEMO = {"every_order_has_one_verdict", "a_healthy_world_shows_no_drift"}  # they judge a month's statement and a drift watch


def orders_out(house: House) -> None:
    """orders_to_warehouse."""
    mappings.refresh_items(house, WAREHOUSE)
    orders.take_in_orders(house, STOREFRONT)
    orders.plan_owed(house, STOREFRONT)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.OF_REQUESTS)
    dispatches.watch_acknowledgements(house, WAREHOUSE)


def dispatches_back(house: House) -> None:
    """dispatch_back."""
    inbound.take_in(house, WAREHOUSE)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.ANSWERS)
    dispatches.release_held(house, STOREFRONT)
    _deliver(house, house.storefront(STOREFRONT), dispatches.CONFIRMATIONS)
    dispatches.read_back(house, STOREFRONT)
    _deliver(house, house.storefront(STOREFRONT), dispatches.CONFIRMATIONS)


def stock_out(house: House) -> None:
    """inventory_delta_sync."""
    inbound.take_in(house, WAREHOUSE)
    orders.take_in_orders(house, STOREFRONT)
    stock.decide(house, STOREFRONT, False)
    away = stock_send.send_stock(house, STOREFRONT, "a process").away
    stock_watch.watch_stock(house, WAREHOUSE)
    if away:
        raise away


def money_back(house: House) -> None:
    """returns."""
    inbound.take_in(house, WAREHOUSE)
    returns.place_again(house, WAREHOUSE)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.ANSWERS + rmas.NOTICES)
    refunds_seen.see_refunds(house, STOREFRONT)
    refunds.owe_refunds(house, STOREFRONT)
    _deliver(house, house.storefront(STOREFRONT), refunds.REFUNDS)
    refunds_seen.see_refunds(house, STOREFRONT)


def publish(house: House) -> None:
    """publish_analytics."""
    analytics.publish(house)


STEPS = {"orders": orders_out, "dispatches": dispatches_back, "stock": stock_out, "returns": money_back, "publish": publish}


def _deliver(house: House, port: Any, kinds: tuple[str, ...]) -> None:
    for _ in range(40):
        done = deliver.deliver(house, port, kinds, "a process", limit=CHUNK)
        if done.away is not None:
            raise done.away
        if not done.worked:
            return


def unfinished(house: House) -> str:
    """Effects that have not come to their end, or are not proven yet, and returns that wait for the refund before theirs: JSON."""
    proven = ("fulfilment_request", "dispatch_confirmation", "refund")
    rows = house.ledger.table("effect").itertuples()
    told = {row.evidence.get("document") or row.evidence.get("document_id") for row in house.ledger.exceptions.listed(only_open=False)}
    waiting = [f"{row.document_id} {row.state}" for row in house.ledger.table("return_line").itertuples() if row.state == "due" and row.document_id not in told]
    return json.dumps(waiting + [f"{row.effect_id} {row.state}" for row in rows if row.state in ("PLANNED", "IN_FLIGHT", "UNKNOWN")
                       or row.state == "CONFIRMED" and pd.isna(row.verified_at) and row.kind in proven])


def judged(house: House, books: demo_checks.Books, cancelled: set[int]) -> str:
    """What the demo's judges find: JSON {"checked": how many things, "violated": [what]}."""
    evidence = demo_checks.Evidence(house, books, Period([]), cancelled)
    checks = tuple(check for check in (*demo_checks.CHECKS, *demo_checks_stock.CHECKS) if check.__name__ not in LEFT_TO_THE_DEMO)
    found = demo_checks.asked(checks, evidence)
    violated = [f"{name}: {what}" for name, one in found.items() for what in one.violated] + _published(house)
    return json.dumps({"checked": sum(one.checked for one in found.values()), "violated": violated, "kinds": _kinds(evidence)})


def _kinds(evidence: demo_checks.Evidence) -> dict[str, int]:
    confirmed = pd.Series([row.kind for row in evidence.effects if row.state == "CONFIRMED"], dtype="str")
    return {kind: int(count) for kind, count in confirmed.value_counts().items()}


def _published(house: House) -> list[str]:
    """The analysts' catalogue opens, and counts what the ledger counts."""
    analytics.publish(house)
    ours = len(house.ledger.table("effect"))
    theirs = int(query("SELECT count(*) AS counted FROM effects", house.profile.home / "analytics" / "analytics.duckdb")["counted"].iloc[0])
    return [] if theirs == ours else [f"the catalogue has {theirs} effects, the ledger {ours}"]
