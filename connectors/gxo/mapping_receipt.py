"""944 -> rows of StockChanges or, for goods that a customer sent back, of ReturnLines; an inbound 180 -> ReturnLines. Pure. Raise Unsound."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from connectors.gxo.profile import Profile
from connectors.gxo.profile_stock import Receipts, ReturnAdvice
from connectors.gxo.reading import Unsound, facilities, facility, item_number, needed, unit, when, whole, whole_and_positive
from connectors.gxo.wire import Listing, first
from connectors.gxo.x12 import Group, Interchange, Segment, TransactionSet

Rows = list[dict[str, Any]]
NO_ROWS: Rows = []


def is_return(profile: Profile, document: TransactionSet) -> bool:
    """Whether a 944 tells of goods that a customer sent back: by its reporting code, or because it names an RMA."""
    header = Listing.read(document, "W07", "W14").header
    return header[0].at(1) in profile.receipts.return_codes or bool(first(profile.receipts.rma, header))


def receipt(warehouse: str, profile: Profile, interchange: Interchange, group: Group, document: TransactionSet) -> tuple[Rows, Rows]:
    """(rows of ReturnLines, rows of StockChanges) out of one 944 that has passed the map; the first is empty for a receipt of stock."""
    read, where = Listing.read(document, "W07", "W14"), profile.receipts
    code, returned = read.header[0].at(1), is_return(profile, document)
    if not returned and code not in where.codes:
        raise Unsound(f"segment {read.header[0].number} (W17 element 01): {code!r} is neither a receipt nor a return by the profile")
    _check_total(read, profile)
    received_at = when(where.received_at, read.header, profile, group)
    common = {"warehouse": warehouse, "document_id": needed("receipt number", where.document_id, read.header)}
    if returned:
        lines = [common | row for row in _returned(read, where, received_at)]
        return lines, sale_changes(lines, where.sale_grades, int(interchange.control))
    reference, around = first(where.reference, read.header), facilities(where.facility, read.header)
    return NO_ROWS, [common | {"line": number, "kind": "receipt", "facility": facility(where.facility, line, around),
                               "sku": item_number(line[0], where.sku_qualifiers), "unit": unit(line[0], 2), "change": _for_sale(line, where),
                               "reason": code, "reference": reference, "occurred_at": received_at, "sequence": int(interchange.control)}
                     for number, line in enumerate(read.lines, 1)]


def return_advice(warehouse: str, profile: Profile, where: ReturnAdvice, group: Group, document: TransactionSet) -> Rows:
    """Rows of ReturnLines out of one 180 that has passed the map."""
    read = Listing.read(document, "BLI")
    if not read.lines:
        raise Unsound(f"segment {read.header[0].number} (BGN): the return has no line (BLI)")
    common = {"warehouse": warehouse, "document_id": needed("document number", where.document_id, read.header), "rma": first(where.rma, read.header),
              "tracking_number": first(where.tracking, read.header), "received_at": when(where.received_at, read.header, profile, group)}
    around, references = facilities(where.facility, read.header), _references(where.reference, read.header)
    return [common | {"line": number, "reference": _order_reference(references, line, common["rma"]), "unit": unit(line[0], 4),
                      "request_line": first(where.request_line, line), "sku": item_number(line[0], where.sku_qualifiers), "quantity": _bli_units(line),
                      "grade": first(where.grade, line), "facility": facility(where.facility, line, around)}
            for number, line in enumerate(read.lines, 1)]


def sale_changes(returned: Rows, sale_grades: list[str], sequence: int) -> Rows:
    """What of a return goes back on sale at once, by its grade."""
    same = ("warehouse", "document_id", "line", "facility", "sku", "unit")
    return [{name: row[name] for name in same} | {"kind": "return", "change": row["quantity"], "reason": row["grade"],
                                                  "reference": row["rma"] or row["reference"], "occurred_at": row["received_at"], "sequence": sequence}
            for row in returned if row["grade"] in sale_grades and row["quantity"]]


def _returned(read: Listing, where: Receipts, received_at: Any) -> Iterator[dict[str, Any]]:
    """A row for each condition of each line."""
    rma, tracking, number = first(where.rma, read.header), first(where.tracking, read.header), 0
    around, references = facilities(where.facility, read.header), _references(where.return_reference, read.header)
    for line in read.lines:
        own, conditions = _split(line, where)
        apart = sum(units for _, units in conditions)
        parts = [(first(where.grade, own), _sound_units(own[0], apart, where)), *((first(where.grade, said), units) for said, units in conditions)]
        for grade, units in [part for part in parts if part[1]] or parts[:1]:
            number += 1
            yield {"line": number, "reference": _order_reference(references, own, rma), "rma": rma,
                   "request_line": first(where.request_line, own), "sku": item_number(own[0], where.sku_qualifiers), "quantity": units,
                   "unit": unit(own[0], 2), "grade": grade, "tracking_number": first(where.tracking, own) or tracking,
                   "facility": facility(where.facility, own, around), "received_at": received_at}


def _split(line: list[Segment], where: Receipts) -> tuple[list[Segment], list[tuple[list[Segment], int]]]:
    """The W07 with what belongs to it, and (segments, units) of each W13 that sets units apart. Its unit must be the line's."""
    bounds = [*(place for place, segment in enumerate(line) if segment.id == "W13"), len(line)]
    loops = [line[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
    conditions = [loop for loop in loops if loop[0].at(3) in where.apart_conditions]
    for loop in conditions:
        if unit(loop[0], 2) != unit(line[0], 2):
            raise Unsound(f"segment {loop[0].number} (W13 element 02): another unit than the line's")
    return line[:bounds[0]], [(loop, whole_and_positive(loop[0], 1)) for loop in conditions]


def _sound_units(w07: Segment, apart: int, where: Receipts) -> int:
    """The units of a line that no W13 sets apart."""
    units = whole_and_positive(w07, 1) - (apart if where.apart == "within" else 0)
    if units < 0:
        raise Unsound(f"segment {w07.number} (W07 element 01): its exceptions (W13) are more than it received")
    return units


def _for_sale(line: list[Segment], where: Receipts) -> int:
    own, conditions = _split(line, where)
    return _sound_units(own[0], sum(units for _, units in conditions), where)


def _references(paths: list[str], header: list[Segment]) -> dict[str, str]:
    """What the header says at each path."""
    return {path: first([path], header) for path in paths}


def _order_reference(around: dict[str, str], line: list[Segment], rma: str) -> str:
    """The order's reference: on the line, else in the header. The number of the return is none."""
    return next((found for path, said in around.items() if (found := first([path], line) or said) and found != rma), "")


def _bli_units(line: list[Segment]) -> int:
    """BLI-03, or what its QTY segments add up to; they must agree when both are there."""
    bli, quantities = line[0], [segment for segment in line if segment.id == "QTY"]
    listed = sum(whole_and_positive(segment, 2) for segment in quantities)
    units = whole_and_positive(bli, 3) if bli.at(3) else listed
    if quantities and units != listed:
        raise Unsound(f"segment {bli.number} (BLI element 03): it says {units}, its quantities (QTY) add up to {listed}")
    if not quantities and not bli.at(3):
        raise Unsound(f"segment {bli.number} (BLI element 03): no quantity")
    return units


def _check_total(read: Listing, profile: Profile) -> None:
    w14 = read.total
    if w14 is None or profile.receipts.total == "unchecked":
        return
    there = sum(whole(line[0], 1) for line in read.lines)
    if Decimal(w14.at(1)) != there:
        raise Unsound(f"segment {w14.number} (W14 element 01): it totals {w14.at(1)} units, the lines have {there}")
