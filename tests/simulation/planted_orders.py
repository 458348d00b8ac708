"""More bugs that somebody could make in orders, dispatches, effects, files, exceptions and mappings: one small edit each, planted one at a time."""

import itertools
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from connectors.bigcommerce import client, feed, shipments, storefront
from connectors.gxo import warehouse
from connectors.kit import budget, http
from connectors.kit.budget import Budget
from connectors.kit.errors import InDoubt, NotAllowed, Refused
from connectors.kit.exchange import Exchange
from connectors.ledger import effects as effects_module
from connectors.ledger import exceptions as exceptions_module
from connectors.ledger.books import Books
from connectors.ledger.effects import Effects, payload_hash
from connectors.ledger.exceptions import Exceptions
from connectors.ledger.tables import control_number, effect, exception
from connectors.ledger.vault import Vault
from connectors.ports import ORDER_COMPLETION
from deployments.simulation.play import Scenario
from tasks import deliver, dispatches, mappings, orders
from tasks.rules import dispatch as dispatch_rules
from tasks.rules import fulfilment
from tasks.rules.lookup import Mappings
from tasks.rules.shipped_units import ShippedUnits
from tests.simulation.garden import IN_PEACE, Garden, bug


@bug
def the_second_page_is_never_read(garden: Garden) -> None:
    """Of shipments, of an order's lines: one page is all."""
    garden.put(client.Client, "_all_v2", lambda self, path: client._listed(self._v2.read(path, {"page": 1, "limit": self._page_size}), path))


@bug
def the_overlap_is_forgotten(garden: Garden) -> None:
    """From the watermark on, and not from five minutes before."""
    def window(opened: Any, name: str) -> Any:
        found = real(opened, name)
        with opened.ledger.transaction() as tx:
            reached = opened.ledger.watermarks.read(tx, f"{name} orders")
        return found if reached is None else replace(found, since=min(reached, found.until))

    real = garden.put(orders, "window", window)


@bug
def the_watermark_goes_to_now(garden: Garden) -> None:
    """Everything up to this moment was read, so it is said: what the list did not show yet is never asked for."""
    def take_in(opened: Any, name: str) -> Any:
        counts, now = orders.Counter(), opened.clock.now()
        for page in opened.storefront(name).orders(orders.window(opened, name)):
            with opened.ledger.transaction() as tx:
                counts += orders.enter_page(opened, tx, name, page, reach=False)
        with opened.ledger.transaction() as tx:
            opened.ledger.watermarks.reach(tx, f"{name} orders", now + orders.timedelta(minutes=10))
        return counts

    garden.put(orders, "take_in_orders", take_in)


@bug
def too_many_requests_is_a_refusal(garden: Garden) -> None:
    """429 on a change: the record is given up."""
    real = garden.put(http, "classify", lambda doing, came, now, *, writing, describe=None: Refused(doing, "HTTP 429")
                      if writing and isinstance(came, httpx.Response) and came.status_code == 429 else real(doing, came, now, writing=writing, describe=describe))


@bug
def nobody_waits_when_asked_to(garden: Garden) -> None:
    """Retry-After and the quota are read, and nothing follows."""
    garden.put(Budget, "_seconds_to_wait", lambda self, now: 0.0)


@bug
def retry_after_is_not_read(garden: Garden) -> None:
    """429: again in half a second, whatever it asks for."""
    garden.put(http, "retry_after_seconds", lambda headers, now: None)
    garden.put(budget, "retry_after_seconds", lambda headers, now: None)


@bug
def more_than_is_left_is_a_refusal(garden: Garden) -> None:
    """The 400 that may mean that our first call worked is a 400 like any other."""
    garden.put(storefront, "over_quantity", lambda doing, response: None)


@bug
def more_than_is_left_is_a_success(garden: Garden) -> None:
    """Somebody has shipped it, so it is shipped."""
    def send(self: Any, effect_: Any, body: bytes) -> Any:
        try:
            return real(self, effect_, body)
        except InDoubt as doubt:
            if "left to ship" in doubt.got:
                return shipments.Receipt("already shipped", {})
            raise

    real = garden.put(shipments.Shipments, "send", send)


@bug
def an_answer_that_cannot_be_read_is_a_success(garden: Garden) -> None:
    """200 is 200, whatever its body."""
    def send(self: Any, effect_: Any, body: bytes) -> Any:
        try:
            return real(self, effect_, body)
        except InDoubt as doubt:
            if "not JSON" in doubt.got:
                return shipments.Receipt("HTTP 200", {})
            raise

    real = garden.put(shipments.Shipments, "send", send)


@bug
def nobody_looks_at_the_lease_before_the_change(garden: Garden) -> None:
    """A process that slept while it looked at the order sends on a claim that has ended."""
    garden.put(shipments, "in_time", lambda effect_, clock, doing: None)


@bug
def a_cancel_is_overwritten_by_a_parcel(garden: Garden) -> None:
    """Nobody looks at the order's status before the shipment makes a shipped one of it."""
    garden.put(shipments, "CANCELLED", ())


@bug
def what_is_half_put_is_left_there(garden: Garden) -> None:
    """A read-back does not tidy up: whoever slept before its rename publishes the file after it was sent again."""
    garden.put(Exchange, "remove_parts", lambda self, folder, name: 0)
    real = garden.put(Exchange, "put", lambda self, folder, name, body, token, until=None: real(self, folder, name, body, token, None))


@bug
def the_fence_is_left_out(garden: Garden) -> None:
    """An outcome is written whoever holds the claim by now."""
    garden.put(Effects, "_change", lambda self, tx, claimed, *expected, **values: tx.execute(
        sa.update(effect).where(effect.c.effect_id == claimed.effect_id).values(**values)))
    garden.put(effects_module, "_CONFIRM", sa.update(effect).where(effect.c.effect_id == sa.bindparam("id"), sa.bindparam("known_fence") >= 0).values(
        state="CONFIRMED", remote_id=sa.bindparam("their_id"), evidence=sa.bindparam("seen"), error="", lease_until=None, doubted_at=None,
        confirmed_at=sa.bindparam("at"), verify_by=sa.bindparam("by")))


@bug
def a_younger_change_overtakes_an_older_in_doubt(garden: Garden) -> None:
    """One in flight for each order: forgotten."""
    garden.put(effects_module, "_FREE", sa.true())
    garden.put(effects_module, "_CLAIM", sa.update(effect).where(
        effect.c.effect_id == sa.bindparam("id"), effect.c.state == "PLANNED", effect.c.fence == sa.bindparam("known_fence"), effect.c.not_before <= sa.bindparam("at"),
    ).values(state="IN_FLIGHT", fence=effect.c.fence + 1, attempt=effect.c.attempt + 1, holder=sa.bindparam("by"), sent_at=sa.bindparam("at"),
             lease_until=sa.bindparam("until")))


@bug
def two_files_share_a_control_number(garden: Garden) -> None:
    """Every second number is drawn, and not kept."""
    def number(self: Any, tx: Any, claimed: Any, stream: str) -> int:
        drawn = real(self, tx, claimed, stream)
        if not claimed.number and drawn % 2 == 0:
            tx.execute(sa.update(control_number).where(control_number.c.stream == stream).values(last=drawn - 1))
        return drawn

    real = garden.put(Effects, "number", number)


@bug
def a_payload_is_touched_up_when_it_is_sent(garden: Garden) -> None:
    """What was planned is not what the ledger says later."""
    def claim(self: Any, tx: Any, effect_id: str, holder: str) -> Any:
        claimed = real(self, tx, effect_id, holder)
        if claimed is not None:
            payload = claimed.payload | {"sent_by": holder}
            tx.execute(sa.update(effect).where(effect.c.effect_id == effect_id).values(payload=payload, payload_hash=payload_hash(payload)))
        return claimed

    real = garden.put(Effects, "claim", claim)


@bug
def the_read_back_matches_by_lines_alone(garden: Garden) -> None:
    """A parcel of the same articles is taken for ours."""
    def matching(found: Any, request: Any, effect_id: str) -> Any:
        wanted = sorted((item.order_product_id, item.quantity) for item in request.items)
        return next((one for one in found if sorted((i.order_product_id, i.quantity) for i in one.items) == wanted), None)

    garden.put(shipments, "matching", matching)


@bug
def the_read_back_takes_any_parcel_of_the_order(garden: Garden) -> None:
    """There is a shipment, so it is there."""
    garden.put(shipments, "matching", lambda found, request, effect_id: next(iter(found), None))


@bug
def a_shipment_bears_no_reference(garden: Garden) -> None:
    """The comments are left empty."""
    real = garden.put(shipments, "shipment_request", lambda confirmation, effect_id: real(confirmation, effect_id).model_copy(update={"comments": ""}))


@bug
def a_refusal_in_a_997_is_taken_for_a_yes(garden: Garden) -> None:
    """An acknowledgement is an acknowledgement."""
    real = garden.put(dispatches, "_acknowledge", lambda opened, tx, name, told: real(opened, tx, name, told | {"accepted": True}))


@bug
def nobody_chases_acknowledgements(garden: Garden) -> None:
    """What the partner never acknowledged is on no desk."""
    garden.put(dispatches, "watch_acknowledgements", lambda opened, name: 0)


@bug
def a_file_is_written_under_its_own_name(garden: Garden) -> None:
    """No temporary name: the partner may read the first half."""
    def put(self: Any, folder: str, name: str, body: bytes, token: str, until: Any = None) -> None:
        if not self._is_there(folder, name, body):
            self._disk.write(folder, name, body)

    garden.put(Exchange, "put", put)


@bug
def a_file_that_still_grows_is_taken(garden: Garden) -> None:
    """One look, and no settling."""
    garden.put(Exchange, "settled", lambda self, folder: [file for file in self.list(folder) if file.name[-5:-4] != "." and ".part" not in file.name])


@bug
def a_kit_lacks_a_part(garden: Garden) -> None:
    """The first component is the kit."""
    real = garden.put(Mappings, "kit", lambda self, connection, sku: real(self, connection, sku)[:1])


@bug
def a_kit_has_left_with_its_first_part(garden: Garden) -> None:
    """As far as the component that is furthest."""
    garden.put(ShippedUnits, "whole", lambda self: {line_id: max(self._count[n] // self._lines[n]["factor"] for n in numbers)
                                                    for line_id, numbers in self._by_line_id.items()})


@bug
def the_discount_is_lost(garden: Garden) -> None:
    """The customs paper says the full price."""
    real = garden.put(fulfilment, "_request", lambda *args: _without_discount(real(*args)))


def _without_discount(request: Any) -> Any:
    return request and request.model_copy(update={"discount_minor": 0})


@bug
def a_line_is_left_out_when_its_article_comes_twice(garden: Garden) -> None:
    """Lines by SKU: the last one wins."""
    real = garden.put(fulfilment, "_goods", lambda lines, world, plan: list({line["sku"]: line for line in real(lines, world, plan)}.values()))


@bug
def the_first_line_of_an_article_takes_all(garden: Garden) -> None:
    """Whatever line the warehouse names."""
    garden.put(ShippedUnits, "_candidates", lambda self, request_line, sku: self._by_sku.get(sku, []))


@bug
def one_exception_stands_for_all_of_its_type(garden: Garden) -> None:
    """The cause is the type."""
    real = garden.put(Exceptions, "open", lambda self, tx, findings: real(self, tx, [replace(one, cause=one.type) for one in findings]))


@bug
def the_same_fact_is_told_again_and_again(garden: Garden) -> None:
    """The cause has the time in it."""
    again = itertools.count()
    real = garden.put(Exceptions, "open", lambda self, tx, findings: real(self, tx, [replace(one, cause=f"{one.cause}#{next(again)}") for one in findings]))


@bug
def what_was_resolved_is_counted_up_and_not_opened(garden: Garden) -> None:
    """Open or not is not asked."""
    def open_(self: Any, tx: Any, findings: Any) -> int:
        left = [one for one in findings if not tx.execute(sa.update(exception).where(
            exception.c.type == one.type, exception.c.connection == one.connection, exception.c.record == one.record, exception.c.cause == one.cause,
            exception.c.state == "resolved").values(count=exception.c.count + 1)).rowcount]
        return real(self, tx, left)

    real = garden.put(Exceptions, "open", open_)


@bug
def everything_is_for_operations(garden: Garden) -> None:
    """One owner for all."""
    real = exceptions_module.TYPES
    garden.put(exceptions_module, "TYPES", {name: replace(kind, owner="operations") for name, kind in real.items()})


@bug
def a_cancel_that_comes_too_late_is_swallowed(garden: Garden) -> None:
    """It has shipped anyway."""
    real = garden.put(Exceptions, "open", lambda self, tx, findings: real(self, tx, [one for one in findings if one.type != "cancel_refused"]))


@bug
def what_is_blocked_is_told_to_nobody(garden: Garden) -> None:
    """Its state says it all."""
    real = garden.put(Exceptions, "open", lambda self, tx, findings: real(self, tx, [one for one in findings if one.type != "blocked_effect"]))


@bug
def what_goes_round_goes_round_for_ever(garden: Garden) -> None:
    """Nobody counts how often."""
    garden.put(deliver, "_goes_round", lambda opened, effect_: False)


@bug
def every_plan_asks_again(garden: Garden) -> None:
    """What was asked is not remembered, so that it looks edited each time."""
    real = garden.put(Books, "planned", lambda self, tx, connection, order_id, state, asked_hash=None: real(self, tx, connection, order_id, state, None))


@bug
def a_new_address_is_no_edit(garden: Garden) -> None:
    """Only the lines are compared."""
    real = garden.put(orders, "content_hash", lambda requests, fingerprint: real(requests, ""))


@bug
def the_old_address_is_kept(garden: Garden) -> None:
    """An order that changed is sealed only once."""
    def seal(self: Any, tx: Any, subject: str, name: str, fields: Any) -> None:
        if name not in self.held(tx, subject):
            real(self, tx, subject, name, fields)

    real = garden.put(Vault, "seal_fields", seal)


@bug
def a_mapping_frees_nobody(garden: Garden) -> None:
    """What waited for it waits on."""
    garden.put(mappings, "frees", lambda *_: [])


@bug
def a_held_parcel_is_forgotten(garden: Garden) -> None:
    """A carrier was added; nobody looks at what it held up."""
    garden.put(dispatches, "release_held", lambda opened, name: 0)


@bug
def advice_of_strangers_is_dropped(garden: Garden) -> None:
    """Not ours: not told."""
    garden.put(dispatch_rules, "_before_export", lambda *_: [])


@bug
def parcels_of_one_advice_are_one(garden: Garden) -> None:
    """By advice, and not by package."""
    real = garden.put(dispatches, "place", lambda frame, *more: real(frame.assign(package_id="1") if len(frame) else frame, *more))


@bug
def an_order_is_called_shipped_with_its_first_parcel(garden: Garden) -> None:
    """Nobody counts what has still to come."""
    def owe(opened: Any, tx: Any, name: str, order_id: str) -> int:
        if done := real(opened, tx, name, order_id):
            return done
        payload = dispatches.OrderCompletion(connection=name, order_id=order_id).model_dump()
        return int(opened.ledger.effects.plan(tx, dispatches.Planned(ORDER_COMPLETION, name, order_id, f"{name}/{order_id}", name, order_id, payload)))

    real = garden.put(dispatches, "_owe_completion", owe)


@bug
def a_street_stands_in_the_timeline(garden: Garden) -> None:
    """So that whoever reads it knows where it goes."""
    def note(opened: Any, tx: Any, effect_: Any, what: str, detail: str) -> None:
        real(opened, tx, effect_, what, f"{detail} {(effect_.recipient or {}).get('street_1', '')}")

    real = garden.put(deliver, "_note", note)


@bug
def a_name_stands_in_a_log(garden: Garden) -> None:
    """A line to find a fault by, and forgotten."""
    def prepare(self: Any, effect_: Any) -> bytes:
        logging.getLogger("connectors.gxo").warning("preparing for %s", (effect_.recipient or {}).get("name"))
        return real(self, effect_)

    real = garden.put(warehouse.Gxo, "prepare", prepare)


@bug
def the_token_stands_in_an_error(garden: Garden) -> None:
    """An error shows the request that it came of, headers too."""
    def once(self: Any, doing: str, *args: Any, **named: Any) -> Any:
        try:
            return real(self, doing, *args, **named)
        except NotAllowed as error:
            request = httpx.Request("GET", "https://bigcommerce.invalid")
            self._sign(request)
            raise NotAllowed(doing, f"{error.got} {dict(request.headers)}") from None

    real = garden.put(http.Http, "_once", once)


@bug
def people_are_never_forgotten(garden: Garden) -> None:
    """The timeline says that they are."""
    garden.put(Vault, "shred", lambda self, tx, subject: True)


@bug
def pages_are_turned(garden: Garden) -> None:
    """Page two of a list that moves: what slid into page one's place is never seen."""
    def pages(self: Any) -> Any:
        page, cursor, last = 0, self._window.since.replace(microsecond=0), self._window.since
        while True:
            page += 1
            rows = self._list_page(min_date_modified=feed.write_date(cursor), max_date_modified=feed.write_date(self._window.until + feed.SECOND), page=page,
                                   sort="date_modified:asc")
            last = max([last, *(moment for moment in map(feed._modified, rows) if moment and moment < self._window.until)])
            yield self._listed(rows, last)
            if len(rows) < self._page_size:
                return

    garden.put(feed._Walk, "pages", pages)


ABOUT = {"nobody_waits_when_asked_to": "stock", "the_second_page_is_never_read": "parcels", "the_read_back_matches_by_lines_alone": "parcels",
         "the_first_line_of_an_article_takes_all": "parcels", "an_order_is_called_shipped_with_its_first_parcel": "parcels",
         "the_read_back_takes_any_parcel_of_the_order": "parcels",
         "more_than_is_left_is_a_refusal": "minds",
         "more_than_is_left_is_a_success": "minds", "a_cancel_that_comes_too_late_is_swallowed": "minds", "a_cancel_is_overwritten_by_a_parcel": "minds",
         "a_refusal_in_a_997_is_taken_for_a_yes": "minds", "the_old_address_is_kept": "minds", "every_plan_asks_again": "minds"}
WITH = {"a_stale_list_is_believed": Scenario(weights=(("F3", 0.06), ("F7", 0.06), ("F13", 0.06))),
        "a_kit_has_left_with_its_first_part": Scenario(themes=("orders", "parcels")), "a_new_address_is_no_edit": IN_PEACE["minds"]} | {
    **dict.fromkeys(("what_goes_round_goes_round_for_ever", "what_is_blocked_is_told_to_nobody"), Scenario(themes=("orders", "night"))),
    "a_file_that_still_grows_is_taken": Scenario(weights=(("F22", 0.2),)),
    "nobody_chases_acknowledgements": Scenario(nastiness="amnesiac"), "nobody_waits_when_asked_to": Scenario(nastiness="strict"),
    "the_read_back_matches_by_lines_alone": Scenario(themes=("orders", "parcels"), trading=timedelta(minutes=72), weights=(("F2", 0.1), ("F6", 0.1)))}
