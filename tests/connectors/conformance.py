"""What the conformance suite stands on: which systems there are, how a sample effect is made ready, and how it is delivered.

`deliver` is the documented protocol in its smallest form; the ledger and the simulator carry out the same with a memory.
"""

import importlib
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from connectors.kit import sandbox as faults
from connectors.kit.clock import ManualClock
from connectors.kit.errors import InDoubt, NotAllowed, NotNow, WharfingerError
from connectors.kit.rehearsal import Rehearsal, canaries_in, frames
from connectors.ports import FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, Effect, Message, OrderPage, Receipt, Storefront
from contracts import dispatches, items, orders, returns, stock
from contracts.base import Contract

CONNECTORS = Path(__file__).resolve().parents[2] / "connectors"
OURS = ("kit", "ledger", "snapshots")
ATTEMPTS_MAX = 4
UNKNOWN = (FULFILMENT_REQUEST, faults.CONNECT_REFUSED)
CONTRACTS = (orders.Orders, orders.OrderLines, orders.ShipGroups, orders.Recipients, items.Items, items.CatalogueItems, items.Channels,
             dispatches.Dispatches, stock.StockLevels, stock.StockChanges, stock.Locations, stock.ShownStock, returns.ReturnLines, returns.Refunds, returns.Payments)
# fault -> the error it must become (None: none at all), and whether the far side has carried out the write all the same
MEANS: dict[str, tuple[type[WharfingerError] | None, bool]] = {
    faults.CONNECT_REFUSED: (NotNow, False), faults.TIMEOUT_BEFORE: (InDoubt, False), faults.TIMEOUT_AFTER: (InDoubt, True),
    faults.LATE_COMMIT: (InDoubt, False), faults.THROTTLED: (NotNow, False), faults.ERROR_BEFORE: (InDoubt, False),
    faults.ERROR_AFTER: (InDoubt, True), faults.GARBLED: (InDoubt, True), faults.TOKEN_EXPIRED: (NotAllowed, False),
}


def systems() -> list[str]:
    """Every system there is: each folder under connectors that is not ours."""
    return sorted(folder.name for folder in CONNECTORS.iterdir() if folder.name not in OURS and any(folder.glob("*.py")))


def rehearse(system: str, clock: ManualClock, folder: Path) -> Rehearsal:
    """A fresh system on a fresh sandbox."""
    folder.mkdir(parents=True, exist_ok=True)
    return importlib.import_module(f"connectors.{system}.rehearsal").rehearse(clock, folder)


def cases() -> Iterator[tuple[str, str, str]]:
    """(system, kind, fault), every one that there is. A system that cannot be rehearsed keeps its place, so that its test fails."""
    for system in systems():
        sample = _sample(system)
        yield from ((system, kind, fault) for kind in sample.port.kinds for fault in sample.faults) if sample else [(system, *UNKNOWN)]


def outages() -> Iterator[tuple[str, str]]:
    """(system, fault) for every fault that keeps an answer from its reads."""
    for system in systems():
        sample = _sample(system)
        yield from ((system, fault) for fault in (sample.outages if sample else UNKNOWN[1:]))


@cache
def _sample(system: str) -> Rehearsal | None:
    try:
        with TemporaryDirectory() as folder:
            return rehearse(system, ManualClock(), Path(folder))
    except Exception:  # its own tests will meet the same error; the other systems must not go down with it
        return None


def ready(rehearsal: Rehearsal, kind: str, clock: ManualClock) -> Effect:
    """The sample effect as the ledger would hand it out: numbered, its document frozen. What must come before it has been sent."""
    if kind in (FULFILMENT_CHANGE, FULFILMENT_CANCEL):
        deliver(rehearsal, ready(rehearsal, FULFILMENT_REQUEST, clock), clock)
    effect = replace(rehearsal.effects[kind], number=rehearsal.number(kind), planned_at=clock.now())
    return replace(effect, document=rehearsal.port.prepare(effect))


def send(rehearsal: Rehearsal, effect: Effect, clock: ManualClock, attempt: int = 1) -> Receipt:
    """Send once, at this moment."""
    return rehearsal.port.send(sent(effect, clock, attempt))


def sent(effect: Effect, clock: ManualClock, attempt: int = 1) -> Effect:
    """The effect as the ledger knows it once it is in flight."""
    return replace(effect, attempt=attempt, sent_at=clock.now(), fence=attempt)


def deliver(rehearsal: Rehearsal, effect: Effect, clock: ManualClock) -> Receipt:
    """Send until it is surely there: what the ledger does, without its memory."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return send(rehearsal, effect, clock, attempt)
        except (NotNow, NotAllowed, InDoubt) as error:
            if found := after(rehearsal, sent(effect, clock, attempt), error, clock):
                return found
    raise AssertionError(f"{effect.kind} was not delivered in {ATTEMPTS_MAX} attempts")


def after(rehearsal: Rehearsal, effect: Effect, error: WharfingerError, clock: ManualClock) -> Receipt | None:
    """What the protocol does next: on 'not now' wait; on any doubt wait the quiet period and read back. None: it may be sent again."""
    if not isinstance(error, InDoubt):
        clock.sleep(error.wait_seconds or 60.0)
        return None
    clock.sleep(rehearsal.port.quiet_seconds)
    return rehearsal.port.find(effect)


def plain_secrets(settings: Any) -> Any:
    """The same settings with the secret itself wherever there was a reference."""
    if isinstance(settings, dict):
        return {key: plain_secrets(value) for key, value in settings.items()}
    return "the secret itself" if str(settings).startswith("env:") else settings


def unknown_keys(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same settings with a key too many, at every depth."""
    yield settings | {"no_such_setting": 1}
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from (settings | {key: deeper} for deeper in unknown_keys(value))


def writes(rehearsal: Rehearsal, since: int = 0) -> int:
    """How many requests since then could have changed something."""
    return sum(fnmatch(call, rehearsal.writes) for call in rehearsal.calls[since:])


def reads(rehearsal: Rehearsal) -> dict[str, Callable[[], list[Any]]]:
    """Everything the port can be asked, by name; each gives a list of what came."""
    port = rehearsal.port
    if isinstance(port, Storefront):
        return {"orders": lambda: list(port.orders(rehearsal.window)), "order": lambda: [port.order(rehearsal.order_id)],
                "channels": lambda: [port.channels()], "catalogue": lambda: [port.catalogue(rehearsal.skus)],
                "shown_dispatches": lambda: [port.shown_dispatches(rehearsal.order_id)], "locations": lambda: [port.locations()],
                "shown_stock": lambda: list(port.shown_stock(rehearsal.location)), "refunds": lambda: [port.refunds(rehearsal.window)],
                "payments": lambda: [port.payments(rehearsal.order_id)]}
    return {"items": lambda: list(port.items()), "inbound": lambda: list(port.inbound()),
            "messages": lambda: [message for inbound in port.inbound() for message in port.read(inbound)]}


def contract_of(frame: pd.DataFrame) -> type[Contract]:
    """The contract whose columns these are."""
    return next(contract for contract in CONTRACTS if contract.columns() == list(frame.columns))


def told(read: list[Any]) -> str:
    """All that a read gave, as text, without the frames of Recipients: they are meant to be personal."""
    public = [frame for frame in frames(read) if contract_of(frame) is not orders.Recipients]
    return "\n".join(frame.to_csv() for frame in public)


def keys(read: list[Any]) -> list[str]:
    """What identifies each record of a paged read: order ids, SKUs, message keys."""
    if read and isinstance(read[0], OrderPage):
        return [order_id for page in read for order_id in page.orders["order_id"]]
    if read and isinstance(read[0], Message):
        return [message.key for message in read]
    return [sku for frame in frames(read) for sku in frame["sku"]]


def all_of(error: BaseException) -> str:
    """All that a log could show of an error: its text, its repr, its fields, and the whole chain behind it."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def tells_nothing(rehearsal: Rehearsal, text: str) -> None:
    """Fails when the text gives away a person or a secret."""
    assert not canaries_in(text)
    assert not [name for name, secret in rehearsal.secrets.items() if secret in text]
