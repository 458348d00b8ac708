"""Goods come back: matched, refunded once by rule, or on a desk with the evidence; whatever the weather."""

import pytest

from connectors.kit.errors import BadConfiguration
from deployments.demo_world import STOREFRONT, UK_FACILITY, WAREHOUSE
from tasks import mappings, refunds, returns
from tests.journeys.rig import Rig
from tests.postgres import postgres, why_not

RULES = "connection,warehouse,grade,refund_percent,disposition,needs_rma\n"
GOOD_AND_SCRATCHED = RULES + f"*,{WAREHOUSE},A,100,restock,no\n*,{WAREHOUSE},B,50,keep apart,no\n*,{WAREHOUSE},C,0,scrap,no\n"
WITH_RMA = RULES + f"*,{WAREHOUSE},*,100,restock,yes\n"


def _shipped(world, *lines, rules=GOOD_AND_SCRATCHED, **given) -> tuple[Rig, int]:
    """An order of these lines that the customer has got."""
    rig = world(**given)
    if rules:
        mappings.change_mapping(rig.house, "return_rules", rules, "set-up")
    order = rig.orders(*(lines or (("HEART", 4),)))
    rig.drains()
    assert rig.desk() == []
    return rig, order


def _lines(rig: Rig):
    return rig.ledger.table("return_line")


def _timeline(rig: Rig, order: int) -> list[str]:
    with rig.ledger.transaction() as tx:
        return [row.what for row in rig.ledger.timeline.of(tx, STOREFRONT, str(order))]


def test_what_came_back_by_its_reference_is_refunded_once_as_the_shop_quotes_it(world):
    rig, order = _shipped(world, ("HEART", 4), ("MUG", 1))
    rig.customer_returns(order, ("HEART", 3, "A"))
    for _ in range(3):
        rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [765] and rig.desk() == []
    line = _lines(rig).iloc[0]
    assert (line.state, line.matched_by, line.storefront_quantity, line.disposition) == ("settled", "reference", 3, "restock")
    assert line.refund_effect == f"refund:{STOREFRONT}:{order}/{WAREHOUSE}/RET000001"
    assert [what for what in _timeline(rig, order) if "re" in what][-4:] == ["return received", "refund planned", "refund sent", "refund read back"]


def test_the_grade_decides_how_much_and_parts_of_a_line_sum_to_it(world):
    rig, order = _shipped(world, ("HEART", 4))
    for grade in ("B", "B", "C", "B"):
        rig.customer_returns(order, ("HEART", 1, grade))
    rig.settles_returns()
    # 50 % of 10.20: 1.27, 1.28, nothing for the third, 1.28
    assert [refund["minor"] for refund in rig.refunds(order)] == [127, 128, 128] and rig.desk() == []
    assert sorted(_lines(rig)["disposition"]) == ["keep apart", "keep apart", "keep apart", "scrap"]


def test_without_a_rule_nothing_is_refunded_and_adding_it_frees_exactly_that(world):
    rig, order = _shipped(world, rules="")
    rig.customer_returns(order, ("HEART", 1, "A"), ("HEART", 1, "Z"))
    rig.settles_returns()
    rig.settles_returns()
    assert rig.desk() == [("return_rule_missing", str(order))] * 2 and rig.refunds(order) == []
    assert mappings.change_mapping(rig.house, "return_rules", GOOD_AND_SCRATCHED, "ann", dry_run=True).freed_orders == [str(order)]
    mappings.change_mapping(rig.house, "return_rules", GOOD_AND_SCRATCHED, "ann")
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255]
    assert [row.evidence["grades"] for row in rig.on_desk("return_rule_missing")] == [["Z"]]


@pytest.mark.parametrize(("lines", "due", "held"), [
    ((("HEART", 6, "A"),), 1020, [("return_unexpected", 2, "more than was shipped")]), ((("MUG", 1, "A"),), 0, [("return_unexpected", 1, "not ordered")]),
    ((("HEART", 1, "A"), ("MUG", 2, "A")), 255, [("return_unexpected", 2, "not ordered")]),
])
def test_only_what_was_shipped_is_refunded_and_the_rest_is_on_a_desk_with_the_evidence(world, lines, due, held):
    rig, order = _shipped(world)
    rig.customer_returns(order, *lines)
    rig.settles_returns()
    assert sum(refund["minor"] for refund in rig.refunds(order)) == due
    assert [(row.type, row.evidence["not_taken"], row.evidence["why"]) for row in rig.on_desk("return_unexpected")] == held
    assert [row for row in rig.desk() if row[0] != "return_unexpected"] == []


def test_goods_that_came_back_twice_are_refunded_once(world):
    rig, order = _shipped(world)
    for _ in range(2):
        rig.customer_returns(order, ("HEART", 4, "A"))
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [1020]
    assert rig.on_desk("return_unexpected")[0].evidence["returned_before"] == 4


@pytest.mark.parametrize("how", ["the same bytes", "another interchange"])
def test_a_document_that_comes_again_changes_nothing(world, how):
    rig, order = _shipped(world)
    rig.customer_returns(order, ("HEART", 1, "A"))
    (name, body), = [(name, body) for name, body in rig.waiting_files().items() if b"ST*944" in body]
    rig.settles_returns()
    again = body if how == "the same bytes" else body.replace(body[90:99], b"000009999")
    rig.arrives("again.edi", again)
    rig.settles_returns()
    assert len(rig.refunds(order)) == 1 and len(_lines(rig)) == 1 and rig.desk() == []
    assert list(rig.ledger.table("inbox")["state"]).count("duplicate") == 1


def test_a_document_that_comes_again_with_other_contents_is_on_a_desk_and_the_first_counts(world):
    rig, order = _shipped(world)
    rig.customer_returns(order, ("HEART", 1, "A"))
    body = next(body for body in rig.waiting_files().values() if b"ST*944" in body)
    rig.settles_returns()
    rig.arrives("again.edi", body.replace(body[90:99], b"000009999").replace(b"W07*1*EA", b"W07*3*EA").replace(b"W14*1", b"W14*3"))
    rig.settles_returns()
    assert rig.desk() == [("advice_changed", str(order))] and [refund["minor"] for refund in rig.refunds(order)] == [255]


def test_the_shops_order_number_is_enough_and_a_lower_case_reference_is_not(world):
    rig, order = _shipped(world)
    rig.customer_returns(order, ("HEART", 1, "A"), reference=str(order))
    rig.customer_returns(order, ("HEART", 1, "A"), reference=f"uk{order}")
    rig.settles_returns()
    assert sorted(_lines(rig)["matched_by"]) == ["", "prefix and order id"] and len(rig.refunds(order)) == 1
    (held,) = rig.on_desk("return_unmatched")
    assert held.evidence["candidates"][0]["order_id"] == str(order) and "spelt almost like" in " ".join(held.evidence["candidates"][0]["because"])


def test_a_person_chooses_among_the_candidates_and_the_refund_follows(world):
    rig, order = _shipped(world)
    other = rig.orders(("MUG", 2))
    rig.drains()
    rig.customer_returns(order, ("HEART", 2, "A"), ("MUG", 1, "A"), reference="")
    rig.settles_returns()
    (held,) = rig.on_desk("return_unmatched")
    assert rig.refunds(order) == [] and {one["order_id"] for one in held.evidence["candidates"]} == {str(order), str(other)}
    assert not any(canary in str(held.evidence) for canary in ("Canary", "canary", "07700"))
    with pytest.raises(BadConfiguration, match="never asked to ship"):
        returns.match_by_hand(rig.house, held.exception_id, STOREFRONT, "999", "ann", "guess")
    assert returns.match_by_hand(rig.house, held.exception_id, STOREFRONT, str(order), "ann", "the slip says so") == 1
    with pytest.raises(BadConfiguration, match="no open return_unmatched"):
        returns.match_by_hand(rig.house, held.exception_id, STOREFRONT, str(order), "ann", "twice")
    (rest,) = rig.on_desk("return_unmatched")
    returns.match_by_hand(rig.house, rest.exception_id, STOREFRONT, str(other), "ann", "the other slip")
    rig.settles_returns()
    assert [refund["minor"] for one in (order, other) for refund in rig.refunds(one)] == [510, 255] and rig.desk() == []
    assert set(_lines(rig)["matched_by"]) == {"by hand"}


def test_a_return_before_its_dispatch_is_advised_is_placed_when_it_is(world):
    rig = world()
    mappings.change_mapping(rig.house, "return_rules", GOOD_AND_SCRATCHED, "set-up")
    order = rig.orders(("HEART", 2))
    rig.sends_orders()
    rig.warehouse_works()
    held = {name: body for name, body in rig.waiting_files().items() if b"ST*945" in body}
    for name in held:
        (rig.home / "partner" / rig.site_profile.from_partner / name).unlink()
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    assert rig.on_desk("return_unexpected")[0].evidence["shipped"] == 0 and rig.refunds(order) == []
    for name, body in held.items():
        rig.arrives(name, body)
    rig.tells_of_dispatches()
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255] and rig.desk() == []


def test_somebody_refunded_it_before_it_came_back(world):
    rig, order = _shipped(world, ("HEART", 4))
    line = next(iter(rig.shop.books()["orders"][order]["lines"]))
    rig.shop.refund_by_hand(order, {line: 1})
    rig.passes(60)
    rig.customer_returns(order, ("HEART", 3, "A"))
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255, 510] and rig.desk() == []
    assert "refunded before" in _timeline(rig, order)
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255, 510, 255], "what somebody refunded counts once"


def test_a_piece_behind_one_that_was_refunded_already_counts_once(world):
    """Found by the simulator (seed 500002): one was announced and two came, so that the line fell into two pieces. The first had been refunded in the
    storefront; the second was taken for what is left of it as well, and two were paid for one."""
    rig, order = _shipped(world, ("HEART", 4))
    (number,) = returns.ask_return(rig.house, STOREFRONT, str(order), "sku,quantity\nHEART,1", "unwanted", "ann", approve=True)
    rig.shop.refund_by_hand(order, {next(iter(rig.shop.books()["orders"][order]["lines"])): 1})
    rig.passes(60)
    rig.customer_returns(order, ("HEART", 2, "A"), rma=number)
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255, 255] and rig.desk() == []


def test_a_storefront_that_takes_no_refunds_from_us_is_refunded_there_by_a_person_and_never_by_us(world):
    rig, order = _shipped(world, ("HEART", 4))
    port = rig.house.storefront(STOREFRONT)
    port.kinds = tuple(kind for kind in port.kinds if kind != "refund")
    rig.customer_returns(order, ("HEART", 3, "A"))
    for _ in range(2):
        rig.settles_returns()
    (held,) = rig.on_desk("refund_by_hand")
    assert held.evidence["due_minor"] == 765 and held.evidence["held_for"] == "by the storefront" and rig.refunds(order) == []
    line = next(iter(rig.shop.books()["orders"][order]["lines"]))
    rig.shop.refund_by_hand(order, {line: 3})
    rig.passes(60)
    rig.settles_returns()
    assert rig.desk() == [] and [refund["minor"] for refund in rig.refunds(order)] == [765] and list(_lines(rig)["state"]) == ["settled"]


def test_a_refund_of_the_order_as_a_whole_by_somebody_is_for_a_person_to_weigh(world):
    rig, order = _shipped(world, ("HEART", 4))
    rig.shop.refund_by_hand(order, amount="2.55")
    rig.passes(60)
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    (held,) = rig.on_desk("refund_over_cap")
    assert held.evidence["held_for"] == "refunded as a whole" and len(rig.refunds(order)) == 1
    refunds.approve_refund(rig.house, held.exception_id, "bob", "that was for the postage")
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255, 255] and rig.desk() == []


def test_what_a_person_has_closed_is_not_asked_again_and_not_refunded(world):
    rig, order = _shipped(world, ("HEART", 4))
    rig.shop.refund_by_hand(order, amount="2.55")
    rig.passes(60)
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    (held,) = rig.on_desk("refund_over_cap")
    with rig.ledger.transaction() as tx:
        rig.ledger.exceptions.resolve(tx, held.exception_id, "ann", "the 2.55 was for this")
    rig.settles_returns()
    assert len(rig.refunds(order)) == 1 and rig.desk() == [] and list(_lines(rig)["state"]) == ["settled"]


def test_above_the_limit_a_person_approves_and_not_the_one_who_approved_the_return(world):
    rig, order = _shipped(world, ("HEART", 4), rules=WITH_RMA)
    _limit(rig, 600)
    (number,) = returns.ask_return(rig.house, STOREFRONT, str(order), "sku,quantity\nHEART,3", "unwanted", "ann", approve=True)
    rig.customer_returns(order, ("HEART", 3, "A"), rma=number)
    rig.settles_returns()
    (held,) = rig.on_desk("refund_over_cap")
    assert (held.evidence["held_for"], held.evidence["due_minor"], held.evidence["limit_minor"]) == ("over limit", 765, 600) and rig.refunds(order) == []
    with pytest.raises(BadConfiguration, match="approved the return"):
        refunds.approve_refund(rig.house, held.exception_id, "Ann ", "mine")
    refunds.approve_refund(rig.house, held.exception_id, "bob", "checked")
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [765] and rig.desk() == []


def test_small_returns_one_after_the_other_do_not_slip_under_the_limit(world):
    rig, order = _shipped(world, ("HEART", 4))
    _limit(rig, 600)
    for _ in range(4):
        rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255, 255] and rig.desk() == [("refund_over_cap", str(order))] * 2


def _limit(rig: Rig, minor: int) -> None:
    profile = rig.home / "profile.toml"
    profile.write_text(profile.read_text().replace(f"[connections.{STOREFRONT}]", f"[connections.{STOREFRONT}]\nrefund_limit_minor = {minor}"))
    rig.dies()


def test_an_unpaid_order_is_not_refunded(world):
    rig = world()
    mappings.change_mapping(rig.house, "return_rules", GOOD_AND_SCRATCHED, "set-up")
    order = rig.orders(("HEART", 1), payment_status="authorized")
    rig.drains()
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    assert rig.on_desk("refund_over_cap")[0].evidence["held_for"] == "no payment"
    rig.shop.pay(order, "2.55")
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255] and rig.desk() == []


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_declined_refund_is_on_a_desk_once_and_tried_again_by_a_persons_word(world, when):
    rig, order = _shipped(world)
    rig.shop.decline_next_refund(order, when)
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    rig.settles_returns()
    (held,) = rig.on_desk("refund_declined")
    assert held.record == str(order) and [refund["is_declined"] for refund in rig.refunds(order)] == [True] and held.count == 1
    refunds.refund_again(rig.house, held.exception_id, "fay", "new card")
    rig.settles_returns()
    assert [(refund["minor"], refund["is_declined"]) for refund in rig.refunds(order)] == [(255, True), (255, False)] and rig.desk() == []


def test_a_dry_run_says_what_would_happen_and_changes_nothing(world):
    from tasks.returns_rehearsal import rehearse_returns

    rig, order = _shipped(world)
    rig.customer_returns(order, ("HEART", 1, "A"), ("MUG", 1, "A"))
    before, files = {name: rig.ledger.table(name).to_dict() for name in ("effect", "return_line", "exception", "inbox", "timeline", "rma")}, rig.waiting_files()
    would = rehearse_returns(rig.house, WAREHOUSE, STOREFRONT)
    assert [(one["order"], one["minor"]) for one in would["refunds"]] == [(str(order), 255)] and [one["type"] for one in would["held"]] == ["return_unexpected"]
    assert {name: rig.ledger.table(name).to_dict() for name in before} == before and rig.waiting_files() == files and rig.refunds(order) == []


def test_the_stock_of_what_came_back_is_counted_once_and_never_by_a_refund(world):
    rig, order = _shipped(world, partner={"receipts": {"sale_grades": ["A"]}})
    rig.customer_returns(order, ("HEART", 2, "A"), ("HEART", 1, "B"))
    body = next(body for body in rig.waiting_files().values() if b"ST*944" in body)
    rig.settles_returns()
    rig.arrives("again.edi", body.replace(body[90:99], b"000009999"))
    rig.settles_returns()
    changes = rig.ledger.table("stock_change")
    assert [(row.kind, row.sku, row.change, row.facility) for row in changes.itertuples()] == [("return", "HEART", 2, UK_FACILITY)]
    assert not [row for row in rig.ledger.table("effect").itertuples() if row.kind == "stock_update"]
    assert [refund["minor"] for refund in rig.refunds(order)] == [2 * 255 + 127]


def test_the_parts_of_a_kit_are_refunded_as_one_with_the_part_that_makes_it_whole(world):
    rig = world()
    mappings.change_mapping(rig.house, "return_rules", GOOD_AND_SCRATCHED, "set-up")
    mappings.change_mapping(rig.house, "kits", "connection,sku,component,quantity\n*,SET,HEART,2\n*,SET,MUG,1\n", "set-up")
    order = rig.orders(("SET", 2))
    rig.drains()
    rig.customer_returns(order, ("HEART", 3, "A"))
    rig.settles_returns()
    (held,) = rig.on_desk("return_unexpected")
    assert held.evidence["parts"] == [{"sku": "HEART", "units": 3, "of": 2}] and rig.refunds(order) == []
    rig.customer_returns(order, ("MUG", 1, "B"))
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [127] and rig.on_desk("return_unexpected")[0].evidence["parts"] == [{"sku": "HEART", "units": 1, "of": 2}]
    rig.customer_returns(order, ("HEART", 1, "A"), ("MUG", 1, "A"))
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [127, 255] and rig.desk() == []


def test_an_announced_return_of_a_kit_names_the_kit_and_the_warehouse_hears_of_its_parts(world):
    """Found by the simulator (seed 1006): who looked at the announced return of a set read "1 x MUG", the last of its parts."""
    rig = world()
    mappings.change_mapping(rig.house, "kits", "connection,sku,component,quantity\n*,SET,HEART,2\n*,SET,MUG,1\n", "set-up")
    order = rig.orders(("SET", 2))
    rig.drains()
    (number,) = returns.ask_return(rig.house, STOREFRONT, str(order), "sku,quantity\nSET,1", "unwanted", "ann", approve=True)
    (rma,) = [row for row in rig.ledger.table("rma").itertuples() if row.rma == number]
    (notice,) = [row.payload for row in rig.ledger.table("effect").itertuples() if row.kind == "return_notice"]
    assert [(line["sku"], line["quantity"]) for line in rma.lines] == [("SET", 1)]
    assert [(line["warehouse_sku"], line["quantity"]) for line in notice["lines"]] == [("HEART", 2), ("MUG", 1)]


def test_a_return_of_an_order_that_turns_up_later_is_matched_then(world):
    rig = world()
    mappings.change_mapping(rig.house, "return_rules", GOOD_AND_SCRATCHED, "set-up")
    rig.customer_returns(0, ("HEART", 1, "A"), reference="UK777")
    rig.handles_returns()
    assert [row.evidence["why"] for row in rig.on_desk("return_unmatched")] == ["we sent no order under the reference that it names"]
    rig.orders(("HEART", 1), number=777)
    rig.drains()
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(777)] == [255] and rig.desk() == []


def test_while_a_refund_is_in_doubt_no_other_of_its_order_is_reckoned(world):
    """Two parcels of 2.55 each under a limit of 3.00: were the second reckoned before the first was seen, both would go out."""
    rig, order = _shipped(world, ("HEART", 2))
    _limit(rig, 300)
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.shop.faults.add("F3", "POST */refunds", times=1)
    rig.handles_returns()
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.passes(60)
    rig.handles_returns()
    assert [row for row in rig.unfinished() if row.startswith("refund:")] == [f"refund:{STOREFRONT}:{order}/{WAREHOUSE}/RET000001 UNKNOWN"]
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255] and [row.evidence["held_for"] for row in rig.on_desk("refund_over_cap")] == ["over limit"]


@pytest.mark.postgres
def test_the_same_on_postgresql(world):
    if why := why_not():
        pytest.skip(why)
    with postgres() as server:
        rig, order = _shipped(world, ("HEART", 4), ledger_url=server.create("returns"))
        rig.customer_returns(order, ("HEART", 1, "A"), ("HEART", 1, "B"), ("MUG", 1, "A"))
        rig.customer_returns(order, ("HEART", 1, "A"), reference="")
        rig.settles_returns()
        (unmatched,) = rig.on_desk("return_unmatched")
        returns.match_by_hand(rig.house, unmatched.exception_id, STOREFRONT, str(order), "ann", "the slip says so")
        (number,) = returns.ask_return(rig.house, STOREFRONT, str(order), "sku,quantity\nHEART,1", "unwanted", "ann", approve=True)
        rig.customer_returns(order, ("HEART", 1, "A"), rma=number)
        rig.settles_returns()
        assert [refund["minor"] for refund in rig.refunds(order)] == [255 + 127 + 1, 255, 255] and rig.desk() == [("return_unexpected", str(order))]
        rig.house.close()
