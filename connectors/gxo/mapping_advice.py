"""A 945 -> rows of the contract Dispatches, by the partner profile. Pure."""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.gxo.profile import Profile
from connectors.gxo.reading import Unsound, item_number, utc
from connectors.gxo.wire import Packed, ShippedItem, ShippingAdvice, first, values
from connectors.gxo.x12 import Group, Segment, TransactionSet, moment

_QUANTITY = re.compile(r"([0-9]{1,10})(\.0*)?")


def dispatch_rows(warehouse: str, profile: Profile, group: Group, document: TransactionSet) -> list[dict[str, Any]]:
    """Rows of the contract Dispatches out of one 945 that has passed the map. Raises Unsound."""
    advice = ShippingAdvice.read(document)
    where = profile.advice
    common = {"warehouse": warehouse, "advice_id": first(where.advice_id, advice.header), "reference": first(where.reference, advice.header),
              "facility": first(where.facility, advice.header), "shipped_at": _shipped_at(advice, profile, group)}
    for name in ("advice_id", "reference"):
        if not common[name]:
            raise Unsound(f"segment {advice.header[0].number} (W06): no {name.replace('_', ' ')} at {' or '.join(getattr(where, name))}")
    header = _said(advice.header, profile)
    rows = [common | row for packed in advice.packed for row in _packed_rows(packed, header, profile)]
    if not rows:
        raise Unsound(f"segment {advice.header[0].number} (W06): the advice has no line (W12)")
    _check_total(advice, rows, profile)
    return rows


def _shipped_at(advice: ShippingAdvice, profile: Profile, group: Group) -> datetime:
    for path in profile.advice.shipped_at:
        for value in values(path, advice.header):
            time = next((s.at(4) for s in advice.header if s.id == "G62" and s.at(2) == value), "") if path.startswith("G62*") else ""
            at = utc(moment(value, time or (group.time if value == group.date else "")), profile)
            if at is None:
                raise Unsound(f"{path}: not a date")
            return at
    at = utc(moment(group.date, group.time), profile)
    if at is None:
        raise Unsound(f"segment {advice.header[0].number} (W06): neither {' nor '.join(profile.advice.shipped_at)} nor GS04 gives a date")
    return at


def _said(segments: list[Segment], profile: Profile) -> dict[str, str]:
    """What one level (line, LX or header) says of carrier, service and tracking."""
    where = profile.advice
    return {"carrier": first(where.carrier, segments), "service": first(where.service, segments), "tracking_number": first(where.tracking, segments)}


def _packed_rows(packed: Packed, header: dict[str, str], profile: Profile) -> Iterator[dict[str, Any]]:
    """The rows of one LX; `header` is what the header says. Where it names several packages, its units are spread over them in order,
    as evenly as whole units go: the totals are what the partner said, and every tracking number reaches the customer."""
    packages = _packages(packed.segments, profile)
    around = {name: value or header[name] for name, value in _said(packed.segments, profile).items()}  # once an LX: both may be very long
    lines = [_line(item, around, profile) for item in packed.items]
    if len(packages) < 2 or any(line["tracking_number"] for line in lines):
        package = packages[0] if packages else {"package_id": "", "tracking_number": ""}
        tracking = package["tracking_number"] or header["tracking_number"]
        package = {"package_id": package["package_id"] or tracking or f"LX{packed.lx.at(1)}", "tracking_number": tracking}
        for line in lines:
            yield line | _of_line(line, package, packed)
        return
    room, place = _shares(sum(line["quantity"] for line in lines), len(packages)), 0
    for line in lines:
        left = line["quantity"]
        if not left:
            yield line | _of_line(line, packages[0], packed)
        while left:
            take = min(left, room[place])
            yield line | packages[place] | {"quantity": take}
            room[place], left = room[place] - take, left - take
            place += not room[place]
    shipped = [line for line in lines if line["quantity"]]
    for package in packages[sum(line["quantity"] for line in lines):] if shipped else []:
        yield shipped[-1] | package | {"quantity": 0}  # more parcels than units: one unit in several boxes


def _shares(units: int, packages: int) -> list[int]:
    return [units // packages + (place < units % packages) for place in range(packages)]


def _packages(segments: list[Segment], profile: Profile) -> list[dict[str, str]]:
    """The packages that an LX names by itself: the k-th package id goes with the k-th tracking number."""
    trackings = next((found for path in profile.advice.tracking if (found := values(path, segments))), [])
    ids = next((found for path in profile.advice.package_id if (found := values(path, segments))), [])
    trackings, ids = list(dict.fromkeys(trackings)), list(dict.fromkeys(ids))
    if len(ids) != len(trackings) and trackings and ids:
        if len(trackings) > 1 and len(ids) > 1:
            raise Unsound(f"segment {segments[0].number} ({segments[0].id}): {len(ids)} package ids and {len(trackings)} tracking numbers in one LX")
        if len(trackings) == 1:
            trackings = trackings * len(ids)
        else:
            ids = []  # one carton label over several parcels: the parcels count
    count = max(len(ids), len(trackings))
    trackings = trackings or [""] * count
    return [{"package_id": ids[k] if ids else trackings[k], "tracking_number": trackings[k]} for k in range(count)]


def _of_line(line: dict[str, Any], package: dict[str, str], packed: Packed) -> dict[str, str]:
    """What a line says of its package itself goes first. What was not shipped is in no package."""
    if not line["quantity"]:
        return {"package_id": f"LX{packed.lx.at(1)}", "tracking_number": ""}
    if line["tracking_number"]:
        return {"package_id": line["package_id"] or line["tracking_number"], "tracking_number": line["tracking_number"]}
    return package


def _line(item: ShippedItem, around: dict[str, str], profile: Profile) -> dict[str, Any]:
    where, w12 = profile.advice, item.w12
    segments = [w12, *item.segments]
    own = _said(segments, profile)
    return {"sku": item_number(w12, where.sku_qualifiers), "quantity": _shipped(w12), "unit": w12.at(5), "line_status": w12.at(1),
            "carrier": own["carrier"] or around["carrier"], "service": own["service"] or around["service"],
            "request_line": first(where.request_line, segments), "tracking_number": own["tracking_number"],
            "package_id": first(where.package_id, segments)}


def _shipped(w12: Segment) -> int:
    """W12-03; where it is empty, ordered less difference. Whole and not negative, or Unsound."""
    def whole(position: int) -> int | None:
        found = _QUANTITY.fullmatch(w12.at(position))
        return int(found[1]) if found else None
    if w12.at(3):
        shipped = whole(3)
    else:
        ordered, difference = whole(2), whole(4)
        shipped = ordered - difference if ordered is not None and difference is not None and difference <= ordered else None
    if shipped is None:
        raise Unsound(f"segment {w12.number} (W12 element 03): not a whole quantity of 0 or more")
    return shipped


def _check_total(advice: ShippingAdvice, rows: list[dict[str, Any]], profile: Profile) -> None:
    w03, counts = advice.w03, profile.advice.total
    if w03 is None or counts == "unchecked":
        return
    packages = {row["package_id"] for row in rows if row["tracking_number"] or row["quantity"]}
    there = sum(row["quantity"] for row in rows) if counts == "units" else len(packages)
    if Decimal(w03.at(1)) != there:
        raise Unsound(f"segment {w03.number} (W03 element 01): it totals {w03.at(1)} {counts}, the lines have {there}")
