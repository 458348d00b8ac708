"""What is odd about a settlement file: put up with and said where nothing is lost, told apart where the money is concerned, refused in plain words where it is none."""

import io
import zipfile
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.amazon.settlements.across import read_together
from connectors.amazon.settlements.form import unpacked
from connectors.amazon.settlements.frames import rows_frame
from connectors.amazon.settlements.reading import read_file
from connectors.kit.errors import BadDocument
from contracts.settlements import FINES
from tests.settlement_files.written import CANADA, GERMANY, US, V1_WIDE, V2, Amount, Settlement, month, packed, written

ACCOUNT = ("other-transaction", "other-transaction")


def _kinds(*bodies: bytes) -> set[str]:
    return {one["kind"] for one in read_together((str(n), body) for n, body in enumerate(bodies)).findings}


def _one(kind: tuple[str, str, str], value: str, **more: str) -> bytes:
    return written(Settlement("77", "EUR", [Amount(kind, Decimal(value), **more)]))


def test_a_deposit_that_is_not_the_sum_is_inconsistent_at_its_source():
    found = read_together([("a", written(replace(month(), states=month().total + Decimal("0.01"))))])
    assert not found.is_clean and [(one["kind"], one["amount_minor"]) for one in found.findings] == [("inconsistent", 1)]
    assert not found.unknown and not found.unexplained  # every amount is explained; the file is what is wrong


def test_an_unknown_triple_is_set_aside_with_its_exact_amount():
    body = written(replace(month(), amounts=[*month().amounts, Amount(("Order", "ItemFees", "NewFee2027"), Decimal("-1234.56"), order="1-2-3", item="9", sku="A")]))
    found = read_together([("a", body)])
    assert found.unknown == {("Order", "ItemFees", "NewFee2027", "EUR"): (1, -123456 * FINES)} and not found.is_clean
    assert not found.files[0].heads[0].wrong and sum(units for _, units in found.levels.values()) == found.files[0].heads[0].sum + 123456 * FINES


@pytest.mark.parametrize("triple", [("Order", "ItemPrice", "Commission"), ("Refund", "Promotion", "Tax"), (*ACCOUNT, "A new thing"), ("", "ItemFees", "Commission"),
                                    ("Order", "ItemFees", ""), ("Sonstiges", "ItemPrice", "Principal"), ("Debt Adjustment", "Debt Adjustment", "Cross-Account Debt")])
def test_nothing_is_known_by_a_part_of_its_triple(triple):
    found = read_together([("a", _one(triple, "5.00", order="1-2-3", item="9", sku="A"))])
    assert found.unknown == {(*triple, "EUR"): (1, 500 * FINES)}


@pytest.mark.parametrize(("triple", "level"), [
    ((*ACCOUNT, "Transfer of funds unsuccessful: the bank said no."), "balance"), (("Debt Adjustment", "Debt Adjustment", "Cross-Account Debt Adjustment against BE, FR"), "balance"),
    (("AmazonFees", "Eco-contribution for EPR Pay on Behalf - DE", "Base fee"), "account"), (("order", "ITEM_FEES", "digital services fee"), "order_line"),
    (("ORDER", "itemfees", "DigitalServicesFee"), "order_line"), ((*ACCOUNT, "Balance  Adjustment"), "account"), (("Order", "Shipment-Fees", "FBA transportation fee"), "order")])
def test_free_text_and_spellings_are_known(triple, level):
    found = read_together([("a", _one(triple, "-5.00", order="1-2-3", item="9", sku="A"))])
    assert found.is_clean and {key[0] for key, (rows, _) in found.levels.items() if rows} == {level}


@pytest.mark.parametrize(("triple", "more", "why"), [
    (("Order", "ItemPrice", "Principal"), {"sku": "A"}, "no order id"), (("Order", "ItemPrice", "Principal"), {"order": "FBA15ABCDEF2", "item": "9"}, "no order id"),
    ((*ACCOUNT, "Shipping label purchase"), {}, "no order id"), (("other-transaction", "FBA Inventory Reimbursement", "WAREHOUSE_LOST"), {}, "no SKU")])
def test_what_is_known_and_cannot_be_tied_to_anything_is_unexplained_not_dropped(triple, more, why):
    found = read_together([("a", _one(triple, "12.34", **more))])
    assert found.unexplained == {(why, *triple, "EUR"): (1, 1234 * FINES)} and not found.is_clean and not found.files[0].heads[0].wrong


@pytest.mark.parametrize(("triple", "more", "level"), [
    (("Order", "ItemPrice", "Principal"), {"order": "S02-1234567-1234567", "sku": "A", "marketplace": "Non-Amazon UK"}, "order_line"),
    (("Order", "ItemPrice", "Principal"), {"order": "1-2-3"}, "order"), ((*ACCOUNT, "FBAInboundTransportationFee"), {"order": "FBA15ABCDEF2"}, "account"),
    ((*ACCOUNT, "RemovalComplete"), {"order": "qp17Xy"}, "account"), ((*ACCOUNT, "DisposalComplete"), {"sku": "A"}, "sku"),
    (("SAFE-T Reimbursement", "other-transaction", "SAFE-T Reimbursement"), {}, "account"),
    (("SAFE-T Reimbursement", "other-transaction", "SAFE-T Reimbursement"), {"order": "1-2-3"}, "order")])
def test_an_amount_is_tied_to_what_its_ids_allow(triple, more, level):
    found = read_together([("a", _one(triple, "-1.00", **more))])
    assert found.is_clean and {key[0] for key, (rows, _) in found.levels.items() if rows} == {level}


def test_an_ambiguous_number_is_what_meets_the_deposit_and_that_is_said():
    body = written(Settlement("1", "EUR", [Amount((*ACCOUNT, "Adjustment"), Decimal("1.10")), Amount((*ACCOUNT, "Adjustment"), Decimal("1234"))], states=Decimal("1235.10")))
    for text, deposit in (("1.234", "1235.10"), ("1.234", "2.334")):
        said = body.replace(b"\t1234\t", f"\t{text}\t".encode()).replace(b"\t1235.10\t", f"\t{deposit}\t".encode())
        found = read_together([("a", said)])
        (note,) = [one["detail"] for one in found.findings if one["kind"] == "number_assumed"]
        assert found.is_clean and "1.234" in note and ("meet the deposit" in note) == (deposit == "1235.10"), note


def test_amounts_finer_than_a_cent_are_added_up_exactly():
    settled = Settlement("1", "EUR", [Amount((*ACCOUNT, "Adjustment"), Decimal("0.335")), Amount((*ACCOUNT, "Adjustment"), Decimal("0.3350")), Amount((*ACCOUNT, "Adjustment"), Decimal("0.33"))])
    found = read_together([("a", written(settled))])
    assert found.is_clean and found.files[0].heads[0].sum == 100 * FINES and "finer_than_currency" in _kinds(written(settled))
    assert rows_frame([found.files[0].rows])["amount_fine"].tolist() == [500_000, 500_000, 0]


def test_an_amount_that_is_no_number_is_told_and_its_row_kept():
    found = read_together([("a", written(month()).replace(b"\t-39.00\t", b"\t-3900 cents\t"))])
    assert {"amount_unreadable", "inconsistent"} <= {one["kind"] for one in found.findings} and found.files[0].rows.num_rows == len(month().amounts)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([US, GERMANY, V1_WIDE, CANADA]))
def test_every_truncation_of_a_file_is_told(share, pen):
    """Cut anywhere: it is refused, or its sum is not its deposit, or only ids of the very last line are short and the missing line end is said."""
    body = written(month(orders=3), pen=pen)
    cut = body[:share * len(body) // 10_001]
    found = read_together([("cut", cut)])
    if not found.is_clean or found.refused:
        return
    assert "its last line has no end" in {one["detail"] for one in found.findings} and found.files[0].rows.num_rows == len(month(orders=3).amounts)


def test_a_cut_archive_is_refused_and_the_others_are_read():
    body = packed(written(month()))
    found = read_together([("cut.gz", body[:-20]), ("whole.gz", body)])
    assert [name for name, _ in found.refused] == ["cut.gz"] and "cut off" in found.refused[0][1] and len(found.files) == 1


def test_a_zip_holds_several_files_and_a_spreadsheet_is_not_one():
    def archive(**files: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as into:
            for name, body in files.items():
                into.writestr("[Content_Types].xml" if name == "types" else name, body)
        return made.getvalue()

    found = read_together([("all.zip", archive(a=written(month(number="1")), b=written(month(number="2", seed=2))))])
    assert [file.file for file in found.files] == ["all.zip/a", "all.zip/b"]
    with pytest.raises(BadDocument, match="spreadsheet"):
        unpacked("a.xlsx", archive(types=b"<Types/>"))


@pytest.mark.parametrize(("body", "says"), [
    (b"", "no line with"), (b"hello\n", "no line with"), (b"\xff\xfe", "no line with"), (b"\0\0\0\0", "no line with"), ("\t".join(V2).encode(), "no settlement"),
    (b"date/time\tsettlement id\ttype\torder id\tsku\tdescription\ttotal\n", "date-range"), (b'"Includes Amazon"\n"date/time","settlement id","type","order id","sku","total"\n1', "date-range"),
    ("Datum/Uhrzeit,Abrechnungsnummer,Typ,Bestellnummer,SKU,Gesamt\n".encode(), "date-range"), (b'<?xml version="1.0"?><AmazonEnvelope>', "XML"),
    ("\t".join(one for one in V2 if one != "amount").encode() + b"\nx", "lacks the column amount"), ("\t".join([*V2, "amount"]).encode() + b"\nx", "amount twice"),
    ("\t".join(one for one in V2 if one not in ("currency", "total-amount")).encode() + b"\nx", "columns total-amount, currency")])
def test_what_is_no_settlement_file_is_refused_in_plain_words(body, says):
    found = read_together([("some.txt", body)])
    assert not found.files and says in found.refused[0][1]


def test_columns_that_nobody_knows_are_reported_and_kept_out():
    pen = replace(US, columns=[*V2[:5], "new-thing", *V2[5:]])
    found = read_together([("a", written(month(), pen=pen))])
    assert found.is_clean and ["new-thing" in one["detail"] for one in found.findings if one["kind"] == "column_unknown"] == [True]


def _as(old: bytes, new: bytes) -> bytes:
    body = written(month())
    assert old in body
    return body.replace(old, new)


@pytest.mark.parametrize("body", [
    written(month()) + b"\n\n\r\n", written(month()) + b"\t" * 23 + b"\n", b"\n".join(line.rstrip(b"\t") for line in written(month()).split(b"\n")),
    written(month()).replace(b"\n", b"\r"), written(month()).replace(b"\n", b"\n\n"), written(month()) + written(month(seed=2, number="9")), b"sep=\t\n" + written(month()),
    _as(b"SKU-1" if b"SKU-1" in written(month()) else b"-001", b'"5 inch" pan'), b"\n".join(line + b"\t\t" for line in written(month()).split(b"\n")[1:-1]).join(
        [written(month()).split(b"\n")[0] + b"\n", b"\n"]), written(month()).replace(b"\t", b"\t "), written(month()).rstrip(b"\n"),
    written(month()).replace(b"1234567890\t\t\t\t\t\t", b"\t\t\t\t\t\t")],
    ids=["empty lines behind", "empty cells behind", "empty cells cut off", "CR alone", "every other line empty", "two files joined", "words before the header", "quotes that are data",
         "more empty cells", "blanks", "no last line end", "settlement-id on the head only"])
def test_odd_forms_lose_nothing(body):
    found = read_together([("a", body)])
    assert found.is_clean, found.findings
    assert found.files[0].rows.num_rows in (len(month().amounts), len(month().amounts) + len(month(seed=2).amounts))


def test_a_line_with_too_many_cells_is_set_aside_and_its_settlement_inconsistent():
    lines = written(month()).split(b"\n")
    lines[5] += b"\textra"
    found = read_together([("a", b"\n".join(lines))])
    assert {"row_unreadable", "inconsistent"} <= {one["kind"] for one in found.findings}
    assert [one["row"] for one in found.findings if one["kind"] == "row_unreadable"] == [6]


def test_comma_and_semicolon_separated_copies_are_read():
    for separator, number in ((",", US.number), (";", GERMANY.number)):
        found = read_together([("a.csv", written(month(), pen=replace(US, separator=separator, number=number)))])
        assert found.is_clean, found.findings


def test_a_date_that_cannot_be_read_leaves_its_row():
    found = read_together([("a", written(month()).replace(b"2024-03-02", b"2024-02-31"))])
    assert found.is_clean and "date_unreadable" in {one["kind"] for one in found.findings} and found.files[0].rows.num_rows == len(month().amounts)


def test_a_row_in_another_currency_is_not_added_up():
    lines = written(month()).split(b"\n")
    cells = lines[3].split(b"\t")
    cells[5] = b"GBP"
    found = read_together([("a", b"\n".join([*lines[:3], b"\t".join(cells), *lines[4:]]))])
    assert {"currency_mixed", "inconsistent"} <= {one["kind"] for one in found.findings} and found.currencies == ["EUR", "GBP"]


def test_a_settlement_without_its_head_is_inconsistent():
    lines = written(month()).split(b"\n")
    found = read_together([("a", b"\n".join([lines[0], *lines[2:]]))])
    assert not found.is_clean and found.files[0].heads[0].deposit is None and found.files[0].rows.num_rows == len(month().amounts)


def test_a_total_on_every_row_is_the_settlements_total():
    settled = month()
    rows = written(settled).decode().split("\n")
    heads = rows[1].split("\t")[:6]
    body = "\n".join([rows[0], *("\t".join([*heads, *line.split("\t")[6:]]) for line in rows[2:-1])])
    found = read_together([("a", body.encode())])
    assert found.is_clean and found.files[0].rows.num_rows == len(settled.amounts)
    assert read_file("a", body.encode()).heads[0].deposit == found.files[0].heads[0].sum
