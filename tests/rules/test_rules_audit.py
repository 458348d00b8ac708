"""An audit of a known-bad set-up gives the same findings every time, each with an owner, a remedy, and a row to add where one can be proposed.

The set-up and what must be found of it lie side by side in known_bad/, readable by an analyst. `python tests/rules/test_rules_audit.py --write` writes
findings.csv anew; review it by eye.
"""

import csv
import io
import random
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from contracts.exceptions import ROLES
from contracts.gaps import BLOCKS, KINDS, SEVERITIES
from contracts.items import CatalogueItems, Channels, Items, ShipOptions
from contracts.mappings import TABLES
from contracts.stock import Locations
from tasks.rules.audit import Seen, Setup, audit
from tasks.rules.mapping_tables import read_csv

HERE = Path(__file__).parent / "known_bad"
COLUMNS = ("severity", "owner", "id", "says", "table", "row")


def _frame(contract, name: str) -> pd.DataFrame:
    kinds = {column: str(parts.dtype) for column, parts in contract.to_schema().columns.items()}
    read = {"bool": lambda text: text == "yes", "int64": int}
    return contract.frame({column: read.get(kinds[column], str)(text) for column, text in row.items()} for row in csv.DictReader((HERE / name).open()))


def _tables() -> dict[str, list[dict[str, str]]]:
    found = {}
    for table in TABLES:
        frame, problems = read_csv(table, (HERE / f"{table}.csv").read_text()) if (HERE / f"{table}.csv").exists() else (TABLES[table].frame(), [])
        assert not problems
        found[table] = frame.to_dict("records")
    return found


def known_bad() -> Setup:
    """The set-up of the files."""
    seen = list(csv.DictReader((HERE / "seen.csv").open()))
    return Setup("shop-uk", "site", frozenset({"shop-uk", "shop-us"}), frozenset({"site"}), {"shop-uk": "UK", "shop-us": "UK"}, _tables(),
                 _frame(CatalogueItems, "catalogue.csv"), _frame(Items, "items.csv"), _frame(Channels, "channels.csv"), _frame(ShipOptions, "ship_options.csv"),
                 _frame(Locations, "locations.csv"), ({"record": "line 9", "why": "unit: 'each' is not a unit"},),
                 Seen(frozenset((row["channel"], row["country"]) for row in seen), frozenset(row["ship_method"] for row in seen),
                      frozenset(row["sku"] for row in seen), frozenset((row["sku"], row["unit"]) for row in seen if row["unit"]), carriers=frozenset({("UPSN", "GROUND")}), order_id_longest=20))


def findings() -> str:
    """The findings as a table."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for gap in audit(known_bad()):
        kind = KINDS[gap.kind]
        writer.writerow([kind.severity, kind.owner, gap.id, gap.says, kind.table if gap.row else "", ",".join(gap.row.values())])
    return out.getvalue()


def test_the_known_bad_set_up_gives_exactly_the_findings_beside_it():
    assert findings() == (HERE / "findings.csv").read_text()


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_the_lists_come_changes_nothing(seed):
    bad, dice = known_bad(), random.Random(seed)
    mixed = {name: dice.sample(rows, len(rows)) for name, rows in bad.tables.items()}
    frames = {name: getattr(bad, name).sample(frac=1, random_state=seed).reset_index(drop=True) for name in ("catalogue", "items", "channels", "options", "locations")}
    assert audit(replace(bad, tables=mixed, **frames)) == audit(known_bad())


def test_every_kind_that_a_known_bad_set_up_can_have_is_found_in_it_and_each_has_an_owner_and_a_remedy():
    of_other_tests = {"secret_unresolved", "connection_unusable", "account_refuses", "route_missing", "items_missing", "stock_unmapped"}
    assert {gap.kind for gap in audit(known_bad())} == set(KINDS) - of_other_tests
    for kind in KINDS.values():
        assert kind.owner in ROLES and kind.severity in SEVERITIES and kind.remedy and kind.table in {"", *TABLES}, kind.name


def test_ids_are_unique_and_a_proposed_row_has_the_columns_of_its_table():
    gaps = audit(known_bad())
    assert len({gap.id for gap in gaps}) == len(gaps)
    for gap in gaps:
        assert not gap.row or list(gap.row) == TABLES[KINDS[gap.kind].table].columns(), gap.id


def test_what_could_not_be_looked_at_is_not_taken_for_empty():
    blind = replace(known_bad(), catalogue=None, items=None, channels=None, options=None, locations=None, seen=Seen(), unreadable=())
    assert {gap.kind for gap in audit(blind)} <= {"reference_collision", "route_warehouse_unknown", "carrier_unmapped", "home_country_missing", "row_never_matches",
                                                  "facility_unrouted", "safety_stock_missing", "return_rule_missing"}


def test_a_warehouse_without_items_a_route_that_is_not_there_and_stock_that_nobody_mapped_block_go_live():
    empty = replace(known_bad(), items=Items.frame(), tables=_tables() | {"routes": [], "stock_locations": []})
    assert {gap.kind for gap in audit(empty) if KINDS[gap.kind].severity == BLOCKS} == {"items_missing", "route_missing", "stock_unmapped"}


def test_a_set_up_without_a_gap_is_clean():
    """Mended by the audit's own proposals, nothing is left."""
    tables = {table: [] for table in TABLES} | {
        "routes": [{"connection": "shop-uk", "channel": "*", "country": "GB", "sku": "*", "warehouse": "site", "facility": "NORTH"}],
        "ship_methods": [{"connection": "shop-uk", "ship_method": "Tracked 48", "warehouse": "site", "carrier": "RMLL", "service": "48"}],
        "carriers": [{"warehouse": "site", "carrier": "RMLL", "service": "*", "connection": "shop-uk", "provider": "royalmail", "tracking_carrier": "", "tracking_link": ""}],
        "home_countries": [{"warehouse": "site", "facility": "NORTH", "country": "GB"}],
        "stock_locations": [{"connection": "shop-uk", "location": "1", "warehouse": "site", "facility": "NORTH", "share_percent": "100"}],
        "safety_stock": [{"connection": "shop-uk", "sku": "*", "rule": "fixed", "value": "1"}],
        "return_rules": [{"connection": "shop-uk", "warehouse": "site", "grade": "*", "refund_percent": "100", "disposition": "restock", "needs_rma": "no"}]}
    bad = known_bad()
    clean = Setup("shop-uk", "site", frozenset({"shop-uk"}), frozenset({"site"}), {"shop-uk": "UK"}, tables, bad.catalogue[bad.catalogue["sku"] == "HEART"],
                  bad.items[bad.items["sku"] == "HEART"], bad.channels[bad.channels["channel"] == "1"], bad.options[:1], bad.locations[:1])
    assert audit(clean) == []


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    (HERE / "findings.csv").write_text(findings())
