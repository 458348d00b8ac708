"""CSV statements, adjustments and returns: known by their header, read by the profile's columns, refused where they cannot be trusted."""

import time
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from connectors.gxo.rehearsal import CSV
from connectors.gxo.warehouse import Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument
from connectors.kit.files import FilesSettings
from connectors.ports import Inbound, Message
from contracts.returns import ReturnLines
from contracts.stock import StockChanges, StockLevels
from tests.connectors.x12_kit import PARTNER, profile

COLUMNS = {"facility": "site", "sku": "item", "available": "free", "as_of": "counted"}
STOCK: dict[str, Any] = {"columns": COLUMNS, "date_format": "%Y-%m-%dT%H:%M:%S"}
HEAD = "site,item,free,counted\n"
ROW = "WH01,A,5,2026-01-15T09:30:00\n"


def read(text: str | bytes, name: str = "file.csv", max_bytes: int = 200_000_000, **partner: Any) -> list[Message]:
    port = connect("gxo", Settings(partner=profile(**partner), files=FilesSettings(kind="folder", path=".", max_bytes=max_bytes)), ManualClock())
    return port.read(Inbound("gxo", name, text if isinstance(text, bytes) else text.encode()))


def stated(text: str | bytes, name: str = "file.csv", **stock: Any) -> pd.DataFrame:
    [message] = read(text, name, csv_stock=STOCK | stock)
    assert (message.kind, message.errors) == ("stock_levels", [])
    return message.stock_levels


def figures(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(frame[["facility", "sku", "available"]].itertuples(index=False, name=None))


# the statement

def test_a_statement_keeps_its_contract_whatever_columns_it_has() -> None:
    frame = stated(HEAD + ROW + ' WH02 ,"B,1", 7 ,2026-01-15T09:31:00\n')
    assert figures(frame) == [("WH01", "A", 5), ("WH02", "B,1", 7)]
    assert frame["as_of"].dt.strftime("%H:%M:%S").tolist() == ["09:30:00", "09:31:00"] and set(frame["unit"]) == {"EA"} and set(frame["sequence"]) == {0}
    assert StockLevels.split(frame)[1].empty and frame.dtypes.astype(str).to_dict() == StockLevels.frame().dtypes.astype(str).to_dict()


def test_columns_of_no_interest_and_their_order_do_not_matter() -> None:
    assert figures(stated("note,counted,free,item,site\nx,2026-01-15T09:30:00,5,A,WH01\n")) == [("WH01", "A", 5)]


@pytest.mark.parametrize(("stock", "text", "expected"), [
    ({"delimiter": ";"}, (HEAD + ROW).replace(",", ";"), ("WH01", "A", 5)),
    ({"decimal_mark": ","}, "site;item;free;counted\nWH01;A;5,000;2026-01-15T09:30:00\n", ("WH01", "A", 5)),
    ({"encoding": "cp1252"}, (HEAD + ROW.replace("A,", "SÄGE,")).encode("cp1252"), ("WH01", "SÄGE", 5)),
    ({}, b"\xef\xbb\xbf" + (HEAD + ROW).encode(), ("WH01", "A", 5)), ({}, (HEAD + ROW).replace("\n", "\r\n"), ("WH01", "A", 5)),
    ({}, "\n".join([HEAD.strip(), "", ROW.strip(), "", ""]), ("WH01", "A", 5)),
])
def test_partners_write_csv_in_their_own_ways(stock: dict[str, Any], text: str | bytes, expected: tuple[Any, ...]) -> None:
    delimiter = {"delimiter": ";"} if b";" in (text if isinstance(text, bytes) else text.encode()) else {}
    assert figures(stated(text, **stock | delimiter)) == [expected]


def test_moments_are_the_partners_own_or_carry_their_zone() -> None:
    def at(text: str, form: str, **partner: Any) -> str:
        [message] = read(f"{HEAD}WH01,A,5,{text}\n", csv_stock=STOCK | {"date_format": form}, **partner)
        return message.stock_levels["as_of"][0].isoformat() if not message.errors else message.errors[0]
    assert at("2026-07-15 09:30", "%Y-%m-%d %H:%M", timezone="Europe/London") == "2026-07-15T08:30:00+00:00"
    assert at("2026-07-15 09:30 +0200", "%Y-%m-%d %H:%M %z") == "2026-07-15T07:30:00+00:00"
    assert at("2026-10-25 01:30", "%Y-%m-%d %H:%M", timezone="Europe/London") == "2026-10-25T00:30:00+00:00", "the hour that comes twice: the first"
    assert at("2026-03-29 01:30", "%Y-%m-%d %H:%M", timezone="Europe/London") == "2026-03-29T01:00:00+00:00", "the hour that there is not"
    assert at("yesterday", "%Y-%m-%d %H:%M") == "statement: counted is not a date in the form %Y-%m-%d %H:%M: row 1"


def test_version_and_facility_may_stand_in_the_profile_and_in_the_files_name() -> None:
    named = {"columns": {"sku": "item", "available": "free"}, "facility": "WH01", "name_pattern": r"stock_(?P<as_of>[0-9]{14})_(?P<sequence>[0-9]+)",
             "date_format": "%Y%m%d%H%M%S"}
    frame = stated("item,free\nA,5\n", "stock_20260115093000_0042.csv", **named)
    assert (frame["facility"][0], frame["as_of"][0].isoformat(), frame["sequence"][0]) == ("WH01", "2026-01-15T09:30:00+00:00", 42)
    [message] = read("item,free\nA,5\n", "elsewhere.csv", csv_stock=STOCK | named)
    assert message.errors == ["statement: the file's name is not in the agreed form"] and message.stock_levels is None


def test_what_a_site_leaves_out_follows_from_the_rest_as_in_an_846() -> None:
    columns = COLUMNS | {"on_hand": "there", "on_hold": "held"}
    frame = stated("site,item,free,there,held,counted\nWH01,A,96,120,4,2026-01-15T09:30:00\n", columns=columns)
    assert frame[["available", "on_hand", "on_hold"]].values.tolist() == [[96, 120, 4]]
    basis = {key: value for key, value in columns.items() if key != "available"}
    [message] = read("site,item,there,held,counted\nWH01,A,120,4,2026-01-15T09:30:00\n", csv_stock=STOCK | {"columns": basis}, stock_basis="on_hand")
    assert message.stock_levels[["available", "on_hand", "on_hold"]].values.tolist() == [[116, 120, 4]]


def test_a_figure_below_zero_or_beyond_belief_sets_its_own_row_aside_and_no_other() -> None:
    sound, unsound = StockLevels.split(stated(HEAD + ROW + ROW.replace("A,5", "B,-1") + ROW.replace("A,5", "C,999999999")))
    assert (sound["sku"].tolist(), unsound["sku"].tolist()) == (["A"], ["B", "C"])


def test_a_sku_twice_is_left_for_the_intake_or_added_up_where_rows_are_lots() -> None:
    text = HEAD + ROW + ROW.replace("A,5", "B,1") + ROW.replace("A,5", "A,2").replace("09:30", "09:29")
    assert figures(stated(text)) == [("WH01", "A", 5), ("WH01", "B", 1), ("WH01", "A", 2)]
    added = stated(text, repeated="added")
    assert figures(added) == [("WH01", "A", 7), ("WH01", "B", 1)] and added["as_of"][0].isoformat() == "2026-01-15T09:29:00+00:00", "no newer than its oldest lot"
    assert StockLevels.split(added)[1].empty


@pytest.mark.parametrize(("text", "says"), [
    (HEAD + ROW.replace("5", "1.5") + ROW.replace(",5", ",many"), "statement: free is not a whole number: row 1, 2"),
    (HEAD + ROW.replace("5", "0x1F"), "statement: free is not a whole number: row 1"), (HEAD + ROW.replace("5", "١"), "statement: free is not a whole number: row 1"),
    (HEAD + ROW.replace("A,", ","), "statement: item is empty: row 1"), (HEAD + ROW.replace("WH01", ""), "statement: site is empty: row 1"),
    (HEAD + ROW.replace(",5,", ",,") * 9, "statement: free is not a whole number: row 1, 2, 3, 4, 5 and 4 more"),
])
def test_a_statement_that_cannot_be_true_is_a_message_with_errors_and_no_rows(text: str, says: str) -> None:
    [message] = read(text, csv_stock=STOCK)
    assert (message.errors, message.stock_levels) == ([says], None)


@pytest.mark.parametrize(("text", "stock", "says"), [
    (HEAD + ROW.strip(), {}, "its last line is not ended"), (HEAD, {}, "it has 0 rows"), ("", {}, "its last line is not ended"),
    (HEAD + ROW + "WH01,B,1\n", {}, "a row has not as many cells as the header"), ("site,item,free\nWH01,A,5\n", {}, "its header lacks counted"),
    (HEAD.replace("counted", "counted,free") + ROW, {}, "its header names a column twice"),
    (b"site,item,free,counted\nWH01,S\xc4GE,5,2026-01-15T09:30:00\n", {}, "not written in utf-8-sig"),
    (HEAD + ROW, {"trailer": "END"}, "its last row is not END with the count of its rows"),
    (HEAD + ROW + "END,2\n", {"trailer": "END"}, "it has 1 rows, its trailer counts 2"), (HEAD + ROW + "END\n", {"trailer": "END"}, "its last row is not END"),
    (HEAD + ROW * 3, {"rows_max": 2}, "it has more than 2 rows"), (HEAD + ROW, {"bytes_max": 30}, "more than the 30 that the profile allows"),
])
def test_a_statement_that_cannot_be_read_as_a_whole_is_refused(text: str | bytes, stock: dict[str, Any], says: str) -> None:
    with pytest.raises(BadDocument) as raised:
        read(text, csv_stock=STOCK | stock)
    assert says in raised.value.got


def test_every_truncation_of_a_statement_with_a_trailer_is_refused() -> None:
    body = (HEAD + ROW + ROW.replace("A,5", "B,6") + "END,2\n").encode()
    whole = read(body, csv_stock=STOCK | {"trailer": "END", "is_whole": True})[0]
    assert whole.is_whole and len(whole.stock_levels) == 2
    for end in range(len(body)):
        with pytest.raises(BadDocument):
            read(body[:end], csv_stock=STOCK | {"trailer": "END"})


def test_the_key_of_a_statement_is_its_content_so_that_a_repeated_one_is_known_under_any_name() -> None:
    keys = {name: read(HEAD + ROW, name, csv_stock=STOCK)[0].key for name in ("one.csv", "two.csv")}
    assert len(set(keys.values())) == 1 and read(HEAD + ROW.replace("5", "6"), csv_stock=STOCK)[0].key not in keys.values()


def test_a_million_rows_are_read_in_seconds() -> None:
    """Row by row in Python it took over a minute. The bound is loose: the machine may be busy."""
    rows = 1_000_000
    body = (HEAD + "".join(f"WH{n % 4},SKU-{n // 4:07},{n % 500},2026-01-15T09:30:00\n" for n in range(rows)) + f"END,{rows}\n").encode()
    began = time.process_time()
    [message] = read(body, csv_stock=STOCK | {"trailer": "END", "is_whole": True, "rows_max": rows, "bytes_max": 100_000_000})
    assert (message.errors, len(message.stock_levels), int(message.stock_levels["available"].sum())) == ([], rows, sum(n % 500 for n in range(rows)))
    assert time.process_time() - began < 15


@pytest.mark.parametrize(("partner", "says"), [
    ({"csv_stock": STOCK | {"columns": {"sku": "item", "as_of": "at"}, "facility": "W"}}, "columns lacks available or on_hand"),
    ({"csv_stock": STOCK | {"columns": COLUMNS | {"sku": "site"}}}, "columns uses one column twice"),
    ({"csv_stock": STOCK | {"columns": {"sku": "item", "available": "free", "as_of": "at"}}}, "no column and no facility"),
    ({"csv_stock": STOCK | {"columns": {"sku": "item", "available": "free"}, "facility": "W"}}, "no column and no file name says when"),
    ({"csv_stock": STOCK | {"is_whole": True}}, "only with a trailer"), ({"csv_stock": STOCK | {"name_pattern": "(?P<as_of>["}}, "not a regular expression"),
    ({"csv_stock": STOCK | {"name_pattern": "(?P<when>.*)"}}, "and no other group"), ({"csv_stock": STOCK, "stock_basis": "on_hand"}, "csv_stock has no such column"),
    ({"csv_adjustments": CSV["csv_adjustments"] | {"kinds": {}}}, "a kind column and kinds go together"),
    ({"csv_returns": CSV["csv_returns"] | {"facility": ""}}, "no column and no facility"),
    ({"csv_stock": STOCK, "csv_returns": {"facility": "W", "columns": {"document_id": "site", "sku": "item", "quantity": "free", "received_at": "counted"}}},
     "nothing would tell them apart"),
])
def test_a_profile_that_could_not_be_read_by_is_refused_when_it_is_loaded(partner: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        profile(**partner)


def test_a_statement_larger_than_the_transport_lets_through_is_a_wrong_profile() -> None:
    with pytest.raises(ValidationError, match="files.max_bytes lets only 20000000 through"):
        Settings(partner=PARTNER | {"csv_stock": STOCK | {"bytes_max": 100_000_000}}, files={"kind": "folder", "path": "."})


def test_larger_files_for_statements_do_not_let_larger_advice_through() -> None:
    with pytest.raises(BadDocument, match="more than the 20000000 that are read row by row"):
        read(b"document,type,site,item,plus_minus,why,our_number,posted\n" + b"\n" * 20_000_000, csv_adjustments=CSV["csv_adjustments"])


# which kind of file

def test_each_kind_of_file_is_known_by_its_header() -> None:
    texts = {"stock_levels": "site,item,uom,free,there,held,counted\nNORTH,A,EA,1,1,0,2026-01-15T09:30\nEND,1\n",
             "stock_changes": "document,type,site,item,plus_minus,why,our_number,posted\nD1,ADJ,NORTH,A,-1,,,2026-01-15T09:30\n",
             "returns": "return,order,rma,item,qty,condition,parcel,received\nR1,UK-1,,A,1,A,,2026-01-15\n",
             "dispatches": "shipment,order,line,item,qty,scac,tracking,shipped\nS1,UK-1,1,A,1,UPSN,1Z,2026-01-15\n"}
    for kind, text in texts.items():
        [message] = read(text, **CSV)
        assert (message.kind, message.errors) == (kind, [])


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "<html>Please wait</html>\n", "", "shipment,order\n"])
def test_a_file_that_fits_no_layout_is_refused_and_names_them(text: str) -> None:
    with pytest.raises(BadDocument, match="its header fits none of csv_advice, csv_stock, csv_adjustments, csv_returns"):
        read(text, **CSV)


# adjustments and returns

ADJUSTMENTS = "document,type,site,item,plus_minus,why,our_number,posted\n"


def test_documents_of_adjustments_and_receipts_become_signed_changes() -> None:
    text = ADJUSTMENTS + "D1,ADJ,NORTH,A,-2,COUNT,,2026-01-15T10:05\nD2,REC,NORTH,A,+500,,ASN-1,2026-01-15T11:00\nD1,ADJ,NORTH,B,1,COUNT,,2026-01-15T10:05\n"
    first, second = read(text, **CSV)
    assert first.stock_changes[["document_id", "line", "kind", "sku", "change", "reason"]].values.tolist() == [
        ["D1", 1, "adjustment", "A", -2, "COUNT"], ["D1", 2, "adjustment", "B", 1, "COUNT"]]
    assert second.stock_changes[["document_id", "kind", "change", "reference"]].values.tolist() == [["D2", "receipt", 500, "ASN-1"]]
    assert StockChanges.split(pd.concat([first.stock_changes, second.stock_changes]))[1].empty


@pytest.mark.parametrize(("row", "says"), [
    ("D1,ADJ,NORTH,A,few,,,2026-01-15T10:05", "line 2: plus_minus is not a whole number"), ("D1,ADJ,NORTH,,1,,,2026-01-15T10:05", "line 2: item is empty"),
    ("D1,ADJ,NORTH,A,1,,,soon", "line 2: posted is not a date in the form"), ("D1,XXX,NORTH,A,1,,,2026-01-15T10:05", "line 2: type is none that the profile names"),
    ("D1,ADJ,NORTH,A,999999999,,,2026-01-15T10:05", "change: less_than_or_equal_to"), ("D1,ADJ,,A,1,,,2026-01-15T10:05", "facility: str_length"),
])
def test_a_document_with_one_bad_row_is_refused_whole_and_the_one_beside_it_read(row: str, says: str) -> None:
    bad, good = read(f"{ADJUSTMENTS}{row}\nD2,ADJ,NORTH,A,1,,,2026-01-15T10:05\nD1,ADJ,NORTH,B,1,,,2026-01-15T10:05\n", **CSV)
    assert len(bad.errors) == 1 and says in bad.errors[0] and bad.stock_changes is None
    assert good.errors == [] and good.stock_changes["document_id"].tolist() == ["D2"]


def test_a_return_names_what_its_columns_say_and_only_named_grades_go_back_on_sale() -> None:
    text = "return,order,rma,item,qty,condition,parcel,received\nR1,UK-1,RMA-7,A,2,A,1Z,2026-01-20\nR1,UK-1,RMA-7,B,1,C,1Z,2026-01-20\nR2,,,A,1,,,2026-01-20\n"
    first, second = read(text, **CSV)
    assert first.returns[["document_id", "line", "reference", "rma", "sku", "quantity", "grade", "tracking_number", "facility"]].values.tolist() == [
        ["R1", 1, "UK-1", "RMA-7", "A", 2, "A", "1Z", "NORTH"], ["R1", 2, "UK-1", "RMA-7", "B", 1, "C", "1Z", "NORTH"]]
    assert first.stock_changes[["kind", "sku", "change", "reason", "reference"]].values.tolist() == [["return", "A", 2, "A", "RMA-7"]]
    assert second.returns["reference"].tolist() == [""] and second.stock_changes is None
    assert ReturnLines.split(first.returns)[1].empty
