"""What leaves us is accepted by two parsers that know nothing of ours, whatever a customer typed and however long the order is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.gxo import x12_table
from connectors.gxo.mapping import acknowledgement_document
from connectors.gxo.mapping_notice import receipt_document, return_document
from connectors.gxo.mapping_order import CANCEL, CHANGE, NEW, order_document
from connectors.gxo.x12 import parse
from connectors.gxo.x12_write import Unwritable
from contracts.effects import Acknowledgement, NoticeLine, ReceiptNotice, RequestLine, ReturnNotice, SetAnswer
from tests.connectors.test_x12 import accepted_by_others
from tests.connectors.x12_kit import AT, profile, recipient, request

NASTY = {
    "delimiters everywhere": {"name": "A*B~C>D", "street_1": "~ST*940*0001~", "city": "IEA*1*000000042~",
                              "order_note": "SE*1*0001~GE*1*1~", "phone": "*~>"},
    "umlauts": {"name": "Jürgen Öztürk-Łęczycki", "company": "Übergrößen & Söhne", "city": "Ærøskøbing", "gift_note": "Für Dich, zum Geburtstag"},
    "a street of 300 characters": {"street_1": "Long Road " * 29 + "Number 300"},
    "a street of 300 letters": {"street_1": "x" * 300},
    "newlines": {"name": "Jo\r\nBloggs", "street_1": "1 Road\nFlat 2\r\n\r\n", "order_note": "Line one\nISA*00*\nLine three", "city": "\nYork\n"},
    "emoji": {"name": "Jo 🚚 Bloggs", "gift_note": "🎉🎉 Happy birthday 🎂", "order_note": "👩‍👩‍👧 next door"},
    "no telephone": {"phone": "", "email": ""},
    "no contact at all": {"phone": "call me", "email": "not an address*~"},
    "invisible signs": {"name": "Jo\u200b\u202eBloggs\x00\x1b[31m", "postcode": "ZC9\u00a09ZC"},
    "one letter": {"name": "X", "city": "Y", "postcode": "1", "company": ""},
}


def sound(body: bytes) -> None:
    """Two independent parsers take it, and the 4010 element table has nothing against it, not even a note."""
    accepted_by_others(body)
    documents = [document for interchange in parse(body) for group in interchange.groups for document in group.sets]
    assert [fault for document in documents for fault in x12_table.faults(document.set_id, document.segments)] == []
    assert len(documents) == 1


def test_a_street_that_outgrows_the_940_is_refused_and_never_cut() -> None:
    """300 letters that are spelled in 342: eight lines of address beside the names, and a 940 has room for seven."""
    with pytest.raises(Unwritable, match="more lines than a 940 can hold") as raised:
        order_document(NEW, request(), recipient(street_1="Straße " * 42 + "Nummer"), profile(), 42, AT)
    assert "Stra" not in str(raised.value)


def long_order() -> dict[str, Any]:
    return {"lines": [RequestLine(number=n, line_id=f"{n}", sku=f"sku-{n}", warehouse_sku=f"SKU-{n}", quantity=n, unit="EA", factor=1, currency="GBP",
                                  name=f"Ding Nr. {n} “groß”", value_minor=100 + n, hs_code="560750", origin="GB") for n in range(1, 201)]}


@pytest.mark.parametrize("status", [NEW, CHANGE, CANCEL])
@pytest.mark.parametrize("typed", NASTY.values(), ids=NASTY)
def test_a_940_stays_sound_whatever_the_customer_typed(status: str, typed: dict[str, str]) -> None:
    sound(order_document(status, request(organisation="Çelik ~*> Ltd"), recipient(**typed), profile(), 42, AT))


@pytest.mark.parametrize("status", [NEW, CHANGE, CANCEL])
def test_an_order_of_200_lines_is_one_sound_940(status: str) -> None:
    body = order_document(status, request(**long_order()), recipient(), profile(), 42, AT)
    sound(body)
    assert body.count(b"\nW01*") == 200 and b"\nW76*20100~" in body


@pytest.mark.parametrize("delimiters", [{"element": "|", "component": ":", "terminator": "'"}, {"element": "^", "component": "<", "terminator": "!"},
                                        {"line_end": "\r\n"}])
def test_with_the_partners_own_delimiters_a_940_says_the_same(delimiters: dict[str, str]) -> None:
    said = {"street_1": "1 Road | 'Flat' ^2^ ! <b>", "name": "Jo"}
    body = order_document(NEW, request(), recipient(**said), profile(delimiters=delimiters), 42, AT)
    sound(body)
    plain, written = (parse(order_document(NEW, request(), recipient(name="Jo"), profile(**d), 42, AT)) for d in ({}, {"delimiters": delimiters}))
    assert plain[0].groups[0].sets == written[0].groups[0].sets


@pytest.mark.parametrize("accepted", [True, False])
def test_our_997_for_a_long_group_is_sound(accepted: bool) -> None:
    answers = [SetAnswer(set_id="945", set_number=f"{n:04}", accepted=accepted or n % 3 > 0, codes=[] if accepted or n % 3 else ["5"])
               for n in range(1, 201)]
    answer = Acknowledgement(warehouse="gxo", partner_control="000000201", group_code="SW", group_number="201",
                             status="A" if accepted else "P", sets=answers)
    sound(acknowledgement_document(answer, profile(), 7, AT))


def notice_lines(count: int, reason: str = "") -> list[NoticeLine]:
    return [NoticeLine(number=n, sku=f"sku-{n}", warehouse_sku=f"SKU-{n}", quantity=n, unit="EA", reason=reason) for n in range(1, count + 1)]


def returned(**changes: Any) -> ReturnNotice:
    return ReturnNotice(**{"connection": "bc-uk", "order_id": "100", "rma": "RMA-7", "reference": "UK-100-1", "warehouse": "gxo", "facility": "WH01",
                           "approved_on": "2026-01-15", "lines": notice_lines(2, "Zu groß ~*> <b>")} | changes)


def on_its_way(**changes: Any) -> ReceiptNotice:
    return ReceiptNotice(**{"warehouse": "gxo", "facility": "WH01", "reference": "ASN-5544", "expected_on": "2026-01-20", "lines": notice_lines(2)} | changes)


@pytest.mark.parametrize("delimiters", [{}, {"element": "|", "component": ":", "terminator": "'"}])
def test_our_180_and_943_are_sound_however_long_they_are(delimiters: dict[str, str]) -> None:
    agreed = profile(delimiters=delimiters)
    for notice in (returned(), returned(reference="", lines=notice_lines(200)), returned(lines=notice_lines(1, "很大 " * 90))):
        sound(return_document(notice, agreed, 7, AT))
    for notice in (on_its_way(), on_its_way(carrier="ODFL", lines=notice_lines(200))):
        sound(receipt_document(notice, agreed, 7, AT))


def test_the_rma_is_the_primary_reference_of_the_180_and_ours_of_the_943() -> None:
    def said(body: bytes) -> dict[str, tuple[str, ...]]:
        return {segment.id: segment.elements for segment in parse(body)[0].groups[0].sets[0].segments}
    assert said(return_document(returned(), profile(), 7, AT))["BGN"][1] == "RMA-7"
    assert said(receipt_document(on_its_way(), profile(), 7, AT)) | {"N1": (), "N9": (), "W04": ()} == {
        "W06": ("N", "ASN-5544", "20260115"), "N1": (), "G62": ("17", "20260120"), "W27": ("M", "", "UNKNOWN"), "W04": (), "N9": (), "W03": ("3",)}


@pytest.mark.parametrize(("write", "notice", "says"), [
    (return_document, returned(reference="R*1"), r"N9\*SO \(the order's reference\): holds a character"),
    (return_document, returned(rma="RMA~7"), r"BGN-02 \(RMA number\): holds a character"),
    (return_document, returned(lines=[*notice_lines(1), NoticeLine(number=2, sku="b", warehouse_sku="S" * 49, quantity=1, unit="EA")]),
     r"BLI-02 \(SKU of line 2\): 49 characters, at most 48"),
    (return_document, returned(facility="W"), r"N1 element 04\): 1 characters, at least 2"),
    (receipt_document, on_its_way(carrier="TOOLONG"), r"W27-02 \(carrier\): 7 characters"),
    (receipt_document, on_its_way(expected_on="soon"), r"G62 element 02\)"),
    (receipt_document, on_its_way(lines=[NoticeLine(number=1, sku="a", warehouse_sku="A", quantity=10**10, unit="EA")]), "more than ten digits"),
])
def test_a_notice_that_does_not_fit_is_refused_and_never_cut(write: Any, notice: Any, says: str) -> None:
    with pytest.raises(Unwritable, match=says):
        write(notice, profile(), 7, AT)


anything = st.text(st.one_of(st.sampled_from("*~>\n\r\t'|^!<: äöüßŁżçéñ😀李Ж"), st.characters(exclude_categories=["Cs"])), max_size=120)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({name: anything for name in (
    "name", "company", "street_1", "street_2", "city", "postcode", "phone", "email", "gift_note", "order_note")}))
def test_whatever_we_write_at_all_is_accepted_by_two_independent_parsers(typed: dict[str, str]) -> None:
    try:
        body = order_document(NEW, request(), recipient(**typed), profile(), 42, AT)
    except Unwritable as why:
        assert all(value not in str(why) for value in typed.values() if len(value.strip()) > 6)
        return
    sound(body)
