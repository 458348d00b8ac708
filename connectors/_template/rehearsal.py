"""Quayside as the conformance suite plays with it: in process, page size five, one sample of each kind."""

import json
from functools import partial
from pathlib import Path

import pandas as pd
from pydantic import SecretStr

from connectors._template import mapping
from connectors._template.sandbox import ITEMS, Sandbox
from connectors._template.warehouse import Settings, connect
from connectors.kit.clock import Clock
from connectors.kit.http import parse
from connectors.kit.rehearsal import PAGE_SIZE, Golden, Overheard, Rehearsal, canary_recipient
from connectors.kit.sandbox import Transport
from connectors.ports import FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, Effect, Inbound
from contracts.effects import FulfilmentRequest, RequestLine

NAME, TOKEN = "quayside-north", "quayside-token-4711"
SHIPPED_BEFORE = 12


def rehearse(clock: Clock, folder: Path) -> Rehearsal:
    """A fresh Quayside; all of it is in memory, so `folder` stays empty."""
    sandbox = Sandbox(clock, token=TOKEN)
    overheard = Overheard(Transport(sandbox, clock))
    port = connect(NAME, Settings(base_url="http://quayside", token=SecretStr(TOKEN), page_size=PAGE_SIZE), clock, overheard)
    effects = {FULFILMENT_REQUEST: _sample(FULFILMENT_REQUEST, 1, 3), FULFILMENT_CHANGE: _sample(FULFILMENT_CHANGE, 2, 4),
               FULFILMENT_CANCEL: _sample(FULFILMENT_CANCEL, 2, 3)}
    return Rehearsal(
        port=port, sandbox=sandbox, settings=Settings, secrets={"QUAYSIDE_TOKEN": TOKEN}, effects=effects, calls=overheard.calls,
        settings_example={"base_url": "https://api.quayside.example", "token": "env:QUAYSIDE_TOKEN", "page_size": PAGE_SIZE},
        seed=partial(_seed, sandbox), count=partial(_count, sandbox, effects), paged={"items": len(ITEMS), "messages": SHIPPED_BEFORE},
        once_if_twice=frozenset({FULFILMENT_CHANGE, FULFILMENT_CANCEL}))


def read_example(path: Path) -> dict[str, Golden]:
    """The rows that a payload in `examples/` becomes, and the body that a request becomes."""
    if path.match("shipments*.json"):
        read = mapping.messages(NAME, Inbound("examples", path.name, path.read_bytes()))
        return {"dispatches": pd.concat([m.dispatches for m in read if m.dispatches is not None], ignore_index=True),
                "errors": pd.DataFrame([{"key": m.key, "why": why} for m in read for why in m.errors], columns=["key", "why"])}
    if path.match("items*.json"):
        sound, unreadable = mapping.items_frame(NAME, parse(path.read_bytes())["items"])
        return {"items": sound, "unreadable": pd.DataFrame(unreadable, columns=["record", "why"])}
    if path.match("request*.json"):
        effect = Effect(effect_id="", kind=FULFILMENT_REQUEST, target=NAME, business_key="", **parse(path.read_bytes()))
        return {"order.json": json.dumps(json.loads(mapping.order_body(effect)), indent=2, ensure_ascii=False) + "\n"}
    return {}


def _sample(kind: str, revision: int, quantity: int) -> Effect:
    lines = [RequestLine(number=n, line_id=f"7{n}", sku=sku.lower(), warehouse_sku=sku, quantity=quantity, unit="EA", factor=1, currency="GBP")
             for n, sku in enumerate(("QS-001", "QS-002"), 1)]
    request = FulfilmentRequest(
        connection="bigcommerce-uk", order_id="700", ship_group="1", reference="BCUK-700-1", warehouse=NAME, facility="NORTH", channel="1",
        ship_method="Next day", carrier="DPDL", service="ND", country="GB", currency="GBP", placed_on="2026-01-14", order_total_minor=4550,
        lines=lines, revision=revision)
    return Effect(effect_id=f"{kind}:bigcommerce-uk:700:1:{revision}", kind=kind, target=NAME, business_key=f"bigcommerce-uk:700:1:{revision}",
                  payload=request.model_dump(), recipient=canary_recipient("bigcommerce-uk", "700", "1"))


def _seed(sandbox: Sandbox) -> None:
    """Other people's orders, shipped already: what the reads read."""
    for n in range(1, SHIPPED_BEFORE + 1):
        sandbox.ship({"reference": f"BCUK-{n}-1", "site": "NORTH", "carrier": "DPDL", "service": "ND",
                      "lines": [{"line": 1, "code": "QS-001", "quantity": n, "uom": "EA"}]})


def _count(sandbox: Sandbox, effects: dict[str, Effect], kind: str) -> int:
    wanted = FulfilmentRequest.model_validate(effects[kind].payload)
    ours = [order for order in sandbox.orders if order["reference"] == wanted.reference]
    if kind == FULFILMENT_CANCEL:
        return sum(order["state"] == "cancelled" for order in ours)
    return sum(order["revision"] == wanted.revision and order["state"] == "open" for order in ours)
