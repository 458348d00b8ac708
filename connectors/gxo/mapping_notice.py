"""What we announce -> the 180 (an approved return) and the 943 (stock on its way). Pure: the same payload, number and time give the same bytes.

Codes go through unchanged or the notice is refused; there is no personal data in either.
"""

from datetime import datetime

from connectors.gxo.mapping_order import envelope, trimmed
from connectors.gxo.profile import Profile
from connectors.gxo.x12 import Segment, Separators
from connectors.gxo.x12_table import faults
from connectors.gxo.x12_write import Row, Unwritable, code, text, wrap, write
from contracts.effects import NoticeLine, ReceiptNotice, ReturnNotice

_QUANTITY_MAX = 9_999_999_999


def return_document(notice: ReturnNotice, profile: Profile, control: int, at: datetime) -> bytes:
    """The interchange with one 180: its primary reference (BGN-02) is the RMA number. Raises Unwritable."""
    separators, said = profile.delimiters.separators, profile.notices
    rows: list[Row] = [("BGN", "00", code(notice.rma, 30, separators, "BGN-02 (RMA number)"), notice.approved_on.replace("-", ""))]
    if notice.reference:
        rows.append(("N9", said.order_reference, code(notice.reference, 30, separators, f"N9*{said.order_reference} (the order's reference)")))
    rows.append(_place(said.return_to, notice.facility, profile))
    for line in notice.lines:
        rows += [("BLI", profile.order.sku_qualifier, _sku(line, "BLI-02", separators), str(line.quantity), line.unit),
                 ("N9", said.line_number, str(line.number)), *(("NTE", said.line_reason, piece) for piece in _reason(line, separators)),
                 ("QTY", said.returned, str(line.quantity))]
    return _written("180", "AN", rows, profile, control, at)


def receipt_document(notice: ReceiptNotice, profile: Profile, control: int, at: datetime) -> bytes:
    """The interchange with one 943; its receipt (944) echoes W06-02 in W17-04. Raises Unwritable."""
    separators, said = profile.delimiters.separators, profile.notices
    carrier = code(notice.carrier, 4, separators, "W27-02 (carrier)")
    rows: list[Row] = [("W06", "N", code(notice.reference, 22, separators, "W06-02 (our reference)"), f"{at:%Y%m%d}"),
                       _place(said.warehouse, notice.facility, profile), ("G62", said.expected_date, notice.expected_on.replace("-", "")),
                       ("W27", said.mode, carrier, "" if carrier else said.no_carrier)]
    for line in notice.lines:
        rows += [("W04", str(line.quantity), line.unit, "", profile.order.sku_qualifier, _sku(line, "W04-05", separators)),
                 ("N9", said.line_number, str(line.number))]
    total = sum(line.quantity for line in notice.lines)
    if total > _QUANTITY_MAX:
        raise Unwritable("W03-01: the total has more than ten digits")
    return _written("943", "AR", [*rows, ("W03", str(total))], profile, control, at)


def _sku(line: NoticeLine, where: str, separators: Separators) -> str:
    return code(line.warehouse_sku, 48, separators, f"{where} (SKU of line {line.number})")


def _reason(line: NoticeLine, separators: Separators) -> list[str]:
    """In pieces that fit; left out when it cannot be spelled, as it must not hold the notice."""
    try:
        return wrap(text(line.reason, separators, "NTE-02"), 80)
    except Unwritable:
        return []


def _place(qualifier: str, facility: str, profile: Profile) -> Row:
    return ("N1", qualifier, "", profile.order.warehouse_id_qualifier, code(facility, 80, profile.delimiters.separators, f"N1*{qualifier}-04 (facility)"))


def _written(set_id: str, group: str, rows: list[Row], profile: Profile, control: int, at: datetime) -> bytes:
    broken = faults(set_id, [Segment(0, row[0], trimmed(row)) for row in rows])
    if broken:
        raise Unwritable("; ".join(map(str, broken[:3])))
    return write(envelope(profile, control, at), group, [(set_id, rows)])
