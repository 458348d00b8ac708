"""Bugs as a stranger would plant them: each one piece of source that a careless pull request changed. Listed before the judge was read (docs/proof.md).

Most are written as the diff would be: `source(garden, function, ("as it is", "as it is then"))`; a statement that is built once is put in its place.
"""

import inspect
import textwrap
from typing import Any

import sqlalchemy as sa

from connectors.amazon import feed as amazon_feed
from connectors.amazon import feeds as amazon_feeds
from connectors.amazon import mapping as amazon_mapping
from connectors.amazon import mapping_shipment as amazon_parcels
from connectors.amazon import shipments as amazon_shipments
from connectors.amazon import stock as amazon_stock
from connectors.bigcommerce import client as bc_client
from connectors.bigcommerce import mapping as bc_mapping
from connectors.bigcommerce import shipments as bc_shipments
from connectors.gxo import warehouse as gxo
from connectors.kit import budget, exchange, http
from connectors.kit import claims as claims_kit
from connectors.ledger import books, desired, effects, exceptions, records, vault
from connectors.ledger.tables import CONFIRMED, IN_FLIGHT, PLANNED, effect, exception
from deployments.simulation.play import MARKETPLACE, Scenario, play
from tasks import deliver, dispatches, inbound, mappings, orders, refund_gates, refunds, refunds_seen, restore, retention, settlements, stock, stock_feed, stock_send
from tasks.rules import claims, dispatch, drift_stock, eligibility, fulfilment
from tasks.rules import refunds as refund_rules
from tasks.rules import returned_units
from tasks.rules import settlements as settlement_rules
from tasks.rules import shipped_units
from tasks.rules import stock as stock_rules
from tests.simulation.garden import Garden, bug, planted

FRESH: list[str] = []
MARKET: list[str] = []


def source(garden: Garden, function: Any, *pieces: tuple[str, str]) -> None:
    """These pieces of the function's source are others: whoever imported it has the changed one too."""
    text = textwrap.dedent(inspect.getsource(function))
    for before, after in pieces:
        assert text.count(before) == 1, f"{function.__qualname__}: {text.count(before)} times {before!r}"
        text = text.replace(before, after)
    scratch = dict(function.__globals__)
    exec(compile(text, inspect.getfile(function), "exec"), scratch)
    garden.put(function, "__code__", scratch[function.__name__].__code__)


def hunt(name: str, seeds: range) -> str:
    """The first of these worlds that shows the bug, and the invariant; '' for none. Plain worlds: no theme is chosen, but that a marketplace's are all such."""
    scenario = Scenario(about=MARKETPLACE) if name in MARKET else Scenario()
    with planted(name):
        for seed in seeds:
            found = play(seed, scenario).violations
            if found:
                return f"seed {seed}: {found[0].invariant}: {found[0].what}"
    return ""


def fresh(plant: Any) -> Any:
    """A bug of a route from BigCommerce to GXO."""
    FRESH.append(plant.__name__)
    return bug(plant)


def market(plant: Any) -> Any:
    """A bug of a marketplace."""
    MARKET.append(plant.__name__)
    return bug(plant)


# effects, leases, fences


@fresh
def an_unknown_effect_holds_up_nobody(garden: Garden) -> None:
    older = effects._older
    free = ~sa.exists().where(older.c.ordering_key == effect.c.ordering_key, older.c.target == effect.c.target,
                              sa.or_(older.c.state == IN_FLIGHT, sa.and_(older.c.state == PLANNED, older.c.sequence < effect.c.sequence))).correlate(effect)
    _with_free(garden, free)


@fresh
def the_newest_of_an_order_goes_first(garden: Garden) -> None:
    older = effects._older
    free = ~sa.exists().where(older.c.ordering_key == effect.c.ordering_key, older.c.target == effect.c.target,
                              sa.or_(older.c.state.in_(effects.IN_DOUBT), sa.and_(older.c.state == PLANNED, older.c.sequence > effect.c.sequence))).correlate(effect)
    _with_free(garden, free)


def _with_free(garden: Garden, free: Any) -> None:
    garden.put(effects, "_DUE", effects._URGENT_FIRST.where(effect.c.state == PLANNED, free))
    garden.put(effects, "_CLAIM", sa.update(effect).where(
        effect.c.effect_id == sa.bindparam("id"), effect.c.state == PLANNED, effect.c.fence == sa.bindparam("known_fence"),
        effect.c.not_before <= sa.bindparam("at"), free,
    ).values(state=IN_FLIGHT, fence=effect.c.fence + 1, attempt=effect.c.attempt + 1, holder=sa.bindparam("by"), sent_at=sa.bindparam("at"),
             lease_until=sa.bindparam("until")))


@fresh
def the_quiet_period_of_a_lost_claim_begins_when_it_was_claimed(garden: Garden) -> None:
    source(garden, effects.Effects.expire, ("row.sent_at if row.holder in dead_holders else row.lease_until", "row.sent_at"))


@fresh
def an_expired_lease_keeps_its_fence(garden: Garden) -> None:
    source(garden, effects.Effects.expire, ("state=UNKNOWN, fence=row.fence + 1,", "state=UNKNOWN,"))


@fresh
def a_confirmation_asks_for_no_fence(garden: Garden) -> None:
    garden.put(effects, "_CONFIRM", sa.update(effect).where(
        effect.c.effect_id == sa.bindparam("id"), sa.bindparam("known_fence") >= 0, effect.c.state.in_(effects.IN_DOUBT),
    ).values(state=CONFIRMED, remote_id=sa.bindparam("their_id"), evidence=sa.bindparam("seen"), error="", lease_until=None, doubted_at=None,
             confirmed_at=sa.bindparam("at"), verify_by=sa.bindparam("by")))


@fresh
def a_doubt_is_as_old_as_its_last_look(garden: Garden) -> None:
    source(garden, effects.Effects.doubt, ("doubted_at=since", "doubted_at=now"))


@fresh
def a_definite_no_waits_hours_for_seconds(garden: Garden) -> None:
    source(garden, effects.Effects.not_now, ("timedelta(seconds=wait_seconds)", "timedelta(hours=wait_seconds)"))


@fresh
def what_was_sent_once_may_be_taken_back(garden: Garden) -> None:
    source(garden, effects.Effects.withdraw, (" or (row.number and row.evidence.get(WAS_IN_DOUBT))", ""))


@fresh
def what_could_not_be_written_cannot_be_taken_back(garden: Garden) -> None:
    source(garden, effects.Effects.withdraw, ("row.evidence.get(WAS_IN_DOUBT)", "row.attempt > 0"))  # as it was until a world of a marketplace met it


@fresh
def what_is_there_takes_all_of_its_order_off_the_desk(garden: Garden) -> None:
    """As it was until world 900314 met it."""
    garden.put(deliver, "_settle_blocked", lambda opened, tx, effect: effect.attempt > 1 and opened.ledger.exceptions.settle(
        tx, effect.payload.get("connection", effect.target), effect.payload.get("order_id", effect.business_key), ("blocked_effect",), (), "deliver", "it is there"))


@fresh
def a_control_number_is_not_written_down(garden: Garden) -> None:
    source(garden, effects.Effects.number, ("    self._change(tx, claimed, *IN_DOUBT, number=number)\n", ""))


@fresh
def a_restore_leaves_what_was_planned_as_it_was(garden: Garden) -> None:
    source(garden, effects.Effects.jump_ahead, ("where(effect.c.state == PLANNED).values(\n        state=IN_FLIGHT,", "where(effect.c.state == PLANNED).values(\n        state=PLANNED,"))


@fresh
def a_401_is_a_refusal(garden: Garden) -> None:
    source(garden, deliver._failed, ("if isinstance(error, Refused):", "if isinstance(error, (Refused, NotAllowed)):"),
           ("str(error), error.records)", 'str(error), getattr(error, "records", ()))'))


@fresh
def a_read_back_that_is_told_to_wait_found_nothing(garden: Garden) -> None:
    source(garden, deliver._settle, ("    except WharfingerError as error:", "    except NotNow:\n        receipt = None\n    except WharfingerError as error:"))


@fresh
def the_last_look_before_a_call_looks_at_nothing(garden: Garden) -> None:
    source(garden, claims_kit.in_time, ("clock.now() >= effect.lease_until", "clock is None"))


@fresh
def a_cancel_counts_as_known_before_it_is_acted_on(garden: Garden) -> None:
    source(garden, deliver._ready, ('entry.order["status"] if entry and not entry.replan else ""', 'entry.order["status"] if entry else ""'))


@fresh
def the_same_control_number_gets_new_bytes(garden: Garden) -> None:
    source(garden, deliver._ready, ("    if frozen is not None:\n", "    if frozen is not None and not stream:\n"))


@fresh
def what_was_found_again_is_not_in_the_timeline(garden: Garden) -> None:
    source(garden, deliver._confirmed, ('f"{effect.kind} {how}"', 'f"{effect.kind} {how}" if how == "sent" else "read back"'))


@fresh
def what_goes_round_goes_on_going_round(garden: Garden) -> None:
    source(garden, deliver._goes_round, ("effect.attempt >= ROUNDS_MAX", "effect.attempt > 1000"))


@fresh
def a_refused_request_still_counts_as_asked(garden: Garden) -> None:
    source(garden, deliver._reject, ("    if effect.kind == FULFILMENT_REQUEST:\n", "    if effect.kind == FULFILMENT_REQUEST and not error:\n"))


# orders in, edits, cancels


@fresh
def an_edit_of_the_same_second_is_older(garden: Garden) -> None:
    source(garden, books.Books.take_in, ("if entry.modified_at < before.modified_at:", "if entry.modified_at <= before.modified_at:"))


@fresh
def another_ship_method_is_the_same_order(garden: Garden) -> None:
    source(garden, books.Books.take_in, ("before.lines, before.ship_groups, before.fingerprint, before.addressed)", "before.lines, before.fingerprint, before.addressed)"),
           ("entry.lines, entry.ship_groups, entry.fingerprint, entry.addressed)\n", "entry.lines, entry.fingerprint, entry.addressed)\n"))


@fresh
def the_watermark_of_orders_is_our_own_clock(garden: Garden) -> None:
    source(garden, orders.enter_page, ('min(page.reached, page.orders["modified_at"].max().to_pydatetime())', "opened.clock.now()"))


@fresh
def every_parcel_goes_to_the_first_address(garden: Garden) -> None:
    source(garden, orders.enter_page, ('f"recipient:{group}", person)', 'f"recipient:{group}", people[min(people)])'))


@fresh
def only_the_first_request_of_an_order_is_called_off(garden: Garden) -> None:
    source(garden, orders._plan_order, ('findings = _cancel(opened, tx, entry, live.values(), "cancelled at the storefront")',
           'findings = _cancel(opened, tx, entry, list(live.values())[:1], "cancelled at the storefront")'))


@fresh
def a_cancel_is_sent_to_a_warehouse_that_takes_none(garden: Garden) -> None:
    source(garden, orders._cancel, (" or not opened.warehouse(row.warehouse).follows_cancels", ""))


@fresh
def a_request_that_left_in_part_is_still_changed(garden: Garden) -> None:
    source(garden, orders._follow_edit, ("row.state in SHIPPING or not", "not"))


@fresh
def an_edit_of_a_shipped_order_is_nobodys(garden: Garden) -> None:
    source(garden, orders._late_edits, ("if what and live and not is_told else []", "if what and not live else []"))


@fresh
def a_refunded_order_is_not_called_off(garden: Garden) -> None:
    source(garden, eligibility._verdict, ('if status in ("cancelled", "refunded"):', 'if status == "cancelled":'))


@fresh
def a_parcel_overwrites_a_refunded_order(garden: Garden) -> None:
    garden.put(bc_shipments, "CANCELLED", (5, 6))


@fresh
def a_line_that_has_left_is_still_open(garden: Garden) -> None:
    source(garden, fulfilment._plan_order, ('still_open = [line for line in goods if line["quantity"] > line["quantity_shipped"]]',
           'still_open = [line for line in goods if line["quantity"] >= line["quantity_shipped"]]'))


@fresh
def parts_of_an_order_are_numbered_by_what_is_still_open(garden: Garden) -> None:
    source(garden, fulfilment._requests, ("known = sorted({place for place in places.values() if place})", "known = sorted(by_place)"))


# dispatches, tracking, read-back


@fresh
def a_line_takes_as_many_as_it_ordered_each_time(garden: Garden) -> None:
    source(garden, shipped_units.ShippedUnits.fill, ('min(quantity, self._lines[number]["quantity"] - self._count[number])', 'min(quantity, self._lines[number]["quantity"])'))


@fresh
def a_begun_case_is_a_whole_one(garden: Garden) -> None:
    source(garden, shipped_units.ShippedUnits.whole, ('min(self._count[n] // self._lines[n]["factor"] for n in numbers)', 'min(-(-self._count[n] // self._lines[n]["factor"]) for n in numbers)'))


@fresh
def another_content_of_a_known_package_is_passed_over(garden: Garden) -> None:
    source(garden, dispatches._not_advised_before, ("before[package] != now[package]]", "before[package] < now[package] < before[package]]"))


@fresh
def a_back_order_is_a_closing(garden: Garden) -> None:
    source(garden, dispatch._is_cancelled, (' or row["line_status"].strip() in BACK_ORDERED', ""))


@fresh
def a_request_is_shipped_with_its_first_line(garden: Garden) -> None:
    source(garden, dispatches._move_request, ('"shipped" if all(', '"shipped" if any('))


@fresh
def shipped_after_its_cancel_is_nobodys(garden: Garden) -> None:
    source(garden, dispatches._move_request, ("elif asked_to_cancel and any(line.advised for line in lines):", "elif asked_to_cancel and not any(line.advised for line in lines):"))


@fresh
def unacknowledged_stays_open_after_the_acknowledgement(garden: Garden) -> None:
    source(garden, dispatches._acknowledge, ('("unacknowledged",)', '("unanswered",)'))


@fresh
def only_new_requests_are_watched_for_their_acknowledgement(garden: Garden) -> None:
    source(garden, dispatches.watch_acknowledgements, ("OF_REQUESTS + NOTICES)", "OF_REQUESTS[:1])"))


@fresh
def one_that_stays_held_holds_those_behind_it(garden: Garden) -> None:
    source(garden, dispatches.release_held, ("                continue\n", "                break\n"))


@fresh
def advice_that_is_placed_again_is_kept_twice(garden: Garden) -> None:
    source(garden, dispatches.place_again, ('opened.ledger.books.forget_dispatch(tx, warehouse, row.evidence["reference"], row.evidence["advice_id"])', "pass"))


@fresh
def a_parcel_is_read_back_by_its_number_alone(garden: Garden) -> None:
    source(garden, dispatches._prove, (' and {(line["line_id"], line["quantity"]) for line in shown["lines"]} == asked', ""))


@fresh
def complete_before_its_parcels_are_shown(garden: Garden) -> None:
    source(garden, dispatches._owe_completion, (" or any(row.verified_at is None for row in told)", ""))


@fresh
def an_old_list_of_shipments_is_believed(garden: Garden) -> None:
    source(garden, bc_shipments.Shipments.find, ("if line.id in ours and line.quantity_shipped > listed.get(line.id, 0):", "if line.id not in ours and line.quantity_shipped > listed.get(line.id, 0):"))


@fresh
def two_boxes_under_one_tracking_number_are_one(garden: Garden) -> None:
    source(garden, bc_mapping.matching, ("if reference(shipment) or not request.tracking_number or", "if not request.tracking_number or"))


@fresh
def the_400_of_a_shipment_is_a_no(garden: Garden) -> None:
    source(garden, bc_client.over_quantity, ("    if response.status_code != 400 or", "    if response.status_code != 409 or"))


@fresh
def a_write_is_tried_once_more_when_its_answer_is_lost(garden: Garden) -> None:
    source(garden, http.Http.write, ("    return self._once(", "    try:\n        return self._once(f\"{self.target}: {method} {path}\", method, path, params, body, writing=True, judge=judge, last_look=last_look)\n"
           "    except InDoubt:\n        pass\n    return self._once("))


@fresh
def a_429_waits_as_long_as_we_like(garden: Garden) -> None:
    source(garden, budget.Budget.settle, ("back_off if wait is None else wait", "back_off"))


@fresh
def money_goes_through_a_float(garden: Garden) -> None:
    source(garden, bc_mapping.nearest_minor, ("int(amount.scaleb(MINOR_DIGITS.get(currency, 2)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))",
           "int(float(amount) * 10 ** MINOR_DIGITS.get(currency, 2))"))


# stock


@fresh
def a_figure_that_moved_under_way_is_not_owed_again(garden: Garden) -> None:
    garden.put(desired, "_TOLD", sa.update(desired.stock_desired).where(*desired._ROW, desired.stock_desired.c.effect_id == sa.bindparam("by")).values(
        sent_quantity=sa.bindparam("n"), sent_as_of=sa.bindparam("v"), sent_sequence=sa.bindparam("vs"), sent_at=sa.bindparam("at"), effect_id="", halved=0, is_owed=False))


@fresh
def what_left_after_the_statement_left_before_it(garden: Garden) -> None:
    source(garden, stock_rules.unseen, ("sum(units for at, units in line.shipped if at <= as_of)", "sum(units for at, units in line.shipped)"))


@fresh
def all_that_lies_there_may_be_sold(garden: Garden) -> None:
    source(garden, stock_rules.World.available, ('min(row["available"], row["on_hand"])', 'row["on_hand"]'))


@fresh
def a_statement_counts_every_document(garden: Garden) -> None:
    source(garden, stock_feed._compare, ("if change.sku in versions and (change.occurred_at, change.sequence) <= versions[change.sku]]", "if change.sku in versions]"))


@fresh
def a_group_whose_figures_moved_on_is_sent_all_the_same(garden: Garden) -> None:
    source(garden, stock_send._moved_on, ("row.withheld or row.quantity != asked[row.sku]", "row.withheld and row.quantity != asked[row.sku]"))


@fresh
def an_order_on_hold_claims_no_stock(garden: Garden) -> None:
    garden.put(claims, "CLAIMING", tuple(one for one in claims.CLAIMING if one != "on_hold"))


@fresh
def a_correction_that_ended_is_never_looked_at_again(garden: Garden) -> None:
    source(garden, stock._affected, ("set(reading.corrected) | set(reading.world.unrouted)", "set(reading.world.unrouted)"))


@fresh
def what_a_cancel_put_back_there_stays(garden: Garden) -> None:
    source(garden, stock._conclude, ("    if reading.mark is not None:  #", "    if reading.mark is None:  #"))


@fresh
def sales_are_taken_for_returns(garden: Garden) -> None:
    source(garden, drift_stock.Moved.explains, ("was - self.sold <= now <= was + self.returned", "was - self.returned <= now <= was + self.sold"))


# returns, refunds


@fresh
def more_may_come_back_than_was_left(garden: Garden) -> None:
    source(garden, returned_units.ReturnedUnits.take, ('min(rest, self._lines[key]["advised"] - self._count[key])', 'min(rest, self._lines[key]["advised"])'))


@fresh
def a_refund_that_is_not_shown_yet_is_over(garden: Garden) -> None:
    source(garden, refunds._is_under_way, (' or row.state == "CONFIRMED" and row.verified_at is None', ""))


@fresh
def each_unit_is_rounded_by_itself(garden: Garden) -> None:
    source(garden, refund_rules.worth, ("return held_by(first + quantity) - held_by(first) if ordered else 0", "return quantity * (money_minor // ordered) * percent // 100 if ordered else 0"))


@fresh
def money_that_was_declined_counts_as_given_back(garden: Garden) -> None:
    source(garden, refund_rules.money_of, ('[row for row in refunds if not row["is_declined"]]', "list(refunds)"))


@fresh
def a_kit_is_worth_its_best_part(garden: Garden) -> None:
    source(garden, refund_gates._judge, ('(min(int(rule["refund_percent"])', '(max(int(rule["refund_percent"])'))


@fresh
def a_refund_declined_later_is_not_seen(garden: Garden) -> None:
    source(garden, refunds_seen._window, ("min(reached - overlap, now - LOOK_BACK)", "reached - overlap"))


@fresh
def goods_of_a_refused_return_are_paid(garden: Garden) -> None:
    source(garden, refund_gates._approval, ("if rma.state == REFUSED:", "if rma.state == 'denied':"))


# files, inbox, control numbers, restores


@fresh
def other_bytes_under_a_known_number_are_a_duplicate(garden: Garden) -> None:
    source(garden, inbound._enter_file, ("if before == digest:", "if before is not None:"))


@fresh
def a_file_is_filed_away_before_it_is_entered(garden: Garden) -> None:
    source(garden, inbound.take_in, ("        counts.update(_enter(opened, warehouse, inbound, messages, error))\n        port.file_away(inbound)\n",
           "        port.file_away(inbound)\n        counts.update(_enter(opened, warehouse, inbound, messages, error))\n"))


@fresh
def half_of_a_message_is_kept(garden: Garden) -> None:
    source(garden, inbound._enter_message, ("part.rollback()", "part.commit()"))


@fresh
def after_a_restore_everything_is_known(garden: Garden) -> None:
    source(garden, restore._is_known, ("return opened.ledger.inbox.has_bytes(tx, sha256(body))", "return True"))


@fresh
def a_file_is_read_while_it_grows(garden: Garden) -> None:
    source(garden, exchange.Exchange.settled, ("if not before or self._settle_seconds <= 0:", "if before is not None:"))


@fresh
def a_half_put_file_is_left_behind_a_read_back(garden: Garden) -> None:
    source(garden, gxo.Gxo.find, ("self._files.remove_parts(partner.to_partner, name)", "name"))


# exceptions, mappings, personal data


@fresh
def what_still_holds_is_closed_and_opened_again(garden: Garden) -> None:
    source(garden, exceptions.Exceptions.settle, ("if (row.type, row.cause) not in kept:", "if row.type not in kept:"))


@fresh
def what_was_closed_once_never_opens_again(garden: Garden) -> None:
    same = (exception.c.connection == sa.bindparam("of"), exception.c.record == sa.bindparam("about"), exception.c.type == sa.bindparam("kind"),
            exception.c.cause == sa.bindparam("because"))
    garden.put(exceptions, "_AGAIN", sa.update(exception).where(*same).values(
        {"count": exception.c.count + 1} | {name: sa.bindparam(name) for name in ("evidence", "last_seen_at", "waits_on")}))


@fresh
def everything_is_operations_work(garden: Garden) -> None:
    source(garden, exceptions.Exceptions.open, ('"owner": kind.owner', '"owner": "operations"'))


@fresh
def what_is_due_is_due_in_another_zone(garden: Garden) -> None:
    source(garden, exceptions.Exceptions.open, ("due_at(finding.type, now,", "due_at(finding.type, now.replace(hour=(now.hour + 1) % 24),"))


@fresh
def mapping_tables_are_read_once(garden: Garden) -> None:
    source(garden, records.Mappings.all_current, ("if self._known[0] != state:", "if self._known[0] is None:"))


@fresh
def a_new_row_frees_no_order(garden: Garden) -> None:
    source(garden, mappings.change_in, ("        opened.ledger.books.plan_again(tx, orders)\n", ""))


@fresh
def a_new_item_frees_no_order(garden: Garden) -> None:
    source(garden, mappings.refresh_items, ("        opened.ledger.books.plan_again(tx, freed)\n", ""))


@fresh
def thirty_days_are_counted_from_the_last_change(garden: Garden) -> None:
    source(garden, retention._ended_at, ("return order.last_shipped_at or order.modified_at", "return order.modified_at"))


@fresh
def personal_data_goes_while_something_is_open(garden: Garden) -> None:
    source(garden, retention._purge_orders, ("            if why:\n", "            if why and not order:\n"))


@fresh
def the_timeline_names_the_customer(garden: Garden) -> None:
    source(garden, orders.enter_page, ('f"{order[\'status\']} ({order[\'status_code\']})")', 'f"{order[\'status\']} for {[person[\'name\'] for person in people.values()]}")'))


@fresh
def a_look_into_the_vault_is_not_written_down(garden: Garden) -> None:
    source(garden, vault.Vault.open, ("    self._log(tx, subject, actor, why)\n", ""))


# the marketplace


@market
def what_the_buyer_wants_cancelled_is_shipped(garden: Garden) -> None:
    source(garden, amazon_mapping.status, ('"on_hold" if any(asks_to_cancel(item) for item in order.orderItems) else found', "found"))


@market
def what_amazon_cancelled_is_still_wanted(garden: Garden) -> None:
    source(garden, amazon_mapping.quantity, ("return min(item.quantityOrdered, ((left.quantityFulfilled or 0) + (left.quantityUnfulfilled or 0)) if left else 0)", "return item.quantityOrdered"))


@market
def a_parcel_agrees_by_its_tracking_number(garden: Garden) -> None:
    source(garden, amazon_parcels.agrees, (" and sorted((i.orderItemId, i.quantity) for i in package.packageItems) == wanted", ""))


@market
def a_refused_confirmation_is_there_already(garden: Garden) -> None:
    source(garden, amazon_shipments.Shipments._there_already, ("    if there is None:\n        raise refusal\n    return there", "    detail = self._request(effect).packageDetail\n"
           "    return there or Receipt(detail.packageReferenceId, {})"))


@market
def an_old_list_of_parcels_is_believed(garden: Garden) -> None:
    source(garden, amazon_shipments.Shipments._must_add_up, ("counted > listed.get(item.orderItemId, 0):", "counted > listed.get(item.orderItemId, counted):"))


@market
def the_watermark_passes_a_statement_that_could_not_be_had(garden: Garden) -> None:
    source(garden, settlements.take_in_settlements, ('        counts["unreadable"] += 1\n', '        counts["unreadable"] += 1\n        _reach(opened, storefront, window)\n'))


@market
def another_statement_under_a_known_number_is_passed_over(garden: Garden) -> None:
    source(garden, settlements._again, ("    if is_same:\n", "    if is_same or before:\n"))


@market
def an_amount_below_zero_is_rounded_down(garden: Garden) -> None:
    source(garden, settlement_rules._amount, ('"amount_minor": sign * (abs(whole) // FINES)', '"amount_minor": whole // FINES'))


@market
def an_amount_of_no_order_is_explained(garden: Garden) -> None:
    source(garden, settlement_rules.attributed, (' & ~lost\n', "\n"))


@market
def a_feed_that_is_done_took_everything(garden: Garden) -> None:
    source(garden, amazon_feeds.Feeds._read, ("if of_all or report.summary.messagesAccepted + len(named) < size:", "if of_all:"))


@market
def a_feed_whose_number_is_lost_is_forgotten(garden: Garden) -> None:
    source(garden, amazon_feeds.Feeds.none_pending, ("    if pending:\n", "    if not since:\n"))


@market
def what_a_patch_was_told_is_not_read(garden: Garden) -> None:
    source(garden, amazon_stock.Stock._patch, ("        if said:\n", "        if said is None:\n"))


@market
def a_slice_counts_as_read_with_its_first_page(garden: Garden) -> None:
    source(garden, amazon_feed._Walk.slices, ("end if is_last else cursor)", "end)"))


@market
def after_a_restore_a_parcel_gets_a_number_that_was_used(garden: Garden) -> None:
    source(garden, books.Books.number_package, ("number = max(last, used) + 1", "number = last + 1"))
