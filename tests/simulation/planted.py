"""Bugs that somebody could make, planted one at a time into the real code. The simulator must find each.

Each is a function that changes the product and gives back how to change it back; those of stock, returns, refunds and restores are in planted_goods.py.
`python -m tests.simulation.planted 30` looks for all of them, each in at most so many worlds of a swarm, then in every seventh point and call of a small
world. What none of them shows is listed, in words, in docs/proof.md.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx

from connectors.bigcommerce import shipments
from connectors.gxo import warehouse
from connectors.kit import http
from connectors.kit.errors import InDoubt, NotNow, Refused
from connectors.ledger.books import Books
from connectors.ledger.effects import Effects
from connectors.ledger.exceptions import Exceptions
from connectors.ledger.records import Inbox
from connectors.ledger.vault import Vault
from deployments.simulation.kernel import Kernel
from deployments.simulation.modes import each_call, each_point
from deployments.simulation.play import Scenario, play, themes_of
from tasks import deliver, dispatches, inbound, orders
from tasks.rules import preflight
from tasks.rules.lookup import Mappings
from tests.simulation import planted_calls, planted_goods, planted_orders
from tests.simulation.garden import BUGS, IN_PEACE, Garden, bug, planted


@bug
def blind_retry(garden: Garden) -> None:
    """A doubt is sent again at once."""
    garden.put(Effects, "doubt", lambda self, tx, claimed, error, quiet: self.not_now(tx, claimed, error, 1.0)
               if self.get(tx, claimed.effect_id).state == "IN_FLIGHT" else self.absent(tx, claimed))


@bug
def five_hundred_means_failed(garden: Garden) -> None:
    """A 5xx is taken for a definite no."""
    real = garden.put(http, "classify", lambda doing, came, now, *, writing, describe=None: NotNow(doing, f"HTTP {came.status_code}")
                      if isinstance(came, httpx.Response) and came.status_code >= 500 else real(doing, came, now, writing=writing, describe=describe))


@bug
def a_time_out_means_failed(garden: Garden) -> None:
    """No answer is taken for: nothing happened."""
    real = garden.put(http, "classify", lambda doing, came, now, *, writing, describe=None: NotNow(doing, "timed out")
                      if isinstance(came, httpx.TimeoutException) else real(doing, came, now, writing=writing, describe=describe))


@bug
def no_quiet_period(garden: Garden) -> None:
    """Read back at once, while a late commit may still come."""
    real = garden.put(Effects, "doubt", lambda self, tx, claimed, error, quiet: real(self, tx, claimed, error, 0.0))


@bug
def the_watermark_goes_before_the_rows(garden: Garden) -> None:
    """How far the feed is taken in is committed before what it brought."""
    def take_in(opened: Any, name: str) -> Any:
        counts = orders.Counter()
        for page in opened.storefront(name).orders(orders.window(opened, name)):
            with opened.ledger.transaction() as tx:
                opened.ledger.watermarks.reach(tx, f"{name} orders", opened.clock.now())
            with opened.ledger.transaction() as tx:
                counts += orders.enter_page(opened, tx, name, page)
        return counts

    garden.put(orders, "take_in_orders", take_in)
    real = garden.put(orders, "window", lambda opened, name: _without_overlap(opened, real(opened, name)))


def _without_overlap(opened: Any, window: Any) -> Any:
    return replace(window, since=window.since.__class__.fromtimestamp(window.since.timestamp() + 300, window.since.tzinfo))


@bug
def a_control_number_is_drawn_anew(garden: Garden) -> None:
    """Every sending gets a number and bytes of its own."""
    real_open = garden.put(Vault, "open", lambda self, tx, subject, name, *more: None if name.startswith("document:") else real_open(self, tx, subject, name, *more))
    real = garden.put(Effects, "number", lambda self, tx, claimed, stream: real(self, tx, replace(claimed, number=0, effect_id=claimed.effect_id), stream)
                      if not claimed.number else _next(self, tx, claimed, stream))


def _next(effects: Effects, tx: Any, claimed: Any, stream: str) -> int:
    effects._change(tx, claimed, "IN_FLIGHT", "UNKNOWN", number=0)
    return Effects.__dict__["number"](effects, tx, replace(claimed, number=0), stream)


@bug
def a_factor_is_applied_twice(garden: Garden) -> None:
    """So many components, squared."""
    real = garden.put(preflight.Checks, "_entry", lambda self, line, place, item, unit, factor, *more, **named:
                      real(self, line, place, item, unit, factor * factor, *more, **named))


@bug
def postage_goes_onto_the_pick_list(garden: Garden) -> None:
    """Nothing is no goods, and the item master is not asked about it."""
    garden.put(Mappings, "is_non_stock", lambda self, connection, sku: False)
    real = garden.put(preflight.Checks, "_item", lambda self, line, place, sku, **more: real(self, line, place, "HEART" if sku == "POST" else sku, **more))


@bug
def a_stale_fence_is_believed(garden: Garden) -> None:
    """A worker that slept past its lease writes what it knows; and a lease that ran out may be sent again."""
    garden.put(Effects, "may_send", lambda self, claimed: True)
    real = garden.put(Effects, "expire", lambda self, tx, quiet, dead=(): _sent_again(self, tx) or real(self, tx, quiet, dead))


def _sent_again(effects: Effects, tx: Any) -> int:
    from connectors.ledger.tables import effect
    import sqlalchemy as sa
    return tx.execute(sa.update(effect).where(effect.c.state == "IN_FLIGHT", effect.c.lease_until <= effects._clock.now())
                      .values(state="PLANNED", fence=effect.c.fence + 1)).rowcount


@bug
def intent_is_written_after_the_call(garden: Garden) -> None:
    """Send first, claim when it went well."""
    def send(opened: Any, port: Any, effect_id: str, holder: str, done: Any) -> Any:
        with opened.ledger.transaction() as tx:
            row = opened.ledger.effects.get(tx, effect_id)
            seen = deliver.Effect(row.effect_id, row.kind, row.target, row.business_key, row.payload, 1, row.fence, row.number, row.planned_at, opened.clock.now())
        if port.numbers(row.kind):
            return real(opened, port, effect_id, holder, done)
        receipt = port.send(replace(seen, document=port.prepare(seen)))
        with opened.ledger.transaction() as tx:
            claimed = opened.ledger.effects.claim(tx, effect_id, holder)
        if claimed is not None:
            deliver._confirmed(opened, port, claimed, receipt, done, "sent")
        return None

    real = garden.put(deliver, "_send", send)


@bug
def the_file_is_filed_away_before_it_is_committed(garden: Garden) -> None:
    """A crash in between loses the file's rows."""
    def take_in(opened: Any, name: str) -> Any:
        port, counts = opened.warehouse(name), orders.Counter()
        for found in port.inbound():
            try:
                messages, error = port.read(found), ""
            except inbound.BadDocument as problem:
                messages, error = [], problem.got
            port.file_away(found)
            counts.update(inbound._enter(opened, name, found, messages, error))
        return counts

    garden.put(inbound, "take_in", take_in)


@bug
def a_repeated_file_is_entered_again(garden: Garden) -> None:
    """The inbox is not asked, nor what was advised before."""
    garden.put(Inbox, "seen", lambda self, tx, key: None)
    garden.put(Inbox, "enter", lambda self, tx, arrived: None)
    again = iter(range(1_000_000))
    garden.put(dispatches, "_not_advised_before", lambda opened, tx, name, rows: [row | {"package_id": f"{row['package_id']}/{next(again)}"} for row in rows])


@bug
def a_cancel_is_forgotten(garden: Garden) -> None:
    """The order is cancelled at the storefront, and nobody tells the warehouse."""
    garden.put(orders, "_cancel", lambda *_: [])


@bug
def an_edit_is_forgotten(garden: Garden) -> None:
    """The order was changed, and the warehouse keeps the old one."""
    garden.put(orders, "_follow_edit", lambda *_: [])


@bug
def an_older_order_wins(garden: Garden) -> None:
    """Whatever comes last is believed, and an order that is planned is not planned again."""
    real = garden.put(Books, "take_in", lambda self, tx, entry: "same" if self.order(tx, entry.connection, entry.order_id) is not None else real(self, tx, entry))


@bug
def a_carrier_is_guessed(garden: Garden) -> None:
    """No mapping: sent as it is."""
    real = garden.put(Mappings, "carrier", lambda self, name, carrier, service, connection: real(self, name, carrier, service, connection)
                      or {"provider": "ups", "tracking_carrier": "", "tracking_link": ""})


@bug
def the_sound_part_of_a_held_order_is_sent(garden: Garden) -> None:
    """An unknown line is left out, and the rest goes."""
    real = garden.put(orders, "plan_orders", lambda *args: _without_findings(real, *args))


def _without_findings(real: Any, orders_frame: Any, lines: Any, *more: Any) -> Any:
    return real(orders_frame, lines[lines["sku"] != "GHOST"].reset_index(drop=True), *more)


@bug
def a_stale_list_is_believed(garden: Garden) -> None:
    """What is not in the list of shipments is not there."""
    real = garden.put(shipments.Shipments, "find", lambda self, effect: _believing(self, effect, real))


def _believing(port: Any, effect: Any, real: Any) -> Any:
    try:
        return real(port, effect)
    except InDoubt:
        return None


@bug
def a_wrong_token_is_a_refusal(garden: Garden) -> None:
    """401 while a token is renewed: the record is given up."""
    real = garden.put(http, "classify", lambda doing, came, now, *, writing, describe=None: Refused(doing, "HTTP 401")
                      if writing and isinstance(came, httpx.Response) and came.status_code == 401 else real(doing, came, now, writing=writing, describe=describe))


@bug
def a_file_that_is_cut_off_is_read(garden: Garden) -> None:
    """What cannot be read is taken for empty, and filed away as if it had been read."""
    real = garden.put(warehouse.Gxo, "read", lambda self, found: _or_nothing(real, self, found))
    garden.put(inbound, "_quarantine", lambda *_: 0)


def _or_nothing(real: Any, port: Any, found: Any) -> Any:
    try:
        return real(port, found)
    except inbound.BadDocument:
        return []


@bug
def an_exception_is_opened_every_time(garden: Garden) -> None:
    """The same cause does not count up: a planning's exceptions are closed without a word."""
    garden.put(Exceptions, "open", lambda self, tx, findings: len(list(findings)))


@bug
def tracking_numbers_are_mixed_up(garden: Garden) -> None:
    """Two parcels of an order show the same number."""
    real = garden.put(dispatches, "_owe_confirmation", lambda opened, tx, confirmation:
                      real(opened, tx, confirmation.model_copy(update={"tracking_number": confirmation.tracking_number[:6]})))


@bug
def read_back_proves_whatever_it_sees(garden: Garden) -> None:
    """A confirmation counts as seen without a look; and an unanswered one as there."""
    garden.put(Effects, "doubt", lambda self, tx, claimed, error, quiet: self.confirm(tx, claimed, deliver.Receipt("assumed", {}), 900.0))


@bug
def a_refused_connection_drops_the_record(garden: Garden) -> None:
    """Not reached: rejected."""
    garden.put(Effects, "not_now", lambda self, tx, claimed, error, wait: self.reject(tx, claimed, error))


@bug
def exceptions_are_closed_without_a_word(garden: Garden) -> None:
    """Nobody says why."""
    real = garden.put(Exceptions, "resolve", lambda self, tx, exception_id, actor, reason: real(self, tx, exception_id, actor, "") if False else _closed(self, tx, exception_id))


def _closed(exceptions: Exceptions, tx: Any, exception_id: str) -> bool:
    from connectors.ledger.tables import exception
    import sqlalchemy as sa
    return bool(tx.execute(sa.update(exception).where(exception.c.exception_id == exception_id, exception.c.state == "open").values(state="resolved")).rowcount)


@bug
def a_call_is_made_inside_a_transaction(garden: Garden) -> None:
    """The ledger is held while the storefront is asked."""
    def send_within(opened: Any, port: Any, effect_id: str, holder: str, done: Any) -> Any:
        with opened.ledger.transaction() as tx:
            claimed = opened.ledger.effects.claim(tx, effect_id, holder)
            effect = None if claimed is None else deliver._ready(opened, tx, port, claimed, holder)
            receipt = None if effect is None else port.send(effect)
            if receipt is not None:
                opened.ledger.effects.confirm(tx, effect, receipt, 900.0)
        return None

    garden.put(deliver, "_send", send_within)


# what a bug needs to be seen at all: worlds that are about something, or a fault that every world has
@bug
def what_the_warehouse_refused_stays_in_our_book(garden: Garden) -> None:
    """A change that was refused is kept as if it had been taken."""
    garden.put(dispatches, "refused", lambda opened, tx, change: None)


@bug
def what_is_missing_is_called_postage(garden: Garden) -> None:
    """An order is called shipped though goods of it are missing: those of an edit that came too late."""
    garden.put(dispatches, "is_no_goods", lambda line, mappings: True)


ABOUT = planted_calls.ABOUT | planted_goods.ABOUT | planted_orders.ABOUT | {"what_the_warehouse_refused_stays_in_our_book": "minds", "what_is_missing_is_called_postage": "minds", "an_edit_is_forgotten": "minds", "a_cancel_is_forgotten": "minds"}
WITH = planted_goods.WITH | planted_orders.WITH | {"an_edit_is_forgotten": IN_PEACE["minds"], "a_cancel_is_forgotten": IN_PEACE["minds"]}

# found by the oracle within a few worlds: what `make test` looks for
SOON = ("five_hundred_means_failed", "no_quiet_period", "the_watermark_goes_before_the_rows", "a_control_number_is_drawn_anew", "a_factor_is_applied_twice",
        "a_repeated_file_is_entered_again", "the_file_is_filed_away_before_it_is_committed")


def worlds_for(name: str, seeds: range) -> Iterator[int]:
    """The seeds whose worlds are about what the bug is in."""
    theme, scenario = ABOUT.get(name, "orders"), WITH.get(name)
    return (seed for seed in seeds if scenario is not None and scenario.themes is not None or theme in themes_of(Kernel(seed)))


def hunt(name: str, seeds: range, most: int = 0) -> str:
    """Which world shows the bug: a seed of the swarm; most > 0: else a killed or struck small world. '' when none does."""
    with planted(name):
        for seed in worlds_for(name, seeds):
            if found := play(seed, WITH.get(name, Scenario())).violations:
                return f"swarm {seed}: {found[0].invariant}"
        for mode, scenarios in (("crash", each_point), ("fault", each_call)) if most else ():
            for _, scenario in zip(range(most), scenarios(seeds.start, 7), strict=False):
                if found := play(seeds.start, scenario).violations:
                    return f"{mode} {scenario.doomed_at if mode == 'crash' else scenario.only}: {found[0].invariant}"
    return ""


if __name__ == "__main__":
    wanted = sys.argv[2:] or list(BUGS)
    for one in wanted:
        print(one, "->", hunt(one, range(1000, 1000 + int(sys.argv[1])), 40) or "not found", flush=True)
