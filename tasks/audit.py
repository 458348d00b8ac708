"""Inspect a route before go-live: read both sides' own lists, change nothing anywhere, and name every gap with its owner and remedy."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration, NotAllowed, WharfingerError
from connectors.ledger.ledger import Tx
from contracts.gaps import KINDS, SEVERITIES, Gap
from contracts.mappings import TABLES
from tasks.opened import RETRY, house
from tasks.rules.audit import Seen, Setup, audit

LOOK_BACK = timedelta(days=90)
TRADE_SHARE = 0.2  # of a channel's orders that bear an organisation: then companies buy there
UNRESOLVED = ("the environment has no", "cannot read", "a secret is given by reference")
CLEAN, GAPS, COULD_NOT_LOOK = "clean", "gaps", "could not look"
EXIT = {CLEAN: 0, GAPS: 1, COULD_NOT_LOOK: 2}


@dataclass
class Looks:
    """What was read, what stood in the way, and the gaps that this itself is."""

    counts: dict[str, int] = field(default_factory=dict)
    in_the_way: list[dict[str, str]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    is_certain: bool = True  # nothing stood in the way but what is itself a gap

    def at(self, what: str, read: Callable[[], Any], connection: str) -> Any:
        """What `read` gives, or None when it cannot be had."""
        try:
            found = read()
        except BadConfiguration as error:
            kind = "secret_unresolved" if any(words in error.got for words in UNRESOLVED) else "connection_unusable"
            return self._missing(what, error, Gap(kind, connection, f"the connection {connection} cannot be opened: {error.got}"))
        except NotAllowed as error:
            return self._missing(what, error, Gap("account_refuses", f"{connection}: {what}", f"{connection} does not let us read its {what}: {error.got}"))
        except WharfingerError as error:
            return self._missing(what, error, None)
        self.counts[what] = len(found) if hasattr(found, "__len__") else 1
        return found

    def _missing(self, what: str, error: WharfingerError, gap: Gap | None) -> None:
        self.in_the_way.append({"what": what, "why": str(error)})
        self.gaps += [gap] if gap else []
        self.is_certain = self.is_certain and gap is not None


def audit_route(opened: House, storefront: str, warehouse: str) -> dict[str, Any]:
    """Every gap of the route, worst first, and what could not be looked at. The same set-up gives the same answer.

    {verdict: clean | gaps | could not look, counts by severity, looked_at, not_looked_at, gaps: rows for people}. Raises BadConfiguration when the
    profile has no such connection.
    """
    opened.settings(storefront), opened.settings(warehouse)
    looks = Looks()
    setup = _setup(opened, storefront, warehouse, looks)
    known = {gap.id: gap for gap in [*looks.gaps, *audit(setup)]}
    places = list(KINDS)
    gaps = sorted(known.values(), key=lambda gap: (SEVERITIES.index(KINDS[gap.kind].severity), places.index(gap.kind), gap.subject))
    counts = Counter(KINDS[gap.kind].severity for gap in gaps)
    verdict = COULD_NOT_LOOK if not looks.is_certain else GAPS if gaps else CLEAN
    return {"storefront": storefront, "warehouse": warehouse, "verdict": verdict, "counts": {severity: counts[severity] for severity in SEVERITIES},
            "looked_at": looks.counts, "not_looked_at": looks.in_the_way, "gaps": [row_of(gap) for gap in gaps]}


def row_of(gap: Gap) -> dict[str, Any]:
    """The gap for people and programs."""
    kind = KINDS[gap.kind]
    return {"id": gap.id, "severity": kind.severity, "owner": kind.owner, "kind": gap.kind, "subject": gap.subject, "says": gap.says, "remedy": kind.remedy,
            "table": kind.table if gap.row else "", "row": gap.row}


def _setup(opened: House, storefront: str, warehouse: str, looks: Looks) -> Setup:
    front = looks.at("storefront", lambda: opened.storefront(storefront), storefront)
    site = looks.at("warehouse", lambda: opened.warehouse(warehouse), warehouse)
    read: dict[str, Any] = {}
    for name, verb in (("catalogue", "whole_catalogue"), ("channels", "channels"), ("options", "ship_options"), ("locations", "locations")) if front else ():
        read[name] = looks.at({"options": "shipping methods"}.get(name, name), getattr(front, verb), storefront)
    items = looks.at("items", lambda: site.items()[0], warehouse) if site else None
    unreadable = tuple(site.items()[1]) if items is not None else ()
    with opened.ledger.transaction() as tx:
        tables = {table: opened.ledger.mappings.current(tx, table).to_dict("records") for table in TABLES}
        seen = _seen(opened, tx, storefront, warehouse)
    looks.counts |= {"mapping rows": sum(map(len, tables.values()))} | seen[1]
    prefixes = {name: opened.settings(name).reference_prefix for name in opened.names("storefront")}
    return Setup(storefront, warehouse, frozenset(prefixes), frozenset(opened.names("warehouse")), prefixes, tables, items=items, unreadable=unreadable, seen=seen[0], **read)


def _seen(opened: House, tx: Tx, storefront: str, warehouse: str) -> tuple[Seen, dict[str, int]]:
    """What orders and dispatches of the last months show of the route; nothing before the first order."""
    since, sets = opened.clock.now() - LOOK_BACK, {name: set() for name in ("places", "methods", "skus", "units")}
    of_channel: Counter[str] = Counter()
    trade: Counter[str] = Counter()
    theirs, longest = 0, 0
    for row in opened.ledger.drifts.book_since(tx, storefront, since):
        if row.order.get("fulfilled_by") == "marketplace":  # never ours to ship: no gap of it matters
            theirs += 1
            continue
        channel, longest = row.order["channel"], max(longest, len(row.order["order_id"]))
        of_channel[channel] += 1
        trade[channel] += bool(row.order["organisation"] or row.order["po_number"])
        sets["places"] |= {(channel, group["country"]) for group in row.ship_groups if group["country"]}
        sets["methods"] |= {group["ship_method"].strip() for group in row.ship_groups} - {""}
        goods = [line for line in row.lines if line["is_shippable"]]
        sets["skus"] |= {line["sku"] for line in goods}
        sets["units"] |= {(line["sku"], line["unit"]) for line in goods if line["unit"].strip()}
    carriers = opened.ledger.drifts.carriers_of(tx, warehouse, since)
    companies = {channel for channel, count in trade.items() if count >= TRADE_SHARE * of_channel[channel]}
    seen = Seen(**{name: frozenset(found) for name, found in sets.items()}, trade=frozenset(companies), carriers=frozenset(carriers), order_id_longest=longest)
    return seen, {"orders so far": sum(of_channel.values())} | ({"orders the marketplace fulfils": theirs} if theirs else {})


@task(name="audit route", task_run_name="audit {storefront} → {warehouse}", **RETRY)
def audit_route_of(storefront: str, warehouse: str) -> dict[str, Any]:
    """Every gap of the route, as rows."""
    return audit_route(house(), storefront, warehouse)
