"""Several settlement files together: counted once, reserves chained, retrocharges to nothing; and the command that says so, with its exit code."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.amazon.settlements.across import read_together
from contracts.settlements import FINES
from deployments.cli import app
from tests.settlement_files.written import GERMANY, START, UK, US, V1_WIDE, Amount, Settlement, month, packed, written

ACCOUNT = ("other-transaction", "other-transaction")
SALE = Amount(("Order", "ItemPrice", "Principal"), Decimal("50.00"), order="1-2-3", item="9", sku="A", marketplace="Amazon.de")


def _chained(number: str, turn: int, previous: str, current: str, marketplace: str = "Amazon.de", currency: str = "EUR") -> Settlement:
    kept = [Amount((*ACCOUNT, "Previous Reserve Amount Balance"), Decimal(previous)), Amount((*ACCOUNT, "Current Reserve Amount"), Decimal(current))]
    return Settlement(number, currency, [replace(SALE, marketplace=marketplace), *kept], START + timedelta(days=14 * turn, seconds=turn))


def _together(*settlements: Settlement):
    return read_together([(one.number, written(one)) for one in settlements])


def _states(*settlements: Settlement) -> list[str]:
    return [link.state for link in sorted(_together(*settlements).links, key=lambda link: link.settlement_id)]


def test_a_reserve_is_followed_from_one_settlement_to_the_next():
    assert _states(_chained("1", 0, "0.00", "-10.00"), _chained("2", 1, "10.00", "-7.50"), _chained("3", 2, "7.50", "0.00")) == ["first", "holds", "holds"]


def test_a_reserve_that_is_not_what_was_held_back_is_a_break():
    found = _together(_chained("1", 0, "0.00", "-10.00"), _chained("2", 1, "9.99", "0.00"))
    assert [link.state for link in found.links] == ["first", "broken"] and not found.is_clean
    assert [(one["kind"], one["settlement_id"], one["amount_minor"]) for one in found.findings] == [("reserve_broken", "2", -1)]


def test_a_settlement_that_is_missing_between_is_told_apart_from_a_break():
    found = _together(_chained("1", 0, "0.00", "-10.00"), _chained("3", 2, "7.50", "0.00"))
    assert [link.state for link in found.links] == ["first", "gap"] and found.is_clean and [one["kind"] for one in found.findings] == ["reserve_gap"]


def test_a_reserve_that_the_next_settlement_forgets_is_a_break():
    silent = replace(_chained("2", 1, "0", "0"), amounts=[SALE])
    assert _states(_chained("1", 0, "0.00", "-10.00"), silent) == ["first", "broken"]


def test_accounts_that_settle_at_the_same_moment_keep_their_own_chains():
    german = [_chained("1", 0, "0.00", "-10.00"), _chained("2", 1, "10.00", "0.00")]
    french = [_chained("3", 0, "0.00", "-4.00", "Amazon.fr"), _chained("4", 1, "4.00", "0.00", "Amazon.fr")]
    british = [_chained("5", 0, "0.00", "-3.00", "Amazon.co.uk", "GBP"), _chained("6", 1, "3.00", "0.00", "Amazon.co.uk", "GBP")]
    assert _states(*german, *french, *british) == ["first", "holds"] * 3
    assert _states(*(replace(one, amounts=[replace(amount, marketplace="") for amount in one.amounts]) for one in (*german, *french))) == ["first", "holds"] * 2


def test_v1_reserves_are_chained_with_v2_ones():
    former, later = _chained("1", 0, "0.00", "-10.00"), _chained("2", 1, "10.00", "0.00")
    assert [link.state for link in read_together([("a", written(former, pen=V1_WIDE)), ("b", written(later))]).links] == ["first", "holds"]


def _retrocharge(order: str, tax: str, withheld: str) -> list[Amount]:
    return [Amount(("Order_Retrocharge", "ItemPrice", "Tax"), Decimal(tax), order=order, item="9", sku="A"),
            Amount(("Order_Retrocharge", "ItemWithheldTax", "MarketplaceFacilitatorTax-Principal"), Decimal(withheld), order=order, item="9", sku="A")]


def test_a_retrocharge_that_does_not_come_to_nothing_is_found_by_its_order():
    sound, odd = _retrocharge("1-1-1", "2.50", "-2.50"), _retrocharge("1-1-2", "2.50", "-2.49")
    found = _together(Settlement("1", "USD", [*sound, *odd]))
    assert [(one["kind"], one["amount_minor"]) for one in found.findings] == [("retrocharge_not_zero", 1)] and "1-1-2" in found.findings[0]["detail"] and not found.is_clean


def test_a_retrocharge_may_be_settled_in_two_files():
    tax, withheld = _retrocharge("1-1-1", "2.50", "-2.50")
    assert _together(Settlement("1", "USD", [tax]), Settlement("2", "USD", [withheld])).is_clean


@pytest.mark.parametrize("second", [written(month()), packed(written(month())), written(month(), pen=GERMANY), written(month(), pen=V1_WIDE),
                                    written(replace(month(), amounts=month().amounts[::-1]))], ids=["same bytes", "packed", "another hand", "V1", "another order of rows"])
def test_the_same_settlement_twice_is_counted_once(second):
    found, alone = read_together([("a", written(month())), ("b", second)]), read_together([("a", written(month()))])
    assert found.is_clean and [one["kind"] for one in found.findings if one["kind"] != "form"] == ["duplicate"] and found.levels == alone.levels and found.repeated == {("b", "1234567890")}


def test_the_same_settlement_with_other_content_is_inconsistent_and_not_counted():
    other = replace(month(), amounts=[replace(month().amounts[0], sku="another"), *month().amounts[1:]])
    found = read_together([("a", written(month())), ("b", written(other))])
    assert [one["kind"] for one in found.findings] == ["duplicate_differs"] and not found.is_clean and found.levels == read_together([("a", written(month()))]).levels


def test_everything_adds_up_to_the_sums_of_the_files():
    odd = [Amount(("Order", "ItemFees", "New"), Decimal("-3.33"), order="1"), replace(SALE, order="")]
    found = _together(replace(month(number="1"), amounts=[*month().amounts, *odd]), month(seed=4, number="2", currency="GBP"))
    parts: dict[str, int] = {}
    for sums in (found.levels, found.unknown, found.unexplained):
        for key, (_, units) in sums.items():
            parts[key[-1]] = parts.get(key[-1], 0) + units
    assert parts == {head.currency: head.sum for file in found.files for head in file.heads}
    assert found.unknown == {("Order", "ItemFees", "New", "EUR"): (1, -333 * FINES)} and [rows for rows, _ in found.unexplained.values()] == [1]


def _run(*args: object) -> tuple[int, dict]:
    done = CliRunner().invoke(app, ["reconcile", *map(str, args), "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_the_command_says_what_is_in_the_files_and_that_all_is_well(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(written(_chained("1", 0, "0.00", "-10.00")))
    (tmp_path / "b.txt.gz").write_bytes(packed(written(_chained("2", 1, "10.00", "-7.50"), pen=UK)))
    code, said = _run(tmp_path)
    assert code == 0 and said["clean"] and said["unknown"] == [] and said["unexplained"] == "0.00"
    assert {name: said["files"][1][name] for name in ("settlement_id", "currency", "format", "rows", "deposit", "sum", "difference", "consistent")} == {
        "settlement_id": "2", "currency": "EUR", "format": "V2", "rows": 3, "deposit": "52.50", "sum": "52.50", "difference": "0.00", "consistent": True}
    assert said["attributed"] == {"order_line": {"rows": 2, "amount": "100.00"}, "order": {"rows": 0, "amount": "0.00"}, "sku": {"rows": 0, "amount": "0.00"},
                                  "account": {"rows": 0, "amount": "0.00"}, "balance": {"rows": 4, "amount": "-7.50"}}
    assert [(link["state"], link["previous_reserve"], link["current_reserve"]) for link in said["reserve_chain"]] == [("first", "0.00", "-10.00"), ("holds", "10.00", "-7.50")]
    assert _run(tmp_path / "*.txt")[1]["files"] == said["files"][:1]


@pytest.mark.parametrize("settled", [replace(month(), states=Decimal("0.00")), replace(month(), amounts=[*month().amounts, Amount(("X", "Y", "Z"), Decimal("0.00"))]),
                                     replace(month(), amounts=[*month().amounts, replace(SALE, order="")])], ids=["inconsistent", "unknown", "unexplained"])
def test_the_exit_code_is_1_when_anything_is_open(tmp_path: Path, settled: Settlement):
    (tmp_path / "a").write_bytes(written(settled))
    code, said = _run(tmp_path / "a")
    assert code == 1 and not said["clean"] and [one for one in said["findings"] if one["fails"]]


def test_an_unknown_kind_is_told_with_its_exact_amount(tmp_path: Path):
    (tmp_path / "a").write_bytes(written(replace(month(), amounts=[*month().amounts, Amount(("X", "Y", "Z z"), Decimal("-1234567.89"))])))
    code, said = _run(tmp_path / "a")
    assert code == 1 and said["unknown"] == [{"triple": ["X", "Y", "Z z"], "rows": 1, "amount": "-1234567.89", "currency": "EUR"}] and said["unexplained"] == "0.00"
    assert CliRunner().invoke(app, ["reconcile", str(tmp_path / "a")]).exit_code == 1


def test_a_file_that_cannot_be_read_gives_2_with_the_others_done(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(written(month()))
    (tmp_path / "b.csv").write_bytes(b"date/time,settlement id,type,order id,sku,total\n1")
    code, said = _run(tmp_path, tmp_path / "missing.txt")
    assert code == 2 and len(said["files"]) == 1 and said["files"][0]["consistent"]
    assert ["no such file" in said["unreadable"][0]["why"], "date-range" in said["unreadable"][1]["why"]] == [True, True]


def test_currencies_are_never_added_together(tmp_path: Path):
    (tmp_path / "a").write_bytes(written(_chained("1", 0, "0.00", "0.00")))
    (tmp_path / "b").write_bytes(written(_chained("2", 0, "0.00", "0.00", "Amazon.co.jp", "JPY")).replace(b"50.00", b"50"))
    code, said = _run(tmp_path / "a", tmp_path / "b")
    assert code == 0 and said["attributed"]["order_line"]["amount"] == {"EUR": "50.00", "JPY": "50"} and said["unexplained"] == "0.00"


def test_the_command_wants_files_or_a_storefront():
    done = CliRunner().invoke(app, ["reconcile"])
    assert done.exit_code == 2 and "settlement files" in done.output


def test_a_persons_table_names_the_rows_that_need_somebody(tmp_path: Path):
    (tmp_path / "a").write_bytes(written(replace(month(), amounts=[*month().amounts, replace(SALE, order="")]), pen=US))
    done = CliRunner().invoke(app, ["reconcile", str(tmp_path / "a")], env={"COLUMNS": "240"})
    assert "no order id" in done.stdout and "50.00" in done.stdout and "yes" in done.stdout
