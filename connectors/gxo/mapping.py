"""What the partner sends -> rows of the contracts, and the 997 we owe for it. Pure. (The rows of each set are in mapping_advice.py,
mapping_stock.py and mapping_receipt.py; what we write in mapping_order.py and mapping_notice.py.)

A set that breaks the 4010 map, or says something that cannot be true, becomes a message with errors and no rows; the sets beside
it are read all the same.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pandas as pd

from connectors.gxo.mapping_advice import dispatch_rows
from connectors.gxo.mapping_order import envelope
from connectors.gxo.mapping_receipt import receipt, return_advice
from connectors.gxo.mapping_stock import adjustments, stock_levels
from connectors.gxo.profile import Profile
from connectors.gxo.reading import Unsound, utc
from connectors.gxo.wire import FunctionalAcknowledgement
from connectors.gxo.x12 import Group, Interchange, Segment, TransactionSet, moment
from connectors.gxo.x12_table import ELEMENTS, Fault, faults
from connectors.gxo.x12_write import Row, write
from connectors.ports import Message
from contracts.base import Contract
from contracts.dispatches import Dispatches
from contracts.effects import Acknowledgement, SetAnswer
from contracts.returns import ReturnLines
from contracts.stock import StockChanges, StockLevels

DISPATCHES, ACKNOWLEDGEMENT, STOCK_LEVELS, STOCK_CHANGES, RETURNS = "dispatches", "acknowledgement", "stock_levels", "stock_changes", "returns"
CONTRACTS = {DISPATCHES: Dispatches, STOCK_LEVELS: StockLevels, STOCK_CHANGES: StockChanges, RETURNS: ReturnLines}
ACCEPTED = ("A", "E")  # AK5-01 and AK9-01: accepted, accepted with errors noted
GROUP_OF = {"180": "AN", "846": "IB", "944": "RE", "945": "SW", "947": "AW", "997": "FA"}
KIND_OF = {"180": RETURNS, "846": STOCK_LEVELS, "944": STOCK_CHANGES, "945": DISPATCHES, "947": STOCK_CHANGES, "997": ACKNOWLEDGEMENT}
SENT_GROUPS = ("OW", "FA", "AN", "AR")
NOT_READ = {"180": "returns, without return_advice in the profile", "943": "inbound advice"}
SEGMENT_FAULTS = {"1": "unrecognised segment", "2": "unexpected segment", "3": "mandatory segment missing", "4": "loop too often",
                  "5": "segment too often", "6": "segment not in this set", "7": "segment out of order", "8": "errors in its elements"}
ELEMENT_FAULTS = {"1": "mandatory element missing", "2": "conditional element missing", "3": "too many elements", "4": "too short",
                  "5": "too long", "6": "invalid character", "7": "invalid code", "8": "invalid date", "9": "invalid time", "10": "exclusion broken"}


def group_messages(warehouse: str, profile: Profile, interchange: Interchange, group: Group) -> list[Message]:
    """One message a set. The first carries the acknowledgement that we owe for the group (never for a 997)."""
    read = [_read_set(warehouse, profile, interchange, group, document) for document in group.sets]
    owed = None if group.code == "FA" or not profile.wants_acknowledgements else _owed(warehouse, interchange, group, [one.answer for one in read])
    read, sent_at = _joined(read), utc(moment(interchange.date, interchange.time), profile)
    tables = {name: iter(_frames(contract, [one.rows.get(name) for one in read])) for name, contract in CONTRACTS.items()}
    return [Message(one.key, one.kind, sent_at, acknowledgements=one.said, errors=one.errors, answer=None if place else owed, is_whole=one.is_whole,
                    **{name: next(frames) for name, frames in tables.items()})
            for place, one in enumerate(read)]


def note_messages(profile: Profile, interchange: Interchange) -> list[Message]:
    """TA1 segments: the partner refused, or took, a whole interchange of ours before looking into it."""
    messages, sent_at = [], utc(moment(interchange.date, interchange.time), profile)
    for place, ta1 in enumerate(interchange.notes, start=1):
        number, code = ta1.at(1), ta1.at(4)
        right = re.fullmatch(r"[0-9]{9}", number) and code in ("A", "E", "R")
        note = "" if code == "A" else f"interchange note {re.sub('[^0-9]', '', ta1.at(5))[:3]}"
        said = [{"number": int(number), "accepted": code != "R", "code": f"TA1 {code}", "reason": note}] if right else []
        errors = [] if right else [f"segment {ta1.number} (TA1): cannot be read"]
        key = f"{interchange.sender}|{interchange.control}|TA1|{place}"
        messages.append(Message(key, ACKNOWLEDGEMENT, sent_at, acknowledgements=said, errors=errors))
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


@dataclass(frozen=True)
class _ReadSet:
    """One set, read. rows: by the name of their frame in the message; none of a set with errors."""

    key: str
    kind: str
    answer: SetAnswer
    errors: list[str] = field(default_factory=list)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)
    is_whole: bool = False
    part_of: tuple[str, ...] = ()


def _read_set(warehouse: str, profile: Profile, interchange: Interchange, group: Group, document: TransactionSet) -> _ReadSet:
    found = _faults(profile, group, document)
    serious, notes = [f for f in found if not f.is_note], [f for f in found if f.is_note]
    errors = [f"set {document.set_id} {document.control}: {fault.told(document.start)}" for fault in serious[:20]]
    said: dict[str, Any] = {}
    if not errors:
        try:
            said = _said(warehouse, profile, interchange, group, document)
        except Unsound as why:
            errors = [f"set {document.set_id} {document.control}: {why}"]
    kind = RETURNS if RETURNS in said.get("rows", ()) else KIND_OF.get(document.set_id, DISPATCHES)
    codes = ["1"] if not _is_read(profile, document.set_id) else ["5"] if errors or notes else []
    key = "|".join((interchange.sender, interchange.control, group.control, document.control))
    answer = SetAnswer(set_id=document.set_id, set_number=document.control, accepted=not errors, codes=codes)
    return _ReadSet(key, kind, answer, errors, **said)


def _said(warehouse: str, profile: Profile, interchange: Interchange, group: Group, document: TransactionSet) -> dict[str, Any]:
    """What a set that has passed the map says. Raises Unsound."""
    if document.set_id == "997":
        return {"said": acknowledgements(document)}
    if document.set_id == "846":
        statement = stock_levels(warehouse, profile, interchange, group, document)
        return {"rows": {STOCK_LEVELS: statement.rows}, "is_whole": statement.is_whole, "part_of": statement.part_of}
    if document.set_id == "947":
        return {"rows": {STOCK_CHANGES: adjustments(warehouse, profile, interchange, group, document)}}
    if document.set_id == "944":
        returned, changed = receipt(warehouse, profile, interchange, group, document)
        return {"rows": ({RETURNS: returned} if returned else {}) | ({STOCK_CHANGES: changed} if changed else {})}
    if document.set_id == "180":
        assert profile.return_advice, "a 180 passes the map only by the profile"
        return {"rows": {RETURNS: return_advice(warehouse, profile, profile.return_advice, group, document)}}
    return {"rows": {DISPATCHES: dispatch_rows(warehouse, profile, group, document)}}


def _joined(read: list[_ReadSet]) -> list[_ReadSet]:
    """A statement in several sets (a set holds 10,000 lines) is whole when all of them are sound: then the first carries all rows. Of one that
    lacks a part nothing is whole."""
    parts: dict[tuple[str, ...], list[_ReadSet]] = {}
    for one in read:
        if one.is_whole:
            parts.setdefault(one.part_of, []).append(one)
    is_broken = any(one.errors and one.kind == STOCK_LEVELS for one in read)
    changed: dict[str, _ReadSet] = {}
    for those in parts.values():
        rows = [row for one in those for row in one.rows[STOCK_LEVELS]]
        if is_broken:
            changed |= {one.key: replace(one, is_whole=False) for one in those}
        elif len(those) > 1:
            changed |= {one.key: replace(one, is_whole=False, rows={STOCK_LEVELS: []}) for one in those[1:]}
            changed[those[0].key] = replace(those[0], rows={STOCK_LEVELS: rows})
    return [changed.get(one.key, one) for one in read]


def _frames(contract: type[Contract], read: list[list[dict[str, Any]] | None]) -> list[pd.DataFrame | None]:
    """Each one's rows as a frame, None where it has none to give. One frame is made for all of them: making one costs milliseconds."""
    if all(rows is None for rows in read):
        return [None] * len(read)
    frame, at, frames = contract.frame(row for rows in read for row in rows or []), 0, []
    for rows in read:
        frames.append(None if rows is None else frame.iloc[at:at + len(rows)].reset_index(drop=True))
        at += len(rows or [])
    return frames


def _owed(warehouse: str, interchange: Interchange, group: Group, answers: list[SetAnswer]) -> dict[str, Any]:
    accepted = sum(a.accepted for a in answers)
    status = "R" if not accepted else "P" if accepted < len(answers) else "E" if any(a.codes for a in answers) else "A"
    return Acknowledgement(warehouse=warehouse, partner_control=interchange.control, group_code=group.code, group_number=group.control, status=status,
                           sets=answers).model_dump()


def _is_read(profile: Profile, set_id: str) -> bool:
    return set_id in GROUP_OF and (set_id != "180" or profile.return_advice is not None)


def _faults(profile: Profile, group: Group, document: TransactionSet) -> list[Fault]:
    if not _is_read(profile, document.set_id):
        known = NOT_READ.get(document.set_id)
        return [Fault(1, "ST", "6", f"set {document.set_id} is not {f'read ({known})' if known else 'one that this partner sends us'}")]
    if group.code != GROUP_OF[document.set_id]:
        return [Fault(1, "ST", "6", f"a {document.set_id} does not belong into a group of code {group.code[:2]}")]
    if group.version[:6] != profile.version:
        return [Fault(1, "ST", "1", f"version {group.version[:12]!r}, we read {profile.version}")]
    sections = {"180": profile.return_advice, "846": profile.stock, "944": profile.receipts, "945": profile.advice, "947": profile.adjustments}
    section = sections.get(document.set_id)
    return faults(document.set_id, document.segments, frozenset(section.ignore_segments) if section else frozenset())


def acknowledgements(document: TransactionSet) -> list[dict[str, Any]]:
    """The partner's word on one group of ours: [{number, accepted, code, reason}]. `number` is our GS06. Raises Unsound."""
    read = FunctionalAcknowledgement.read(document)
    if read.ak1.at(1) not in SENT_GROUPS:  # another group's number would be taken for one of ours
        raise Unsound(f"segment {read.ak1.number} (AK1): we never sent a group of code {read.ak1.at(1)}")
    verdicts = [one.ak5.at(1) if one.ak5 else "" for one in read.sets]
    if "" in verdicts:
        raise Unsound(f"segment {read.sets[verdicts.index('')].ak2.number} (AK2): no AK5 says whether the set was accepted")
    group = read.ak9.at(1)
    if group in ACCEPTED and int(read.ak9.at(4)) < int(read.ak9.at(3)):
        raise Unsound(f"segment {read.ak9.number} (AK9): it accepts the group, and {read.ak9.at(4)} of {read.ak9.at(3)} sets")
    accepted = group in ACCEPTED and all(v in ACCEPTED for v in verdicts) or group == "P" and bool(verdicts) and all(v in ACCEPTED for v in verdicts)
    reasons = [reason for one in read.sets for reason in _reasons([*one.faults, *([one.ak5] if one.ak5 else [])])]
    reasons += [f"group error {read.ak9.at(p)}" for p in range(5, 10) if read.ak9.at(p)]
    code = next((v for v in verdicts if v not in ACCEPTED), group)
    return [{"number": int(read.ak1.at(2)), "accepted": accepted, "code": code, "reason": "; ".join(reasons)}]


def _reasons(segments: list[Segment]) -> Iterator[str]:
    """AK3, AK4 and AK5 in words. The copy of the bad value (AK4-04) is left out: it may be somebody's name."""
    for segment in segments:
        if segment.id == "AK3":
            yield f"segment {segment.at(2)} ({segment.at(1)}): {SEGMENT_FAULTS.get(segment.at(4), 'no reason given')}"
        elif segment.id == "AK4":
            place = re.match(r"[0-9]{1,2}", segment.at(1))  # a composite by 4010, and free text in the hands of some
            yield f"element {place[0] if place else 'not numbered'}: {ELEMENT_FAULTS.get(segment.at(3), 'no reason given')}"
        elif segment.id == "AK5":
            yield from (f"set error {segment.at(p)}" for p in range(2, 7) if segment.at(p))


assert set(ELEMENT_FAULTS) >= ELEMENTS["723"].codes and set(SEGMENT_FAULTS) >= ELEMENTS["720"].codes
