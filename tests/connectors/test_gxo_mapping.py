"""940 out, 945 and 997 in, CSV in: what becomes of what, by the partner profile."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.gxo.mapping import acknowledgement_document
from connectors.gxo.mapping_order import CANCEL, CHANGE, NEW, order_document
from connectors.gxo.profile import Profile
from connectors.gxo.warehouse import Settings, connect
from connectors.gxo.x12 import parse
from connectors.gxo.x12_write import Unwritable
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument, WharfingerError
from connectors.kit.files import FilesSettings
from connectors.ports import Inbound, Message
from contracts.effects import Acknowledgement, RequestLine, SetAnswer
from tests.connectors.x12_kit import AT, PARTNER, W06, W27, WAREHOUSE, advice, from_partner, profile, recipient, request, w12

COLUMNS = {"advice_id": "shipment", "reference": "order", "sku": "item", "quantity": "qty", "carrier": "scac", "tracking_number": "tracking", "shipped_at": "shipped"}
CSV_HEAD = "shipment,order,item,qty,scac,tracking,shipped\n"


def read(body: bytes, **changes: Any) -> list[Message]:
    port = connect("gxo", Settings(partner=profile(**changes), files=FilesSettings(kind="folder", path=".")), ManualClock())
    return port.read(Inbound("gxo", "file.edi", body))


def rows(*sets: tuple[str, list[tuple[str, ...]]], columns: str, **changes: Any) -> list[tuple[Any, ...]]:
    messages = read(from_partner(*sets), **changes)
    assert [message.errors for message in messages] == [[]] * len(sets)
    return [tuple(row[name] for name in columns.split()) for message in messages for row in message.dispatches.to_dict("records")]


def error_of(*sets: tuple[str, list[tuple[str, ...]]], **changes: Any) -> str:
    message = read(from_partner(*sets), **changes)[0]
    assert message.dispatches is None
    return message.errors[0]


def lines_of(body: bytes) -> list[str]:
    return body.decode().replace("~", "").splitlines()


def order(status: str = NEW, *, of: dict[str, Any] | None = None, to: dict[str, str] | None = None, **changes: Any) -> list[str]:
    return lines_of(order_document(status, request(**of or {}), recipient(**to or {}), profile(**changes), 42, AT))


# what the 940 says

def test_a_940_carries_reference_address_facility_service_and_every_line() -> None:
    said = order(of={"po_number": "PO-7"}, to={"gift_note": "", "order_note": "Ring twice", "region": "Devon"})
    assert said[0] == "ISA*00*          *00*          *ZZ*MERCHANT       *ZZ*GXOWH01        *260115*0930*U*00401*000000042*1*T*>"
    assert said[2:] == [
        "ST*940*0001", "W05*N*UK-100-1*PO-7", "N1*ST*Zzcanary Ltd", "N2*Zzcanary Name", "N3*1 Zzcanary Street*Flat Zzcanary", "N4*Zzcanaryton**ZC9 9ZC*GB*SP*Devon",
        "PER*CN*Zzcanary Name*TE*+447700977977*EM*zzcanary@example.invalid", "N1*WH**92*WH01", "N9*ST*bc-uk", "N9*SO*100", "N9*ZZ*1*SHIP GROUP",
        "N9*ZZ*GBP*CURRENCY", "N9*ZZ*45.50*ORDER TOTAL", "G62*04*20260114", "G62*10*20260115", "NTE*WHI*Ring twice", "W66*PP*M***GROUND*****UPSN",
        "LX*1", "W01*12*EA**SK*SKU-A*UP*012345678905", "G69*Item SKU-A", "N9*LI*1", "LX*2", "W01*3*EA**SK*SKU-B", "G69*Item SKU-B", "N9*LI*2", "W76*15",
        "SE*27*0001", "GE*1*42", "IEA*1*000000042"]


def test_a_cancel_names_the_order_and_carries_no_personal_data() -> None:
    assert order(CANCEL)[3:-3] == ["W05*F*UK-100-1", "N1*WH**92*WH01", "LX*1", "W01*12*EA**SK*SKU-A*UP*012345678905", "N9*LI*1", "LX*2",
                                   "W01*3*EA**SK*SKU-B", "N9*LI*2", "W76*15"]


def test_a_change_is_the_whole_order_again() -> None:
    changed = order(CHANGE)
    assert changed[3] == "W05*R*UK-100-1" and changed[4:] == order(NEW)[4:]


def test_the_same_effect_gives_the_same_bytes() -> None:
    assert order() == order()


def test_customs_and_gifts_go_with_their_line() -> None:
    line = RequestLine(number=1, line_id="71", sku="a", warehouse_sku="A", quantity=2, unit="EA", factor=1, currency="GBP", is_gift=True, value_minor=1250,
                       hs_code="61091000", origin="PT", component_of="SET-1")
    said = order(of={"lines": [line], "is_international": True})
    assert said[said.index("LX*1") + 2:-4] == ["N9*LI*1", "N9*ZZ*61091000*HS CODE", "N9*ZZ*PT*ORIGIN", "N9*ZZ*Y*GIFT", "N9*ZZ*SET-1*KIT", "AMT*DV*12.50"]


def test_a_long_address_moves_on_and_loses_no_word() -> None:
    said = order(to={"company": "The " + "Very " * 14 + "Long Company", "name": "Jo Bloggs", "street_1": "Unit 5 " + "Industrial " * 6 + "Estate",
                     "city": "Llanfair Pwllgwyngyll Gogerychwyrndrobwll Llantysiliogogogoch"})
    block = [line for line in said if line[:2] in ("N1", "N2", "N3", "N4")]
    assert len([line for line in block if line.startswith("N3")]) == 2
    told = " ".join(block).replace("*", " ")
    assert told.count("Very") == 14 and told.count("Industrial") == 6 and all(word in told for word in ("Jo Bloggs", "Estate", "Llantysiliogogogoch"))
    with pytest.raises(Unwritable, match="N2/N3: the delivery address has more lines"):
        order(to={"street_1": "Long Street " * 30})


@pytest.mark.parametrize(("region", "country", "n4"), [
    ("California", "US", "N4*Zzcanaryton*CA*ZC9 9ZC*US"), ("CA", "US", "N4*Zzcanaryton*CA*ZC9 9ZC*US"), ("Quebec", "CA", "N4*Zzcanaryton*QC*ZC9 9ZC*CA"),
    ("Kent", "GB", "N4*Zzcanaryton**ZC9 9ZC*GB*SP*Kent"), ("", "GB", "N4*Zzcanaryton**ZC9 9ZC*GB")])
def test_a_region_goes_where_4010_has_room_for_it(region: str, country: str, n4: str) -> None:
    """BigCommerce gives 'California'; N4-02 holds exactly two characters."""
    assert n4 in order(to={"region": region, "country": country})


@pytest.mark.parametrize(("of", "to", "says"), [
    ({"reference": "UK-100*1"}, {}, r"W05-02 \(our reference\): holds a character"),
    ({"reference": ""}, {}, "W05-02: the request has no reference"),
    ({"po_number": "P" * 23}, {}, r"W05-03 \(PO number\): 23 characters, at most 22"),
    ({"facility": "W"}, {}, r"N1 element 04\): 1 characters, at least 2"),
    ({"carrier": "UPSNX"}, {}, r"W66-10 \(carrier\): 5 characters"),
    ({"order_id": "9" * 31}, {}, r"N9\*SO \(order_id\): 31 characters"),
    ({}, {"name": "", "company": ""}, "neither name nor company"),
    ({}, {"name": "張偉", "company": ""}, r"N1\*ST \(name\): most of its letters"),
    ({}, {"order_note": "no " * 4000}, "NTE-02: the notes need"),
    ({}, {"region": "A region with far too many letters"}, "N4-06"),
])
def test_what_does_not_fit_is_refused_and_named_but_not_shown(of: dict[str, Any], to: dict[str, str], says: str) -> None:
    with pytest.raises(Unwritable, match=says) as raised:
        order(of=of, to=to)
    assert "zcanary" not in str(raised.value).lower() and "張" not in str(raised.value)


def test_a_reference_of_22_characters_passes_and_comes_back() -> None:
    assert "W05*N*" + "R" * 22 in order(of={"reference": "R" * 22})
    assert rows(advice(w12("A", 1), head=(("W06", "F", "R" * 22, "20260116", "S"), WAREHOUSE, W27, ("LX", "1"))), columns="reference") == [("R" * 22,)]


def test_without_an_address_nothing_is_written() -> None:
    with pytest.raises(Unwritable, match="the delivery address is not there"):
        order_document(NEW, request(), None, profile(), 1, AT)


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({name: st.text(max_size=70) for name in ("name", "company", "street_1", "street_2", "city", "region", "postcode", "phone", "email", "order_note")}))
def test_whatever_a_customer_types_gives_a_sound_document_or_a_refusal(typed: dict[str, str]) -> None:
    try:
        body = order_document(NEW, request(), recipient(**typed), profile(), 1, AT)
    except Unwritable:
        return
    assert len(parse(body)[0].groups[0].sets) == 1 and body.isascii()


# what the 945 says

PACKAGE = (("LX", "1"), ("MAN", "GM", "00108123450000000019"), ("MAN", "CP", "1Z1"))


def test_two_packages_two_lines_and_one_that_was_not_shipped() -> None:
    found = rows(advice(*PACKAGE, w12("A", 2), ("N9", "LI", "1"), ("LX", "2"), ("MAN", "CP", "1Z2"), w12("A", 1), ("N9", "LI", "1"), w12("B", 0, 3, "CN"), ("N9", "LI", "2"), total=3),
                 columns="package_id tracking_number sku quantity request_line line_status")
    assert found == [("00108123450000000019", "1Z1", "A", 2, "1", "CC"), ("1Z2", "1Z2", "A", 1, "1", "CC"), ("LX2", "", "B", 0, "2", "CN")]


@pytest.mark.parametrize(("head", "packed", "expected"), [
    ((), (("LX", "1"), ("N9", "2I", "1Z9"), w12("A", 1)), ("1Z9", "1Z9")),
    ((("N9", "CN", "1Z7"),), (("LX", "1"), w12("A", 1)), ("1Z7", "1Z7")),
    ((("N9", "CN", "BOL-1"),), (("LX", "1"), ("MAN", "CP", "1Z9"), w12("A", 1)), ("1Z9", "1Z9")),
    ((("N9", "CN", "1Z7"),), (("LX", "1"), ("MAN", "GM", "001"), w12("A", 1)), ("001", "1Z7")),
    ((), (("LX", "1"), ("MAN", "GM", "001", "", "CP", "1Z5"), w12("A", 1)), ("001", "1Z5")),
    ((), (("LX", "1"), ("MAN", "GM", "001"), w12("A", 1), ("N9", "CN", "1Z3")), ("1Z3", "1Z3")),
    ((), (("LX", "1"), w12("A", 1)), ("LX1", "")),
])
def test_tracking_is_found_where_the_profile_says_and_the_nearest_wins(head: Any, packed: Any, expected: tuple[str, str]) -> None:
    """A carton label in the LX once hid the tracking number of the header: the parcel went back without one."""
    assert rows(advice(*packed, head=(W06, WAREHOUSE, *head, W27)), columns="package_id tracking_number") == [expected]


def test_another_partner_keeps_everything_elsewhere_and_only_its_profile_says_so() -> None:
    elsewhere = {"reference": ["N9*CO"], "advice_id": ["N9*BM"], "tracking": ["N9*TR"], "facility": ["N1*SF-04"], "request_line": ["N9*QX"], "carrier": ["N9*SC"],
                 "sku_qualifiers": ["VN", "SK"], "shipped_at": ["G62*86"], "total": "packages"}
    head = (("W06", "F", "IGNORED"), ("N1", "SF", "RENO", "92", "W9"), ("N9", "CO", "UK-1"), ("N9", "BM", "B-1"), ("N9", "SC", "FDEG"), ("G62", "86", "20260116", "8", "1430"))
    line = ("W12", "CC", "2", "2", "", "EA", "", "UP", "012345678905", "", "", "", "", "", "", "", "", "VN", "SKU-A")
    found = rows(advice(("LX", "1"), ("N9", "TR", "T1"), line, ("N9", "QX", "4"), head=head, total=1),
                 columns="reference advice_id tracking_number facility request_line carrier sku shipped_at", advice=elsewhere, timezone="America/Los_Angeles")
    assert [(*row[:-1], row[-1].isoformat()) for row in found] == [("UK-1", "B-1", "T1", "W9", "4", "FDEG", "SKU-A", "2026-01-16T22:30:00+00:00")]


@pytest.mark.parametrize(("units", "trackings", "expected"), [
    ((3,), ("T1", "T2"), [("T1", 2), ("T2", 1)]),
    ((2, 2), ("T1", "T2"), [("T1", 2), ("T2", 2)]),
    ((1, 3), ("T1", "T2"), [("T1", 1), ("T1", 1), ("T2", 2)]),
    ((1,), ("T1", "T2", "T3"), [("T1", 1), ("T2", 0), ("T3", 0)]),
    ((0,), ("T1", "T2"), [("", 0)]),
])
def test_several_tracking_numbers_in_one_lx_share_its_units_and_none_is_lost(units: tuple[int, ...], trackings: tuple[str, ...], expected: list[Any]) -> None:
    packed = [("LX", "1"), *(("MAN", "CP", t) for t in trackings), *(w12(f"S{n}", u, u or 1) for n, u in enumerate(units))]
    assert rows(advice(*packed, total=sum(units)), columns="tracking_number quantity") == expected


@pytest.mark.parametrize(("sets", "changes", "says"), [
    (advice(*PACKAGE, w12("A", 2), total=3), {}, "segment 11 (W03 element 01): it totals 3 units, the lines have 2"),
    (advice(*PACKAGE, w12("A", "1.5")), {}, "segment 10 (W12 element 03): not a whole quantity of 0 or more"),
    (advice(*PACKAGE, w12("A", "-1")), {}, "segment 10 (W12 element 03): not a whole quantity of 0 or more"),
    (advice(*PACKAGE, w12("A", 1)), {"advice": {"sku_qualifiers": ["VN"]}}, "segment 10 (W12): no item number with qualifier VN"),
    (advice(*PACKAGE, w12("A", 1), head=(("W06", "F", "SO-1", "20260116"), WAREHOUSE)), {}, "segment 4 (W06): no advice id at W06-04"),
    (advice(*PACKAGE, w12("A", 1), head=(("W06", "F", "", "20260116", "S"), WAREHOUSE)), {}, "segment 4 (W06): no reference at W06-02"),
    (advice(("LX", "1")), {}, "segment 4 (W06): the advice has no line (W12)"),
    (advice(("LX", "1"), ("MAN", "GM", "1"), ("MAN", "GM", "2"), ("MAN", "GM", "3"), ("MAN", "CP", "1"), ("MAN", "CP", "2"), w12("A", 9)), {},
     "segment 8 (MAN): 3 package ids and 2 tracking numbers in one LX"),
    (advice(w12("A", 1)), {}, "segment 7 (W12): not expected here in a 945"),
    (("944", [("W17", "F")]), {}, "segment 3 (ST): a 944 does not belong into a group of code SW"),
    (("943", [("W06", "N")]), {}, "segment 3 (ST): set 943 is not read (inbound advice)"),
    (("997", [("AK1", "OW", "1"), ("AK9", "A", "1", "1", "1")]), {}, "segment 3 (ST): a 997 does not belong into a group of code SW"),
])
def test_a_set_that_cannot_be_true_is_refused_with_segment_and_reason(sets: Any, changes: dict[str, Any], says: str) -> None:
    assert error_of(sets, **changes).endswith(says)


def test_a_shipped_quantity_left_out_follows_from_the_difference() -> None:
    assert rows(advice(*PACKAGE, ("W12", "CP", "3", "", "1", "EA", "", "SK", "A")), columns="quantity") == [(2,)]
    assert rows(advice(*PACKAGE, ("W12", "CC", "12.0", "12.0", "", "EA", "", "SK", "A")), columns="quantity") == [(12,)]


def test_segments_that_a_partner_adds_can_be_passed_over_by_profile() -> None:
    odd = advice(("LX", "1"), ("MAN", "CP", "1Z"), ("QTY", "33", "1"), w12("A", 1))
    assert "(QTY): not expected here" in error_of(odd)
    assert rows(odd, columns="sku", advice={"ignore_segments": ["QTY"]}) == [("A",)]


def test_a_bad_set_spoils_neither_the_sets_beside_it_nor_the_answer() -> None:
    good, bad = advice(*PACKAGE, w12("A", 1), total=1), advice(*PACKAGE, w12("A", 1), total=2)
    messages = read(from_partner(good, bad, good))
    assert [bool(m.errors) for m in messages] == [False, True, False]
    assert [m.key for m in messages] == ["GXOWH01|000000201|201|0001", "GXOWH01|000000201|201|0002", "GXOWH01|000000201|201|0003"]
    answer = Acknowledgement.model_validate(messages[0].answer)
    assert [m.answer for m in messages[1:]] == [None, None]
    assert (answer.status, [(s.accepted, s.codes) for s in answer.sets]) == ("P", [(True, []), (False, ["5"]), (True, [])])


def test_an_unlisted_code_is_taken_and_noted_in_our_997() -> None:
    message = read(from_partner(advice(*PACKAGE, w12("A", 1, status="QQ"))))[0]
    assert not message.errors and message.dispatches["line_status"].tolist() == ["QQ"]
    assert (message.answer["status"], message.answer["sets"][0]["codes"]) == ("E", ["5"])


@pytest.mark.parametrize("changes", [{"sender": "SOMEBODY"}, {"receiver": "SOMEBODY"}, {"usage": "P"}])
def test_a_file_between_others_or_of_the_other_usage_is_refused_whole(changes: dict[str, str]) -> None:
    with pytest.raises(BadDocument, match="Ask the partner"):
        read(from_partner(advice(*PACKAGE, w12("A", 1)), **changes))


def test_the_same_interchange_again_has_the_same_keys_whatever_its_bytes() -> None:
    one, other = (from_partner(advice(*PACKAGE, w12("A", n), total=n)) for n in (1, 2))
    assert one != other
    assert [m.key for m in read(one)] == [m.key for m in read(one)] == [m.key for m in read(other)]


# 997

@pytest.mark.parametrize(("body", "expected"), [
    ([("AK1", "OW", "101"), ("AK9", "A", "1", "1", "1")], (101, True, "A", "")),
    ([("AK1", "OW", "101"), ("AK2", "940", "0001"), ("AK5", "E", "5"), ("AK9", "E", "1", "1", "1")], (101, True, "E", "set error 5")),
    ([("AK1", "OW", "101"), ("AK9", "R", "1", "1", "0", "5")], (101, False, "R", "group error 5")),
    ([("AK1", "OW", "101"), ("AK2", "940", "0001"), ("AK3", "W01", "15", "", "8"), ("AK4", "5", "234", "7", "JANE DOE"), ("AK5", "R", "5"), ("AK9", "R", "1", "1", "0")],
     (101, False, "R", "segment 15 (W01): errors in its elements; element 5: invalid code; set error 5")),
])
def test_a_997_says_of_one_control_number_whether_it_was_taken_and_why_not(body: list[tuple[str, ...]], expected: tuple[Any, ...]) -> None:
    message = read(from_partner(("997", body), group="FA"))[0]
    assert [tuple(said.values()) for said in message.acknowledgements] == [expected]
    assert (message.kind, message.answer) == ("acknowledgement", None), "a 997 is never acknowledged"


@pytest.mark.parametrize(("body", "says"), [
    ([("AK1", "ZZ", "1"), ("AK9", "A", "1", "1", "1")], "segment 4 (AK1): we never sent a group of code ZZ"),
    ([("AK1", "SW", "1"), ("AK9", "A", "1", "1", "1")], "segment 4 (AK1): we never sent a group of code SW"),
    ([("AK1", "OW", "1"), ("AK2", "940", "0001"), ("AK9", "A", "1", "1", "1")], "segment 5 (AK2): no AK5 says whether the set was accepted"),
    ([("AK1", "OW", "one"), ("AK9", "A", "1", "1", "1")], "segment 4 (AK1 element 02): not a number"),
    ([("AK1", "OW", "1")], "segment 5 (AK9): the mandatory segment is missing"),
])
def test_a_997_that_says_nothing_is_refused(body: list[tuple[str, ...]], says: str) -> None:
    message = read(from_partner(("997", body), group="FA"))[0]
    assert message.errors[0].endswith(says) and not message.acknowledgements


@pytest.mark.parametrize(("code", "accepted"), [("A", True), ("E", True), ("R", False)])
def test_a_ta1_is_the_word_on_a_whole_interchange(code: str, accepted: bool) -> None:
    body = from_partner(("997", [("AK1", "OW", "1")]), group="FA", line_end="")
    body = body[:106] + b"TA1*000000042*260115*0930*" + code.encode() + b"*025~" + b"IEA*0*000000201~"
    message = read(body)[0]
    assert [(a["number"], a["accepted"]) for a in message.acknowledgements] == [(42, accepted)]


def test_our_997_is_read_back_as_it_was_meant() -> None:
    sets = [SetAnswer(set_id="945", set_number="0001", accepted=True), SetAnswer(set_id="945", set_number="0002", accepted=False, codes=["5"]),
            SetAnswer(set_id="945", set_number="0003", accepted=True, codes=["5"])]
    answer = Acknowledgement(warehouse="gxo", partner_control="000000201", group_code="SW", group_number="201", status="P", sets=sets)
    body = acknowledgement_document(answer, profile(), 7, AT)
    assert lines_of(body)[2:-2] == ["ST*997*0001", "AK1*SW*201", "AK2*945*0001", "AK5*A", "AK2*945*0002", "AK5*R*5", "AK2*945*0003", "AK5*E*5", "AK9*P*3*3*2", "SE*10*0001"]


def test_a_partner_that_wants_no_997_gets_none() -> None:
    assert read(from_partner(advice(*PACKAGE, w12("A", 1))), wants_acknowledgements=False)[0].answer is None


# CSV advice

def csv(text: str, **layout: Any) -> list[Message]:
    return read(text.encode(), csv_advice={"columns": COLUMNS} | layout)


def test_csv_advice_is_one_message_a_shipment_and_a_bad_row_spoils_only_its_own() -> None:
    messages = csv(CSV_HEAD + "S1,O1,A,2,UPSN,T1,2026-01-16\nS2,O2,A,two,UPSN,T2,2026-01-16\nS2,O2,B,1,UPSN,T2,2026-01-16\nS1,O1,B,1,UPSN,T1,2026-01-16\n")
    assert [(m.dispatches["sku"].tolist() if m.dispatches is not None else m.errors) for m in messages] == [
        ["A", "B"], ["shipment 'S2', line 3: qty is not a whole number"]]
    assert len({m.key for m in messages}) == 2


def test_csv_advice_keys_follow_from_the_bytes() -> None:
    text = CSV_HEAD + "S1,O1,A,2,UPSN,T1,2026-01-16\n"
    assert csv(text)[0].key == csv(text)[0].key != csv(text.replace(",2,", ",3,"))[0].key


@pytest.mark.parametrize(("text", "says"), [
    ("", "it is empty"), ("<html>\n", "its header lacks"), (CSV_HEAD.replace("scac,", "") + "S,O,A,1,T,2026-01-16\n", "its header lacks scac"),
    (CSV_HEAD + "S1,O1,A,2,UPSN,T1,2026-01-16", "its last line is not ended"), (CSV_HEAD + "S1,O1,A,2\n", "line 2 has not as many cells"),
    (CSV_HEAD + '"S1,O1\n', "it is not CSV"), (CSV_HEAD.replace("order", "item"), "header"), (CSV_HEAD + "S\x00,O1,A,2,UPSN,T1,2026-01-16\n", "NUL"),
])
def test_a_csv_file_that_cannot_be_trusted_is_refused_whole(text: str, says: str) -> None:
    with pytest.raises(BadDocument, match=says):
        csv(text)


def test_every_truncation_of_a_csv_file_with_a_trailer_is_refused() -> None:
    body = CSV_HEAD + "S1,O1,A,2,UPSN,T1,2026-01-16\nS2,O2,B,1,UPSN,T2,2026-01-16\nEND,2,,,,,\n"
    assert len(csv(body, trailer="END")) == 2
    for end in range(len(body)):
        with pytest.raises(BadDocument):
            csv(body[:end], trailer="END")


@pytest.mark.parametrize("date", ["16/01/2026", "2026-02-30", "", "0001-01-01"])
def test_a_date_that_is_none_spoils_its_shipment_only(date: str) -> None:
    message = read((CSV_HEAD + f"S1,O1,A,2,UPSN,T1,{date}\n").encode(), csv_advice={"columns": COLUMNS}, timezone="Asia/Tokyo")[0]
    assert message.errors == ["shipment 'S1', line 2: shipped is not a date in the form %Y-%m-%d"]


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda t: (CSV_HEAD + t + "\n").encode("utf-8", "replace"))))
def test_hostile_csv_is_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        read(body, csv_advice={"columns": COLUMNS})
    except WharfingerError as error:
        assert isinstance(error, BadDocument)


def test_a_file_that_is_neither_x12_nor_agreed_csv_is_refused() -> None:
    with pytest.raises(BadDocument, match="not X12"):
        read(b"hello\n")


# the profile

@pytest.mark.parametrize(("changes", "says"), [
    ({"no_such_key": 1}, "no_such_key"), ({"usage": "X"}, "usage"), ({"our_id": "A" * 16}, "our_id"), ({"timezone": "Mars/Olympus"}, "timezone|Mars"),
    ({"advice": {"tracking": ["MAN CP"]}}, "a path is"), ({"delimiters": {"element": "A"}}, "delimiters"), ({"delimiters": {"element": "~"}}, "delimiters"),
    ({"file_name": "{control}/../x"}, "file name"), ({"file_name": "{set}.edi"}, "file name"), ({"to_partner": "outbound"}, "different folders"),
    ({"from_partner": "../etc"}, "from_partner"), ({"csv_advice": {"columns": {"sku": "item"}}}, "columns lacks"),
    ({"order": {"references": [{"qualifier": "SO", "field": "email"}]}}, "field"),
])
def test_a_wrong_profile_is_refused_and_the_key_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Profile(**PARTNER | changes)


def test_a_profile_survives_the_way_through_json() -> None:
    one = profile(csv_advice={"columns": COLUMNS}, timezone="Europe/London")
    assert Profile.model_validate(json.loads(one.model_dump_json())) == one
