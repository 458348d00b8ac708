"""What every storefront should show: one row a key, with its version, what it was made of, and what the storefront was last told."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database
from connectors.ledger.tables import stock_desired, stock_mark

CHUNK = 500
ALONE = 1  # `halved` is how large a group with this row may be; 0: as large as the storefront takes
REFUSED = "refused by the storefront"

Key = tuple[str, str]  # location, SKU


class DesiredStock:
    """The table of desired figures. Each step is one statement a row: who reads it meanwhile sees the old row or the new one."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def mark(self, tx: Connection, connection: str) -> Row[Any] | None:
        """Which positions and which rules the rows were last decided from; None: never."""
        return tx.execute(sa.select(stock_mark).where(stock_mark.c.connection == connection)).one_or_none()

    def set_mark(self, tx: Connection, connection: str, positions: dict[str, str], rules_hash: str) -> None:
        """The rows are decided from these, in this transaction."""
        values = {"positions": positions, "rules_hash": rules_hash, "decided_at": self._clock.now()}
        tx.execute(self._database.insert(stock_mark).values(connection=connection, **values)
                   .on_conflict_do_update(index_elements=[stock_mark.c.connection], set_=values))

    def corrected(self, tx: Connection, connection: str) -> list[Key]:
        """Keys whose figure holds more than the plain statement: they may change though no statement does."""
        return [(row.location, row.sku) for row in tx.execute(sa.select(stock_desired.c.location, stock_desired.c.sku).where(
            stock_desired.c.connection == connection, stock_desired.c.is_corrected.is_(True)))]

    def rows(self, tx: Connection, connection: str, skus: list[str] | None = None, locations: Iterable[str] | None = None) -> dict[Key, Row[Any]]:
        """The rows of these SKUs at these locations (None: all), without what they were made of.

        Name the locations whenever you name SKUs: the key begins with them, and without them every row is looked at.
        """
        columns = [column for column in stock_desired.c if column.name != "parts"]
        wanted = sa.select(*columns).where(stock_desired.c.connection == connection)
        if locations is not None:
            wanted = wanted.where(stock_desired.c.location.in_(list(locations)))
        if skus is None:
            return {(row.location, row.sku): row for row in tx.execute(wanted)}
        return {(row.location, row.sku): row for start in range(0, len(skus), CHUNK)
                for row in tx.execute(wanted.where(stock_desired.c.sku.in_(skus[start:start + CHUNK])))}

    def parts_of(self, tx: Connection, connection: str, keys: list[Key]) -> dict[Key, dict[str, Any]]:
        """What these figures were made of."""
        skus, found = sorted({sku for _, sku in keys}), {}
        for start in range(0, len(skus), CHUNK):
            found |= {(row.location, row.sku): row.parts for row in tx.execute(
                sa.select(stock_desired.c.location, stock_desired.c.sku, stock_desired.c.parts).where(
                    stock_desired.c.connection == connection, stock_desired.c.sku.in_(skus[start:start + CHUNK])))}
        return {key: found[key] for key in keys if key in found}

    def decide(self, tx: Connection, rows: list[dict[str, Any]]) -> None:
        """Enter decided figures: {connection, location, sku, quantity, as_of, sequence, parts, withheld, is_corrected}.

        Owed is what the storefront was not told, or told otherwise. A version never goes back. A withheld figure is no figure: the one before stays,
        and nothing is owed. What the storefront refused stays withheld until its figure changes.
        """
        if not rows:
            return
        now = self._clock.now()
        told = [row | {"decided_at": now, "is_owed": row["withheld"] == "", "halved": 0, "effect_id": "", "turn": 0} for row in rows]
        self._database.many(tx, self._upsert(), stock_desired, told)

    def _upsert(self) -> Any:
        new, old = self._database.insert(stock_desired), stock_desired.c
        given = new.excluded
        is_newer = sa.tuple_(given.as_of, given.sequence) > sa.tuple_(old.as_of, old.sequence)
        stays_refused = sa.and_(old.withheld == REFUSED, old.quantity == given.quantity, given.withheld == "")
        withheld = sa.case((stays_refused, old.withheld), else_=given.withheld)
        is_told = sa.and_(old.sent_quantity.is_not(None), old.sent_quantity == given.quantity, old.effect_id == "")
        return new.on_conflict_do_update(index_elements=[old.connection, old.location, old.sku], set_={
            "quantity": sa.case((given.withheld != "", old.quantity), else_=given.quantity), "as_of": sa.case((is_newer, given.as_of), else_=old.as_of),
            "sequence": sa.case((is_newer, given.sequence), else_=old.sequence), "decided_at": given.decided_at, "parts": given.parts,
            "withheld": withheld, "is_corrected": given.is_corrected, "is_owed": sa.and_(withheld == "", sa.not_(is_told))})

    def owe_again(self, tx: Connection, connection: str, keys: Iterable[Key]) -> int:
        """What the storefront shows is not what it was told: tell it again. How many rows that is."""
        return sum(tx.execute(sa.update(stock_desired).where(*_is(connection, key), stock_desired.c.effect_id == "", stock_desired.c.withheld == "")
                              .values(is_owed=True)).rowcount for key in keys)

    def owed(self, tx: Connection, connection: str) -> list[Row[Any]]:
        """Rows that are owed and in no live effect."""
        columns = [column for column in stock_desired.c if column.name != "parts"]
        return list(tx.execute(sa.select(*columns).where(
            stock_desired.c.connection == connection, stock_desired.c.is_owed.is_(True), stock_desired.c.effect_id == "", stock_desired.c.withheld == "",
        ).order_by(stock_desired.c.location, stock_desired.c.sku)))

    def owed_count(self, tx: Connection, connection: str) -> int:
        """How many rows the storefront is yet to be told, those under way included."""
        return tx.execute(sa.select(sa.func.count()).where(stock_desired.c.connection == connection, stock_desired.c.is_owed.is_(True))).scalar_one()

    def withheld(self, tx: Connection, connection: str, why: str, limit: int) -> tuple[int, list[str]]:
        """How many SKUs are withheld for this reason, and the first of them."""
        where = (stock_desired.c.connection == connection, stock_desired.c.withheld == why)
        count = tx.execute(sa.select(sa.func.count(sa.distinct(stock_desired.c.sku))).where(*where)).scalar_one()
        return count, list(tx.execute(sa.select(sa.distinct(stock_desired.c.sku)).where(*where).order_by(stock_desired.c.sku).limit(limit)).scalars())

    def under_way(self, tx: Connection, connection: str) -> dict[str, list[Row[Any]]]:
        """Rows by the effect that carries them."""
        found: dict[str, list[Row[Any]]] = {}
        for row in tx.execute(sa.select(stock_desired).where(stock_desired.c.effect_id > "", stock_desired.c.connection == connection)):  # not '!=': no index serves that
            found.setdefault(row.effect_id, []).append(row)
        return found

    def carry(self, tx: Connection, connection: str, keys: list[Key], effect_id: str) -> None:
        """This effect carries these rows now."""
        for location in sorted({location for location, _ in keys}):
            skus = [sku for place, sku in keys if place == location]
            for start in range(0, len(skus), CHUNK):
                tx.execute(sa.update(stock_desired).where(
                    stock_desired.c.connection == connection, stock_desired.c.location == location, stock_desired.c.sku.in_(skus[start:start + CHUNK]),
                ).values(effect_id=effect_id, turn=stock_desired.c.turn + 1))

    def told(self, tx: Connection, connection: str, location: str, items: list[dict[str, Any]], effect_id: str) -> None:
        """The storefront has these items {sku, quantity, as_of (a moment), sequence}. What moved on meanwhile is owed again."""
        now = self._clock.now()
        if not items:
            return
        tx.execute(_TOLD, [{"c": connection, "l": location, "s": item["sku"], "by": effect_id, "n": item["quantity"], "v": item["as_of"],
                            "vs": item["sequence"], "at": now} for item in items])

    def put_back(self, tx: Connection, connection: str, effect_id: str, size: int = 0, alone: Iterable[str] = ()) -> int:
        """The effect did not come about: its rows are owed again, in groups of `size` at most when it was too large, or these SKUs `alone`. How many."""
        carried, blamed = (stock_desired.c.connection == connection, stock_desired.c.effect_id == effect_id), list(alone)
        for start in range(0, len(blamed), CHUNK):
            tx.execute(sa.update(stock_desired).where(*carried, stock_desired.c.sku.in_(blamed[start:start + CHUNK])).values(halved=ALONE))
        halved = {"halved": size} if size else {}
        return tx.execute(sa.update(stock_desired).where(*carried).values(effect_id="", is_owed=stock_desired.c.withheld == "", **halved)).rowcount

    def refuse(self, tx: Connection, connection: str, effect_id: str) -> None:
        """The storefront will not have this one row: not again before its figure changes, and then alone."""
        tx.execute(sa.update(stock_desired).where(stock_desired.c.connection == connection, stock_desired.c.effect_id == effect_id)
                   .values(effect_id="", is_owed=False, withheld=REFUSED, halved=ALONE))

    def try_again(self, tx: Connection, connection: str, location: str, sku: str) -> bool:
        """A person has mended why the storefront refused it. False when it is refused no more."""
        return bool(tx.execute(sa.update(stock_desired).where(*_is(connection, (location, sku)), stock_desired.c.withheld == REFUSED, stock_desired.c.effect_id == "")
                               .values(withheld="", is_owed=True)).rowcount)


def _is(connection: str, key: Key) -> tuple[Any, Any, Any]:
    return stock_desired.c.connection == connection, stock_desired.c.location == key[0], stock_desired.c.sku == key[1]


_ROW = (stock_desired.c.connection == sa.bindparam("c"), stock_desired.c.location == sa.bindparam("l"), stock_desired.c.sku == sa.bindparam("s"))
_TOLD = sa.update(stock_desired).where(*_ROW, stock_desired.c.effect_id == sa.bindparam("by")).values(
    sent_quantity=sa.bindparam("n"), sent_as_of=sa.bindparam("v"), sent_sequence=sa.bindparam("vs"), sent_at=sa.bindparam("at"), effect_id="", halved=0,
    is_owed=sa.and_(stock_desired.c.withheld == "", stock_desired.c.quantity != sa.bindparam("n")))
