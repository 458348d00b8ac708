"""From the JSON that the ledger keeps to rows that can be published: exactly the fields that are named here, whatever else is in it."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from connectors.snapshots.sql import memory

ORDER = {"channel": "VARCHAR", "status": "VARCHAR", "status_code": "VARCHAR", "currency": "VARCHAR", "total_minor": "BIGINT", "shipping_minor": "BIGINT",
         "tax_minor": "BIGINT", "discount_minor": "BIGINT", "po_number": "VARCHAR", "organisation": "VARCHAR", "customer_group": "VARCHAR", "placed_at": "TIMESTAMPTZ",
         "ship_by": "TIMESTAMPTZ", "fulfilled_by": "VARCHAR"}
LINE = {"line_id": "VARCHAR", "ship_group": "VARCHAR", "sku": "VARCHAR", "name": "VARCHAR", "quantity": "BIGINT", "unit": "VARCHAR", "unit_price_minor": "BIGINT",
        "total_minor": "BIGINT", "currency": "VARCHAR", "is_shippable": "BOOLEAN"}
ITEM = {"sku": "VARCHAR", "quantity": "BIGINT", "as_of": "TIMESTAMPTZ", "sequence": "BIGINT"}
RETURN_LINE = {"line_id": "VARCHAR", "quantity": "BIGINT"}


def orders(book: pd.DataFrame, requests: pd.DataFrame, request_lines: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables `orders` and `order_lines` from the order book. is_stock: the line is in a request; null where its order was never asked."""
    with memory() as connection:
        for name, frame in (("book", book), ("requests", requests), ("request_lines", request_lines)):
            connection.register(name, _arrow(frame))
        connection.execute(f"CREATE TABLE told AS SELECT * EXCLUDE (\"order\", lines), {_fields('order', ORDER)} FROM book")
        connection.execute(f"CREATE TABLE line AS SELECT connection, order_id, {_named(LINE)} FROM (SELECT connection, order_id, unnest({_list('lines', LINE)}) AS one FROM book)")
        lines = connection.sql("""
            SELECT line.*, CASE WHEN asked.order_id IS NOT NULL THEN placed.line_id IS NOT NULL END AS is_stock FROM line
            LEFT JOIN (SELECT DISTINCT connection, order_id FROM requests) asked USING (connection, order_id)
            LEFT JOIN (SELECT DISTINCT connection, order_id, line_id FROM requests JOIN request_lines USING (warehouse, reference)) placed USING (connection, order_id, line_id)""")
        return {"orders": _frame(connection.sql("FROM told")), "order_lines": _frame(lines)}


def items(effects: pd.DataFrame) -> pd.DataFrame:
    """One row a SKU of every stock update: what a storefront's location was to show. effects: effect_id, payload and what else is to be kept."""
    return _exploded(effects, f"* EXCLUDE (payload), payload->>'$.connection' AS connection, payload->>'$.location' AS location, unnest({_list('payload', ITEM, '$.items')}) AS one",
                     f"* EXCLUDE (one), {_named(ITEM)}")


def return_lines(rmas: pd.DataFrame) -> pd.DataFrame:
    """How many lines and units each authorised return has, instead of its lines."""
    return _exploded(rmas, f"*, {_list('lines', RETURN_LINE)} AS named", "* EXCLUDE (named, lines), len(named)::BIGINT AS lines, coalesce(list_sum([n.quantity FOR n IN named]), 0)::BIGINT AS units")


def _exploded(frame: pd.DataFrame, inner: str, outer: str) -> pd.DataFrame:
    with memory() as connection:
        connection.register("given", _arrow(frame))
        return _frame(connection.sql(f"SELECT {outer} FROM (SELECT {inner} FROM given)"))


def _fields(column: str, fields: Mapping[str, str]) -> str:
    return f"unnest(from_json(\"{column}\", '{_shape(fields)}'))"


def _list(column: str, fields: Mapping[str, str], path: str = "$") -> str:
    return f"from_json(json_extract(\"{column}\", '{path}'), '[{_shape(fields)}]')"


def _shape(fields: Mapping[str, str]) -> str:
    """Moments are read as text and cast when published: from_json would take them without their zone."""
    inside = ", ".join(f'"{name}": "{"VARCHAR" if sql_type == "TIMESTAMPTZ" else sql_type}"' for name, sql_type in fields.items())
    return "{" + inside + "}"


def _named(fields: Mapping[str, str]) -> str:
    return ", ".join(f"one.{name}" for name in fields)


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _frame(relation: object) -> pd.DataFrame:
    """Arrow behind pandas: nothing is copied, and no number becomes a float."""
    return relation.to_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)
