"""A marketplace's statements come into the house once each, whole, and whatever cannot be right about them is on finance's desk."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from connectors.amazon.sandbox_finances import Sold
from connectors.amazon.sandbox_settlement import form_of, written
from contracts.exceptions import ADD_MAPPING
from tasks import desk
from tasks.settlements import FOLDER, take_in_files, take_in_settlements
from tests.journeys.rig import Crash
from tests.settlements.market_rig import DAY, MARKET, MarketRig

DERIVED = ("settlement", "settlement_sum", "settlement_item")
ROW = "category=account_fee; level=account"


def _sold(rig: MarketRig, order_id: str, principal: int = 1000, **more: Any) -> None:
    rig.market.money.sell(order_id, rig.market.marketplaces[0], [Sold(f"1{order_id[-1]}", "MUG", 2, principal, 200, 350, 70, **more)])


def _charged(rig: MarketRig, minor: int, description: str = "Launched Yesterday", **row: Any) -> None:
    rig.market.money.charge(rig.market.marketplaces[0], minor, "Novelty Fee", "other-transaction", description, **row)


def _tables(rig: MarketRig) -> dict[str, list[tuple]]:
    """What the ledger has, without serial numbers and without when and where from."""
    left_out = {"sequence", "taken_in_at", "document", "sha256", "made_at"}
    return {name: sorted(map(str, rig.ledger.table(name).drop(columns=left_out, errors="ignore").itertuples(index=False))) for name in DERIVED}


def _minor(rig: MarketRig, table: str = "settlement_sum", column: str = "amount_minor", **where: Any) -> int:
    found = rig.ledger.table(table)
    for name, value in where.items():
        found = found[found[name] == value]
    return int(found[column].sum())


def _body(rig: MarketRig, statement: Any) -> bytes:
    return written(statement, form_of("GB"))


def test_a_statement_is_taken_in_once_however_often_it_is_listed_and_its_bytes_are_kept(market):
    rig = market()
    _sold(rig, "026-1-1")
    statement = rig.settles()
    before = _tables(rig)
    (report,) = [one for one in rig.market.reports._reports]
    rig.market.reports.publish_again(report)
    rig.passes(60)
    counts = take_in_settlements(rig.house, MARKET)
    assert (counts["entered"], _tables(rig)) == (0, before) and rig.desk() == []
    (head,) = rig.ledger.table("settlement").itertuples()
    assert (head.deposit_minor, head.sum_minor, head.state, head.currency) == (statement.total_minor, statement.total_minor, "consistent", "GBP")
    assert gzip.decompress((rig.home / FOLDER / MARKET / f"{head.sha256}.gz").read_bytes()) == _body(rig, statement)
    assert take_in_settlements(rig.house, MARKET)["entered"] == 0


def test_a_statement_over_nothing_is_one(market):
    rig = market()
    rig.settles()
    assert len(rig.ledger.table("settlement")) == 1 and len(rig.ledger.table("settlement_sum")) == 0 and rig.desk() == []


def test_the_same_statement_from_disk_is_the_same_and_another_under_its_number_is_on_the_desk(market, tmp_path):
    rig = market()
    _sold(rig, "026-1-1")
    statement = rig.settles()
    body, before = _body(rig, statement), _tables(rig)
    for name, content in (("same.txt", body + b"\r\n"), ("other.txt", body.replace(b"10.00", b"11.00"))):
        (tmp_path / name).write_bytes(content)
    assert take_in_files(rig.house, MARKET, [tmp_path / "same.txt"])["known settlements"] == 1 and rig.desk() == []
    for _ in range(2):
        take_in_files(rig.house, MARKET, [tmp_path / "other.txt"])
    (one,) = rig.on_desk("settlement_inconsistent")
    assert one.record == statement.settlement_id and one.evidence["first_file"] != "other.txt" and (one.owner, one.evidence["file"]) == ("finance", "other.txt")
    assert _tables(rig) == before


def test_an_unknown_kind_is_in_suspense_with_its_exact_amount_until_a_row_is_added_and_exactly_it_moves(market):
    rig = market()
    _sold(rig, "026-1-1")
    for minor, name in ((-77, "Launched Yesterday"), (-23, "LAUNCHED YESTERDAY"), (-500, "Launched Tomorrow")):
        _charged(rig, minor, name)
    rig.settles()
    found = {row.record: row for row in rig.on_desk("settlement_unknown_type")}
    one = found["novelty fee / other-transaction / launched yesterday"]
    assert len(found) == 2 and (one.evidence["rows"], one.evidence["amounts"], one.owner) == (2, {"GBP": "-1.00"}, "finance")
    take_in_settlements(rig.house, MARKET)
    assert len(rig.on_desk("settlement_unknown_type")) == 2 and _minor(rig, level="unknown") == -600

    before = _tables(rig)
    desk.resolve(rig.house, one.exception_id, ADD_MAPPING, "A. Reader", "the new listing fee", rows=ROW)
    assert take_in_settlements(rig.house, MARKET)["attributed again"] == 1
    assert [row.record for row in rig.on_desk("settlement_unknown_type")] == ["novelty fee / other-transaction / launched tomorrow"]
    assert (_minor(rig, level="unknown"), _minor(rig, known_by="rule"), _minor(rig, account="Selling fees", known_by="rule")) == (-500, -100, -100)
    changed = set(before["settlement_sum"]) ^ set(_tables(rig)["settlement_sum"])
    assert all("launched yesterday" in row for row in changed) and take_in_settlements(rig.house, MARKET)["attributed again"] == 0


def test_amounts_that_are_not_the_deposit_are_told_apart_and_still_all_there(market):
    rig = market()
    _sold(rig, "026-1-1")
    statement = rig.settles(faulty="total")
    (one,) = rig.on_desk("settlement_inconsistent")
    assert (one.record, one.evidence["amount"]) == (statement.settlement_id, "-0.01 GBP") and _minor(rig) == statement.total_minor - 1
    for _ in range(2):
        take_in_settlements(rig.house, MARKET)
    assert [row.exception_id for row in rig.on_desk("settlement_inconsistent")] == [one.exception_id]
    desk.resolve(rig.house, one.exception_id, "done", "A. Reader", "the marketplace admits it, case 4711")
    take_in_settlements(rig.house, MARKET)
    assert rig.desk() == []


def test_a_missing_statement_breaks_the_chain_until_it_is_put_into_the_inbox(market, tmp_path):
    rig, bodies = market(), []
    for n in range(3):
        _sold(rig, f"026-1-{n}")
        rig.passes(14 * DAY)
        bodies.append(_body(rig, rig.market.close_settlement()))
    for name, body in zip("abc", bodies, strict=True):
        (tmp_path / f"{name}.txt").write_bytes(body)
    take_in_files(rig.house, MARKET, [tmp_path / "c.txt", tmp_path / "a.txt"])
    (one,) = rig.on_desk("settlement_inconsistent")
    assert "a statement between the two is missing" in one.evidence["why"]
    inbox = rig.home / FOLDER / MARKET / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "b.txt").write_bytes(bodies[1])
    rig.market.reports._reports.clear()
    counts = take_in_settlements(rig.house, MARKET)
    assert counts["entered"] == 1 and rig.desk() == [] and not list(inbox.iterdir()) and (inbox.parent / "read" / "b.txt").exists()


def test_what_is_no_settlement_is_set_aside_with_its_bytes(market):
    rig = market()
    inbox = rig.home / FOLDER / MARKET / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "holiday.txt").write_bytes(b"dear all,\n\nno settlement here")
    for _ in range(2):
        take_in_settlements(rig.house, MARKET)
    (one,) = rig.on_desk("document_malformed")
    assert one.evidence["file"] == "holiday.txt" and (rig.home / one.evidence["kept_as"]).exists() and len(rig.ledger.table("settlement")) == 0


def test_silence_is_noticed_and_what_may_have_gone_meanwhile_is_said(market):
    rig = market()
    _sold(rig, "026-1-1")
    rig.settles()
    rig.passes(22 * DAY)
    take_in_settlements(rig.house, MARKET)
    assert [(row.record, row.owner) for row in rig.on_desk("feed_silent")] == [("settlements", "data")]
    rig.passes(100 * DAY)
    _sold(rig, "026-1-2")
    rig.settles()
    assert rig.on_desk("feed_silent") == []
    (one,) = [row for row in rig.on_desk("settlement_inconsistent") if row.record.startswith("statements before")]
    assert "lists a statement for 90 days only" in one.evidence["why"]


def test_a_crash_anywhere_loses_nothing_and_counts_nothing_twice(market):
    def world() -> MarketRig:
        rig = market()
        _sold(rig, "026-1-1")
        _charged(rig, -77)
        rig.passes(14 * DAY)
        rig.market.close_settlement()
        rig.passes(3600)
        return rig

    calm = world()
    take_in_settlements(calm.house, MARKET)
    whole, steps = _tables(calm), 0
    for point in range(1, 40, 2):
        rig, seen = world(), [0]

        def strike(_: str, seen: list[int] = seen, point: int = point) -> None:
            seen[0] += 1
            if seen[0] == point:
                raise Crash

        rig.watch.after.append(strike)
        try:
            take_in_settlements(rig.house, MARKET)
            break
        except Crash:
            steps += 1
        rig.dies()
        take_in_settlements(rig.house, MARKET)
        assert _tables(rig) == whole and rig.desk() == calm.desk(), point
        assert len(list(Path(rig.home / "analytics" / "snapshots").rglob("*.parquet"))) == len(list(Path(calm.home / "analytics" / "snapshots").rglob("*.parquet")))
    assert steps > 4


def test_a_storefront_that_is_no_marketplace_has_no_settlements(market):
    rig = market()
    assert take_in_settlements(rig.house, next(iter(rig.shops))) == {}
    with pytest.raises(Exception, match="no marketplace"):
        take_in_files(rig.house, next(iter(rig.shops)), [])


def test_a_retrocharge_whose_other_half_is_missing_is_named_until_it_comes(market):
    rig = market()
    _sold(rig, "026-1-1")
    pair = rig.market.money.retrocharge("026-1-1", 37)
    half = pair.rows.pop()
    rig.settles()
    (one,) = rig.on_desk("settlement_inconsistent")
    assert (one.evidence["order_id"], one.evidence["amount"]) == ("026-1-1", "0.37 GBP")
    rig.market.money._add("Retrocharge", rig.market.marketplaces[0], [half], "026-1-1")
    rig.settles()
    assert rig.desk() == []
