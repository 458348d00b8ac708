"""The desk in a terminal: what is open, one exception in full, a person's word on many, and an order's timeline."""

import json
from datetime import timedelta
from typing import Annotated, Any

import typer

from contracts.exceptions import REMEDIES, TYPES
from contracts.mappings import TABLES
from deployments.cli_parts import JsonOption, ProfileOption, harmless, opened_house, out, print_table, told

app = typer.Typer(no_args_is_help=True, help="Records that a person must look at.")
HOUR = timedelta(hours=1)
WIDE = 150  # columns of a terminal in which there is room for what to do


@app.command("list")
def list_exceptions(
    owner: Annotated[str, typer.Option(help="operations, ecommerce, finance, 'customer service' or data.")] = "",
    kind: Annotated[str, typer.Option("--type", help="Only this type.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: JsonOption = False, profile: ProfileOption = None,
) -> None:
    """What is on whose desk, most urgent first.

    Example: wharfinger exceptions list --owner ecommerce
    """
    with opened_house(profile) as house:
        found = [row for row in house.ledger.exceptions.listed(only_open=not everything, owner=owner) if kind in ("", row.type)]
        now = house.clock.now()
    if as_json:
        print(json.dumps([dict(row._mapping) | {"remedies": TYPES[row.type].remedies} for row in found], indent=2, default=str))
        return
    overdue, soon = sum(row.due_at < now for row in found), sum(now <= row.due_at <= now + HOUR for row in found)
    is_wide = out.width >= WIDE
    print_table(f"{len(found)} exceptions, {overdue} overdue, {soon} due within the hour", [
        {"id": row.exception_id[:8], "due": f"{row.due_at:%m-%d %H:%M}"} | ({} if owner else {"owner": row.owner})
        | {"type": row.type, "record": f"{row.connection} {row.record}"}
        | ({"what to do": TYPES[row.type].remedy, "choose": " or ".join(TYPES[row.type].remedies), "seen": row.count} if is_wide else {}) for row in found],
        whole=("id", "due", "type"))


@app.command("show")
def show_exception(
    exception_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")], as_json: JsonOption = False, profile: ProfileOption = None,
) -> None:
    """One exception with its evidence, what it means, what may be chosen, and what closes it.

    Example: wharfinger exceptions show 1f3a9c02
    """
    from tasks.desk import look_up

    with opened_house(profile) as house:
        (row,) = look_up(house, exception_id)
    kind = TYPES[row.type]
    if as_json:
        more = {"means": kind.means, "what to do": kind.remedy, "clears": kind.clears, "remedies": kind.remedies}
        print(json.dumps(dict(row._mapping) | more, indent=2, default=str))
        return
    print_table(f"{row.type} of {row.connection} {row.record}", [{"": name, " ": value} for name, value in _told(row, kind).items()])
    out.print("Choose:", *(f"  {name}: {REMEDIES[name]}" for name in kind.remedies), sep="\n", markup=False, highlight=False)


def _told(row: Any, kind: Any) -> dict[str, Any]:
    closed = {"resolved": f"{row.resolved_at:%Y-%m-%d %H:%M} UTC by {row.resolved_by}: {row.reason}"} if row.resolved_at else {}
    evidence = {f"evidence: {name}": value if isinstance(value, str) else json.dumps(value, default=str) for name, value in row.evidence.items()}
    return {"id": row.exception_id, "state": row.state, **closed, "owner": row.owner, "severity": row.severity, "due": row.due_at, "opened": row.opened_at,
            "seen": row.count, "means": kind.means, "what to do": kind.remedy, "what closes it": kind.clears, "cause": row.cause,
            "waits for": row.waits_on or "the record itself", **evidence}


@app.command("resolve")
def resolve_exceptions(
    exception_ids: Annotated[list[str], typer.Argument(help="Ids, or their beginnings.")],
    actor: Annotated[str, typer.Option(help="Who decides.")], reason: Annotated[str, typer.Option(help="Why.")],
    remedy: Annotated[str, typer.Option(help="; ".join(REMEDIES))] = "done",
    mapping: Annotated[str, typer.Option(help=f"For 'add a mapping', where there is a choice: {', '.join(TABLES)}.")] = "",
    row: Annotated[list[str] | None, typer.Option(help="For 'add a mapping': 'column=value; column=value'. May be repeated.", show_default=False)] = None,
    order: Annotated[str, typer.Option(help="For 'choose the order': 'CONNECTION ORDER', or just the order.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    as_json: JsonOption = False, profile: ProfileOption = None,
) -> None:
    """Your word on one exception or many, with your name and reason. Exit code 1 when one of them stays on the desk.

    Example: wharfinger exceptions resolve 1f3a9c02 77ab01de --remedy "it is there" --actor AR --reason "rang GXO, they have both"
    """
    from tasks.desk import resolve, summary

    with opened_house(profile) as house:
        done = resolve(house, exception_ids, remedy, actor, reason, mapping=mapping, rows="\n\n".join(row or []), order=order, dry_run=dry_run)
    if as_json:
        print(json.dumps(done.told(), indent=2))
    else:
        print_table("", [{"id": one.id[:8], "type": one.type, "record": f"{one.where} {one.record}", "outcome": one.outcome, "said": one.said}
                         for one in done.answers], whole=("id", "outcome"))
        told.print(summary(done, dry_run), markup=False)
    if done.refused:
        raise typer.Exit(1)


def timeline(
    order: Annotated[str, typer.Argument(help="The storefront's order id.")],
    storefront: Annotated[str, typer.Option(help="Its connection; default: every storefront.")] = "",
    as_json: JsonOption = False, profile: ProfileOption = None,
) -> None:
    """Where is my order? Everything that happened to it, across all systems, and what is on whose desk because of it.

    Example: wharfinger timeline 100123
    """
    with opened_house(profile) as house, house.ledger.transaction() as tx:
        told_of = {name: (house.ledger.timeline.of(tx, name, order), [row for row in house.ledger.exceptions.of_record(tx, name, order) if row.state == "open"],
                          house.ledger.books.order(tx, name, order)) for name in ([storefront] if storefront else house.names("storefront"))}
    if as_json:
        print(json.dumps([dict(note._mapping) for notes, _, _ in told_of.values() for note in notes], indent=2, default=str))
        return
    for name, (notes, open_rows, entry) in told_of.items():
        if notes or entry or len(told_of) == 1:
            _show_timeline(f"order {order} of {name}: {entry.state.replace('_', ' ') if entry else 'not in the order book'}", notes, open_rows)


def _show_timeline(title: str, notes: list[Any], open_rows: list[Any]) -> None:
    day: Any = None
    out.print(title, style="bold", markup=False, highlight=False)
    for note in notes:
        if note.at.date() != day:
            day = note.at.date()
            out.print(f"  {day:%A, %d %B %Y} (UTC)", markup=False, highlight=False)
        detail = f"  {note.detail}" if note.detail else ""
        out.print(harmless(f"    {note.at:%H:%M:%S}  {note.what}  [{note.actor}]{detail}"), markup=False, highlight=False, soft_wrap=True)
    for row in open_rows:
        out.print(f"  open: {row.type} on the {row.owner} desk, due {row.due_at:%Y-%m-%d %H:%M} UTC ({row.exception_id[:8]}). {TYPES[row.type].remedy}",
                  markup=False, highlight=False, soft_wrap=True)
