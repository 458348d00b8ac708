"""Settlement files in every region's hand: the same amounts, the same sums, the same attribution."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from connectors.amazon.settlements.across import read_together
from connectors.amazon.settlements.frames import rows_frame, settlements_frame
from connectors.amazon.settlements.reading import read_file
from contracts.money import to_minor
from contracts.settlements import FINES, SettlementRows, Settlements
from tests.settlement_files.written import JAPAN, NUMBERS, REGIONS, US, V1_36, V1_CANADA, V1_WIDE, V2, Amount, Settlement, month, packed, written

# the totals of seven real V1 files, each of which was the sum of its rows
REAL_TOTALS = ("-321.69", "-62.31", "1016.08", "2539.66", "4630.23", "3894.24", "10015.64")


@pytest.mark.parametrize("pen", REGIONS.values(), ids=REGIONS.keys())
def test_a_file_of_any_region_sums_to_its_deposit_with_every_amount_attributed(pen):
    settled = month()
    found = read_together([("statement.txt", written(settled, pen=pen))])
    (file,) = found.files
    (head,) = file.heads
    assert found.is_clean and found.refused == [] and not found.unknown and not found.unexplained
    assert head.deposit == head.sum == to_minor(settled.total, "EUR") * FINES and head.started_at == settled.start and head.ended_at == settled.end
    assert head.amounts == len(settled.amounts) and head.currency == "EUR" and head.marketplace == "Amazon.de"
    rows = rows_frame([file.rows])
    assert sorted(rows["amount_minor"]) == sorted(to_minor(one.value, "EUR") for one in settled.amounts)
    assert len(SettlementRows.split(rows)[1]) == len(Settlements.split(settlements_frame(found.files))[1]) == 0
    assert set(rows["sku"]) == {one.sku for one in settled.amounts} and rows["posted_at"].notna().all()
    assert rows["posted_at"].min() == min(one.at if not pen.is_v1 else one.at for one in settled.amounts)


def test_a_quantity_is_counted_once_an_item():
    rows = rows_frame([read_file("a", written(month())).rows])
    assert rows["quantity"].sum() == 2 * 12 and (rows["quantity"] > 0).sum() == 12


def test_rows_of_one_item_far_apart_still_count_its_units_once():
    settled = month()
    shuffled = replace(settled, amounts=random.Random(3).sample(settled.amounts, len(settled.amounts)))
    assert rows_frame([read_file("a", written(shuffled)).rows])["quantity"].sum() == 24


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.__name__)
@pytest.mark.parametrize("pen", [US, V1_WIDE], ids=["V2", "V1"])
def test_numbers_of_any_hand_come_to_the_same_sum(pen, number):
    settled = month(seed=7)
    (head,) = read_file("a", written(settled, pen=replace(pen, number=number))).heads
    assert not head.wrong and head.deposit == to_minor(settled.total, "EUR") * FINES


def test_decimal_comma_and_dot_in_one_file():
    body = written(month(), pen=US).decode().split("\n")
    mixed = "\n".join(line.replace(".", ",") if n % 2 else line for n, line in enumerate(body))
    found = read_together([("mixed", mixed.replace("Amazon,de", "Amazon.de").encode())])
    assert found.is_clean


def test_yen_have_no_decimals_and_a_comma_in_them_is_for_thousands():
    settled = replace(month(currency="JPY", marketplace="Amazon.co.jp", cents=False), amounts=[
        replace(one, sku="日本-1") for one in month(currency="JPY", marketplace="Amazon.co.jp", cents=False).amounts])
    file = read_file("a", written(settled, pen=JAPAN))
    assert not file.heads[0].wrong and file.heads[0].deposit == int(settled.total) * FINES
    assert set(rows_frame([file.rows])["sku"]) == {"日本-1"}
    assert [one["detail"] for one in file.findings if one["kind"] == "number_assumed"][0].endswith("the currency has no decimals")


@pytest.mark.parametrize("spell", [str.upper, lambda name: name.replace("-", " "), lambda name: name.replace("-", "_"), lambda name: "".join(map(str.capitalize, name.split("-"))),
                                   lambda name: f'"{name}"'], ids=["upper", "spaces", "underscores", "camel", "quoted"])
@pytest.mark.parametrize("columns", [V2, V1_36], ids=["V2", "V1"])
def test_columns_in_any_order_and_spelling_are_the_same_file(columns, spell):
    pen = V1_WIDE if columns is V1_36 else US
    plain = rows_frame([read_file("a", written(month(), pen=pen)).rows])
    shuffled = random.Random(5).sample(columns, len(columns))
    other = rows_frame([read_file("a", written(month(), pen=replace(pen, spell=spell), columns=shuffled)).rows])
    assert plain.equals(other)


@pytest.mark.parametrize("total", REAL_TOTALS)
@pytest.mark.parametrize("pen", [V1_CANADA, V1_WIDE], ids=["33 columns", "36 columns"])
def test_a_v1_file_comes_to_its_total_however_wide_it_is(pen, total):
    """33 columns in one month and 36 in the next, in one account."""
    settled = month(currency="CAD", marketplace="Amazon.ca")
    rest = Decimal(total) - settled.total
    settled = replace(settled, amounts=[*settled.amounts, Amount(("other-transaction", "other-transaction", "Payable to Amazon"), rest)])
    found = read_together([("v1", written(settled, pen=pen))])
    assert found.is_clean and found.files[0].layout == "V1" and found.files[0].heads[0].sum == to_minor(total, "CAD") * FINES


def test_v1_and_v2_of_one_settlement_are_attributed_alike():
    sums = [read_together([("a", written(month(), pen=pen))]).levels for pen in (US, V1_WIDE)]
    assert sums[0] == sums[1]


def test_a_v1_line_with_several_amounts_gives_each_once_and_its_quantity_line_none():
    header = "\t".join(V1_36)

    def line(**cells: str) -> str:
        return "\t".join({name.replace("_", "-"): text for name, text in {"settlement_id": "6016502941", **cells}.items()}.get(name, "") for name in V1_36)

    common = {"transaction_type": "Order", "order_id": "112-8095165-5463447", "order_item_code": "62538071274626", "sku": "gold", "marketplace_name": "Amazon.com"}
    body = "\n".join([header, line(total_amount="20.49", currency="USD", settlement_start_date="2015-12-02T03:27:08+00:00"), line(**common, quantity_purchased="1"),
                      line(**common, price_type="Principal", price_amount="27.99", item_related_fee_type="Commission", item_related_fee_amount="-4.00"),
                      line(**common, shipment_fee_type="FBA transportation fee", shipment_fee_amount="-2.50", other_fee_reason_description="ShippingChargeback",
                           other_fee_amount="-1.00")])
    found = read_together([("v1", body.encode())])
    (head,) = found.files[0].heads
    rows = rows_frame([found.files[0].rows])
    assert found.is_clean and (head.lines, head.amounts) == (3, 5) and rows["quantity"].tolist() == [1, 0, 0, 0, 0]
    assert rows[["row", "amount_minor", "level"]].values.tolist() == [
        [3, 0, "order_line"], [4, 2799, "order_line"], [4, -400, "order_line"], [5, -250, "order"], [5, -100, "order_line"]]


def test_several_settlements_in_one_file_are_told_apart():
    euros, pounds = month(number="111"), month(seed=2, number="222", currency="GBP", marketplace="Amazon.co.uk")
    found = read_together([("both", written(euros, pounds))])
    assert found.is_clean and [(head.settlement_id, head.sum) for head in found.files[0].heads] == [
        ("111", to_minor(euros.total, "EUR") * FINES), ("222", to_minor(pounds.total, "GBP") * FINES)]
    assert found.currencies == ["EUR", "GBP"]


def test_a_packed_file_is_the_file():
    found = read_together([("a.txt.gz", packed(written(month())))])
    assert found.is_clean and len(found.files) == 1


def test_a_settlement_of_nothing_and_one_that_is_owed_are_normal():
    nothing = Settlement("1", "USD", [Amount(("other-transaction", "other-transaction", "Subscription Fee"), Decimal("-22.80")),
                                      Amount(("other-transaction", "other-transaction", "Previous Reserve Amount Balance"), Decimal("22.80"))])
    owed = Settlement("2", "CAD", [Amount(("other-transaction", "other-transaction", "Storage Fee"), Decimal("-62.31"))])
    found = read_together([("a", written(nothing)), ("b", written(owed))])
    assert found.is_clean and [head.sum for file in found.files for head in file.heads] == [0, -6231 * FINES]
