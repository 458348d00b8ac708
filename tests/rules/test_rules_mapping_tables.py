"""Mapping tables in and out of CSV, what changed in them, and which held records that frees."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.items import Items
from contracts.mappings import TABLES
from tasks.rules.lookup import any_of, waits_on_item, waits_on_mapping
from tasks.rules.mapping_tables import changed, frees, read_csv, write_csv
from tests.rules.rule_cases import FACILITY, SHOP, WAREHOUSE, item

SKUS = "connection,sku,warehouse,warehouse_sku\r\n"
ROW = {"connection": SHOP, "sku": "00123", "warehouse": WAREHOUSE, "warehouse_sku": "123"}


def _skus(*rows):
    return TABLES["skus"].frame(rows)


def test_leading_zeros_stay_and_outer_spacing_goes():
    frame, problems = read_csv("skus", f"{SKUS} bc-uk , 00123 ,gxo-uk,0123 \r\n")
    assert (problems, frame.to_dict("records")) == ([], [ROW | {"warehouse_sku": "0123"}])


@pytest.mark.parametrize("text", [
    "\ufeff" + SKUS + "bc-uk,00123,gxo-uk,123\r\n", "warehouse_sku,sku,connection,warehouse\n123,00123,bc-uk,gxo-uk",
    SKUS + "\r\nbc-uk,00123,gxo-uk,123\r\n,,,\r\n\r\n", SKUS + '"bc-uk","00123","gxo-uk","123"',
    " connection , sku,warehouse,warehouse_sku\nbc-uk,00123,gxo-uk,123\n",
])
def test_a_byte_order_mark_another_column_order_quotes_and_blank_lines_are_fine(text):
    frame, problems = read_csv("skus", text)
    assert (problems, frame.to_dict("records")) == ([], [ROW])


def test_a_table_of_only_a_header_is_empty_and_of_the_right_types():
    frame, problems = read_csv("skus", SKUS)
    assert (problems, len(frame), list(frame.columns)) == ([], 0, TABLES["skus"].columns())
    assert TABLES["skus"].split(frame)[0].empty


@pytest.mark.parametrize(("text", "said"), [
    ("", "missing 'connection', 'sku', 'warehouse', 'warehouse_sku'"),
    ("connection,sku,warehouse\n", "missing 'warehouse_sku'"),
    ("connection,sku,warehouse,warehouse_sku,note\n", "unknown 'note'"),
    ("connection,sku,sku,warehouse,warehouse_sku\n", "twice 'sku'"),
    ("Connection,sku,warehouse,warehouse_sku\n", "missing 'connection'; unknown 'Connection'"),
    ("connection;sku;warehouse;warehouse_sku\n", "not separated by commas"),
    (SKUS + "bc-uk,1,gxo-uk\n", "line 2: 3 values under 4 columns"),
    (SKUS + "bc-uk,1,gxo-uk,2,3\n", "line 2: 5 values under 4 columns"),
    (SKUS + 'bc-uk,"1,gxo-uk,2\n', "not readable as CSV"),
    (SKUS + "bc-uk,1,gxo-uk,2\nbc-uk,,gxo-uk,2\n", "line 3: sku: "),
])
def test_a_table_that_cannot_be_trusted_is_refused_whole_and_says_where(text, said):
    frame, problems = read_csv("skus", text)
    assert frame.empty
    assert any(said in problem for problem in problems), problems


def test_every_line_of_every_duplicate_is_named():
    lines = ["bc-uk,1,gxo-uk,A", "bc-uk,2,gxo-uk,B", "bc-uk,1,gxo-uk,C", "bc-uk,3,gxo-uk,D", " bc-uk,2 ,gxo-uk,B", "bc-uk,1,gxo-uk,A"]
    frame, problems = read_csv("skus", SKUS + "\n".join(lines))
    assert frame.empty
    assert problems == ["lines 2, 4, 7: the same key connection=bc-uk, sku=1, warehouse=gxo-uk",
                        "lines 3, 6: the same key connection=bc-uk, sku=2, warehouse=gxo-uk"]


def test_two_patterns_that_differ_only_in_case_are_a_duplicate_but_two_skus_are_not():
    patterns = "connection,pattern,what\n*,POST,postage\n*,post,postage\n"
    assert read_csv("non_stock", patterns)[1] == ["lines 2, 3: the same key connection=*, pattern=post"]
    assert read_csv("skus", SKUS + "bc-uk,a,gxo-uk,1\nbc-uk,A,gxo-uk,1\n")[1] == []


def test_line_numbers_count_lines_of_the_file_even_when_a_value_has_several():
    text = 'connection,pattern,what\n*,POST,"postage\nand packing"\n*,,nothing\n'
    assert [problem.partition(":")[0] for problem in read_csv("non_stock", text)[1]] == ["line 4"]


def test_a_bad_value_is_shown_beside_its_rule():
    text = "connection,sku,unit,warehouse,warehouse_unit,factor\nbc-uk,*,CA,gxo-uk,EA,1.5\nbc-uk,*,BX,gxo-uk,EA,12\n"
    problems = read_csv("units", text)[1]
    assert len(problems) == 1
    assert problems[0].startswith("line 2: factor: ") and problems[0].endswith("(found '1.5')")


@pytest.mark.parametrize("value", [
    "=1+1", "+44", "-5", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＠x", " =1", "'=1", "\"=1", "''=1", "'plain", "=cmd|' /C calc'!A0", "\0x",
])
def test_no_value_leaves_as_a_formula_and_each_comes_back_as_it_was(value):
    text = write_csv("non_stock", TABLES["non_stock"].frame([{"connection": "*", "pattern": "P", "what": value}]))
    cell = list(csv.reader(io.StringIO(text, newline="")))[1][2]
    assert cell.lstrip(" \"")[:1] not in tuple("=+-@\t\r\n\0＝＋－＠")
    frame, problems = read_csv("non_stock", text)
    assert (problems, frame["what"].tolist()) == ([], [value])


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.lists(st.tuples(words, words, words, words), max_size=6, unique_by=lambda row: row[:3]))
def test_what_is_written_reads_back_the_same(rows):
    frame = _skus(*(dict(zip(TABLES["skus"].columns(), row, strict=True)) for row in rows))
    again, problems = read_csv("skus", write_csv("skus", frame))
    assert (problems, again.to_dict("records")) == ([], frame.to_dict("records"))


@pytest.mark.parametrize("table", TABLES)
def test_every_table_goes_out_and_in(table):
    values = {"factor": "12", "quantity": "2", "po_required": "yes", "organisation_required": "no", "country": "GB", "carrier": "UPSN",
              "warehouse_unit": "EA", "share_percent": "60", "rule": "fixed", "value": "5", "refund_percent": "50", "disposition": "restock", "needs_rma": "no", "category": "fee",
              "level": "account"}
    frame = TABLES[table].frame([{column: values.get(column, f"-{column}") for column in TABLES[table].columns()}])
    again, problems = read_csv(table, write_csv(table, frame))
    assert (problems, again.to_dict("records")) == ([], frame.to_dict("records"))
    assert changed(frame, again) == {"added": [], "removed": [], "altered": []}


def test_a_table_that_is_none_of_ours_is_an_error():
    with pytest.raises(KeyError):
        read_csv("skuz", SKUS)
    with pytest.raises(ValueError, match="no mapping table"):
        changed(_skus().rename(columns={"sku": "code"}), _skus().rename(columns={"sku": "code"}))


def test_what_changed_is_told_by_key():
    kept, altered, gone, new = (ROW | {"sku": sku} for sku in ("kept", "altered", "gone", "new"))
    after = altered | {"warehouse_sku": "other"}
    changes = changed(_skus(gone, kept, altered), _skus(after, new, kept))
    assert changes == {"added": [new], "removed": [gone], "altered": [{"before": altered, "after": after}]}


def _added(*rows):
    return {"added": list(rows), "removed": [], "altered": []}


WAITING = [
    ("e1", waits_on_mapping("skus", connection=SHOP, sku="00123", warehouse=WAREHOUSE)),
    ("e2", any_of(waits_on_item(WAREHOUSE, "124"), waits_on_mapping("skus", connection=SHOP, sku="124", warehouse=WAREHOUSE),
                  waits_on_mapping("non_stock", connection=SHOP, pattern="124"))),
    ("e3", waits_on_mapping("skus", connection="bc-us", sku="00123", warehouse=WAREHOUSE)),
    ("e4", waits_on_mapping("routes", connection=SHOP, channel="1", country="IE", sku=["00123", "22423"])),
    ("e5", waits_on_mapping("carriers", warehouse=WAREHOUSE, carrier="DHLE", service="", connection=SHOP)),
    ("e6", ""),
    ("e7", waits_on_mapping("ship_methods", connection=SHOP, ship_method="", warehouse=WAREHOUSE)),
]
ROUTE = {"connection": SHOP, "channel": "*", "country": "*", "sku": "*", "warehouse": WAREHOUSE, "facility": FACILITY}
CARRIER = {"warehouse": WAREHOUSE, "carrier": "DHLE", "service": "*", "connection": SHOP, "provider": "", "tracking_carrier": "", "tracking_link": ""}
METHOD = {"connection": SHOP, "ship_method": "*", "warehouse": WAREHOUSE, "carrier": "UPSN", "service": ""}


@pytest.mark.parametrize(("table", "changes", "freed"), [
    ("skus", _added(ROW), ["e1"]),
    ("skus", _added(ROW | {"connection": "*"}), ["e1", "e3"]),
    ("skus", _added(ROW | {"sku": "123"}), []),
    ("skus", {"added": [], "removed": [ROW], "altered": []}, ["e1"]),
    ("skus", {"added": [], "removed": [], "altered": [{"before": ROW, "after": ROW | {"warehouse_sku": "9"}}]}, ["e1"]),
    ("non_stock", _added({"connection": "*", "pattern": "12?", "what": ""}), ["e2"]),
    ("non_stock", _added({"connection": "*", "pattern": "POST", "what": ""}), []),
    ("routes", _added(ROUTE), ["e4"]),
    ("routes", _added(ROUTE | {"sku": "224*", "country": "IE"}), ["e4"]),
    ("routes", _added(ROUTE | {"country": "FR"}), []),
    ("carriers", _added(CARRIER), ["e5"]),
    ("carriers", _added(CARRIER | {"service": "EXP"}), []),
    ("ship_methods", _added(METHOD), ["e7"]),
    ("ship_methods", _added(METHOD | {"ship_method": "Express"}), []),
    ("items", _added(item("124")), ["e2"]),
    ("items", _added(item("00124")), []),
    ("items", _added(item("124", warehouse="gxo-us")), []),
    ("skus", _added(), []),
])
def test_a_change_frees_exactly_what_waits_on_it(table, changes, freed):
    assert frees(table, changes, WAITING) == freed


def test_an_item_that_becomes_active_frees_what_waits_on_it():
    changes = changed(Items.frame([item("124", is_active=False), item("1")]), Items.frame([item("124"), item("1")]))
    assert frees("items", changes, WAITING) == ["e2"]


def test_a_wait_that_nobody_can_read_is_freed_by_any_change_rather_than_never():
    assert frees("skus", _added(ROW), [("e9", "scribble")]) == ["e9"]
    assert frees("skus", _added(), [("e9", "scribble")]) == []
