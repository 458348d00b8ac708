"""What a held record waits for, in one text: the form of `Finding.waits_on`.

    items:gxo-uk:85123a                                     the item master gets this SKU
    routes:connection=bc-uk|channel=1|country=IE|sku=*      a row of this mapping table with this key
    items:gxo-uk:85123a;skus:connection=bc-uk|sku=85123a|…  either of them
    routes:*                                                any change of the table

A value may be several, split by ','; '*' waits for any value. Delimiters inside a value are percent-encoded, so any SKU is safe.
The ledger keeps 250 characters: what would be longer waits for more than it must, since replaying too much is harmless.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from contracts.mappings import TABLES

ANY = "*"
ITEMS = "items"
PATTERNS = {("non_stock", "pattern"), ("routes", "sku"), ("settlement_types", "transaction_type"), ("settlement_types", "amount_type"),
            ("settlement_types", "amount_description")}  # key columns in which people write shell patterns, case ignored
LONGEST = 250
_DELIMITERS = re.compile(r"[\x00-\x1f%|=;:,]")

Wait = tuple[str, dict[str, frozenset[str]]]


def folded(text: str) -> str:
    """How a pattern column compares: case ignored, outer spacing ignored."""
    return text.strip().casefold()


def waits_on_item(warehouse: str, sku: str) -> str:
    """The record is freed when this warehouse's item master says something new of this SKU."""
    return _bounded(f"{ITEMS}:{_quoted(warehouse)}:{_quoted(sku)}")


def waits_on_mapping(table: str, **key: str | Iterable[str]) -> str:
    """The record is freed by a change of this table at this key. Raises ValueError for a column that is not in the table's key."""
    strange = set(key) - set(TABLES[table].KEY)
    if strange:
        raise ValueError(f"{table} has no key column {', '.join(sorted(strange))}")
    listed = {column: [value] if isinstance(value, str) else list(value) for column, value in key.items()}
    text = _joined(table, listed)
    if len(text) > LONGEST:
        text = _joined(table, {column: values if len(values) == 1 else [ANY] for column, values in listed.items()})
    return _bounded(text)


def any_of(*waits: str) -> str:
    """The record is freed by whichever of these comes first. Too long together, the last ones wait for any change of their table."""
    kept = list(dict.fromkeys(wait for wait in waits if wait))
    for place in reversed(range(len(kept))):
        if len(";".join(kept)) > LONGEST:
            kept[place] = _any_row(kept[place])
    return ";".join(dict.fromkeys(kept))


def parse(waits_on: str) -> list[Wait]:
    """[(table, {key column: values})] as they were put in. '' -> []. Raises ValueError for text that is in no such form."""
    return [_parsed(part) for part in waits_on.split(";") if part]


def touches(table: str, row: Mapping[str, str], waits: Iterable[Wait]) -> bool:
    """Does this row of the table concern one of the waits? Wildcards and patterns in the row count."""
    return any(wanted == table and all(_meets(table, column, row[column], values) for column, values in key.items()) for wanted, key in waits)


def _parsed(part: str) -> Wait:
    table, _, rest = part.partition(":")
    if rest == ANY and table in (ITEMS, *TABLES):
        return table, {}
    try:
        if table == ITEMS:
            warehouse, sku = rest.split(":")
            return table, {"warehouse": frozenset([_unquoted(warehouse)]), "sku": frozenset([_unquoted(sku)])}
        pairs = [pair.split("=") for pair in rest.split("|")]
        key = {column: frozenset(_unquoted(value) for value in values.split(",")) for column, values in pairs}
    except ValueError:
        raise ValueError(f"not a wait that we know: {part[:60]!r}") from None
    if table not in TABLES or not set(key) <= set(TABLES[table].KEY):
        raise ValueError(f"not a wait that we know: {part[:60]!r}")
    return table, key


def _meets(table: str, column: str, typed: str, values: frozenset[str]) -> bool:
    if ANY in values or (typed == ANY and table != ITEMS):
        return True
    if (table, column) in PATTERNS:
        pattern = folded(typed)
        return any(folded(value) == pattern or fnmatchcase(folded(value), pattern) for value in values)
    return typed in values


def _bounded(wait: str) -> str:
    return wait if len(wait) <= LONGEST else _any_row(wait)


def _any_row(wait: str) -> str:
    return f"{wait.partition(':')[0]}:{ANY}"


def _joined(table: str, key: Mapping[str, Iterable[str]]) -> str:
    return f"{table}:" + "|".join(f"{column}={','.join(map(_quoted, values))}" for column, values in key.items())


def _quoted(value: str) -> str:
    return _DELIMITERS.sub(lambda found: f"%{ord(found[0]):02X}", value)


def _unquoted(text: str) -> str:
    return re.sub(r"%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)
