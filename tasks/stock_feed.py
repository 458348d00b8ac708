"""Take in what a warehouse says of its stock: statements into the positions, documents between them into the ledger.

The positions are merged and written before the file's transaction (no file is touched inside one); the transaction then moves the feed on, if it
still is where it was read. What nobody can believe changes nothing: absurd rows, a statement that lost most of its stock, one from the future.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd

from connectors.house import House
from connectors.kit.errors import WharfingerError
from connectors.ledger.ledger import Row, Tx
from connectors.ports import Message
from connectors.snapshots.positions import Known, Merging, Positions, Version, merging, positions_of, source_of
from contracts.base import WHY, rows_of
from contracts.exceptions import Finding
from contracts.stock import StockChanges, StockLevels
from tasks.entered import Entered

ACTOR = "inventory_delta_sync"
LEVELS, CHANGES = "stock_levels", "stock_changes"
ABSURD, SHRANK = "stock_absurd", "feed_shrank"
AHEAD_MAX = timedelta(days=1)  # a clock or a time zone may be wrong by so much; more would make every later statement an older one
UNSOUND_MIN, UNSOUND_PERCENT = 20, 50
SAID = ("kind", "facility", "sku", "unit", "change", "reason", "reference", "occurred_at", "sequence")

Enter = Callable[[House, Tx, str, Message], Entered]


class FeedMoved(WharfingerError):
    """Another process entered a statement of the same facility since we read its positions."""

    helps = "The file is prepared anew."


@dataclass
class Ready:
    """A statement that is merged and written, and waits for its transaction. refused: why nothing of it is used."""

    moved: list[tuple[Positions, str, str]] = field(default_factory=list)  # what, the positions before, the positions now
    findings: list[Finding] = field(default_factory=list)
    sound_again: list[str] = field(default_factory=list)  # exceptions
    counted: list[tuple[str, int]] = field(default_factory=list)  # documents' lines that the statement knows of
    rows: int = 0
    refused: Entered | None = None


def ready_levels(opened: House, warehouse: str, messages: Iterable[Message], digest: str, is_believed: bool = False) -> dict[str, Enter]:
    """How each new statement among these messages of one file is to be entered, by its key. Writes the merged positions; changes nothing else.

    is_believed: a person says that the stock really is so much less.
    """
    wanted = [message for message in messages if message.kind == LEVELS and not message.errors]
    if not wanted:
        return {}
    with opened.ledger.transaction() as tx:
        feeds = opened.ledger.stock.feeds(tx, warehouse)
        wanted = [message for message in wanted if is_believed or opened.ledger.inbox.seen(tx, message.key) is None]
        changes = opened.ledger.stock.open_changes(tx, warehouse)
        absurd = opened.ledger.exceptions.open_of(tx, ABSURD, warehouse)
        asked = {facility: opened.ledger.stock.units_asked_since(tx, warehouse, facility, feed.as_of) for facility, feed in feeds.items()}
    known = {facility: known_of(row) for facility, row in feeds.items()}
    found: dict[str, Enter] = {}
    for message in wanted:  # one after the other: each builds on the positions of the one before
        ready = _ready(opened, warehouse, message, digest, known, changes, absurd, None if is_believed else asked)
        for merged, _, name in ready.moved:
            known[merged.facility] = Known(name, merged.version, merged.whole)
        found[message.key] = partial(_enter_ready, ready)
    return found


def known_of(feed: Row) -> Known:
    """What the ledger knows of a feed, as the merge takes it."""
    whole = None if feed.whole_as_of is None else (feed.whole_as_of, feed.whole_sequence)
    return Known(feed.positions, (feed.as_of, feed.sequence), whole)


def _ready(opened: House, warehouse: str, message: Message, digest: str, known: dict[str, Known], changes: list[Row], absurd: list[Row],
           asked: dict[str, int] | None) -> Ready:
    """asked: units that each facility was asked for since its last statement; None: a person believes the statement, however much is gone."""
    sound, unsound = StockLevels.split(message.stock_levels)
    if why := _unbelievable(opened, sound, unsound, "as_of"):
        return Ready(refused=Entered("quarantined", why))
    ready = Ready(rows=len(sound))
    with merging(opened.snapshots, sound) as merge:
        spared = {facility: unsound.loc[unsound["facility"] == facility, "sku"].tolist() for facility in merge.facilities}
        merged = [merge.merge(facility, known.get(facility, Known()), message.is_whole, spared[facility]) for facility in merge.facilities]
        lost = {} if asked is None else {one.facility: why for one in merged if (why := _lost(opened, warehouse, one, asked.get(one.facility, 0)))}
        if lost:
            as_of, number = max(zip(sound["as_of"], sound["sequence"], strict=True))
            return Ready(refused=Entered("quarantined", "; ".join(lost.values()), type=SHRANK,
                                         evidence={"facilities": sorted(lost), "as_of": as_of.isoformat(), "sequence": int(number)}))
        ready.findings = _unsound(warehouse, unsound, absurd) + [_twice(warehouse, one, sku) for one in merged for sku in one.named_twice]
        for one in filter(lambda one: one.says_new, merged):
            before = known.get(one.facility, Known()).positions
            name = merge.keep(one, source_of(warehouse, one.facility), f"{before}|{message.key}|{digest}")
            ready.moved.append((one, before, name))
            _compare(merge, one, changes, absurd, ready)
    names = {facility: one.positions for facility, one in known.items()} | {one.facility: name for one, _, name in ready.moved}
    ready.findings = [finding for finding in ready.findings if not _is_outdated(opened, finding, names)]
    return ready


def _is_outdated(opened: House, finding: Finding, positions: dict[str, str]) -> bool:
    """An absurd figure that is older than a sound one says nothing."""
    name = positions.get(finding.evidence.get("facility", ""), "")
    rows = positions_of(opened.snapshots, name, [finding.evidence["sku"]]) if name else []
    return bool(rows) and (rows[0]["as_of"], rows[0]["sequence"]) > _version(finding)


def _unbelievable(opened: House, sound: pd.DataFrame, unsound: pd.DataFrame, moment: str) -> str:
    if len(sound) and sound[moment].max() > opened.clock.now() + AHEAD_MAX:
        return f"it is dated {sound[moment].max():%Y-%m-%d %H:%M} UTC, in the future: every later one would count as older"
    if len(unsound) > UNSOUND_MIN and len(unsound) * 100 > UNSOUND_PERCENT * (len(sound) + len(unsound)):
        return f"{len(unsound)} of {len(sound) + len(unsound)} rows break the contract: {'; '.join(unsound[WHY].unique()[:3])}"
    return ""


def _lost(opened: House, warehouse: str, merged: Positions, asked: int) -> str:
    """Why it is not believed: more is gone than the profile allows, what we asked for left out of account. A busy day is no lost feed."""
    settings = opened.settings(warehouse)
    if merged.skus_before < settings.lost_skus_min:
        return ""
    left = max(0, merged.units_before - asked)
    skus, units = 100 * merged.skus_lost / merged.skus_before, 100 * (1 - merged.units / left) if left else 0.0
    if max(skus, units) <= settings.lost_percent_max:
        return ""
    return (f"{merged.facility}: {merged.skus_lost} of {merged.skus_before} SKUs would be out of stock, and of {merged.units_before} units ({asked} of them asked for) {merged.units} "
            f"would be left; more than {settings.lost_percent_max:g} % at once is not believed")


def _compare(merge: Merging, merged: Positions, changes: list[Row], absurd: list[Row], ready: Ready) -> None:
    """What this statement settles: documents that it knows of, and figures that were absurd before."""
    here = [change for change in changes if change.facility == merged.facility]
    odd = [row for row in absurd if row.evidence.get("facility") == merged.facility]
    versions = merge.versions(merged, sorted({change.sku for change in here} | {row.evidence["sku"] for row in odd}))
    ready.counted += [(change.document_id, change.line) for change in here
                      if change.sku in versions and (change.occurred_at, change.sequence) <= versions[change.sku]]
    ready.sound_again += [row.exception_id for row in odd if row.evidence["sku"] in versions and _version(row) < versions[row.evidence["sku"]]]


def _version(row: Any) -> tuple[datetime, int]:
    return datetime.fromisoformat(row.evidence["as_of"]), row.evidence["sequence"]


def _unsound(warehouse: str, unsound: pd.DataFrame, absurd: list[Row] = (), moment: str = "as_of", figure: str = "available") -> list[Finding]:
    """A row whose SKU, place and time are known has an absurd figure; of any other nothing can be trusted."""
    newest = {row.record: _version(row) for row in absurd}
    found = []
    for row in rows_of(unsound):
        if not row["sku"] or not row["facility"] or pd.isna(row[moment]):
            found.append(Finding("record_unsound", warehouse, f"stock {row['sku'] or '?'}", f"record_unsound:{row[WHY]}:{row['facility']}", {"why": row[WHY]}))
            continue
        finding = _absurd(warehouse, row["facility"], row["sku"], row[moment].to_pydatetime(), max(0, int(row["sequence"])), str(row[WHY]), int(row[figure]))
        if _version(finding) >= newest.get(finding.record, _version(finding)):
            found.append(finding)
    return found


def _twice(warehouse: str, merged: Positions, sku: str) -> Finding:
    return _absurd(warehouse, merged.facility, sku, *merged.version, "the statement names it more than once", 0)


def _absurd(warehouse: str, facility: str, sku: str, as_of: datetime, sequence: int, why: str, figure: int) -> Finding:
    return Finding(ABSURD, warehouse, f"{facility} {sku}", f"{ABSURD}:{facility}:{sku}", {
        "facility": facility, "sku": sku, "as_of": as_of.isoformat(), "sequence": sequence, "figure": figure, "why": why})


def _enter_ready(ready: Ready, opened: House, tx: Tx, warehouse: str, message: Message) -> Entered:
    if ready.refused:
        return ready.refused
    stock, exceptions = opened.ledger.stock, opened.ledger.exceptions
    for merged, before, name in ready.moved:
        whole = merged.whole or (None, None)
        if not stock.move_feed(tx, warehouse, merged.facility, before, {
                "as_of": merged.version[0], "sequence": merged.version[1], "positions": name, "skus": merged.skus, "units": merged.units,
                "inbox_key": message.key, "whole_as_of": whole[0], "whole_sequence": whole[1]}):
            raise FeedMoved(f"entering {message.key}", f"the positions of {warehouse}/{merged.facility} are no longer {before or 'none'}")
    stock.close_changes(tx, warehouse, ready.counted)
    for exception_id in ready.sound_again:
        exceptions.resolve(tx, exception_id, ACTOR, "A sound figure arrived.")
    exceptions.open(tx, ready.findings)
    if message.is_whole:
        _settle_shrunk(opened, tx, warehouse, {one.facility: one.whole or one.version for one, _, _ in ready.moved})
    counts = Counter({"stock rows": ready.rows, "absurd": len(ready.findings)})
    if not ready.moved and ready.rows:
        return Entered("duplicate", "it says nothing new", counts)
    return Entered("processed", f"{ready.rows} rows", counts)


def _settle_shrunk(opened: House, tx: Tx, warehouse: str, whole: dict[str, Version]) -> None:
    """A whole statement says that its own facility is all right again, and nothing of another one; nor of anything that is newer than itself."""
    for row in opened.ledger.exceptions.open_of(tx, SHRANK, warehouse):
        places = row.evidence.get("facilities", ())
        if set(places) <= whole.keys() and ("as_of" not in row.evidence or _version(row) < min(whole[place] for place in places)):
            opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, "A full statement arrived.")


def enter_unprepared(opened: House, tx: Tx, warehouse: str, message: Message) -> Entered:
    """A statement that nobody has merged: it turned up between the preparing and the entering."""
    raise FeedMoved(f"entering {message.key}", "it was not prepared")


def enter_changes(opened: House, tx: Tx, warehouse: str, message: Message) -> Entered:
    """The lines of documents between two statements, each once for ever; whole documents only."""
    sound, unsound = StockChanges.split(message.stock_changes)
    if why := _unbelievable(opened, sound, unsound, "occurred_at"):
        return Entered("quarantined", why)
    rows = {}
    for row in rows_of(sound):
        row["occurred_at"] = row["occurred_at"].to_pydatetime()
        if rows.setdefault((row["document_id"], row["line"]), row) != row:
            return Entered("quarantined", f"document {row['document_id']} has line {row['line']} twice, with different contents")
    before = opened.ledger.stock.documents(tx, warehouse, {document for document, _ in rows})
    other = sorted({key[0] for key, row in rows.items() if key in before and any(getattr(before[key], name) != row[name] for name in SAID)})
    if other:
        return Entered("quarantined", f"document {', '.join(other[:5])} came before, with other contents", type="control_number_reused")
    new = opened.ledger.stock.enter_changes(tx, [row for key, row in rows.items() if key not in before], message.key)
    opened.ledger.exceptions.open(tx, _unsound(warehouse, unsound, opened.ledger.exceptions.open_of(tx, ABSURD, warehouse), "occurred_at", "change"))
    counts = Counter({"stock changes": new, "absurd": len(unsound)})
    return Entered("processed", f"{new} lines", counts) if new or not len(sound) else Entered("duplicate", "every line of it came before", counts)
