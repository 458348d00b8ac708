"""What the warehouse sends: late, cut, twice, under other names, with other bytes; and its acknowledgements."""

import pytest

from connectors.kit.errors import InDoubt
from tasks import dispatches
from tests.journeys.rig import QUIET, Rig


def _shipped(world, count: int = 3, **given) -> Rig:
    rig = world(**given)
    for _ in range(count):
        rig.orders(("HEART", 1))
    rig.sends_orders()
    rig.passes(5)
    rig.warehouse_works()
    return rig


@pytest.mark.parametrize("fault", ["F22", "F23", "F24", "F25", "F26"])
@pytest.mark.parametrize("kind", ["945", "997"])
def test_a_file_fault_at_the_warehouse_costs_no_parcel_and_makes_none_twice(world, fault, kind):
    rig = world(kinds={"packages": 1, "repeated": 1})
    rig.site.faults.add(fault, f"WRITE {kind}*")
    for _ in range(3):
        rig.orders(("HEART", 2))
        rig.day()
        rig.passes(QUIET)
    assert rig.site.faults.struck[fault] >= 2
    for _ in range(2):
        rig.day()
        rig.passes(50)
    rig.drains()
    parcels = [parcel for copies in rig.site.books()["orders"].values() for copy in copies for parcel in copy["parcels"]]
    assert len(rig.shop.books()["shipments"]) == len(parcels) == len(rig.shop.books()["emails"])
    said = [what for what in rig.violations() if not what.startswith(("every_file_is_in_one_state", "our_acknowledgements_reached"))]
    assert said == []
    assert {kind for kind, _ in rig.desk()} == ({"document_malformed"} if fault in ("F23", "F26") else set())  # a cut file, a hostile name


def test_the_same_bytes_again_under_any_name_change_nothing(world):
    rig = _shipped(world, kinds={"packages": 1})
    files = rig.waiting_files()
    rig.tells_of_dispatches()
    before, writes = rig.outcome(), rig.writes()
    for name, body in files.items():
        rig.arrives(name, body)
        rig.arrives(f"again_{name}", body)
    rig.tells_of_dispatches()
    rig.drains()
    assert rig.outcome()["shipments"] == before["shipments"] and rig.desk() == [] and rig.writes()[2] == writes[2]
    inbox = rig.ledger.table("inbox")
    assert set(inbox.loc[inbox["state"] == "duplicate", "name"]) == {*files, *(f"again_{name}" for name in files)}
    assert rig.violations() == []


def test_a_control_number_with_other_bytes_is_on_the_desk_and_none_of_it_is_used(world):
    rig = _shipped(world, count=1)
    name, body = next((name, body) for name, body in rig.waiting_files().items() if name.startswith("945"))
    rig.drains()
    before = rig.outcome()
    rig.arrives(f"other_{name}", body.replace(b"SHP0000001", b"SHP0000099"))
    rig.tells_of_dispatches()
    rig.drains()
    assert [kind for kind, _ in rig.desk()] == ["control_number_reused"]
    assert rig.outcome() | {"open": []} == before
    kept = rig.on_desk("control_number_reused")[0].evidence["kept_as"]
    with rig.ledger.transaction() as tx:
        assert b"SHP0000099" in rig.ledger.vault.open(tx, "partner/gxo-uk", kept, "test", "look")


def test_a_file_that_nobody_can_read_is_kept_with_its_bytes_and_holds_up_no_other(world):
    rig = _shipped(world)
    rubbish = b"ISA*this is no interchange Canaryton"
    rig.arrives("000_first.edi", rubbish)
    rig.arrives("zzz_last.edi", b"<html>Please log in</html>")
    rig.tells_of_dispatches()
    assert rig.desk() == [("document_malformed", "000_first.edi"), ("document_malformed", "zzz_last.edi")]
    assert len(rig.shop.books()["shipments"]) == 3 and rig.waiting_files() == {}
    kept = rig.on_desk("document_malformed")[0].evidence["kept_as"]
    with rig.ledger.transaction() as tx:
        assert rig.ledger.vault.open(tx, "partner/gxo-uk", kept, "test", "look") in (rubbish, b"<html>Please log in</html>")
    rig.drains()
    assert rig.violations() == []


def test_a_malformed_file_that_comes_again_is_the_same_exception(world):
    rig = world()
    for _ in range(3):
        rig.arrives("bad.edi", b"no document")
        rig.tells_of_dispatches()
    assert rig.desk() == [("document_malformed", "bad.edi")] and rig.on_desk("document_malformed")[0].count == 3


def test_advice_before_its_order_is_held_and_placed_once_the_order_is_known(world):
    rig = _shipped(world, count=1)
    rig.drains()
    advice = next(path.read_bytes() for path in (rig.home / "partner").rglob("945_*") if path.is_file())
    late = world()
    late.arrives("945_early.edi", advice)
    late.tells_of_dispatches()
    late.tells_of_dispatches()
    assert [kind for kind, _ in late.desk()] == ["advice_before_export"] and late.shop.books()["shipments"] == []
    order = late.orders(("HEART", 1))
    late.site.is_picking = False
    late.sends_orders()
    late.warehouse_works()
    late.passes(60)
    for _ in range(2):
        late.tells_of_dispatches()
    assert late.desk() == [] and len(late.shipments(order)) == 1 and len(late.shop.books()["emails"]) == 1
    assert list(late.ledger.table("request")["state"]) == ["shipped"]


def test_an_acknowledgement_that_is_overdue_is_on_the_desk_once_and_closed_when_it_arrives(world):
    rig = world(acknowledge_seconds=4000)
    rig.orders(("HEART", 1))
    rig.site.is_picking = False
    for _ in range(3):
        rig.day()
        rig.passes(600)
    rig.sends_orders()
    assert rig.desk() == [("unacknowledged", "100")]
    rig.passes(3600)
    rig.warehouse_works()
    rig.tells_of_dispatches()
    assert rig.desk() == []
    rig.site.is_picking = True
    rig.drains()
    assert rig.violations() == []


@pytest.mark.parametrize("refused", [False, True])
def test_an_acknowledgement_that_overtakes_our_read_back_ends_the_doubt_and_its_verdict_is_kept(world, refused):
    """997s that came while the 940 was in doubt were dropped: the order was 'unacknowledged' for ever, and a refusal was never told."""
    rig = world()
    order = rig.orders(("HEART", 1))
    if refused:
        rig.site = type(rig.site)(rig.home / "partner", rig.clock, rig.site_profile, {"MUG"}, {"DAVENTRY"}, kinds={"complete": 1}, pick_seconds=0)

    def no_answer(what: str) -> None:
        if what.startswith("rename inbound/940"):
            raise InDoubt("renaming", "no answer")

    rig.watch.after.append(no_answer)
    rig.day()
    assert rig.ledger.effects.counts("gxo-uk", dispatches.OF_REQUESTS) == {"CONFIRMED": 1}, "the doubt outlived its answer"
    rig.drains()
    assert rig.desk() == ([("rejected_by_warehouse", str(order))] if refused else []) and rig.violations() == []


def test_an_order_that_the_acknowledgement_refuses_is_on_the_desk_and_is_not_sent_again_by_itself(world):
    rig = world()
    order, other = rig.orders(("HEART", 1)), rig.orders(("MUG", 1))
    rig.site = type(rig.site)(rig.home / "partner", rig.clock, rig.site_profile, {"MUG"}, {"DAVENTRY", "VENRAY"}, kinds={"complete": 1}, pick_seconds=0)
    rig.drains()
    rig.day()
    assert rig.desk() == [("rejected_by_warehouse", str(order))]
    assert [copy["state"] for copy in rig.at_warehouse(order)] == ["refused"] and len(rig.shipments(other)) == 1
    assert rig.violations() == []


def test_our_own_answers_go_out_once_for_each_group_of_advice(world):
    rig = _shipped(world, kinds={"repeated": 1})
    rig.tells_of_dispatches()
    rig.tells_of_dispatches()
    counts = rig.ledger.effects.counts("gxo-uk", dispatches.ANSWERS)
    assert counts == {"CONFIRMED": 1}
    rig.drains()
    assert rig.violations() == []
