"""The ledger's tables as the catalogue takes them: exactly these columns. What is not listed here is not published."""

import pandas as pd

from connectors.snapshots.errors import SnapshotRefused

_COLUMNS = {
    "orders": "connection order_id channel status status_code state currency total_minor:BIGINT shipping_minor:BIGINT tax_minor:BIGINT "
              "discount_minor:BIGINT po_number organisation customer_group fulfilled_by placed_at:TIMESTAMPTZ ship_by:TIMESTAMPTZ modified_at:TIMESTAMPTZ "
              "taken_in_at:TIMESTAMPTZ",
    "order_lines": "connection order_id line_id ship_group sku name quantity:BIGINT unit unit_price_minor:BIGINT total_minor:BIGINT currency "
                   "is_shippable:BOOLEAN is_stock:BOOLEAN",
    "requests": "warehouse reference connection order_id ship_group facility carrier service state effect_id revision:BIGINT created_at:TIMESTAMPTZ",
    "request_lines": "warehouse reference number:BIGINT line_id sku warehouse_sku quantity:BIGINT unit factor:BIGINT advised:BIGINT",
    "effects": "effect_id kind target business_key state attempt:BIGINT number:BIGINT remote_id error planned_at:TIMESTAMPTZ sent_at:TIMESTAMPTZ "
               "confirmed_at:TIMESTAMPTZ verified_at:TIMESTAMPTZ",
    "dispatches": "warehouse advice_id reference package_id carrier service tracking_number request_line sku quantity:BIGINT unit line_status "
                  "facility shipped_at:TIMESTAMPTZ inbox_key",
    "exceptions": "exception_id type owner severity connection record cause state count:BIGINT opened_at:TIMESTAMPTZ last_seen_at:TIMESTAMPTZ "
                  "due_at:TIMESTAMPTZ resolved_at:TIMESTAMPTZ resolved_by reason waits_on",
    "mappings": "table_name key fields valid_from:TIMESTAMPTZ valid_to:TIMESTAMPTZ actor",
    "timeline": "at:TIMESTAMPTZ connection order_id what actor detail",
    "watermarks": "feed reached_at:TIMESTAMPTZ updated_at:TIMESTAMPTZ",
    "inbox": "key source name kind state sha256 received_at:TIMESTAMPTZ detail",
    "stock_feeds": "warehouse facility as_of:TIMESTAMPTZ sequence:BIGINT skus:BIGINT units:BIGINT inbox_key received_at:TIMESTAMPTZ",
    "stock_changes": "warehouse document_id line:BIGINT kind facility sku unit change:BIGINT reason reference occurred_at:TIMESTAMPTZ sequence:BIGINT inbox_key "
                     "entered_at:TIMESTAMPTZ",
    "stock_desired": "connection location sku quantity:BIGINT as_of:TIMESTAMPTZ sequence:BIGINT decided_at:TIMESTAMPTZ parts is_owed:BOOLEAN effect_id "
                     "sent_quantity:BIGINT sent_as_of:TIMESTAMPTZ sent_at:TIMESTAMPTZ withheld is_corrected:BOOLEAN",
    "stock_updates": "effect_id connection location sku quantity:BIGINT as_of:TIMESTAMPTZ sequence:BIGINT state sent_at:TIMESTAMPTZ confirmed_at:TIMESTAMPTZ",
    "rmas": "connection rma order_id warehouse facility lines:BIGINT units:BIGINT state asked_at:TIMESTAMPTZ asked_by decided_at:TIMESTAMPTZ decided_by",
    "return_lines": "warehouse document_id line:BIGINT reference rma request_line sku quantity:BIGINT unit grade tracking_number facility received_at:TIMESTAMPTZ "
                    "inbox_key state connection order_id line_id storefront_quantity:BIGINT disposition refund_effect matched_by",
    "refunds": "connection refund_id line_id order_id quantity:BIGINT amount_minor:BIGINT currency is_declined:BOOLEAN created_at:TIMESTAMPTZ seen_at:TIMESTAMPTZ",
    "payments": "connection payment_id order_id kind amount_minor:BIGINT currency is_settled:BOOLEAN gateway occurred_at:TIMESTAMPTZ seen_at:TIMESTAMPTZ",
    "receipt_notices": "warehouse reference facility expected_on state announced_at:TIMESTAMPTZ announced_by",
    "drift": "connection warehouse about record cause storefront_says warehouse_says ledger_says detail began_at:TIMESTAMPTZ found_at:TIMESTAMPTZ "
             "last_seen_at:TIMESTAMPTZ ended_at:TIMESTAMPTZ",
    "reconciliation": "connection period order_id placed_at:TIMESTAMPTZ status is_carried_in:BOOLEAN is_carried_out:BOOLEAN verdict currency ordered_minor:BIGINT "
                      "paid_minor:BIGINT dispatched_minor:BIGINT refunded_minor:BIGINT returned_minor:BIGINT deducted_minor:BIGINT balance_minor:BIGINT "
                      "difference_minor:BIGINT explained_minor:BIGINT differences detail made_at:TIMESTAMPTZ",
    "hints": "key connection topic record received_at:TIMESTAMPTZ taken_at:TIMESTAMPTZ",
    "alerts": "exception_id stage alert_id promised_at:TIMESTAMPTZ told_at:TIMESTAMPTZ",
    "journal": "at:TIMESTAMPTZ actor what detail",
}
LEDGER_TABLES: dict[str, dict[str, str]] = {
    table: {column.partition(":")[0]: column.partition(":")[2] or "VARCHAR" for column in text.split()} for table, text in _COLUMNS.items()}


def table_frame(table: str, frame: pd.DataFrame | None) -> pd.DataFrame:
    """The frame with exactly the table's columns; no rows when it is missing or empty.

    Raises SnapshotRefused for a table or column that is not declared, a column that is missing from rows, a number that is not whole.
    """
    columns = LEDGER_TABLES.get(table)
    if columns is None:
        raise SnapshotRefused("publishing the catalogue", f"the table {table!r} is not declared in LEDGER_TABLES")
    frame = pd.DataFrame() if frame is None else frame
    unknown = [str(column) for column in frame.columns if column not in columns]
    missing = [column for column in columns if column not in frame.columns] if len(frame) else []
    for what, odd in (("not declared", unknown), ("missing", missing)):
        if odd:
            raise SnapshotRefused("publishing the catalogue", f"the table {table} has columns that are {what}: {', '.join(odd)}")
    if frame.empty:
        return pd.DataFrame({column: pd.Series(dtype="object") for column in columns})
    return pd.DataFrame({column: _column(table, column, kind, frame[column]) for column, kind in columns.items()}).reset_index(drop=True)


def _column(table: str, column: str, kind: str, values: pd.Series) -> pd.Series:
    """DuckDB would round 2.7 pieces to 3 without a word."""
    if kind == "BIGINT" and not pd.api.types.is_integer_dtype(values.dtype):
        try:
            return values.astype("Int64")
        except (TypeError, ValueError):
            raise SnapshotRefused("publishing the catalogue", f"{table}.{column} holds something that is not a whole number") from None
    return values
