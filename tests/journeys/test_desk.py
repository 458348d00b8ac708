"""A person's word on the desk, and what follows from it: once, and with name and reason."""

import pytest

from connectors.kit.errors import BadConfiguration, Refused
from connectors.kit.sandbox import CONNECT_REFUSED, TIMEOUT_AFTER
from contracts.exceptions import REMEDIES, TYPES, Finding
from deployments.demo_world import FORGOTTEN_METHOD, WAREHOUSE
from tasks import board, desk, mappings, orders
from tests.journeys.rig import ADA, BOB, QUIET, STOREFRONT, Rig

COURIER = {**ADA, "shipping_method": FORGOTTEN_METHOD}


def _ids(rig: Rig, kind: str) -> list[str]:
    return [row.exception_id for row in rig.on_desk(kind)]


def _resolves(rig: Rig, ids, remedy: str, **more) -> desk.Resolution:
    return desk.resolve(rig.house, ids, remedy, "ann", "as agreed by telephone", **more)


def _notes(rig: Rig, order: int) -> list[tuple[str, str]]:
    with rig.ledger.transaction() as tx:
        return [(row.what, row.actor) for row in rig.ledger.timeline.of(tx, STOREFRONT, str(order)) if row.what.endswith("resolved")]


def _refused_by_warehouse(world, **given) -> tuple[Rig, int]:
    """The warehouse does not know HEART yet, whatever its item master says."""
    rig = world(**given)
    order = rig.orders(("HEART", 1))
    rig.site._skus.discard("HEART")
    rig.drains()
    assert [kind for kind, _ in rig.desk()] == ["rejected_by_warehouse"]
    return rig, order


@pytest.mark.parametrize("nastiness", ["lenient", "strict"])
def test_a_refused_request_is_resent_once_under_a_new_revision_however_often_it_is_said(world, nastiness):
    rig, order = _refused_by_warehouse(world, nastiness=nastiness)
    ids = _ids(rig, "rejected_by_warehouse")
    rehearsed = _resolves(rig, ids, "resend", dry_run=True)
    assert rehearsed.answers[0].outcome == "would be resolved" and "revision 2" in rehearsed.answers[0].said and len(rig.desk()) == 1
    rig.site._skus.add("HEART")
    said = [_resolves(rig, ids, "resend").answers[0] for _ in range(3)]
    assert [answer.outcome for answer in said] == ["resolved", "resolved before", "resolved before"] and "by ann" in said[1].said
    rig.drains()
    rig.drains()
    assert [copy["state"] for copy in rig.at_warehouse(order)] == ["refused", "shipped"] and len(rig.shipments(order)) == 1
    assert rig.desk() == [] and rig.violations() == [] and _notes(rig, order) == [("rejected_by_warehouse resolved", "ann")]
    assert [(row.actor, row.what, row.detail["remedy"]) for row in rig.ledger.table("journal").itertuples()] == [("ann", "exception resolved", "resend")]


def test_a_resend_of_an_order_that_was_cancelled_meanwhile_is_refused_and_stays_on_the_desk(world):
    rig, order = _refused_by_warehouse(world)
    rig.shop.cancel_order(order)
    rig.drains()
    (answer,) = _resolves(rig, _ids(rig, "rejected_by_warehouse"), "resend").answers
    assert answer.outcome == "refused" and "cancelled" in answer.said and len(rig.desk()) == 1
    assert _resolves(rig, _ids(rig, "rejected_by_warehouse"), "done").answers[0].outcome == "resolved"
    rig.drains()
    assert rig.desk() == [] and rig.site.is_idle()


def test_of_an_order_for_two_addresses_only_the_refused_request_is_resent(world):
    rig = world()
    order = rig.orders(("HEART", 1), ("MUG", 1, {"address": 1}), to=[ADA, BOB])
    rig.site.is_picking = False
    rig.site._skus.discard("HEART")
    rig.day()
    rig.day()
    assert [kind for kind, _ in rig.desk()] == ["rejected_by_warehouse"]
    rig.site._skus.add("HEART")
    _resolves(rig, _ids(rig, "rejected_by_warehouse"), "resend")
    rig.site.is_picking = True
    rig.drains()
    assert sorted((copy["state"], *(line["sku"] for line in copy["lines"].values())) for copy in rig.at_warehouse(order)) == [
        ("refused", "HEART"), ("shipped", "HEART"), ("shipped", "MUG")]
    assert rig.desk() == [] and rig.violations(apart=[order]) == []


def test_a_request_that_was_never_acknowledged_is_there_or_is_sent_again(world):
    rig = world(acknowledge_seconds=10_000_000)
    there, lost = rig.orders(("HEART", 1)), rig.orders(("MUG", 1))
    rig.site.is_picking = False
    for _ in range(3):
        rig.day()
        rig.passes(600)
    rig.sends_orders()
    assert rig.desk() == [("unacknowledged", str(there)), ("unacknowledged", str(lost))]
    by_order = {row.record: row.exception_id for row in rig.on_desk("unacknowledged")}
    with pytest.raises(BadConfiguration, match="unacknowledged: it is there or send again"):
        _resolves(rig, [by_order[str(there)]], "done")
    for copies in rig.site._orders.values():  # its system lost this one
        copies[:] = [copy for copy in copies if copy.storefront_order != str(lost)]
    _resolves(rig, [by_order[str(there)]], "it_is_there")
    _resolves(rig, [by_order[str(lost)]], "send-again")
    rig.site._acknowledge *= 0
    rig.site._owed.clear()
    rig.site.is_picking = True
    rig.drains()
    assert rig.desk() == [] and [len(rig.at_warehouse(order)) for order in (there, lost)] == [1, 1]
    assert [len(rig.shipments(order)) for order in (there, lost)] == [1, 1]


def test_a_refused_confirmation_is_resent_once_with_the_mapping_as_it_is_now(world):
    rig = world()
    order = rig.orders(("HEART", 1))
    rig.sends_orders()
    rig.passes(5)
    rig.warehouse_works()

    def refuse(what: str) -> None:
        if "shipments" in what and what.startswith("POST"):
            raise Refused("confirming", "422: shipping_provider is wrong")

    rig.watch.before.append(refuse)
    rig.tells_of_dispatches()
    rig.watch.stop()
    assert rig.desk() == [("rejected_by_storefront", str(order))]
    ids = _ids(rig, "rejected_by_storefront")
    assert [_resolves(rig, ids, "resend").answers[0].outcome for _ in range(2)] == ["resolved", "resolved before"]
    rig.drains()
    assert rig.desk() == [] and len(rig.shipments(order)) == 1 and len(rig.shop.books()["emails"]) == 1 and rig.violations() == []
    keys = [row.business_key for row in rig.ledger.table("effect").itertuples() if row.kind == "dispatch_confirmation"]
    assert len(keys) == 2 and keys[1] == f"{keys[0]} resent 2"


def _blocked(world) -> tuple[Rig, int]:
    rig = world()
    order = rig.orders(("HEART", 1))
    rig.reads_orders()
    (effect_id,) = rig.ledger.effects.due(WAREHOUSE, ("fulfilment_request",))
    with rig.ledger.transaction() as tx:
        claimed = rig.ledger.effects.claim(tx, effect_id, "a worker")
        rig.ledger.effects.block(tx, claimed, "nobody can tell")
        evidence = {"effect": effect_id, "target": WAREHOUSE}
        rig.ledger.exceptions.open(tx, [Finding("blocked_effect", STOREFRONT, str(order), f"blocked_effect:{effect_id}", evidence)])
    return rig, order


@pytest.mark.parametrize(("remedy", "copies"), [("it is there", 0), ("send again", 1)])
def test_a_blocked_effect_goes_the_way_the_person_says_once(world, remedy, copies):
    rig, order = _blocked(world)
    ids = _ids(rig, "blocked_effect")
    assert [_resolves(rig, ids, remedy).answers[0].outcome for _ in range(2)] == ["resolved", "resolved before"]
    rig.passes(QUIET)
    rig.day()
    rig.day()
    assert len(rig.at_warehouse(order)) == copies and rig.on_desk("blocked_effect") == []


def test_a_parcel_that_a_person_saw_there_completes_its_order(world):
    """Found by the simulator (a night, seed 13): nobody reads back what a person has seen, so that an order with postage was called partially shipped for ever."""
    rig = world()
    order = rig.orders(("HEART", 1), ("POST", 1))
    rig.shop.faults.add(TIMEOUT_AFTER, on="POST *", times=1)
    while not (doubtful := [row.effect_id for row in rig.ledger.table("effect").itertuples() if (row.kind, row.state) == ("dispatch_confirmation", "UNKNOWN")]):
        rig.day()
    rig.passes(QUIET)
    with rig.ledger.transaction() as tx:
        rig.ledger.effects.block(tx, rig.ledger.effects.claim_doubtful(tx, doubtful[0], "a worker"), "nobody can tell")
        rig.ledger.exceptions.open(tx, [Finding("blocked_effect", STOREFRONT, str(order), f"blocked_effect:{doubtful[0]}", {"effect": doubtful[0], "target": STOREFRONT})])
    _resolves(rig, _ids(rig, "blocked_effect"), "it is there")
    rig.drains()
    assert rig.shop.books()["orders"][order]["status_id"] == 2 and len(rig.shipments(order)) == 1


def test_what_arrives_at_last_takes_nothing_else_of_its_order_off_the_desk(world):
    """Found by the simulator (a night, 900314): a notice to the warehouse was sent again and arrived, and "the warehouse has it" closed the question whether a parcel of
    the same order was shown at the shop. It stayed blocked, and nobody was asked any more."""
    rig = world()
    order = rig.orders(("HEART", 1))
    rig.shop.faults.add(CONNECT_REFUSED, on="POST *", times=1)
    rig.day()
    with rig.ledger.transaction() as tx:
        rig.ledger.exceptions.open(tx, [Finding("blocked_effect", STOREFRONT, str(order), "blocked_effect:another of it", {"effect": "another of it", "target": WAREHOUSE})])
    rig.drains()
    (attempt,) = [row.attempt for row in rig.ledger.table("effect").itertuples() if (row.kind, row.state) == ("dispatch_confirmation", "CONFIRMED")]
    assert attempt > 1 and [row.cause for row in rig.on_desk("blocked_effect")] == ["blocked_effect:another of it"]


def test_a_mapping_row_frees_exactly_what_waited_and_the_same_twice_is_no_error(world):
    rig = world(kinds={"other carrier": 1})
    held = [rig.orders(("HEART", 1)) for _ in range(3)]
    rig.drains()
    rig.site._other_carrier = "ZZZZ"
    strange = rig.orders(("MUG", 1))
    rig.drains()
    ids = {row.record: row.exception_id for row in rig.on_desk("carrier_unmapped")}
    chosen = [ids[str(order)][:8] for order in held[:2]]
    would = _resolves(rig, " ".join(chosen), "add a mapping", rows="tracking_carrier=tuffnells", dry_run=True)
    assert sorted(would.mapping.freed_dispatches) == [str(order) for order in held] and len(rig.desk()) == 4, "a dry run changes nothing"
    made = _resolves(rig, chosen, "Add a_mapping", rows="tracking_carrier=tuffnells")
    assert made.mapping == would.mapping and made.mapping.added == 1 and [answer.outcome for answer in made.answers] == ["resolved", "resolved"]
    again = _resolves(rig, chosen, "add a mapping", rows="tracking_carrier=tuffnells")
    assert [answer.outcome for answer in again.answers] == ["resolved before", "resolved before"] and again.mapping is None
    rig.drains()
    assert [len(rig.shipments(order)) for order in (*held, strange)] == [1, 1, 1, 0] and rig.desk() == [("carrier_unmapped", str(strange))]
    assert {shipment["tracking_carrier"] for shipment in rig.shop.books()["shipments"]} == {"tuffnells"}


def test_a_row_that_would_not_free_what_was_chosen_is_refused_and_changes_nothing(world):
    rig = world()
    rig.orders(("HEART", 1), to=[COURIER])
    rig.drains()
    before = len(rig.ledger.table("mapping"))
    for rows, said in (("ship_method=Curier; carrier=TUFF; service=COLLECT", "would not free"), ("carrier=tuff!", "carrier"), ("", "no row was given")):
        with pytest.raises(BadConfiguration, match=said):
            _resolves(rig, _ids(rig, "ship_method_unmapped"), "add a mapping", rows=rows)
    with pytest.raises(BadConfiguration, match="Choose from ship_methods"):
        _resolves(rig, _ids(rig, "ship_method_unmapped"), "add a mapping", mapping="units", rows="carrier=TUFF")
    assert len(rig.ledger.table("mapping")) == before and len(rig.desk()) == 1
    made = _resolves(rig, _ids(rig, "ship_method_unmapped"), "add a mapping", mapping="ship_methods", rows="carrier=TUFF; service=COLLECT")
    assert made.mapping.freed_orders == ["100"]


def test_many_at_once_are_answered_one_by_one_and_a_wrong_combination_does_nothing(world):
    rig = world()
    rig.orders(("NOSUCH", 1))
    rig.orders(("NOSUCH", 1))
    rig.orders(("HEART", 1), to=[{**ADA, "street_1": ""}])
    rig.drains()
    everything = [row.exception_id for row in rig.ledger.exceptions.listed()]
    with pytest.raises(BadConfiguration, match=r"does not fit address_missing.*Choose for address_missing: done"):
        _resolves(rig, everything, "add a mapping", rows="warehouse_sku=HEART")
    with pytest.raises(BadConfiguration, match="Choose from: done, add a mapping"):
        _resolves(rig, everything, "snooze")
    for actor, reason in (("", "why"), ("ann", " ")):
        with pytest.raises(BadConfiguration, match="no name or no reason"):
            desk.resolve(rig.house, everything, "done", actor, reason)
    assert len(rig.desk()) == 3
    assert [answer.outcome for answer in _resolves(rig, everything, "done").answers] == ["resolved"] * 3


@pytest.mark.parametrize(("ids", "said"), [("", "no id"), ("abc", "at least 6 letters"), ("ffffffffff", "no exception begins with it")])
def test_an_id_that_is_not_clear_is_named(world, ids, said):
    rig = world()
    with pytest.raises(BadConfiguration, match=said):
        _resolves(rig, ids, "done")


def test_a_held_order_that_is_called_done_comes_back_while_its_cause_holds(world):
    rig = world()
    order = rig.orders(("NOSUCH", 1))
    rig.drains()
    first = _ids(rig, "sku_unknown")
    assert "what still holds comes back" in _resolves(rig, first, "done").answers[0].said and rig.desk() == []
    orders.plan_owed(rig.house, STOREFRONT)
    assert rig.desk() == [("sku_unknown", str(order))] and _ids(rig, "sku_unknown") != first, "an order that is held was on nobody's desk"


def test_every_type_allows_something_and_nothing_but_what_there_is():
    for kind in TYPES.values():
        assert kind.remedies and set(kind.remedies) <= set(REMEDIES), kind.name
        assert ("add a mapping" in kind.remedies) == bool(kind.mapping), kind.name


def _returned(world, **given) -> tuple[Rig, int]:
    rig = world()
    mappings.change_mapping(rig.house, "return_rules", "connection,warehouse,grade,refund_percent,disposition,needs_rma\n"
                            f"{STOREFRONT},{WAREHOUSE},*,100,restock,{given.pop('needs_rma', 'no')}\n", "set-up")
    order = rig.orders(("HEART", 2))
    rig.drains()
    rig.customer_returns(order, ("HEART", 1, "A"), **given)
    rig.settles_returns()
    return rig, order


def test_a_return_that_nobody_could_match_is_refunded_once_its_order_is_chosen(world):
    rig, order = _returned(world, reference="")
    assert f"may be order {STOREFRONT} {order}" in board.list_rows(rig.on_desk("return_unmatched"), rig.clock.now(), {}, {})[0]["about"]
    ids = _ids(rig, "return_unmatched")
    with pytest.raises(BadConfiguration, match="the order is missing"):
        _resolves(rig, ids, "choose the order")
    assert _resolves(rig, ids, "choose the order", order="999").refused[0].said.startswith("matching a return with order 999")
    assert [_resolves(rig, ids, "choose the order", order=f"{STOREFRONT} {order}").answers[0].outcome for _ in range(2)] == ["resolved", "resolved before"]
    rig.settles_returns()
    rig.settles_returns()
    assert rig.desk() == [] and len(rig.refunds(order)) == 1


@pytest.mark.parametrize(("remedy", "refunds"), [("approve the return", 1), ("refuse the return", 0)])
def test_goods_that_came_back_unannounced_wait_for_a_person_s_word(world, remedy, refunds):
    rig, order = _returned(world, needs_rma="yes")
    ids = _ids(rig, "rma_not_approved")
    assert _resolves(rig, ids, remedy, dry_run=True).answers[0].outcome == "would be resolved" and len(rig.desk()) == 1
    assert [_resolves(rig, ids, remedy).answers[0].outcome for _ in range(2)] == ["resolved", "resolved before"]
    rig.settles_returns()
    assert rig.on_desk("rma_not_approved") == [] and len(rig.refunds(order)) == refunds
