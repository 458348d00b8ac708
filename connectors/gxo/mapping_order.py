"""Our fulfilment request -> a 940. Pure: the same payload, recipient, number and time give the same bytes.

Codes (reference, PO, SKU, facility, carrier) go through unchanged or the request is refused; names and streets are transliterated
and broken over N1, N2 and N3; nothing is cut off.
"""

from collections.abc import Mapping as Fields
from datetime import datetime
from typing import Any

from connectors.gxo import regions
from connectors.gxo.profile import LineMark, Profile, Reference
from connectors.gxo.wire import OrderedItem, Party, ShippingOrder
from connectors.gxo.x12 import Segment
from connectors.gxo.x12_table import faults
from connectors.gxo.x12_write import Envelope, Row, Unwritable, at_least, code, digits, text, wrap, write
from contracts.effects import FulfilmentRequest, RequestLine
from contracts.money import to_major

NEW, CHANGE, CANCEL = "N", "R", "F"  # W05-01
_MOST_NOTE_ROWS = 100


def order_document(status: str, request: FulfilmentRequest, recipient: Fields[str, str] | None, profile: Profile, control: int,
                   at: datetime) -> bytes:
    """The interchange with one 940. A cancel carries no personal data. Raises Unwritable with the element and the reason."""
    if status != CANCEL and recipient is None:
        raise Unwritable("N1*ST: the delivery address is not there")
    order = _cancel(request, profile) if status == CANCEL else _order(status, request, recipient or {}, profile, at)
    rows = order.rows()
    broken = faults("940", [Segment(0, row[0], trimmed(row)) for row in rows])
    if broken:
        raise Unwritable("; ".join(map(str, broken[:3])))
    return write(envelope(profile, control, at), "OW", [("940", rows)])


def envelope(profile: Profile, control: int, at: datetime) -> Envelope:
    """ISA and GS as the profile has them; times are in UTC."""
    return Envelope(profile.our_qualifier, profile.our_id, profile.partner_qualifier, profile.partner_id, profile.our_group_id or profile.our_id,
                    profile.partner_group_id or profile.partner_id, profile.usage, control, at, profile.delimiters.separators,
                    profile.delimiters.line_end, profile.version)


def trimmed(row: Row) -> tuple[str, ...]:
    """The elements of a row without the empty ones at its end, as they are written."""
    elements = list(row[1:])
    while elements and elements[-1] == "":
        elements.pop()
    return tuple(elements)


def _cancel(request: FulfilmentRequest, profile: Profile) -> ShippingOrder:
    return ShippingOrder(_w05(CANCEL, request, profile), [_facility(request, profile)], [_item(line, profile, False) for line in request.lines],
                         _w76(request))


def _order(status: str, request: FulfilmentRequest, recipient: Fields[str, str], profile: Profile, at: datetime) -> ShippingOrder:
    parties = [_delivery(recipient, profile)]
    if request.organisation:
        name = text(request.organisation, profile.delimiters.separators, "N1*BY-02")
        parties.append(Party(("N1", profile.order.buyer, *(wrap(name, 60)[:1] or [""])), _pairs("N2", wrap(name, 60)[1:])))
    parties.append(_facility(request, profile))
    return ShippingOrder(
        w05=_w05(status, request, profile), parties=parties, items=[_item(line, profile, True) for line in request.lines], w76=_w76(request),
        n9=[row for reference in profile.order.references if (row := _reference(reference, request, profile))],
        g62=[("G62", qualifier, day) for qualifier, day in ((profile.order.placed_date, request.placed_on.replace("-", "")),
                                                            (profile.order.ship_date, f"{at:%Y%m%d}")) if qualifier],
        nte=_notes(recipient, profile), w66=_w66(request, profile))


def _w05(status: str, request: FulfilmentRequest, profile: Profile) -> Row:
    separators = profile.delimiters.separators
    if not request.reference:
        raise Unwritable("W05-02: the request has no reference")
    return ("W05", status, code(request.reference, 22, separators, "W05-02 (our reference)"),
            code(request.po_number, 22, separators, "W05-03 (PO number)"))


def _facility(request: FulfilmentRequest, profile: Profile) -> Party:
    facility = code(request.facility, 80, profile.delimiters.separators, "N1*WH-04 (facility)")
    return Party(("N1", profile.order.warehouse, "", profile.order.warehouse_id_qualifier, facility))


def _w76(request: FulfilmentRequest) -> Row:
    return ("W76", str(sum(line.quantity for line in request.lines)))


def _w66(request: FulfilmentRequest, profile: Profile) -> Row:
    separators = profile.delimiters.separators
    return ("W66", profile.order.payment, profile.order.mode, "", "", code(request.service, 35, separators, "W66-05 (service)"), "", "", "", "",
            code(request.carrier, 4, separators, "W66-10 (carrier)"))


def _delivery(recipient: Fields[str, str], profile: Profile) -> Party:
    """Company before person in N1; what does not fit moves on to N2 and N3, and is refused only when these are full too."""
    separators = profile.delimiters.separators

    def clean(name: str) -> str:
        return text(recipient.get(name, ""), separators, f"N1*ST ({name})")
    names = [line for name in (clean("company"), clean("name")) for line in wrap(name, 60)]
    if not names:
        raise Unwritable("N1*ST-02: the delivery address has neither name nor company")
    city, region, country = clean("city"), clean("region"), clean("country")
    streets = [line for street in (clean("street_1"), clean("street_2")) for line in wrap(street, 55)]
    if len(city) > 30:
        streets += wrap(city, 55)
        city = wrap(city, 30)[0]
    above = names[1:] + streets[:-4]  # the first lines move up, so that the label still reads from top to bottom
    if len(above) > 4:
        raise Unwritable("N2/N3: the delivery address has more lines than a 940 can hold")
    short = regions.code_of(region, country)
    place = ("", "") if short or not region else ("SP", "" if len(region) > 30 else region)
    if place == ("SP", ""):
        raise Unwritable("N4-06: the region has more than 30 characters")
    return Party(("N1", profile.order.ship_to, names[0]), _pairs("N2", above), _pairs("N3", streets[-4:]),
                 ("N4", at_least(city, 2), short, at_least(clean("postcode"), 3), at_least(country, 2), *place) if city or country else None,
                 _contact(recipient, clean("name"), separators))


def _contact(recipient: Fields[str, str], name: str, separators: Any) -> Row | None:
    """PER*CN; an e-mail address that X12 cannot carry unchanged is left out: the parcel does not need it, a wrong one does harm."""
    phone, email = text(digits(recipient.get("phone", "")), separators, "PER-04"), recipient.get("email", "").strip()
    try:
        email = code(email, 80, separators, "PER-06")
    except Unwritable:
        email = ""
    pairs = [pair for pair in (("TE", phone[:80]), ("EM", email)) if pair[1]]
    return ("PER", "CN", *(wrap(name, 60)[:1] or [""]), *(value for pair in pairs for value in pair)) if pairs else None


def _pairs(segment_id: str, lines: list[str]) -> list[Row]:
    return [(segment_id, *lines[start:start + 2]) for start in range(0, len(lines), 2)]


def _notes(recipient: Fields[str, str], profile: Profile) -> list[Row]:
    rows: list[Row] = []
    for name, qualifier in (("order_note", profile.order.order_note), ("gift_note", profile.order.gift_note)):
        note = text(recipient.get(name, ""), profile.delimiters.separators, f"NTE-02 ({name})")
        rows += [("NTE", qualifier, line) for line in wrap(note, 80)]
    if len(rows) > _MOST_NOTE_ROWS:
        raise Unwritable(f"NTE-02: the notes need {len(rows)} lines, at most {_MOST_NOTE_ROWS} are sent")
    return rows


def _reference(reference: Reference, request: FulfilmentRequest, profile: Profile) -> Row | None:
    if reference.field == "discount":
        value = to_major(request.discount_minor, request.currency) if request.discount_minor else ""
    elif reference.field == "order_total":
        value = to_major(request.order_total_minor, request.currency)
    else:
        value = str(getattr(request, reference.field))
    separators = profile.delimiters.separators
    label = code(reference.label, 45, separators, "N9-03")
    return ("N9", reference.qualifier, code(value, 30, separators, f"N9*{reference.qualifier} ({reference.field})"), label) if value else None


def _item(line: RequestLine, profile: Profile, is_full: bool) -> OrderedItem:
    separators, order = profile.delimiters.separators, profile.order
    barcode = order.barcode_qualifiers.get(len(line.barcode), "") if line.barcode.isascii() and line.barcode.isdigit() else ""
    sku = code(line.warehouse_sku, 48, separators, f"W01-05 (SKU of line {line.number})")
    w01 = ("W01", str(line.quantity), line.unit, "", order.sku_qualifier, sku, *((barcode, line.barcode) if barcode else ()))
    marks = [row for mark in order.line_marks if (is_full or mark.field == "number") and (row := _line_mark(mark, line, profile))]
    if not is_full:
        return OrderedItem(w01, n9=marks)
    try:
        name = text(line.name, separators, "G69")
    except Unwritable:
        name = ""  # the SKU says which item it is; a name that cannot be spelled must not hold the order
    value = ("AMT", order.value_code, to_major(line.value_minor, line.currency)) if line.value_minor else None
    return OrderedItem(w01, [("G69", piece) for piece in wrap(name, 45)[:5]], marks, value)


def _line_mark(mark: LineMark, line: RequestLine, profile: Profile) -> Row | None:
    value = ("Y" if line.is_gift else "") if mark.field == "is_gift" else str(getattr(line, mark.field))
    separators = profile.delimiters.separators
    label = code(mark.label, 45, separators, "N9-03")
    return ("N9", mark.qualifier, code(value, 30, separators, f"N9*{mark.qualifier} ({mark.field} of line {line.number})"), label) if value else None
