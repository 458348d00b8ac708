"""One partner differs from the next in its profile and nowhere else: X12 paths, CSV columns, file names, items."""

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.gxo.mapping_csv import items_frame
from connectors.gxo.profile import Profile
from connectors.gxo.warehouse import Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument
from connectors.kit.files import FilesSettings
from connectors.kit.rehearsal import CANARY, canaries_in
from connectors.ports import Inbound, Message
from tests.connectors.x12_kit import EXAMPLES, PARTNER, W06, W27, WAREHOUSE, advice, from_partner, profile, w12

COLUMNS = {"advice_id": "shipment", "reference": "order", "sku": "item", "quantity": "qty", "carrier": "scac",
           "tracking_number": "tracking", "shipped_at": "shipped"}
HEAD = "shipment,order,item,qty,scac,tracking,shipped\n"
ROW = "S1,O1,A,2,UPSN,T1,2026-01-16\n"
ITEMS = "sku,description,active,unit,barcode,hs_code,origin,customs_value,customs_currency\n"


def read(body: bytes, **changes: Any) -> list[Message]:
    port = connect("gxo", Settings(partner=profile(**changes), files=FilesSettings(kind="folder", path=".")), ManualClock())
    return port.read(Inbound("gxo", "file.edi", body))


def csv(body: str | bytes, **layout: Any) -> list[Message]:
    return read(body if isinstance(body, bytes) else body.encode(), csv_advice={"columns": COLUMNS} | layout)


# where things stand in a 945

@pytest.mark.parametrize(("changed", "head", "packed", "field", "value"), [
    ({"tracking": ["N9*CN"]}, (W06, WAREHOUSE, W27), (("LX", "1"), ("MAN", "CP", "NOT-THIS"), ("N9", "CN", "1Z7"), w12("A", 1)),
     "tracking_number", "1Z7"),
    ({"tracking": ["MAN*CA"]}, (W06, WAREHOUSE, W27), (("LX", "1"), ("MAN", "CA", "1Z8"), w12("A", 1)), "tracking_number", "1Z8"),
    ({"request_line": ["N9*LN"]}, (W06, WAREHOUSE, W27), (("LX", "1"), w12("A", 1), ("N9", "LI", "9"), ("N9", "LN", "2")), "request_line", "2"),
    ({"facility": ["N1*SF-02"]}, (W06, ("N1", "SF", "RENO SOUTH", "92", "WX"), W27), (("LX", "1"), w12("A", 1)), "facility", "RENO SOUTH"),
    ({"reference": ["W06-06", "W06-02"]}, (("W06", "F", "THEIRS", "20260116", "S", "", "OURS"), WAREHOUSE, W27), (("LX", "1"), w12("A", 1)),
     "reference", "OURS"),
    ({"reference": ["N9*SO"]}, (W06, WAREHOUSE, ("N9", "SO", "SO-7"), W27), (("LX", "1"), w12("A", 1)), "reference", "SO-7"),
    ({"carrier": ["W27-03"]}, (W06, WAREHOUSE, W27), (("LX", "1"), w12("A", 1)), "carrier", "UPS GROUND"),
    ({"package_id": ["MAN*AA"]}, (W06, WAREHOUSE, W27), (("LX", "1"), ("MAN", "AA", "BOX-1"), w12("A", 1)), "package_id", "BOX-1"),
])
def test_a_value_moves_by_profile_alone(changed: dict[str, Any], head: Any, packed: Any, field: str, value: str) -> None:
    body = from_partner(advice(*packed, head=head))
    moved, usual = read(body, advice=changed)[0], read(body)[0]
    assert moved.errors == [] and moved.dispatches[field].tolist() == [value]
    assert usual.dispatches is None or usual.dispatches[field].tolist() != [value], "the usual profile must not find it there"


def test_a_carrier_that_the_package_or_line_names_goes_before_the_headers() -> None:
    packed = [("LX", "1"), ("MAN", "CP", "T1"), w12("A", 1), ("LX", "2"), ("MAN", "CP", "T2"), w12("A", 1), ("W27", "M", "FDEG")]
    assert read(from_partner(advice(*packed)))[0].dispatches["carrier"].tolist() == ["UPSN", "FDEG"]


@pytest.mark.parametrize("quantity", ["2,5", "1.234,0", "2,0", "1 000", "2e3", "0x2", "٢"])
def test_a_quantity_in_another_countrys_writing_refuses_the_set_and_is_never_guessed(quantity: str) -> None:
    message = read(from_partner(advice(("LX", "1"), ("MAN", "CP", "T"), w12("A", 1))).replace(b"W12*CC*1*1*", f"W12*CC*1*{quantity}*".encode()))[0]
    assert message.dispatches is None and "(W12 element 03)" in message.errors[0]


@pytest.mark.parametrize("w12_row", [("W12", "CC", "5", "", "6", "EA", "", "SK", "A"), ("W12", "CC", "", "", "1", "EA", "", "SK", "A")])
def test_a_difference_larger_than_the_order_or_without_one_refuses_the_set(w12_row: tuple[str, ...]) -> None:
    assert "not a whole quantity" in read(from_partner(advice(("LX", "1"), ("MAN", "CP", "T"), w12_row)))[0].errors[0]


@pytest.mark.parametrize(("counts", "total", "is_sound"), [("units", 5, True), ("units", 2, False), ("packages", 2, True), ("packages", 5, False),
                                                           ("unchecked", 99, True)])
def test_what_w03_totals_is_said_by_the_profile_and_a_total_that_disagrees_refuses_the_set(counts: str, total: int, is_sound: bool) -> None:
    packed = [("LX", "1"), ("MAN", "CP", "T1"), w12("A", 3), ("LX", "2"), ("MAN", "CP", "T2"), w12("A", 2)]
    good = advice(("LX", "1"), ("MAN", "CP", "T"), w12("A", 1))
    refused, beside = read(from_partner(advice(*packed, total=total), good), advice={"total": counts})
    assert (refused.errors == []) == (refused.dispatches is not None) == is_sound and beside.errors == []
    assert is_sound or "(W03 element 01): it totals" in refused.errors[0]


def test_an_advice_of_nothing_but_lines_that_were_not_shipped_has_no_parcel() -> None:
    frame = read(from_partner(advice(("LX", "1"), w12("A", 0, 2, "CN"), w12("B", 0, 1, "CN"), total=0)))[0].dispatches
    assert frame[["sku", "quantity", "tracking_number"]].values.tolist() == [["A", 0, ""], ["B", 0, ""]]


# 997

@pytest.mark.parametrize(("body", "expected"), [
    ([("AK1", "OW", "7"), ("AK2", "940", "0001"), ("AK5", "A"), ("AK9", "P", "2", "2", "1")], (7, True, "P")),
    ([("AK1", "OW", "7"), ("AK2", "940", "0001"), ("AK5", "R", "5"), ("AK9", "P", "2", "2", "1")], (7, False, "R")),
    ([("AK1", "OW", "7"), ("AK9", "P", "1", "1", "1")], (7, False, "P")),
    ([("AK1", "OW", "7"), ("AK2", "940", "0001"), ("AK5", "R", "5"), ("AK9", "A", "1", "1", "1")], (7, False, "R")),
    ([("AK1", "OW", "7"), ("AK2", "940", "0001"), ("AK5", "X", "5"), ("AK9", "E", "1", "1", "1")], (7, False, "X")),
    ([("AK1", "OW", "7"), ("AK2", "940", "0001"), ("AK5", "A"), ("AK9", "R", "1", "1", "0")], (7, False, "R")),
    ([("AK1", "FA", "7"), ("AK9", "A", "1", "1", "1")], (7, True, "A")),
])
def test_in_doubt_a_997_refuses(body: list[tuple[str, ...]], expected: tuple[int, bool, str]) -> None:
    message = read(from_partner(("997", body), group="FA"))[0]
    assert [(a["number"], a["accepted"], a["code"]) for a in message.acknowledgements] == [expected]


def test_a_997_that_accepts_a_group_of_which_it_took_no_set_is_an_error_and_no_acceptance() -> None:
    """AK9*A*1*1*0 was once an acceptance: the verdict was read and the count beside it was not."""
    message = read(from_partner(("997", [("AK1", "OW", "1"), ("AK2", "940", "0001"), ("AK5", "A"), ("AK9", "A", "1", "1", "0")]), group="FA"))[0]
    assert not message.acknowledgements and message.errors[0].endswith("segment 7 (AK9): it accepts the group, and 0 of 1 sets")


@pytest.mark.parametrize("place", [f"{CANARY} NAME", "7700977977", ""])
def test_a_997_that_repeats_a_customers_words_does_not_bring_them_into_the_reason(place: str) -> None:
    """AK4-04 was left out, and AK4-01, a composite of digits by 4010 that may hold anything, was not."""
    body = [("AK1", "OW", "1"), ("AK2", "940", "0001"), ("AK3", "N1", "3", "", "8"), ("AK4", place or "2", "93", "7", f"{CANARY} NAME"),
            ("AK5", "R", "5"), ("AK9", "R", "1", "1", "0")]
    said = read(from_partner(("997", body), group="FA"))[0].acknowledgements[0]
    assert not said["accepted"] and canaries_in(str(said)) == [] and "invalid code" in said["reason"]


@pytest.mark.parametrize("ta1", ["TA1*42*260115*0930*R*025~", "TA1*000000042*260115*0930*Q*025~"])
def test_a_ta1_that_cannot_be_read_is_an_error(ta1: str) -> None:
    isa = from_partner(("997", [("AK1", "OW", "1")]), group="FA", line_end="")[:106]
    message = read(isa + ta1.encode() + b"IEA*0*000000201~")[0]
    assert message.errors == ["segment 2 (TA1): cannot be read"] and not message.acknowledgements


# CSV advice

@pytest.mark.parametrize(("encoding", "body"), [
    ("utf-8-sig", "\ufeff" + HEAD + ROW.replace("A,", "Größe,")), ("utf-8-sig", HEAD + ROW.replace("A,", "Größe,")),
    ("cp1252", HEAD + ROW.replace("A,", "Größe€,")),
    ("latin-1", HEAD + ROW.replace("A,", "Größe,"))])
def test_csv_is_read_in_the_encoding_that_was_agreed(encoding: str, body: str) -> None:
    written = body.encode("utf-8" if encoding == "utf-8-sig" else encoding)
    assert csv(written, encoding=encoding)[0].dispatches["sku"].tolist() == [body.splitlines()[1].split(",")[2]]


def test_csv_in_another_encoding_is_refused_and_not_shown() -> None:
    with pytest.raises(BadDocument, match="it is not written in utf-8-sig") as raised:
        csv((HEAD + ROW.replace("A,", "Größe,")).encode("cp1252"))
    assert "Gr" not in raised.value.got


def test_csv_with_semicolons_quotes_german_dates_and_decimal_commas_is_a_matter_of_the_profile() -> None:
    body = HEAD.replace(",", ";") + 'S1;O1;"A;1";2,000;UPSN;T1;16.01.2026 14:30\n'
    message = csv(body, delimiter=";", date_format="%d.%m.%Y %H:%M", decimal_mark=",")[0]
    assert message.errors == []
    row = message.dispatches.iloc[0]
    assert (row["sku"], row["quantity"], row["shipped_at"].isoformat()) == ("A;1", 2, "2026-01-16T14:30:00+00:00")
    assert csv(body, delimiter=";", date_format="%d.%m.%Y %H:%M")[0].errors == ["shipment 'S1', line 2: qty is not a whole number"]


@pytest.mark.parametrize(("quantity", "mark", "units"), [("2,000", ",", 2), ("2,", ",", 2), ("2.0", ".", 2), ("2", ",", 2), ("2,5", ",", None),
                                                         ("2.000", ",", None), ("2,000", ".", None), ("2.0", "", None), ("-1", ".", None),
                                                         ("1e3", ".", None), ("٢", ".", None)])
def test_the_decimal_mark_of_the_profile_decides_what_a_quantity_is_worth(quantity: str, mark: str, units: int | None) -> None:
    message = csv((HEAD + ROW).replace(",", ";").replace(";2;", f";{quantity};"), delimiter=";", decimal_mark=mark)[0]
    assert (message.dispatches["quantity"].tolist() if message.dispatches is not None else None) == (None if units is None else [units])


@pytest.mark.parametrize("trailer", ["END,1,,,,,", "END,3,,,,,", "END,,,,,,", "end,2,,,,,", "S9,O9,A,2,UPSN,T9,2026-01-16"])
def test_a_trailer_that_miscounts_refuses_the_file(trailer: str) -> None:
    good = HEAD + ROW + ROW.replace("S1", "S2") + "END,2,,,,,\n"
    assert [m.errors for m in csv(good, trailer="END")] == [[], []]
    with pytest.raises(BadDocument, match="its last row is not END with the count"):
        csv(good.replace("END,2,,,,,", trailer), trailer="END")


def test_a_csv_that_is_cut_inside_a_line_is_refused_even_without_a_trailer() -> None:
    body = HEAD + ROW + ROW.replace("S1", "S2")
    for end in range(len(body)):
        if body[:end].endswith("\n") and end > len(HEAD):
            continue  # cut between two lines: only a trailer tells, and the README says so
        if body[:end] == HEAD:
            assert csv(body[:end]) == []
            continue
        with pytest.raises(BadDocument):
            csv(body[:end])


# items

def items(text: str) -> tuple[list[str], list[dict[str, str]]]:
    sound, bad = items_frame("gxo", (ITEMS + text).encode(), "items.csv")
    return sound["sku"].tolist(), bad


def test_both_rows_of_a_repeated_sku_are_set_aside_even_when_one_of_them_is_broken() -> None:
    """The sound one of the two was once taken as if it were the only one."""
    sound, bad = items("A,Rope,yes,EA,,,,,\nB,Fender,yes,EA,,,,,\nB,Fender,perhaps,EA,,,,,\n")
    assert sound == ["A"]
    assert bad == [{"record": "B", "why": "line 4: active is neither yes nor no"}, {"record": "B", "why": "it is there more than once: lines 3, 4"}]


def test_rows_without_a_sku_are_told_as_such_however_many_there_are() -> None:
    sound, bad = items("A,Rope,yes,EA,,,,,\n,x,yes,EA,,,,,\n,y,yes,EA,,,,,\n")
    assert sound == ["A"] and [row["record"] for row in bad] == ["a row without a SKU"] * 2 and all(row["why"] for row in bad)


# the profile itself

@pytest.mark.parametrize(("changes", "says"), [
    ({"file_name": "{set}_{control}.tmp"}, "look unfinished"), ({"file_name": "{set}_{control}.filepart"}, "look unfinished"),
    ({"file_name": "{set}_{control}" + "x" * 90}, "more than 100 characters"), ({"partner_archive": "../archive"}, "partner_archive"),
    ({"partner_error": "/error"}, "partner_error"),
    ({"partner_archive": ""}, "a listable archive needs partner_archive"), ({"advice": {"trackng": ["MAN*CP"]}}, "trackng"),
    ({"order": {"buyr": "BY"}}, "buyr"),
    ({"csv_advice": {"columns": COLUMNS, "decimal_mark": ";"}}, "decimal_mark"), ({"csv_advice": {"columns": COLUMNS | {"colour": "c"}}}, "colour"),
])
def test_a_profile_that_could_not_work_is_refused_and_the_key_named(changes: dict[str, Any], says: str) -> None:
    """A pattern that ends in .tmp was accepted once; every file would have been refused at the first send."""
    with pytest.raises(ValidationError, match=says):
        Profile(**PARTNER | changes)


def test_the_profile_in_the_readme_is_one_that_can_be_loaded() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    written = tomllib.loads(readme.split("```toml\n")[1].split("```")[0])["connections"]["gxo-reno"]["partner"]
    read = Settings(partner=written, files={"kind": "folder", "path": ".", "max_bytes": 100_000_000}).partner
    assert read.csv_stock.is_whole and len(read.csv_layouts) == 4
    changed = {section: changes for section in ("stock", "adjustments", "receipts") if (changes := _other_than_default(read, section))}
    assert changed == {}, "what the README shows of these sections are their defaults"


def _other_than_default(read: Profile, section: str) -> dict[str, Any]:
    shown, default = getattr(read, section), getattr(profile(), section)
    return {name: value for name, value in shown if value != getattr(default, name)}
