"""Take in a marketplace's settlements: every statement once, its bytes and amounts kept, each amount attributed, and what cannot be right on a desk.

A statement is listed for a while only (`settlement_kept_days`), so the window begins at the watermark, and what was missed is said. Files from disk go
into the same place: whoever has downloaded one puts it into `settlements/STOREFRONT/inbox` in the house's home.
"""

import gzip
import os
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration, BadDocument
from connectors.kit.folder import Folder
from connectors.ledger.ledger import Row, Tx
from connectors.ledger.records import Arrived, sha256
from connectors.ledger.settlements import CONSISTENT, INCONSISTENT
from connectors.ports import SettlementDocument, SettlementRead, Settles, Window
from contracts.exceptions import Finding
from contracts.money import to_major
from contracts.settled import KeptRows
from contracts.settlements import SettlementRows, Settlements
from tasks.opened import RETRY, house
from tasks.rules.settlements import NEEDED, TEXTS, Types, attributed, items, sums
from tasks.settlement_watch import tell, watch_silence

ACTOR, KIND = "take_in_settlements", "settlement_rows"
FOLDER, INBOX, READ = "settlements", "inbox", "read"
BYTES_MAX, SETTLE_SECONDS = 1 << 30, 0.0
LOOK_BACK = timedelta(days=1)  # statements are dated by the marketplace's clock, the watermark by ours, which was once ten minutes ahead; what is known is passed over
SAME = ("currency", "deposit_minor", "deposit_fine", "sum_minor", "sum_fine")  # on which two layouts of one statement must agree
CONTENT = [*TEXTS, "order_id", "order_item_id", "sku", "adjustment_id", "posted_at", "currency", "amount_minor", "amount_fine"]


def settles(opened: House, storefront: str) -> Settles | None:
    """The storefront as a marketplace that pays out; None when it is none."""
    port = opened.storefront(storefront)
    return port if isinstance(port, Settles) else None


def take_in_settlements(opened: House, storefront: str) -> Counter:
    """What the marketplace lists and what lies in the inbox, entered; what people have said of unknown kinds, applied; the desks told. Twice is harmless."""
    port, counts = settles(opened, storefront), Counter()
    if port is None:
        return counts
    window = _window(opened, storefront)
    with opened.ledger.transaction() as tx:
        known = opened.ledger.inbox.names(tx, f"{storefront} settlements")
    try:
        for document in port.settlement_documents(window, known):
            counts.update(_enter(opened, storefront, port, document))
        _reach(opened, storefront, window)
    except BadDocument as problem:  # a statement that cannot be had: the watermark waits for it, everything else goes on
        _tell_unreadable(opened, storefront, problem)
        counts["unreadable"] += 1
    counts.update(_take_in_inbox(opened, storefront, port))
    counts["attributed again"] += attribute_again(opened, storefront)
    tell(opened, storefront)
    watch_silence(opened, storefront)
    return counts


def take_in_files(opened: House, storefront: str, paths: Iterable[Path]) -> Counter:
    """The same for files wherever they are: they stay there. Raises BadConfiguration when the storefront is no marketplace."""
    port, counts = _marketplace(opened, storefront), Counter()
    for path in paths:
        counts.update(_enter(opened, storefront, port, SettlementDocument(path.name, "file", path.read_bytes(), opened.clock.now())))
    tell(opened, storefront)
    return counts


def attribute_again(opened: House, storefront: str) -> int:
    """Settlements with kinds of which settlement_types now says something else than they were attributed by: made anew from their snapshots. How many."""
    with opened.ledger.transaction() as tx:
        types = _types(opened, tx)
        stale = sorted({row.settlement_id for row in opened.ledger.settlements.not_in_catalogue(tx, storefront) if _now(types, storefront, row) != (row.category, row.level)})
    for settlement_id in stale:
        with opened.ledger.transaction() as tx:
            head = opened.ledger.settlements.head(tx, storefront, settlement_id)
        kept = opened.snapshots.keyed(KIND, storefront, _key(settlement_id, head.content_hash))
        with opened.ledger.transaction() as tx:
            opened.ledger.settlements.lock(tx, storefront)
            opened.ledger.settlements.attribute(tx, storefront, settlement_id, *_derived(kept, storefront, _types(opened, tx), head.ended_at or head.made_at))
    return len(stale)


def _now(types: Types, storefront: str, row: Row) -> tuple[str, str]:
    return types.find(storefront, (row.transaction_type, row.amount_type, row.amount_description)) or ("", "unknown")


def _window(opened: House, storefront: str) -> Window:
    """From the watermark, and never from before what is still listed; when something may have gone meanwhile, that is said."""
    settings, now = opened.settings(storefront), opened.clock.now()
    oldest = now - timedelta(days=settings.settlement_kept_days)
    with opened.ledger.transaction() as tx:
        reached = opened.ledger.watermarks.read(tx, f"{storefront} settlements")
        if reached is not None and reached < oldest:
            opened.ledger.exceptions.open(tx, [Finding("settlement_inconsistent", storefront, f"statements before {oldest:%Y-%m-%d}", f"settlement_inconsistent:gone {reached:%Y-%m-%d}", {
                "why": f"nobody looked since {reached:%Y-%m-%d}, and the marketplace lists a statement for {settings.settlement_kept_days:g} days only",
                "last_looked_at": reached.isoformat(), "listed_since": oldest.isoformat()})])
    overlap = max(LOOK_BACK, timedelta(seconds=settings.overlap_seconds))
    return Window(oldest if reached is None else max(reached - overlap, oldest), now)


def _enter(opened: House, storefront: str, port: Settles, document: SettlementDocument) -> Counter:
    """One document: its bytes and amounts first, then everything else in one transaction. A crash between the two is repaired by the next run."""
    digest = sha256(document.body)
    key = f"{storefront}:settlement:{digest}"
    with opened.ledger.transaction() as tx:
        if opened.ledger.inbox.seen(tx, key) is not None:
            return Counter({"known": 1})
    _keep_bytes(opened, storefront, digest, document.body)
    try:
        read, error = port.read_settlement(document), ""
    except BadDocument as problem:
        read, error = None, problem.got
    counts = Counter()
    for head in Settlements.sound(read.heads).to_dict("records") if read else ():
        counts.update(_enter_settlement(opened, storefront, document, digest, head, read))
    with opened.ledger.transaction() as tx:
        if error:
            opened.ledger.exceptions.open(tx, [Finding("document_malformed", storefront, document.name[:120], f"document_malformed:{key}", {
                "file": document.name, "why": error, "sha256": digest, "kept_as": f"{FOLDER}/{storefront}/{digest}.gz"})])
        if opened.ledger.inbox.seen(tx, key) is None:
            state = "quarantined" if error else "processed" if counts["entered"] else "duplicate"
            opened.ledger.inbox.enter(tx, Arrived(key, f"{storefront} settlements", document.name, "settlement", state, digest, error or ", ".join(f"{n} {what}" for what, n in counts.items())))
    return counts or Counter({"unreadable": 1})


def _reach(opened: House, storefront: str, window: Window) -> None:
    """Everything that was made before the window's end is in the ledger; a statement that could be had again closes what was said of it."""
    with opened.ledger.transaction() as tx:
        opened.ledger.watermarks.reach(tx, f"{storefront} settlements", window.until)
        opened.ledger.exceptions.settle(tx, storefront, "settlements", ["document_malformed"], (), ACTOR, "It could be fetched.")


def _tell_unreadable(opened: House, storefront: str, problem: BadDocument) -> None:
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.open(tx, [Finding("document_malformed", storefront, "settlements", "document_malformed:settlements", {"why": problem.got, "doing": problem.doing})])


def _enter_settlement(opened: House, storefront: str, document: SettlementDocument, digest: str, head: dict[str, Any], read: SettlementRead) -> Counter:
    settlement_id = head["settlement_id"]
    rows = read.rows if len(read.heads) == 1 else read.rows[read.rows["settlement_id"] == settlement_id].reset_index(drop=True)
    content = _content_hash(rows)
    with opened.ledger.transaction() as tx:
        before, types = opened.ledger.settlements.head(tx, storefront, settlement_id), _types(opened, tx)
    if before is None:
        kept = SettlementRows.sound(rows).assign(connection=pd.array([storefront] * len(rows), dtype="string[pyarrow]"))
        at = _moment(head["ended_at"]) or document.made_at
        opened.snapshots.keep(KIND, storefront, at, KeptRows.frame().pipe(lambda empty: kept.astype(empty.dtypes.to_dict())), _key(settlement_id, content))
        derived = _derived(kept, storefront, types, at)
        findings = [{name: one[name] for name in ("kind", "fails", "row", "rows", "amount_minor", "currency", "detail")}
                    for one in read.findings[read.findings["settlement_id"].isin([settlement_id, ""])].to_dict("records")]
        with opened.ledger.transaction() as tx:
            opened.ledger.settlements.lock(tx, storefront)
            before = opened.ledger.settlements.head(tx, storefront, settlement_id)
            if before is None:
                opened.ledger.settlements.enter(tx, _head(storefront, head, document, digest, content, findings), *derived)
                return Counter({"entered": 1, "rows": len(rows)})
    return _again(opened, storefront, document, digest, head, content, before)


def _again(opened: House, storefront: str, document: SettlementDocument, digest: str, head: dict[str, Any], content: str, before: Row) -> Counter:
    """A settlement that is known: the same again, in whatever layout, or something else under its number."""
    is_same = content == before.content_hash if head["format"] == before.format else all(head[name] == getattr(before, name) for name in SAME)
    if is_same:
        return Counter({"known settlements": 1})
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.open(tx, [Finding("settlement_inconsistent", storefront, before.settlement_id, f"settlement_inconsistent:other content {digest[:16]}", {
            "why": "another document bears this settlement's number and says something else; the first one counts", "file": document.name, "sha256": digest,
            "first_file": before.document, "first_sha256": before.sha256, "kept_as": f"{FOLDER}/{storefront}/{digest}.gz",
            "sum": f"{to_major(head['sum_minor'], head['currency'])} {head['currency']}", "first_sum": f"{to_major(before.sum_minor, before.currency)} {before.currency}"})])
    return Counter({"other content": 1})


def _head(storefront: str, head: dict[str, Any], document: SettlementDocument, digest: str, content: str, findings: list[dict[str, Any]]) -> dict[str, Any]:
    same = ("settlement_id", "format", "currency", "marketplace", "has_deposit", "deposit_minor", "deposit_fine", "sum_minor", "sum_fine", "amounts", "why")
    return {name: head[name] for name in same} | {name: _moment(head[name]) for name in ("started_at", "ended_at", "deposit_at")} | {
        "connection": storefront, "state": CONSISTENT if head["is_consistent"] else INCONSISTENT, "document": document.name, "sha256": digest, "content_hash": content,
        "findings": findings, "made_at": document.made_at}


def _derived(rows: pd.DataFrame, storefront: str, types: Types, at: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(sums, items) of a settlement's rows."""
    found = attributed(rows[NEEDED], storefront, types)
    return sums(found, storefront, at), items(found, storefront, at)


def _types(opened: House, tx: Tx) -> Types:
    return Types(opened.ledger.mappings.current(tx, "settlement_types").to_dict("records"))


def _content_hash(rows: pd.DataFrame) -> str:
    """What the amounts say, in whatever order and file."""
    return sha256(pd.util.hash_pandas_object(rows[CONTENT], index=False).sort_values().to_numpy().tobytes())


def _key(settlement_id: str, content: str) -> str:
    return f"{settlement_id}:{content}"


def _keep_bytes(opened: House, storefront: str, digest: str, body: bytes) -> None:
    """The document as it came, for whoever reads it again with a better reader: it is gone at the marketplace by then."""
    folder = opened.profile.home / FOLDER / storefront
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{digest}.gz"
    if not path.exists():
        beside = folder / f".{digest}.{os.getpid()}"
        beside.write_bytes(gzip.compress(body, compresslevel=6, mtime=0))
        os.replace(beside, path)


def _take_in_inbox(opened: House, storefront: str, port: Settles) -> Counter:
    root, counts = opened.profile.home / FOLDER / storefront, Counter()
    for folder in (INBOX, READ):
        (root / folder).mkdir(parents=True, exist_ok=True)
    files = Folder(root, opened.clock, SETTLE_SECONDS, BYTES_MAX)
    for file in files.settled(INBOX):
        counts.update(_enter(opened, storefront, port, SettlementDocument(file.name, "file", files.read(INBOX, file.name), opened.clock.now())))
        files.move(INBOX, file.name, READ)
    refused = files.refused_names(INBOX)
    if refused:
        with opened.ledger.transaction() as tx:
            opened.ledger.exceptions.open(tx, [Finding("document_malformed", storefront, name[:120], f"document_malformed:name {sha256(name.encode())[:16]}", {
                "file": name, "why": "its name is not one that we open; nothing of it was read"}) for name in refused])
        counts["refused names"] += len(refused)
    return counts


def _marketplace(opened: House, storefront: str) -> Settles:
    port = settles(opened, storefront)
    if port is None:
        raise BadConfiguration(f"taking in settlements of {storefront}", "it is no marketplace that pays out", "Name the connection that the statement is of.")
    return port


def _moment(value: Any) -> datetime | None:
    return None if value is None or pd.isna(value) else value.to_pydatetime()


@task(name="take in settlements", task_run_name="take in settlements of {storefront}", **RETRY)
def take_in_settlements_of(storefront: str) -> dict[str, int]:
    """Every statement that is listed or lies in the inbox; nothing for a storefront that is no marketplace."""
    return dict(take_in_settlements(house(), storefront))
