"""What the partner sends -> rows of the contracts, and the 997 we owe for it. Pure. (Our 940 is in mapping_order.py.)

A set that breaks the 4010 map, or says something that cannot be true, becomes a message with errors and no rows; the sets beside
it are read all the same.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connectors.gxo.mapping_order import envelope
from connectors.gxo.profile import Profile
from connectors.gxo.wire import PAIRS, FunctionalAcknowledgement, Packed, ShippedItem, ShippingAdvice, first, values
from connectors.gxo.x12 import Group, Interchange, Segment, TransactionSet, moment
from connectors.gxo.x12_table import ELEMENTS, Fault, faults
from connectors.gxo.x12_write import Row, write
from connectors.ports import Message
from contracts.dispatches import Dispatches
from contracts.effects import Acknowledgement, SetAnswer

DISPATCHES, ACKNOWLEDGEMENT = "dispatches", "acknowledgement"
ACCEPTED = ("A", "E")  # AK5-01 and AK9-01: accepted, accepted with errors noted
GROUP_OF = {"940": "OW", "945": "SW", "997": "FA"}
SEGMENT_FAULTS = {"1": "unrecognised segment", "2": "unexpected segment", "3": "mandatory segment missing", "4": "loop too often",
                  "5": "segment too often", "6": "segment not in this set", "7": "segment out of order", "8": "errors in its elements"}
ELEMENT_FAULTS = {"1": "mandatory element missing", "2": "conditional element missing", "3": "too many elements", "4": "too short",
                  "5": "too long", "6": "invalid character", "7": "invalid code", "8": "invalid date", "9": "invalid time", "10": "exclusion broken"}
_QUANTITY = re.compile(r"([0-9]{1,10})(\.0*)?")


class Unsound(ValueError):
    """A set says something that cannot be true; the text names segment and reason."""


def group_messages(warehouse: str, profile: Profile, interchange: Interchange, group: Group) -> list[Message]:
    """One message a set. The first carries the acknowledgement that we owe for the group (never for a 997)."""
    messages, answers = [], []
    for document in group.sets:
        message, answer = _set_message(warehouse, profile, interchange, group, document)
        messages.append(message)
        answers.append(answer)
    if group.code == "FA" or not profile.wants_acknowledgements:
        return messages
    accepted = sum(a.accepted for a in answers)
    status = "R" if not accepted else "P" if accepted < len(answers) else "E" if any(a.codes for a in answers) else "A"
    owed = Acknowledgement(warehouse=warehouse, partner_control=interchange.control, group_code=group.code, group_number=group.control, status=status,
                           sets=answers)
    head = messages[0]
    return [Message(head.key, head.kind, head.sent_at, head.dispatches, head.acknowledgements, head.errors, owed.model_dump()), *messages[1:]]


def note_messages(profile: Profile, interchange: Interchange) -> list[Message]:
    """TA1 segments: the partner refused, or took, a whole interchange of ours before looking into it."""
    messages = []
    for place, ta1 in enumerate(interchange.notes, start=1):
        number, code = ta1.at(1), ta1.at(4)
        right = re.fullmatch(r"[0-9]{9}", number) and code in ("A", "E", "R")
        said = [{"number": int(number), "accepted": code != "R", "code": f"TA1 {code}", "reason": "" if code == "A" else f"interchange note {ta1.at(5)[:3]}"}]
        messages.append(Message(f"{interchange.sender}|{interchange.control}|TA1|{place}", ACKNOWLEDGEMENT, _sent_at(interchange, profile),
                                acknowledgements=said if right else [], errors=[] if right else [f"segment {ta1.number} (TA1): cannot be read"]))
    return messages


def acknowledgement_document(answer: Acknowledgement, profile: Profile, control: int, at: datetime) -> bytes:
    """The interchange with our 997. Raises Unwritable."""
    rows: list[Row] = [("AK1", answer.group_code, answer.group_number)]
    for one in answer.sets:
        verdict = "R" if not one.accepted else "E" if one.codes else "A"
        rows += [("AK2", one.set_id, one.set_number), ("AK5", verdict, *(one.codes or ([] if one.accepted else ["5"]))[:5])]
    count = str(len(answer.sets))
    rows.append(("AK9", answer.status, count, count, str(sum(one.accepted for one in answer.sets))))
    return write(envelope(profile, control, at), "FA", [("997", rows)])


def _set_message(warehouse: str, profile: Profile, interchange: Interchange, group: Group, document: TransactionSet) -> tuple[Message, SetAnswer]:
    kind = ACKNOWLEDGEMENT if document.set_id == "997" else DISPATCHES
    key = "|".join((interchange.sender, interchange.control, group.control, document.control))
    found = _faults(profile, group, document)
    serious, notes = [f for f in found if not f.is_note], [f for f in found if f.is_note]
    errors = [f"set {document.set_id} {document.control}: {fault}" for fault in serious[:20]]
    rows: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    if not errors:
        try:
            if kind == ACKNOWLEDGEMENT:
                said = acknowledgements(document)
            else:
                rows = dispatch_rows(warehouse, profile, group, document)
        except Unsound as why:
            errors = [f"set {document.set_id} {document.control}: {why}"]
    codes = ["1"] if serious and document.set_id != "945" else ["5"] if errors or notes else []
    message = Message(key, kind, _sent_at(interchange, profile), Dispatches.frame(rows) if kind == DISPATCHES and not errors else None, said, errors)
    return message, SetAnswer(set_id=document.set_id, set_number=document.control, accepted=not errors, codes=codes)


def _faults(profile: Profile, group: Group, document: TransactionSet) -> list[Fault]:
    if document.set_id not in ("945", "997"):
        return [Fault(1, "ST", "6", f"set {document.set_id} is not one that this partner sends us")]
    if group.code != GROUP_OF[document.set_id]:
        return [Fault(1, "ST", "6", f"a {document.set_id} does not belong into a group of code {group.code[:2]}")]
    if group.version[:6] != profile.version:
        return [Fault(1, "ST", "1", f"version {group.version[:12]!r}, we read {profile.version}")]
    return faults(document.set_id, document.segments, frozenset(profile.advice.ignore_segments) if document.set_id == "945" else frozenset())


def _sent_at(interchange: Interchange, profile: Profile) -> datetime | None:
    return _utc(moment(interchange.date, interchange.time), profile)


def _utc(naive: datetime | None, profile: Profile) -> datetime | None:
    return naive.replace(tzinfo=ZoneInfo(profile.timezone)).astimezone(UTC) if naive else None




def acknowledgements(document: TransactionSet) -> list[dict[str, Any]]:
    """The partner's word on one group of ours: [{number, accepted, code, reason}]. `number` is our GS06. Raises Unsound."""
    read = FunctionalAcknowledgement.read(document)
    if read.ak1.at(1) not in GROUP_OF.values():
        raise Unsound(f"segment {read.ak1.number} (AK1): we never sent a group of code {read.ak1.at(1)}")
    verdicts = [one.ak5.at(1) if one.ak5 else "" for one in read.sets]
    if "" in verdicts:
        raise Unsound(f"segment {read.sets[verdicts.index('')].ak2.number} (AK2): no AK5 says whether the set was accepted")
    group = read.ak9.at(1)
    accepted = group in ACCEPTED and all(v in ACCEPTED for v in verdicts) or group == "P" and bool(verdicts) and all(v in ACCEPTED for v in verdicts)
    reasons = [reason for one in read.sets for reason in _reasons([*one.faults, *([one.ak5] if one.ak5 else [])])]
    reasons += [f"group error {read.ak9.at(p)}" for p in range(5, 10) if read.ak9.at(p)]
    return [{"number": int(read.ak1.at(2)), "accepted": accepted, "code": next((v for v in verdicts if v not in ACCEPTED), group), "reason": "; ".join(reasons)}]


def _reasons(segments: list[Segment]) -> Iterator[str]:
    """AK3, AK4 and AK5 in words. The copy of the bad value (AK4-04) is left out: it may be somebody's name."""
    for segment in segments:
        if segment.id == "AK3":
            yield f"segment {segment.at(2)} ({segment.at(1)}): {SEGMENT_FAULTS.get(segment.at(4), 'no reason given')}"
        elif segment.id == "AK4":
            yield f"element {segment.at(1)}: {ELEMENT_FAULTS.get(segment.at(3), 'no reason given')}"
        elif segment.id == "AK5":
            yield from (f"set error {segment.at(p)}" for p in range(2, 7) if segment.at(p))




def dispatch_rows(warehouse: str, profile: Profile, group: Group, document: TransactionSet) -> list[dict[str, Any]]:
    """Rows of the contract Dispatches out of one 945 that has passed the map. Raises Unsound."""
    advice = ShippingAdvice.read(document)
    where = profile.advice
    common = {"warehouse": warehouse, "advice_id": first(where.advice_id, advice.header), "reference": first(where.reference, advice.header),
              "facility": first(where.facility, advice.header), "shipped_at": _shipped_at(advice, profile, group)}
    for name in ("advice_id", "reference"):
        if not common[name]:
            raise Unsound(f"segment {advice.header[0].number} (W06): no {name.replace('_', ' ')} at {' or '.join(getattr(where, name))}")
    rows = [common | row for packed in advice.packed for row in _packed_rows(packed, advice.header, profile)]
    if not rows:
        raise Unsound(f"segment {advice.header[0].number} (W06): the advice has no line (W12)")
    _check_total(advice, rows, profile)
    return rows


def _shipped_at(advice: ShippingAdvice, profile: Profile, group: Group) -> datetime:
    for path in profile.advice.shipped_at:
        for value in values(path, advice.header):
            time = next((s.at(4) for s in advice.header if s.id == "G62" and s.at(2) == value), "") if path.startswith("G62*") else ""
            at = _utc(moment(value, time), profile)
            if at is None:
                raise Unsound(f"{path}: not a date")
            return at
    at = _utc(moment(group.date, group.time), profile)
    assert at is not None, "the envelope was checked"
    return at


def _packed_rows(packed: Packed, header: list[Segment], profile: Profile) -> Iterator[dict[str, Any]]:
    """The rows of one LX. Where it names several packages, its units are spread over them in order, as evenly as whole units go:
    the totals are what the partner said, and every tracking number reaches the customer."""
    packages = _packages(packed.segments, profile)
    lines = [_line(item, packed, header, profile) for item in packed.items]
    if len(packages) < 2 or any(line["tracking_number"] for line in lines):
        package = packages[0] if packages else _package(packed, header, profile)
        for line in lines:
            yield line | _of_line(line, package, packed)
        return
    room = _shares(sum(line["quantity"] for line in lines), len(packages))
    for line in lines:
        left = line["quantity"]
        if not left:
            yield line | _of_line(line, packages[0], packed)
        for place, package in enumerate(packages):
            take = min(left, room[place])
            if take:
                room[place], left = room[place] - take, left - take
                yield line | package | {"quantity": take}
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


def _package(packed: Packed, header: list[Segment], profile: Profile) -> dict[str, str]:
    """The package of an LX that names none: the header's tracking number, else its place in the advice."""
    tracking = first(profile.advice.tracking, header)
    return {"package_id": tracking or f"LX{packed.lx.at(1)}", "tracking_number": tracking}


def _of_line(line: dict[str, Any], package: dict[str, str], packed: Packed) -> dict[str, str]:
    """What a line says of its package itself goes first. What was not shipped is in no package."""
    if not line["quantity"]:
        return {"package_id": f"LX{packed.lx.at(1)}", "tracking_number": ""}
    if line["tracking_number"]:
        return {"package_id": line["package_id"] or line["tracking_number"], "tracking_number": line["tracking_number"]}
    tracking = package["tracking_number"]
    return {"package_id": package["package_id"], "tracking_number": tracking}


def _line(item: ShippedItem, packed: Packed, header: list[Segment], profile: Profile) -> dict[str, Any]:
    where, w12 = profile.advice, item.w12
    levels = [[w12, *item.segments], packed.segments, header]

    def nearest(paths: list[str]) -> str:
        return next((value for level in levels if (value := first(paths, level))), "")
    pairs = [(w12.at(name), w12.at(value)) for name, value in PAIRS["W12"]]
    sku = next((value for qualifier in where.sku_qualifiers for name, value in pairs if name == qualifier and value), "")
    if not sku:
        raise Unsound(f"segment {w12.number} (W12): no item number with qualifier {' or '.join(where.sku_qualifiers)}")
    return {"sku": sku, "quantity": _shipped(w12), "unit": w12.at(5), "line_status": w12.at(1), "carrier": nearest(where.carrier),
            "service": nearest(where.service), "request_line": first(where.request_line, levels[0]),
            "tracking_number": first(where.tracking, levels[0]), "package_id": first(where.package_id, levels[0])}


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
    shipped = [row for row in rows if row["quantity"]]
    there = sum(row["quantity"] for row in shipped) if counts == "units" else len({row["package_id"] for row in rows if row["tracking_number"] or row["quantity"]})
    if Decimal(w03.at(1)) != there:
        raise Unsound(f"segment {w03.number} (W03 element 01): it totals {w03.at(1)} {counts}, the lines have {there}")


assert set(ELEMENT_FAULTS) >= ELEMENTS["723"].codes and set(SEGMENT_FAULTS) >= ELEMENTS["720"].codes
