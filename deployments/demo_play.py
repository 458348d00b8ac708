"""What happens in the demo: customers order, change their minds and send goods back; a warehouse ships, counts and receives; people mend what was
forgotten; and at the end somebody meddles, so that there is drift to find.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prefect.deployments import run_deployment

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.house import House
from connectors.kit.errors import WharfingerError
from deployments.demo_orders import DemoOrder, DemoReturn, Period
from deployments.demo_returns import FORGOTTEN_GRADE, Sorting
from deployments.demo_world import STOREFRONT, WAREHOUSE, address_of, channel_of, one_in, tables
from deployments.prefect_server import PrefectServer
from deployments.worker import Worker

ROUNDS = 3
DRAIN_MAX = 12
RUN_SECONDS_MAX = 3600.0
APPLIED_SECONDS = 6.0  # the storefront carries stock figures out some time after it took them in
CANCEL_ONE_IN, EDIT_ONE_IN, CHOSEN_MAX = 90, 110, 2
OUT, BACK = f"{STOREFRONT} → {WAREHOUSE}", f"{WAREHOUSE} → {STOREFRONT}"
ORDERS, DISPATCHES, STOCK, RETURNS = f"orders-to-warehouse/{OUT}", f"dispatch-back/{BACK}", f"inventory-delta-sync/{BACK}", f"returns/{BACK}"
AUDIT, DRIFT, RECONCILE = f"route-audit/{OUT}", f"drift-watch/{OUT}", f"settlement-reconciliation/{OUT}"
CATALOGUE, DESK = f"check-catalogue/{STOREFRONT}", "refresh-desk/desk"
CHANGE, RESOLVE, PUBLISH = "change-mapping/change a mapping table", "resolve-exception/resolve exceptions", "publish-analytics/publish for analysts"
OWED = {WAREHOUSE: ("fulfilment_request", "fulfilment_change", "fulfilment_cancel", "acknowledgement"),
        STOREFRONT: ("dispatch_confirmation", "order_completion", "stock_update", "refund")}

Say = Callable[[str], None]


@dataclass
class Stage:
    """Everything that is up while the demo plays."""

    home: Path
    house: House
    storefront: BigCommerceSandbox
    warehouse: Any
    lock: threading.RLock
    server: PrefectServer
    worker: Worker
    say: Say
    began_at: datetime
    numbers: dict[str, int] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)
    sent_back: dict[str, int] = field(default_factory=lambda: {"parcels": 0, "unknown": 0})


def play(up: Stage, period: Period) -> None:
    """A whole trading period, through every flow."""
    parts, sorting = _parts(period.orders, ROUNDS), Sorting(period.orders)
    run(up, AUDIT)
    _state_stock(up)
    run(up, STOCK)
    before: list[DemoOrder] = []
    returns = list(period.returns)
    for number, orders in enumerate(parts, 1):
        up.say(f"Round {number} of {len(parts)}: {len(orders)} orders are placed, {orders[0].placed_at:%d %b %Y} to {orders[-1].placed_at:%d %b %Y}")
        _change_minds(up, before)  # every second round before the pick, else too late
        place(up, orders)
        run(up, ORDERS)
        if number % 2 == 0 or number == len(parts):
            _let_ship(up)
            run(up, DISPATCHES)
            due = [back for back in returns if number == len(parts) or back.sent_at <= orders[-1].placed_at]
            returns = returns[len(due):]
            _send_back(up, sorting, due)
            _state_stock_badly(up)
            run(up, STOCK)
        before = orders
    _change_minds(up, before)
    _mend(up)
    _drain(up)
    _count(up)
    for deployment, parameters in ((STOCK, {}), (CATALOGUE, {}), (RECONCILE, _period(up)), (DESK, {})):
        run(up, deployment, **parameters)
    time.sleep(APPLIED_SECONDS)
    run(up, DRIFT)
    run(up, PUBLISH)


def _mend(up: Stage) -> None:
    """What was forgotten is added, two tables whole and one rule from the desk; a person says which orders some returns belong to."""
    up.say("An operator adds the shipping method and the carrier that were forgotten, and works on the returns")
    for table in ("ship_methods", "carriers"):
        run(up, CHANGE, table=table, csv=tables(mended=True)[table], actor="demo operator")
    run(up, RETURNS)
    listed = up.house.ledger.exceptions.listed()
    ungraded = [row for row in listed if row.type == "return_rule_missing"]
    if ungraded:
        run(up, RESOLVE, exceptions=ungraded[0].exception_id, remedy="add a mapping", actor="demo operator", reason="undecided goods are worth half",
            mapping="return_rules", rows=f"connection={STOREFRONT}\nwarehouse={WAREHOUSE}\ngrade={FORGOTTEN_GRADE}\nrefund_percent=50\ndisposition=keep apart\nneeds_rma=no")
    for row in [row for row in listed if row.type == "return_unmatched" and row.evidence.get("candidates")][:CHOSEN_MAX]:
        best = row.evidence["candidates"][0]
        run(up, RESOLVE, exceptions=row.exception_id, remedy="choose the order", actor="demo operator", reason="the best of the candidates",
            order=f"{best['connection']} {best['order_id']}")


def _drain(up: Stage) -> None:
    for _ in range(DRAIN_MAX):
        run(up, ORDERS)
        _let_ship(up)
        run(up, DISPATCHES)
        run(up, RETURNS)
        if _is_drained(up):
            return


def _period(up: Stage) -> dict[str, str]:
    """The days that the demo took, as the reconciliation wants them."""
    return {"period": "", "first": f"{up.began_at:%Y-%m-%d}", "until": f"{up.house.clock.now() + timedelta(days=1):%Y-%m-%d}"}


def _state_stock(up: Stage, **how: Any) -> None:
    with up.lock:
        up.warehouse.state_stock(**how)


def _state_stock_badly(up: Stage) -> None:
    """The last statement comes again, one comes late, one names only some of the goods, and one loses half of them."""
    with up.lock:
        up.warehouse.state_stock(late_seconds=20)
        up.warehouse.state_stock()
        up.warehouse.repeat_statement()
        facility = min(up.warehouse.books()["stock"])
        up.warehouse.state_stock(facility, sorted(up.warehouse.books()["stock"][facility])[:5], is_whole=False)


def _count(up: Stage) -> None:
    """A delivery comes in, a count finds a difference, and both facilities state what they have."""
    with up.lock:
        for facility, skus in up.warehouse.books()["stock"].items():
            some = sorted(skus)[:3]
            up.warehouse.receive(facility, [(sku, 12) for sku in some])
            up.warehouse.adjust(facility, {sku: -1 for sku in some[:1]})
        up.warehouse.state_stock()
        up.warehouse.receive(facility, [(some[-1], 6)])  # after the statement: only the receipt tells of it


def _send_back(up: Stage, sorting: Sorting, returns: list[DemoReturn]) -> None:
    """Parcels come back to the warehouse: with the reference of their order where it has shipped, else without one."""
    with up.lock:
        books = up.warehouse.books()["orders"]
        shipped = {copy["storefront_order"]: reference for reference, copies in books.items() for copy in copies if copy["state"] == "shipped"}
        for parcel in (parcel for back in returns for parcel in sorting.parcels(back)):
            reference = shipped.get(str(up.numbers.get(parcel.order, "")), "")
            up.warehouse.receive_return(reference, list(parcel.goods))
            up.sent_back["parcels"] += 1
            up.sent_back["unknown"] += not reference


def meddle(up: Stage) -> dict[tuple[str, str], str]:
    """Somebody changes things at the storefront by hand. {(what it is about, record): the cause that must be found}."""
    books, planted = up.storefront.books(), {}
    told = [row for row in up.house.ledger.table("stock_desired").itertuples() if row.sent_quantity is not None and row.sent_quantity > 3]
    for row in sorted(told, key=lambda row: row.sku)[:2]:
        up.storefront.set_stock_by_hand(row.sku, int(row.sent_quantity) + 500, int(row.location))
        planted["stock", f"{row.location} {row.sku}"] = "manual_edit"
    shipped = [one for one in books["shipments"] if books["orders"][one["order_id"]]["status_id"] == 2]
    for shipment in shipped[:1]:
        up.storefront.edit_shipment(shipment["id"], tracking_number="TYPED-BY-HAND")
        planted["tracking", str(shipment["order_id"])] = "manual_edit"
    for shipment in shipped[-1:]:
        up.storefront.edit_order(shipment["order_id"], status_id=11)
        planted["order", str(shipment["order_id"])] = "manual_edit"
    run(up, ORDERS)
    run(up, DRIFT)
    return planted


def run(up: Stage, deployment: str, **parameters: Any) -> None:
    """One run through Prefect, again if its worker died under it. Raises WharfingerError when it fails by itself."""
    for _ in range(20):
        began = time.monotonic()
        flow_run = run_deployment(deployment, parameters=parameters, timeout=RUN_SECONDS_MAX, poll_interval=0.5, as_subflow=False)
        state = flow_run.state
        up.say(f"  {flow_run.name}: {state.name}, {time.monotonic() - began:.0f} s" + _progress(up))
        if state.is_completed() or state.is_failed() and "RunIncomplete" in (state.message or ""):
            return
        if not state.is_crashed():
            time.sleep(2)
    raise WharfingerError(f"running {deployment}", f"it does not complete: {state.name}: {state.message}", f"Look at {up.worker.log}.")


def _progress(up: Stage) -> str:
    ledger = up.house.ledger
    sent = ledger.effects.counts(WAREHOUSE, ("fulfilment_request",)).get("CONFIRMED", 0)
    told = ledger.effects.counts(STOREFRONT, ("dispatch_confirmation",)).get("CONFIRMED", 0)
    return f"   [sent {sent}, confirmed {told}, exceptions open {len(ledger.exceptions.listed())}]"


def place(up: Stage, orders: list[DemoOrder]) -> None:
    """Customers order."""
    for order in orders:
        lines = [{"sku": line.sku, "name": line.name or line.sku, "quantity": line.quantity, "price": str(line.price), "product_id": 1} for line in order.lines]
        up.numbers[order.invoice] = up.storefront.place_order(lines, [address_of(order)], channel_id=int(channel_of(order.country)), status_id=11,
                                                              external_order_id=order.invoice, currency="GBP")


def _change_minds(up: Stage, orders: list[DemoOrder]) -> None:
    """Some customers cancel after the order has gone out, some change a quantity."""
    known = up.storefront.books()["orders"]
    for order in orders:
        number = up.numbers[order.invoice]
        if one_in(CANCEL_ONE_IN, order.invoice, "cancel"):
            up.storefront.cancel_order(number)
            up.cancelled.add(number)
        elif one_in(EDIT_ONE_IN, order.invoice, "edit"):
            line_id, line = next(iter(known[number]["lines"].items()))
            up.storefront.edit_order(number, quantities={line_id: line["quantity"] + 1})


def _let_ship(up: Stage, seconds_max: float = 120.0) -> None:
    """A shift at the warehouse: it takes what lies ready, picks and ships all of it."""
    until = time.monotonic() + seconds_max
    with up.lock:
        up.warehouse.is_picking = True
    while time.monotonic() < until:
        with up.lock:
            if up.warehouse.is_idle():
                break
        time.sleep(0.2)
    with up.lock:
        up.warehouse.is_picking = False


def _is_drained(up: Stage) -> bool:
    owed = [up.house.ledger.effects.counts(target, kinds) for target, kinds in OWED.items()]
    with up.lock:
        return up.warehouse.is_idle() and not any(found.get(state) for found in owed for state in ("PLANNED", "IN_FLIGHT", "UNKNOWN"))


def _parts(orders: list[DemoOrder], parts: int) -> list[list[DemoOrder]]:
    size = max(1, -(-len(orders) // parts))
    return [orders[start:start + size] for start in range(0, len(orders), size)]


