"""The desk as people see it in Prefect: a list for each role, an overview, and the timeline of every order that is on a list."""

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from connectors.house import House
from connectors.ledger.ledger import Row
from contracts.exceptions import ADD_MAPPING, ROLES, TYPES
from contracts.mappings import TABLES
from tasks.alerts import desk_key
from tasks.flow_runs import has_server, server
from tasks.opened import RETRY, house
from tasks.report import artifact_key
from tasks.rules.mapping_rows import known, tables_of
from tasks.sheets import Board, Sheet, cell, form_address, link, plain

OVERVIEW, TIMELINE = "desk", "timeline-"
ROWS_MAX = 300  # on one list: who has more open wants a mapping or a talk, not a longer list
TIMELINES_MAX = 100  # for each list, its most urgent; of the others the form 'timeline of an order' shows it
FORMS = {"resolve": "resolve-exception/resolve exceptions", "timeline": "show-timeline/timeline of an order"}
KEY_LONGEST = 200
ABOUT_LONGEST, CANDIDATES_SHOWN = 300, 3
UNKNOWN = "Nothing is known of it."

Order = tuple[str, str]


def refresh(opened: House) -> dict[str, int]:
    """Bring every sheet up to date. Cheap: what is the same is not written. Nothing where there is no Prefect. Raises NotNow when it is away."""
    if not has_server():
        return {}
    with server("refreshing the desk") as client:
        board, forms = Board(client, OVERVIEW, TIMELINE), _forms(client)
        by_role = {role: opened.ledger.exceptions.listed(owner=role) for role in ROLES}
        orders = {(row.connection, row.record): None for rows in by_role.values() for row in rows[:TIMELINES_MAX]}
        now = opened.clock.now()
        timelines = _hang_timelines(opened, board, list(orders))
        lists = {role: board.hang(_list(role, rows, now, timelines, forms)) for role, rows in by_role.items()}
        board.hang(Sheet(OVERVIEW, f"All desks, {now:%Y-%m-%d %H:%M} UTC.", overview(by_role, now, lists, forms)))
        board.take_down(TIMELINE, {timeline_key(*order) for order in orders})
        return {"open": sum(map(len, by_role.values())), "written": board.written, "taken_down": board.taken_down}


def timeline_key(connection: str, order: str) -> str:
    """The key of an order's timeline among Prefect's artifacts."""
    return artifact_key(f"{TIMELINE}{connection}-{order}"[:KEY_LONGEST])


def timeline_text(connection: str, order: str, notes: list[Row], open_rows: list[Row], state: str) -> str:
    """What happened to an order, as a person wants to read it: what is open first, then everything in its order."""
    lines = [f"# Order {plain(order)} of {plain(connection)}", f"It is **{plain(state or 'not in the order book')}**.", ""]
    lines += [f"- on the desk of **{row.owner}**, due {row.due_at:%Y-%m-%d %H:%M} UTC: `{row.type}`. {plain(TYPES[row.type].remedy)}" for row in open_rows]
    lines += ["", "| when (UTC) | what | who | detail |", "|---|---|---|---|"]
    lines += [f"| {note.at:%Y-%m-%d %H:%M:%S} | {plain(note.what)} | {plain(note.actor)} | {plain(note.detail)} |" for note in notes]
    return "\n".join(lines if notes else [*lines[:-2], UNKNOWN])


def timeline_of(opened: House, connection: str, order: str) -> str:
    """The timeline's text, from the ledger."""
    with opened.ledger.transaction() as tx:
        notes, entry = opened.ledger.timeline.of(tx, connection, order), opened.ledger.books.order(tx, connection, order)
        open_rows = opened.ledger.exceptions.of_record(tx, connection, order)
    return timeline_text(connection, order, notes, [row for row in open_rows if row.state == "open"], entry.state.replace("_", " ") if entry else "")


def _hang_timelines(opened: House, board: Board, orders: list[Order]) -> dict[Order, str]:
    hung = {}
    for connection, order in orders:
        with opened.ledger.transaction() as tx:
            has_notes = bool(opened.ledger.timeline.of(tx, connection, order))
        if has_notes:
            hung[connection, order] = board.hang(Sheet(timeline_key(connection, order), f"Order {order} of {connection}, across all systems.",
                                                       timeline_of(opened, connection, order)))
    return hung


def _list(role: str, rows: list[Row], now: datetime, timelines: dict[Order, str], forms: dict[str, UUID]) -> Sheet:
    more = f" The first {ROWS_MAX} of {len(rows)} are listed." if len(rows) > ROWS_MAX else ""
    said = f"{len(rows)} open on the {role} desk, most urgent first, {now:%Y-%m-%d %H:%M} UTC.{more}"
    return Sheet(desk_key(role), said, list_rows(rows[:ROWS_MAX], now, timelines, forms) or [{"": "nothing is open"}])


def list_rows(rows: list[Row], now: datetime, timelines: dict[Order, str], forms: dict[str, UUID]) -> list[dict[str, Any]]:
    """What a person needs to work through it: when, what, where, and one click to the form and to the order's timeline. No personal data."""
    return [{
        "id": link(row.exception_id[:8], form_address(forms["resolve"], filled_in(row)) if "resolve" in forms else ""), "type": row.type,
        "record": _record(row, timelines, forms), "due": f"{row.due_at:%Y-%m-%d %H:%M}", "left": _left(row.due_at - now),
        "choose": " or ".join(TYPES[row.type].remedies), "what to do": TYPES[row.type].remedy, "age": _span(now - row.opened_at), "severity": row.severity,
        "where": row.connection, "about": cell(_about(row)), "seen": row.count,
    } for row in rows]


def filled_in(row: Row) -> dict[str, str]:
    """The form as far as the exception itself can fill it in."""
    kind = TYPES[row.type]
    tables = [table for table in (*tables_of(row.waits_on), kind.mapping) if table in TABLES]
    if ADD_MAPPING not in kind.remedies or not tables:
        # where there is a choice it is the person's: a form that is filled in is sent off unread
        return {"exceptions": row.exception_id[:8]} | ({"remedy": kind.remedies[0]} if len(kind.remedies) == 1 else {})
    table = kind.mapping if kind.mapping in tables else tables[0]
    keys = known(table, [row.waits_on])
    typed = "; ".join(f"{column}={keys.get(column, '')}" for column in TABLES[table].columns())
    return {"exceptions": row.exception_id[:8], "remedy": ADD_MAPPING, "mapping": table, "rows": typed}


def overview(by_role: dict[str, list[Row]], now: datetime, lists: dict[str, str], forms: dict[str, UUID]) -> str:
    """Counts for each role, and where to go on."""
    lines = ["# The desk", "", "| desk | open | overdue | due within the hour | high | the oldest |", "|---|---|---|---|---|---|"]
    for role, rows in by_role.items():
        overdue, soon = sum(row.due_at < now for row in rows), sum(now <= row.due_at <= now + timedelta(hours=1) for row in rows)
        oldest = _span(now - min(row.opened_at for row in rows)) if rows else ""
        lines.append(f"| {link(role, lists[role])} | {len(rows)} | {overdue} | {soon} | {sum(row.severity == 'high' for row in rows)} | {oldest} |")
    counted = Counter(row.type for rows in by_role.values() for row in rows)
    lines += ["", *(f"- {count} × `{kind}` ({TYPES[kind].owner}): {TYPES[kind].means}" for kind, count in counted.most_common())]
    lines += ["", *(f"- {link(text, form_address(forms[form], {}))}" for form, text in (("resolve", "Resolve exceptions"), ("timeline", "Timeline of an order"))
                    if form in forms)]
    return "\n".join(lines)


def _record(row: Row, timelines: dict[Order, str], forms: dict[str, UUID]) -> str:
    target = timelines.get((row.connection, row.record), "")
    if not target and "timeline" in forms and re.fullmatch(r"[\w-]+", row.record):
        target = form_address(forms["timeline"], {"order": row.record, "storefront": row.connection})
    return f"[{cell(row.record)}]({target})" if target else cell(row.record)


def _about(row: Row) -> str:
    """The cause, and of the evidence what a person needs to decide: what was said, why, and the orders that it may belong to."""
    told = [row.cause.removeprefix(f"{row.type}:"), *(str(row.evidence[name]) for name in ("said", "why") if row.evidence.get(name))]
    candidates = [f"{one['connection']} {one['order_id']}" for one in row.evidence.get("candidates", [])[:CANDIDATES_SHOWN] if "order_id" in one]
    told += [f"may be order {', '.join(candidates)}"] if candidates else []
    return "; ".join(dict.fromkeys(told))[:ABOUT_LONGEST]


def _left(left: timedelta) -> str:
    return f"overdue {_span(-left)}" if left < timedelta(0) else _span(left)


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // 1440} days"


def _forms(client: SyncPrefectClient) -> dict[str, UUID]:
    """The forms that this server has."""
    found = {}
    for form, name in FORMS.items():
        try:
            found[form] = client.read_deployment_by_name(name).id
        except ObjectNotFound:
            continue
    return found


def find_timeline(opened: House, storefront: str, order: str) -> str:
    """The timeline of an order that is asked for by its number, wherever it was placed."""
    names = [storefront] if storefront else opened.names("storefront")
    texts = [timeline_of(opened, name, order) for name in names]
    return "\n\n".join([text for text in texts if UNKNOWN not in text] or texts[:1])


@task(name="refresh the desk", task_run_name="refresh the desk", **RETRY)
def refresh_desk_now() -> dict[str, int]:
    """Every list, the overview and the timelines."""
    return refresh(house())


@task(name="show timeline", task_run_name="timeline of {order}", **RETRY)
def show_timeline_of(storefront: str, order: str) -> str:
    """The order's timeline, an artifact of this run: it goes when the run goes."""
    text = find_timeline(house(), storefront, order)
    create_markdown_artifact(text, key=artifact_key(f"order {order}"[:KEY_LONGEST]), description=f"Order {cell(order)}, across all systems.")
    return text
