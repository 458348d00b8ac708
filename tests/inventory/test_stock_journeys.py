"""What a warehouse says of its stock, until a storefront shows it: in a house with a real ledger."""

from datetime import timedelta

import pytest

from connectors.kit.errors import InDoubt, Refused
from connectors.ports import Receipt
from tasks.desk import resolve
from tests.inventory.small_world import AT, LOCATION, QUIET, SHOP, SITE, World, at, lost


@pytest.fixture
def world(tmp_path):
    made = []

    def make(**more):
        made.append(World(tmp_path / f"w{len(made)}", **more))
        return made[-1]

    yield make
    for one in made:
        one.house.close()


def test_a_statement_is_shown_and_only_what_changed_is_sent_afterwards(world):
    w = world()
    w.says(0, A=10, B=5)
    w.run()
    assert w.shows() == {"A": 10, "B": 5} and w.desk() == []
    w.says(10, A=10, B=4)
    w.run()
    assert [item["sku"] for item in w.shop.updates[-1]["items"]] == ["B"] and w.shows() == {"A": 10, "B": 4}
    updates = len(w.shop.updates)
    w.run(), w.run(sweep=True)
    assert len(w.shop.updates) == updates


def test_an_older_statement_that_comes_later_changes_nothing(world):
    w = world()
    w.says(10, A=3), w.run()
    w.says(5, A=99), w.run()
    assert w.shows() == {"A": 3} and len(w.shop.updates) == 1


def test_the_same_statement_twice_is_once(world):
    w = world()
    w.says(10, A=3, name="x"), w.run()
    w.says(10, A=3, name="x"), w.run()
    w.says(10, A=3, name="another name"), w.run()
    assert w.counts["duplicate"] == 1 and w.shows() == {"A": 3} and len(w.shop.updates) == 1


def test_documents_between_statements_count_once_and_only_until_a_statement_knows_of_them(world):
    w = world()
    w.says(0, A=10), w.run()
    w.changes("ADJ1", 5, A=-3, name="c"), w.run()
    assert w.shows() == {"A": 7}
    w.changes("ADJ1", 5, A=-3, name="the same document again"), w.run()
    assert w.shows() == {"A": 7}
    w.says(10, A=7), w.run()
    assert w.shows() == {"A": 7}
    w.changes("ADJ0", 7, A=-2), w.run()  # it occurred before the statement, and comes after it
    assert w.shows() == {"A": 7}
    assert not w.house.ledger.table("stock_change")["is_open"].iloc[0], "a statement counts it, so no run looks at it again"


def test_a_document_that_comes_again_with_other_contents_is_on_a_desk_and_counts_as_it_first_came(world):
    w = world()
    w.says(0, A=10), w.changes("ADJ1", 5, A=-3), w.run()
    w.changes("ADJ1", 5, A=-4), w.run()
    assert w.shows() == {"A": 7} and [kind for kind, _ in w.desk()] == ["control_number_reused"]


def test_an_absurd_figure_sends_nothing_and_the_sound_rows_go_on(world):
    w = world()
    w.says(0, A=10, B=5), w.run()
    w.says(10, A=-7, B=6), w.run()
    assert w.shows() == {"A": 10, "B": 6} and w.desk() == [("stock_absurd", "F1 A")]
    w.says(5, A=9), w.run()
    assert w.shows()["A"] == 10 and w.desk() == [("stock_absurd", "F1 A")], "an older sound figure does not mend a newer absurd one"
    w.says(20, A=8), w.run()
    assert w.shows() == {"A": 8, "B": 6} and w.desk() == []


def test_an_absurd_figure_that_is_older_than_the_sound_one_is_nobodys_concern(world):
    w = world()
    w.says(10, A=3), w.says(5, A=-1), w.run()
    assert w.shows() == {"A": 3} and w.desk() == []


def test_a_whole_statement_that_leaves_a_sku_out_says_that_it_is_gone_and_a_partial_one_says_nothing(world):
    w = world()
    w.says(0, A=1, B=2, C=3), w.run()
    w.says(5, A=1), w.run()
    assert w.shows() == {"A": 1, "B": 2, "C": 3}
    w.says(10, whole=True, A=1, B=2), w.run()
    assert w.shows() == {"A": 1, "B": 2, "C": 0}
    w.says(7, C=9), w.run()
    assert w.shows()["C"] == 0, "an older partial statement does not bring it back"


def test_a_statement_that_lost_most_of_its_stock_changes_nothing_until_a_person_or_a_full_one_says_so(world):
    many = {f"S{n}": 10 for n in range(30)}
    w = world(skus=" ".join(many))
    w.says(0, whole=True, **many), w.run()
    w.says(10, whole=True, **dict(list(many.items())[:12])), w.run()
    assert set(w.shows().values()) == {10} and [kind for kind, _ in w.desk()] == ["feed_shrank"]
    w.says(20, whole=True, **many | {"S1": 9}), w.run()
    assert w.shows()["S1"] == 9 and w.desk() == []


def test_another_facilitys_statement_or_a_partial_one_does_not_clear_a_shrunk_feed(world):
    """Found by the demo: the other facility's whole statement closed the exception, and nobody knew that this one's stock stood still."""
    many = {f"S{n}": 10 for n in range(30)}
    w = world(skus=" ".join(many))
    w.says(0, whole=True, **many), w.says(0, whole=True, facility="SOUTH", **many), w.run()
    w.says(10, whole=True, **dict(list(many.items())[:12])), w.run()
    w.says(20, whole=True, facility="SOUTH", **many), w.says(25, S1=9), w.run()
    assert [kind for kind, _ in w.desk() if kind == "feed_shrank"] == ["feed_shrank"]
    w.says(30, whole=True, **many), w.run()
    assert [kind for kind, _ in w.desk() if kind == "feed_shrank"] == []


def test_an_older_whole_statement_that_comes_late_does_not_clear_a_newer_shrunk_one(world):
    """Seed 2013: the statement that was refused was right; the one before it came late, and its coming closed the exception. Nobody knew any more."""
    many = {f"S{n}": 10 for n in range(30)}
    w = world(skus=" ".join(many))
    w.says(0, whole=True, **many), w.run()
    w.says(20, whole=True, **dict(list(many.items())[:12])), w.run()
    w.says(10, whole=True, **many | {"S1": 9}), w.run()
    assert w.shows()["S1"] == 9 and [kind for kind, _ in w.desk()] == ["feed_shrank"]
    w.says(30, whole=True, **many), w.run()
    assert w.desk() == []


def test_a_person_may_believe_that_the_stock_really_is_so_much_less(world):
    from tasks.stock_watch import believe
    many = {f"S{n}": 10 for n in range(30)}
    w = world(skus=" ".join(many))
    w.says(0, whole=True, **many), w.run()
    name = w.says(10, whole=True, **dict(list(many.items())[:12]))
    w.run()
    w.site.files[name] = w.site.said[name]
    (row,) = w.house.ledger.exceptions.listed()
    believe(w.house, row.exception_id, "ada", "They moved to the other hall.")
    (row,) = w.house.ledger.exceptions.listed(only_open=False)
    assert (row.resolved_by, row.reason) == ("ada", "They moved to the other hall.")
    w.site.files.clear()
    w.run()
    assert sum(w.shows().values()) == 120 and w.desk() == []


def test_a_statement_from_the_future_is_not_believed(world):
    w = world()
    w.says(0, A=1), w.says(60 * 24 * 40, A=9), w.run()
    w.says(10, A=2), w.run()
    assert w.shows() == {"A": 2} and [kind for kind, _ in w.desk()] == ["document_malformed"]


def test_a_sku_that_the_storefront_does_not_know_is_on_a_desk_and_is_not_sent(world):
    w = world(skus="AB")
    w.says(0, A=1, B=2, X=3), w.run()
    assert w.shows() == {"A": 1, "B": 2} and w.desk() == [("stock_sku_unknown", "stock of X")]
    asked = w.shop.asked
    w.says(10, X=4), w.run()
    assert w.shop.asked == asked, "it is not asked about in every run"
    w.shop.skus.add("X")
    w.run(sweep=True)
    assert w.shows()["X"] == 4 and w.desk() == []


def test_an_item_whose_stock_the_storefront_does_not_count_is_not_sent(world):
    w = world()
    w.shop.untracked.add("A")
    w.says(0, A=1, B=2), w.run()
    assert w.shows() == {"B": 2}


def test_one_bad_sku_in_two_thousand_is_found_and_the_others_are_told(world):
    skus = [f"S{n:04}" for n in range(2000)]
    w = world(skus=" ".join(skus))
    w.shop.catalogue(["S0000"])
    w.says(0, **{sku: 5 for sku in skus})

    def refuse(payload):
        if any(item["sku"] == "S1234" for item in payload["items"]):
            raise Refused("telling the shop its stock", "422: tracked by product")

    w.shop.fault = refuse
    told = w.run()
    assert len(w.shows()) == 1999 and w.desk() == [("rejected_by_storefront", "stock of S1234")]
    assert told.counts["groups rejected"] <= 12 and told.counts["groups sent"] <= 12
    sent = len(w.shop.updates)
    w.run(), w.run(sweep=True)
    assert len(w.shop.updates) == sent, "not again before its figure changes"
    w.shop.fault = lambda payload: None
    w.says(10, S1234=6, S0001=4), w.run()
    assert len(w.shop.updates) == sent + 2, "it goes alone, so that it spoils nobody else's group"
    assert w.shows()["S1234"] == 6 and w.shows()["S0001"] == 4 and w.desk() == []


def test_a_refusal_that_names_the_bad_skus_costs_two_calls_more_and_not_a_search(world):
    skus = [f"S{n:04}" for n in range(2000)]
    w = world(skus=" ".join(skus))
    w.says(0, **{sku: 5 for sku in skus})

    def refuse(payload):
        bad = tuple(item["sku"] for item in payload["items"] if item["sku"] in ("S0007", "S1234"))
        if bad:
            raise Refused("telling the shop its stock", "422", records=bad)

    w.shop.fault = refuse
    told = w.run()
    assert len(w.shows()) == 1998 and [record for _, record in w.desk()] == ["stock of S0007", "stock of S1234"]
    assert told.counts["groups rejected"] == 3 and told.counts["groups sent"] == 1


def test_a_group_that_is_taken_sku_by_sku_costs_one_call_however_many_are_refused(world):
    """Of two thousand listings four hundred had been given to somebody else to ship: halving would have sent nearly each of them alone."""
    skus = [f"S{n:04}" for n in range(2000)]
    w, bad = world(skus=" ".join(skus)), set(skus[::5])
    w.says(0, **{sku: 5 for sku in skus})
    apply, send = w.shop.apply, w.shop.send

    def taken_one_by_one(effect):
        refused = {item["sku"]: "issue 18748" for item in effect.payload["items"] if item["sku"] in bad}
        apply(effect.payload | {"items": [item for item in effect.payload["items"] if item["sku"] not in refused]})
        return Receipt("tx", {"refused": refused} if refused else {})

    w.shop.send = taken_one_by_one
    told = w.run()
    assert len(w.shows()) == 1600 and told.counts["groups sent"] == 1 and told.counts["figures refused"] == 400 and told.counts["figures told"] == 1600
    assert set(w.desk()) == {("rejected_by_storefront", f"stock of {sku}") for sku in bad}
    assert w.run().counts["groups sent"] == 0, "not again before its figure changes"
    w.shop.send = send
    w.says(10, S0005=6), w.run()
    assert w.shows()["S0005"] == 6 and ("rejected_by_storefront", "stock of S0005") not in w.desk()


def test_a_figure_that_was_refused_is_told_as_it_stands_by_now_when_a_person_says_resend(world):
    """The refused effect itself was sent once more: a figure of another day, and the ledger did not know that it had been told."""
    w = world()
    w.says(0, A=1, B=2), w.run()

    def refuse(payload):
        if any(item["sku"] == "A" for item in payload["items"]):
            raise Refused("telling the shop its stock", "422: not tracked")

    w.shop.fault = refuse
    w.says(10, A=7), w.run()
    assert w.shows()["A"] == 1 and w.desk() == [("rejected_by_storefront", "stock of A")]
    (row,) = w.house.ledger.exceptions.listed()
    w.shop.fault = lambda payload: None
    resolve(w.house, [row.exception_id], "resend", "eve", "it is tracked again")
    w.says(20, B=3), w.run()
    assert w.shows() == {"A": 7, "B": 3} and w.desk() == []
    updates = len(w.shop.updates)
    w.run(sweep=True)
    assert len(w.shop.updates) == updates


def test_a_storefront_that_says_how_long_it_will_take_is_asked_then_and_told_what_it_knows_already(world):
    """A feed was under way: the quiet period is for what nobody knows, and the feed's number is what is known."""
    w, asked = world(), []

    def under_way(payload):
        raise InDoubt("telling the shop its stock", "feed 501 is IN_QUEUE", wait_seconds=20, evidence={"feeds": {"501": 1}})

    def find(effect):
        asked.append((w.clock.now(), effect.evidence))
        w.shop.apply(effect.payload)
        return Receipt("found")

    w.shop.fault, w.shop.find = under_way, find
    w.says(0, A=10), w.run()
    sent_at = w.clock.now()
    w.clock.sleep(18)
    w.run()
    assert asked == []
    w.run()
    assert [evidence for _, evidence in asked] == [{"feeds": {"501": 1}}] and (asked[0][0] - sent_at).total_seconds() < QUIET and w.shows() == {"A": 10}


def test_a_timeout_after_the_storefront_took_it_sends_nothing_twice_and_keeps_the_newest(world):
    w = world()
    w.says(0, A=10), w.run()

    def taken_and_lost(payload):
        w.shop.apply(payload)
        lost(payload)

    w.shop.fault = taken_and_lost
    w.says(10, A=9), w.run()
    w.shop.fault = lambda payload: None
    w.run()
    assert len(w.shop.updates) == 2, "in doubt: nothing is sent before the quiet period is over"
    w.clock.sleep(QUIET)
    w.run()
    assert len(w.shop.updates) == 2 and w.shows() == {"A": 9}


def test_after_a_doubt_the_current_figure_goes_not_the_one_that_was_in_doubt(world):
    w = world()
    w.says(0, A=10), w.run()
    w.shop.fault = lost
    w.says(10, A=9), w.run()
    w.shop.fault = lambda payload: None
    w.says(20, A=4), w.run()
    w.clock.sleep(QUIET)
    w.run()
    assert w.shows() == {"A": 4}
    assert [item["quantity"] for update in w.shop.updates for item in update["items"]] == [10, 4]


def test_a_zombie_that_lands_after_the_newer_figure_is_mended_by_the_sweep(world):
    from tasks.stock_watch import look_at_shown
    w, late = world(), []
    w.says(0, A=10), w.run()

    def held_back(payload):
        late.append(payload)
        lost(payload)

    w.shop.fault = held_back
    w.says(10, A=9), w.run()
    w.shop.fault = lambda payload: None
    w.says(20, A=4), w.clock.sleep(QUIET), w.run(), w.run()
    assert w.shows() == {"A": 4}
    w.shop.apply(late[0])
    assert w.shows() == {"A": 9}
    w.run()
    w.clock.sleep(3600)
    assert look_at_shown(w.house, SHOP)["told again"] == 1
    w.run(sweep=True)
    assert w.shows() == {"A": 4}


def test_a_group_that_nobody_can_tell_of_for_hours_gives_way_to_the_newest_figures(world):
    w = world()
    w.says(0, A=10), w.run()
    w.shop.fault = lost
    w.says(10, A=9), w.run()
    find, w.shop.find = w.shop.find, lost
    for _ in range(6):
        w.clock.sleep(3600)
        w.run()
    w.shop.fault, w.shop.find = (lambda payload: None), find
    w.clock.sleep(QUIET)
    w.run()
    assert "WITHDRAWN" in set(w.house.ledger.table("effect")["state"])
    assert w.shows() == {"A": 9} and w.desk() == []


def test_a_location_that_the_storefront_does_not_have_is_on_a_desk_and_the_others_are_told(world):
    w = world(stock_locations=[at(), at("9")])
    w.says(0, A=1), w.run()
    assert w.shows() == {"A": 1} and w.shows("9") == {} and w.desk() == [("stock_sku_unknown", "location 9")]


def test_facilities_add_up_by_their_share(world):
    w = world(stock_locations=[at(), at(facility="F2", share=50)])
    w.says(0, A=10), w.says(0, facility="F2", A=5, B=3), w.run()
    assert w.shows() == {"A": 12, "B": 1}


def test_a_mapping_change_makes_every_figure_anew(world):
    w = world(skus="A B KIT shop-a".replace(" ", " "))
    w.says(0, A=10, B=7), w.run()
    w.rules(kits=[{"connection": SHOP, "sku": "KIT", "component": "A", "quantity": "2"}, {"connection": SHOP, "sku": "KIT", "component": "B", "quantity": "3"}],
            safety_stock=[{"connection": SHOP, "sku": "*", "rule": "fixed", "value": "1"}])
    w.run()
    assert w.shows() == {"A": 9, "B": 6, "KIT": 1}
    w.says(10, A=2), w.run()
    assert w.shows() == {"A": 1, "B": 6, "KIT": 0}


def test_a_dry_run_says_what_would_be_sent_and_changes_nothing(world):
    from tasks import inbound, stock
    w = world()
    w.says(0, A=1)
    inbound.take_in(w.house, SITE)
    before = {name: w.house.ledger.table(name).to_dict("records") for name in ("stock_desired", "stock_mark", "effect", "exception", "sku_sales")}
    files = sorted(w.home.rglob("*.parquet"))
    said = stock.decide(w.house, SHOP, dry_run=True)
    assert said.changed == [{"location": LOCATION, "sku": "A", "shows": None, "should show": 1}]
    assert before == {name: w.house.ledger.table(name).to_dict("records") for name in before} and files == sorted(w.home.rglob("*.parquet"))


def test_what_was_decided_and_told_is_kept_with_its_parts(world):
    w = world(safety_stock=[{"connection": SHOP, "sku": "A", "rule": "percent", "value": "10"}])
    w.says(0, A=10), w.changes("R1", 5, A=5), w.run()
    history = w.house.snapshots.latest("stock_decisions", SHOP)
    assert history[["sku", "quantity", "stated", "changed", "kept_back"]].to_dict("records") == [{"sku": "A", "quantity": 13, "stated": 10, "changed": 5, "kept_back": 2}]
    from connectors.snapshots.positions import stock_at
    w.says(30, A=20), w.run()
    assert stock_at(w.house.snapshots, SITE, "F1", AT + timedelta(minutes=29))["available"].tolist() == [10]
    assert stock_at(w.house.snapshots, SITE, "F1", AT + timedelta(minutes=30))["available"].tolist() == [20]
