"""BigCommerce as the conformance suite plays with it: in process, page size five, one sample of each kind."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import pandas as pd
from pydantic import SecretStr, ValidationError

from connectors.bigcommerce import mapping
from connectors.bigcommerce.refunds import payment_row, refund_rows
from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.bigcommerce.shipments import SHIPPED
from connectors.bigcommerce.storefront import Settings, connect
from connectors.bigcommerce.wire import Address, Order, Product, Shipment
from connectors.bigcommerce.wire_money import Refund, Transaction
from connectors.kit.clock import Clock
from connectors.kit.http import parse
from connectors.kit.rehearsal import CANARY, PAGE_SIZE, Golden, Overheard, Rehearsal
from connectors.kit.sandbox import Transport
from connectors.ports import DISPATCH_CONFIRMATION, ORDER_COMPLETION, REFUND, STOCK_UPDATE, Effect, Window
from contracts.effects import ConfirmedLine, DispatchConfirmation, RefundLine, RefundRequest, StockItem, StockUpdate
from contracts.money import NotMoney
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups
from contracts.returns import Payments, Refunds

NAME, TOKEN, HASH = "bigcommerce-uk", "bigcommerce-token-4711", "rehearsal"
PLACED = 13
VARIANTS = 4  # products with a second variant
WRITES = "[PD]*[!e]?"  # a POST to refund_quotes (…es) changes nothing
READING = mapping.Reading(NAME, po_field="form_field:PO number")
HOME = {"first_name": CANARY, "last_name": "Name", "street_1": f"1 {CANARY} Street", "city": f"{CANARY}ton", "state": "Kent", "zip": "ZC9 9ZC",
        "country": "United Kingdom", "country_iso2": "GB", "phone": "+447700977977", "email": f"{CANARY.lower()}@example.invalid",
        "shipping_method": "Royal Mail 48"}


def rehearse(clock: Clock, folder: Path) -> Rehearsal:
    """A fresh account; all of it is in memory, so `folder` stays empty."""
    # a request that commits late (F4) is carried out when the next one comes: a delay on top of that would never be over
    sandbox = BigCommerceSandbox(clock, store_hash=HASH, token=TOKEN, stock_delay_seconds=0)
    overheard = Overheard(Transport(sandbox, clock))
    settings = Settings(store_hash=HASH, access_token=SecretStr(TOKEN), base_url="http://bigcommerce", page_size=PAGE_SIZE, stock_page_size=PAGE_SIZE,
                        refund_quiet_seconds=0)
    began = clock.now() - timedelta(hours=1)
    effect = _sample()
    return Rehearsal(
        port=connect(NAME, settings, clock, overheard), sandbox=sandbox, settings=Settings, secrets={"BIGCOMMERCE_TOKEN": TOKEN},
        settings_example={"store_hash": HASH, "access_token": "env:BIGCOMMERCE_TOKEN", "page_size": PAGE_SIZE},
        effects={effect.kind: effect, ORDER_COMPLETION: _completion(), STOCK_UPDATE: _stock(), REFUND: _refund()},
        once_if_twice=frozenset({ORDER_COMPLETION, STOCK_UPDATE, REFUND}), writes=WRITES,
        seed=partial(_seed, sandbox, clock), count=partial(_count, sandbox, effect), calls=overheard.calls,
        paged={"orders": PLACED, "catalogue": PLACED, "shown_stock": PLACED + VARIANTS}, location="1", window=Window(began, began + timedelta(days=2)), order_id="101",
        skus=[f"SKU-{n}" for n in range(1, PLACED + 1)])


def read_example(path: Path) -> dict[str, Golden]:
    """The rows that an order becomes (`order`, `products`, `shipping_addresses`, as the three endpoints give them), and shipments both ways."""
    if path.match("order*.json"):
        return _read_order(parse(path.read_bytes()))
    if path.match("shipments*.json"):
        rows = [mapping.shown(Shipment.model_validate(row)) for row in parse(path.read_bytes())]
        return {"shown": pd.DataFrame([{**row, **line} for row in rows for line in row.pop("lines")])}
    if path.match("dispatch*.json"):
        given = parse(path.read_bytes())
        request = mapping.shipment_request(DispatchConfirmation.model_validate(given["payload"]), given["effect_id"])
        return {"shipment.json": request.model_dump_json(exclude_none=True, indent=2) + "\n"}
    if path.match("refunds*.json"):
        given = parse(path.read_bytes())
        return {"refunds": Refunds.frame(row for one in given["refunds"] for row in refund_rows(NAME, Refund.model_validate(one), given["currency"]))}
    if path.match("transactions*.json"):
        return {"payments": Payments.frame(payment_row(NAME, str(row["order_id"]), Transaction.model_validate(row)) for row in parse(path.read_bytes()))}
    return {}


def _read_order(given: dict) -> dict[str, Golden]:
    try:
        whole = mapping.WholeOrder(Order.model_validate(given["order"]), [Product.model_validate(row) for row in given["products"]],
                                   [Address.model_validate(row) for row in given["shipping_addresses"]])
        order = mapping.order_row(whole.order, READING)
    except (ValidationError, NotMoney) as error:
        return {"unreadable": pd.DataFrame([{"record": str(given["order"].get("id", "")), "why": mapping.why(error)}])}
    return {"orders": Orders.frame([order]), "lines": OrderLines.frame(mapping.line_rows(whole, READING)),
            "ship_groups": ShipGroups.frame(mapping.ship_group_rows(whole, READING)),
            "recipients": Recipients.frame(mapping.recipient_rows(whole, READING))}


def _sample() -> Effect:
    """Two of the five that order 101 asks for: a part, where nothing at BigCommerce guards against a second shipment."""
    payload = DispatchConfirmation(
        connection=NAME, order_id="101", ship_group="2", warehouse="gxo-north", reference="BCUK-101-1", advice_id="A41", package_id="P1",
        carrier="RMLL", service="48", provider="royalmail", tracking_carrier="", tracking_link="", tracking_number="RM000000041GB",
        shipped_at="2026-01-15T15:05:00+00:00", lines=[ConfirmedLine(line_id="2", quantity=2)])
    return Effect(effect_id=f"{DISPATCH_CONFIRMATION}:{NAME}:101:A41:P1", kind=DISPATCH_CONFIRMATION, target=NAME, business_key=f"{NAME}:101:A41:P1",
                  payload=payload.model_dump())


def _stock() -> Effect:
    """Three SKUs, one of them a product whose stock is tracked as a whole."""
    payload = StockUpdate(connection=NAME, location="1", items=[
        StockItem(sku=sku, quantity=quantity, as_of="2026-01-15T09:00:00+00:00", sequence=1) for sku, quantity in (("SKU-2", 40), ("SKU-2-XL", 0), ("SKU-4", 7))])
    return Effect(effect_id=f"{STOCK_UPDATE}:{NAME}:1:7", kind=STOCK_UPDATE, target=NAME, business_key="1:7", payload=payload.model_dump())


def _refund() -> Effect:
    """One of the five of order 102 came back in a poor state: a part of its price is paid back."""
    payload = RefundRequest(connection=NAME, order_id="102", warehouse="gxo-north", document_id="R77", currency="GBP", lines=[RefundLine(line_id="3", quantity=1)],
                            amount_minor=625, cap_minor=1250, reason="grade B")
    return Effect(effect_id=f"{REFUND}:{NAME}:102:R77", kind=REFUND, target=NAME, business_key="102:R77", payload=payload.model_dump())


def _seed(sandbox: BigCommerceSandbox, clock: Clock) -> None:
    sandbox.add_products({"sku": f"SKU-{n}", "name": f"Thing {n}", "inventory_tracking": ("none", "product", "variant")[n % 3],
                          **({"variants": [f"SKU-{n}", f"SKU-{n}-XL"]} if n % 3 == 2 else {})} for n in range(1, PLACED + 1))
    for n in range(PLACED):
        sandbox.place_order([{"sku": f"SKU-{n + 1}", "name": f"Thing {n + 1}", "quantity": 5, "price": "12.50", "tax_rate": "0.2"}], [HOME],
                            billing={**HOME, "company": ""}, customer_message=f"{CANARY} has a dog")
        clock.sleep(1)
    sandbox.refund_by_hand(104, {5: 1}, reason=f"{CANARY} rang")  # what a person types there must not travel
    # order 101 was partly shipped by somebody in the control panel, so that there is something to show
    handed = DispatchConfirmation.model_validate({**_sample().payload, "tracking_number": "BYHAND", "lines": [{"line_id": "2", "quantity": 1}]})
    sandbox.ship(101, mapping.shipment_request(handed, "").model_dump(exclude_none=True) | {"comments": "by hand"})


def _completion() -> Effect:
    """Order 103 is set to Shipped. An absolute change: twice is once."""
    return Effect(effect_id=f"{ORDER_COMPLETION}:{NAME}:103", kind=ORDER_COMPLETION, target=NAME, business_key="103",
                  payload={"connection": NAME, "order_id": "103"})


def _count(sandbox: BigCommerceSandbox, effect: Effect, kind: str) -> int:
    if kind == STOCK_UPDATE:
        return int(any(write["reason"].endswith(":7") for write in sandbox.books()["stock_writes"]))
    if kind == REFUND:
        return sum(refund["order_id"] == 102 for refund in sandbox.books()["refunds"])
    if kind == ORDER_COMPLETION:
        return int(sandbox.books()["orders"][103]["status_id"] == SHIPPED)
    return sum(shipment["tracking_number"] == effect.payload["tracking_number"] for shipment in sandbox.books()["shipments"])
