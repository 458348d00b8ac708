"""What people type into the form's field for a row."""

import pytest

from contracts.mappings import TABLES
from tasks.rules.mapping_rows import known, merged, tables_of, typed_rows
from tasks.rules.mapping_tables import read_csv
from tasks.rules.waits import any_of, waits_on_item, waits_on_mapping

TUFF = waits_on_mapping("carriers", warehouse="gxo-uk", carrier="TUFF", service="NEXT DAY", connection="bc-uk")
ROW = {"warehouse": "gxo-uk", "carrier": "TUFF", "service": "NEXT DAY", "connection": "bc-uk", "provider": "", "tracking_carrier": "tuffnells", "tracking_link": ""}


@pytest.mark.parametrize("text", [
    "tracking_carrier=tuffnells", "  tracking_carrier = tuffnells  \n", "carrier=TUFF; service=NEXT DAY; tracking_carrier=tuffnells",
    "carrier=TUFF\nservice=NEXT DAY\ntracking_carrier=tuffnells", "carrier=TUFF, tracking_carrier=tuffnells", "tracking_carrier\ntuffnells",
    "carrier,service,tracking_carrier\nTUFF,NEXT DAY,tuffnells",
])
def test_a_row_is_read_in_every_form_in_which_people_write_it(text):
    assert typed_rows("carriers", text, known("carriers", [TUFF])) == ([ROW], [])


def test_a_value_may_hold_what_separates_values():
    typed, problems = typed_rows("carriers", "tracking_link=https://t.example/?a=1;b={tracking_number}; service=A, B=C; carrier=TUFF")
    assert not problems and (typed[0]["tracking_link"], typed[0]["service"]) == ("https://t.example/?a=1;b={tracking_number}", "A, B=C")


def test_several_rows_are_parted_by_an_empty_line_or_by_the_same_column_again():
    for text in ("carrier=A\nservice=*\n\ncarrier=B\nservice=*", "carrier=A;service=*\ncarrier=B;service=*", "carrier,service\nA,*\nB,*"):
        typed, problems = typed_rows("carriers", text)
        assert not problems and [(row["carrier"], row["service"]) for row in typed] == [("A", "*"), ("B", "*")]


@pytest.mark.parametrize(("text", "said"), [("", "no row was given"), ("tuffnells", "is not column=value"), ("scac=TUFF", "is not column=value"),
                                            ("carrier,scac\nA,B", "no column 'scac'"), ("carrier,service\nA", "1 values under 2 columns")])
def test_what_cannot_be_read_is_said(text, said):
    typed, problems = typed_rows("carriers", text)
    assert said in problems[0]


def test_only_what_all_records_agree_on_is_known():
    other = waits_on_mapping("carriers", warehouse="gxo-uk", carrier="ZZZZ", service="NEXT DAY", connection="bc-uk")
    assert known("carriers", [TUFF, other]) == {"warehouse": "gxo-uk", "service": "NEXT DAY", "connection": "bc-uk"}
    assert known("skus", [TUFF]) == known("carriers", ["routes:*"]) == known("carriers", ["??"]) == {}
    several = waits_on_mapping("units", connection="bc-uk", sku=["A", "B"], unit="CA", warehouse="gxo-uk")
    assert known("units", [several]) == {"connection": "bc-uk", "unit": "CA", "warehouse": "gxo-uk"}


def test_the_tables_that_a_record_waits_for_are_known():
    assert tables_of(any_of(waits_on_item("gxo-uk", "A"), waits_on_mapping("skus", connection="bc-uk", sku="A", warehouse="gxo-uk"))) == ["skus"]
    assert tables_of("") == tables_of("nonsense") == []


def test_a_row_takes_the_place_of_the_one_with_its_key_and_the_rest_stays():
    current = TABLES["carriers"].frame([ROW | {"carrier": "RMLL", "tracking_carrier": "royal-mail"}, ROW])
    table, problems = read_csv("carriers", merged("carriers", current, [ROW | {"tracking_carrier": "tuffnells-uk"}]))
    assert not problems and [row["tracking_carrier"] for row in table.to_dict("records")] == ["royal-mail", "tuffnells-uk"]
    patterns = TABLES["non_stock"].frame([{"connection": "bc", "pattern": "Gift_*", "what": "a"}])
    assert read_csv("non_stock", merged("non_stock", patterns, [{"connection": "bc", "pattern": "gift_*", "what": "b"}]))[0].to_dict("records") == [
        {"connection": "bc", "pattern": "gift_*", "what": "b"}]
