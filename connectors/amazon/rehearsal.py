"""Amazon as the conformance suite plays with it: in process, page size five, one sample of each kind."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import pandas as pd
from pydantic import SecretStr

from connectors.amazon import mapping, mapping_shipment
from connectors.amazon.checked import why
from connectors.amazon.finances import is_refund, once, payment_row, refund_rows
from connectors.amazon.returns_report import read_returns
from connectors.amazon.sandbox import CLIENT_ID, GB, SELLER, AmazonSandbox
from connectors.amazon.storefront import Settings, connect
from connectors.amazon.wire_orders import Order, Package
from connectors.amazon.wire_finances import ORDER_ID, TransactionsPage
from connectors.kit.clock import Clock
from connectors.kit.http import parse
from connectors.kit.rehearsal import CANARY, PAGE_SIZE, Golden, Overheard, Rehearsal
from connectors.kit.sandbox import Transport
from connectors.ports import DISPATCH_CONFIRMATION, STOCK_UPDATE, Effect, Window
from contracts.effects import ConfirmedLine, DispatchConfirmation, StockItem, StockUpdate
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups
from contracts.returns import Payments, Refunds

NAME = "amazon-uk"
SECRET, REFRESH = "amazon-secret-4711", "Atzr|amazon-refresh-4711"
PLACED = 13
WRITES = "[PD]* /[!a]*"  # buying a token (POST /auth/o2/token) changes nothing
READING = mapping.Reading(NAME)
HOME = {"name": f"{CANARY} Name", "companyName": f"{CANARY} Ltd", "addressLine1": f"1 {CANARY} Street", "city": f"{CANARY}ton", "stateOrRegion": "Kent",
        "postalCode": "ZC9 9ZC", "countryCode": "GB", "phone": "+447700977977"}


def rehearse(clock: Clock, folder: Path) -> Rehearsal:
    """A fresh account; all of it is in memory, so `folder` stays empty."""
    # a request that commits late (F4) is carried out when the next one comes: a delay on top of that would never be over
    sandbox = AmazonSandbox(clock, client_secret=SECRET, refresh_token=REFRESH, stock_seconds=0, rates={"searchListingsItems": None})
    overheard = Overheard(Transport(sandbox, clock))
    given = {"seller_id": SELLER, "marketplace_ids": [GB], "client_id": CLIENT_ID, "base_url": "http://amazon", "login_url": "http://amazon", "page_size": PAGE_SIZE,
             "listing_page_size": PAGE_SIZE}
    settings = Settings(**given, rates={"searchListingsItems": (1000, 1000)}, client_secret=SecretStr(SECRET), refresh_token=SecretStr(REFRESH))
    effect = _sample()
    return Rehearsal(
        port=connect(NAME, settings, clock, overheard), sandbox=sandbox, settings=Settings, secrets={"AMAZON_SECRET": SECRET, "AMAZON_REFRESH": REFRESH},
        settings_example=given | {"client_secret": "env:AMAZON_SECRET", "refresh_token": "env:AMAZON_REFRESH"},
        effects={effect.kind: effect, STOCK_UPDATE: _stock()}, once_if_twice=frozenset({DISPATCH_CONFIRMATION, STOCK_UPDATE}), writes=WRITES,
        seed=partial(_seed, sandbox, clock), count=partial(_count, sandbox, effect), calls=overheard.calls,
        paged={"orders": PLACED, "catalogue": PLACED, "shown_stock": PLACED}, location="DEFAULT", skus=[f"SKU-{n}" for n in range(1, PLACED + 1)],
        window=Window(clock.now() - timedelta(hours=1), clock.now() + timedelta(days=2)), order_id=effect.payload["order_id"])


def read_example(path: Path) -> dict[str, Golden]:
    """The rows that an order becomes, the parcels that it shows, the confirmation that a dispatch becomes; returns, and transactions."""
    if path.match("order*.json"):
        return _read_order(parse(path.read_bytes())["order"])
    if path.match("packages*.json"):
        rows = [mapping_shipment.shown(Package.model_validate(row)) for row in parse(path.read_bytes())]
        return {"shown": pd.DataFrame([{**row, **line} for row in rows for line in row.pop("lines")])}
    if path.match("dispatch*.json"):
        confirmation = DispatchConfirmation.model_validate(parse(path.read_bytes()))
        request = mapping_shipment.confirm_request(confirmation, confirmation.package_number, confirmation.channel)
        return {"confirm.json": request.model_dump_json(exclude_none=True, indent=2) + "\n"}
    if path.match("returns*.txt"):
        frame, unreadable = read_returns(NAME, path.read_bytes())
        return {"returns": frame, "unreadable": pd.DataFrame(unreadable)}
    if path.match("transactions*.json"):
        found = once(TransactionsPage.model_validate(parse(path.read_bytes())).payload.transactions)
        lines = {"MUG-1": ["10000000000001"]}
        return {"refunds": Refunds.frame(row for one in found if is_refund(one) for row in refund_rows(NAME, one, lines)),
                "payments": Payments.frame(payment_row(NAME, one.related(ORDER_ID), one) for one in found)}
    return {}


def _read_order(given: dict) -> dict[str, Golden]:
    try:
        order = Order.model_validate(given)
        head = mapping.order_row(order, READING)
    except ValueError as error:
        return {"unreadable": pd.DataFrame([{"record": str(given.get("orderId", "")), "why": why(error)}])}
    return {"orders": Orders.frame([head]), "lines": OrderLines.frame(mapping.line_rows(order, READING)),
            "ship_groups": ShipGroups.frame(mapping.ship_group_rows(order, READING)), "recipients": Recipients.frame(mapping.recipient_rows(order, READING))}


def _sample() -> Effect:
    """Two of the five that the first order asks for."""
    payload = DispatchConfirmation(
        connection=NAME, order_id="026-1000000-0000001", ship_group="1", warehouse="gxo-north", reference="AMZ1", advice_id="A41", package_id="P1",
        carrier="RMLL", service="48", provider="Royal Mail", tracking_carrier="", tracking_link="", tracking_number="RM000000041GB",
        shipped_at="2026-01-15T15:05:00+00:00", lines=[ConfirmedLine(line_id="10000000000001", quantity=2)], channel=GB, package_number=1)
    key = f"{payload.order_id}:A41:P1"
    return Effect(effect_id=f"{DISPATCH_CONFIRMATION}:{NAME}:{key}", kind=DISPATCH_CONFIRMATION, target=NAME, business_key=key, payload=payload.model_dump())


def _stock() -> Effect:
    """One SKU: a patch. What many become is a feed, whose first two writes change nothing; test_amazon_feeds.py has those."""
    payload = StockUpdate(connection=NAME, location="DEFAULT", items=[StockItem(sku="SKU-2", quantity=40, as_of="2026-01-15T09:00:00+00:00", sequence=1)])
    return Effect(effect_id=f"{STOCK_UPDATE}:{NAME}:DEFAULT:7", kind=STOCK_UPDATE, target=NAME, business_key="DEFAULT:7", payload=payload.model_dump())


def _seed(sandbox: AmazonSandbox, clock: Clock) -> None:
    sandbox.add_products({"sku": f"SKU-{n}", "name": f"Thing {n}", "quantity": 100} for n in range(1, PLACED + 1))
    for n in range(1, PLACED + 1):
        sandbox.place_order([{"sku": f"SKU-{n}", "title": f"Thing {n}", "quantity": 5, "price": "12.50", "gift_message": f"Love from {CANARY}"}], HOME,
                            buyer_name=f"{CANARY} Name", note=f"{CANARY} has a dog")
        clock.sleep(1)
    # of the first order one unit was confirmed by somebody in Seller Central, so that there is something to show
    sandbox.orders.confirm_by_hand("026-1000000-0000001", {"10000000000001": 1}, "BYHAND")
    clock.sleep(300)


def _count(sandbox: AmazonSandbox, effect: Effect, kind: str) -> int:
    if kind == STOCK_UPDATE:
        return int(bool(sandbox.books()["stock_writes"]))
    packages = [package["shape"] for order in sandbox.books()["orders"].values() for package in order["packages"].values()]
    return sum(package["trackingNumber"] == effect.payload["tracking_number"] for package in packages)
