"""Change a mapping table, keep its history, and free exactly the records that were waiting for it; the same for item masters."""

from dataclasses import dataclass, field
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from connectors.ledger.ledger import Tx
from contracts.base import rows_of
from contracts.exceptions import Finding
from contracts.items import Items
from contracts.mappings import TABLES
from tasks.opened import RETRY, house
from tasks.rules.mapping_tables import changed, frees, read_csv, write_csv

HELD_DISPATCH = "carrier_unmapped"


@dataclass(frozen=True)
class MappingChange:
    """What a new table changes, and what it frees: orders to plan again, and dispatches that wait for it."""

    table: str
    added: int
    removed: int
    altered: int
    freed_orders: list[str]
    freed_dispatches: list[str]
    freed: list[str] = field(default_factory=list)  # the exceptions that waited for it


def change_mapping(opened: House, table: str, csv: str, actor: str, dry_run: bool = False) -> MappingChange:
    """Replace a mapping table by these rows. Raises BadConfiguration for a wrong header, bad rows or duplicates: then nothing changed.

    The freed orders are planned again by the next `orders_to_warehouse`, the freed dispatches sent by the next `dispatch_back`.
    """
    with opened.ledger.transaction() as tx:
        return change_in(opened, tx, table, csv, actor, dry_run)


def change_in(opened: House, tx: Tx, table: str, csv: str, actor: str, dry_run: bool = False) -> MappingChange:
    """The same in a transaction that does more than this."""
    if table not in TABLES:
        raise BadConfiguration(f"changing the mapping table {table!r}", "there is no such table", f"Choose from {', '.join(TABLES)}.")
    new, problems = read_csv(table, csv)
    if problems:
        raise BadConfiguration(f"changing {table}.csv", "; ".join(problems[:10]), "Nothing was changed. Correct the file and give it again.")
    changes = changed(opened.ledger.mappings.current(tx, table), new)
    waiting = {row.exception_id: row for row in opened.ledger.exceptions.waiting(tx)}
    freed = [waiting[one] for one in frees(table, changes, [(row.exception_id, row.waits_on) for row in waiting.values()])]
    orders = sorted({(row.connection, row.record) for row in freed if row.type != HELD_DISPATCH})
    dispatches = sorted({row.record for row in freed if row.type == HELD_DISPATCH})
    if not dry_run:
        altered = changes["altered"]
        opened.ledger.mappings.change(tx, table, [*changes["removed"], *(pair["before"] for pair in altered)],
                                      [*changes["added"], *(pair["after"] for pair in altered)], actor)
        opened.ledger.books.plan_again(tx, orders)
    return MappingChange(table, len(changes["added"]), len(changes["removed"]), len(changes["altered"]), [order for _, order in orders], dispatches,
                         [row.exception_id for row in freed])


def current_csv(opened: House, table: str) -> str:
    """The table as it holds now, as CSV for a person to edit."""
    with opened.ledger.transaction() as tx:
        return write_csv(table, opened.ledger.mappings.current(tx, table))


def refresh_items(opened: House, warehouse: str) -> dict[str, int]:
    """Read the warehouse's item master; what it says anew frees the orders that waited for it. Unreadable rows become exceptions."""
    items, unreadable = opened.warehouse(warehouse).items()
    sound = Items.sound(items)
    with opened.ledger.transaction() as tx:
        altered = set(opened.ledger.items.keep(tx, warehouse, sound))
        freed = _freed_by_items(opened, tx, rows_of(sound[sound["sku"].isin(altered)])) if altered else []
        opened.ledger.books.plan_again(tx, freed)
        opened.ledger.exceptions.open(tx, [Finding("record_unsound", warehouse, f"item {bad['record']}"[:120], f"record_unsound:{bad['why']}", dict(bad))
                                           for bad in unreadable])
    opened.snapshots.keep("items", warehouse, opened.clock.now(), sound, key=f"{opened.clock.now():%Y%m%dT%H%M}") if altered else None
    return {"items": len(sound), "altered": len(altered), "unreadable": len(unreadable), "freed": len(freed)}


def _freed_by_items(opened: House, tx: Tx, rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    waiting = {row.exception_id: row for row in opened.ledger.exceptions.waiting(tx)}
    changes = {"added": rows, "removed": [], "altered": []}
    freed = frees("items", changes, [(row.exception_id, row.waits_on) for row in waiting.values()])
    return sorted({(waiting[one].connection, waiting[one].record) for one in freed})


@task(name="change mapping", task_run_name="change {table}", **RETRY)
def change_mapping_to(table: str, csv: str, actor: str, dry_run: bool) -> dict[str, Any]:
    """A new mapping table, and what it frees."""
    return vars(change_mapping(house(), table, csv, actor, dry_run))


@task(name="refresh items", task_run_name="refresh item master of {warehouse}", **RETRY)
def refresh_items_of(warehouse: str) -> dict[str, int]:
    """The warehouse's item master, as it stands now."""
    return refresh_items(house(), warehouse)
