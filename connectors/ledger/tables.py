"""The ledger's tables. Changed only together with a migration (`migrations/`): a test compares the two."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

PLANNED, IN_FLIGHT, CONFIRMED, UNKNOWN = "PLANNED", "IN_FLIGHT", "CONFIRMED", "UNKNOWN"
REJECTED, BLOCKED, WITHDRAWN = "REJECTED", "BLOCKED", "WITHDRAWN"
STATES = (PLANNED, IN_FLIGHT, CONFIRMED, UNKNOWN, REJECTED, BLOCKED, WITHDRAWN)

WHENEVER = datetime(9999, 12, 31, tzinfo=UTC)  # an effect that nobody waits for by a given time: after all that have one

PACKAGE_NUMBERS = "package numbers"  # the control number that numbers of packages begin after: none, until a backup was restored

# every edge there is; the database enforces the same list (migrations/versions/0001)
EDGES = frozenset({
    (PLANNED, IN_FLIGHT), (PLANNED, WITHDRAWN), (PLANNED, REJECTED),
    (IN_FLIGHT, CONFIRMED), (IN_FLIGHT, UNKNOWN), (IN_FLIGHT, REJECTED), (IN_FLIGHT, BLOCKED), (IN_FLIGHT, PLANNED),
    (UNKNOWN, CONFIRMED), (UNKNOWN, PLANNED), (UNKNOWN, BLOCKED),
    (BLOCKED, CONFIRMED), (BLOCKED, PLANNED), (BLOCKED, WITHDRAWN),
})


class Utc(TypeDecorator[datetime]):
    """A moment in UTC, in every database. Refuses a naive datetime: that is a bug."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a naive datetime was handed to the ledger")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def storable(text: str) -> str:
    """The text as every database takes it."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Words(TypeDecorator[str]):
    """Text that comes from outside, of any length: a limit that SQLite ignores and PostgreSQL enforces would stop a whole feed for one long SKU.

    What JSON allows and a database refuses (a NUL, half of a surrogate pair) becomes U+FFFD.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return storable(value) if value else value


metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})

effect = Table(
    "effect", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("effect_id", Words, nullable=False, unique=True),
    Column("kind", String(40), nullable=False),
    Column("target", Words, nullable=False),
    Column("business_key", Words, nullable=False),
    Column("ordering_key", Words, nullable=False),
    Column("connection", Words, nullable=False),
    Column("record", Words, nullable=False),
    Column("payload", sa.JSON, nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("fence", Integer, nullable=False, default=0),
    Column("number", Integer, nullable=False, default=0),
    Column("holder", Words, nullable=False, default=""),
    Column("planned_at", Utc, nullable=False),
    Column("not_before", Utc, nullable=False),
    Column("due_by", Utc, nullable=False, default=WHENEVER),
    Column("sent_at", Utc),
    Column("lease_until", Utc),
    Column("doubted_at", Utc),
    Column("confirmed_at", Utc),
    Column("verify_by", Utc),
    Column("verified_at", Utc),
    Column("remote_id", Words, nullable=False, default=""),
    Column("evidence", sa.JSON, nullable=False, default=dict),
    Column("error", Words, nullable=False, default=""),
    UniqueConstraint("kind", "target", "business_key"),
    sa.CheckConstraint(f"state IN ({', '.join(repr(s) for s in STATES)})", name="ck_effect_state"),
    Index("ix_effect_due", "target", "state", "due_by", "sequence"),
    Index("ix_effect_order", "ordering_key", "target", "state"),
    Index("ix_effect_record", "connection", "record"),
    Index("ix_effect_number", "target", "number"),
)

watermark = Table(
    "watermark", metadata,
    Column("feed", Words, primary_key=True),
    Column("reached_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
)

order_book = Table(
    "order_book", metadata,
    Column("connection", Words, primary_key=True),
    Column("order_id", Words, primary_key=True),
    Column("order", sa.JSON, nullable=False),
    Column("lines", sa.JSON, nullable=False),
    Column("ship_groups", sa.JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("addressed", sa.JSON, nullable=False),
    Column("modified_at", Utc, nullable=False),
    Column("taken_in_at", Utc, nullable=False),
    Column("state", String(20), nullable=False),
    Column("asked_hash", String(64), nullable=False, default=""),
    Column("replan", Boolean, nullable=False, default=False),
    Column("changed_at", Utc),
    Index("ix_order_book_replan", "connection", "replan"),
    Index("ix_order_book_changed", "connection", "changed_at"),
)

request = Table(
    "request", metadata,
    Column("warehouse", Words, primary_key=True),
    Column("reference", Words, primary_key=True),
    Column("connection", Words, nullable=False),
    Column("order_id", Words, nullable=False),
    Column("ship_group", Words, nullable=False),
    Column("facility", Words, nullable=False),
    Column("carrier", Words, nullable=False),
    Column("service", Words, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("effect_id", Words, nullable=False),
    Column("payload", sa.JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    Index("ix_request_order", "connection", "order_id"),
)

request_line = Table(
    "request_line", metadata,
    Column("warehouse", Words, primary_key=True),
    Column("reference", Words, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line_id", Words, nullable=False),
    Column("sku", Words, nullable=False),
    Column("warehouse_sku", Words, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit", Words, nullable=False),
    Column("factor", Integer, nullable=False),
    Column("advised", Integer, nullable=False, default=0),
)

dispatch_line = Table(
    "dispatch_line", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("warehouse", Words, nullable=False),
    Column("advice_id", Words, nullable=False),
    Column("reference", Words, nullable=False),
    Column("package_id", Words, nullable=False),
    Column("carrier", Words, nullable=False),
    Column("service", Words, nullable=False),
    Column("tracking_number", Words, nullable=False),
    Column("request_line", Words, nullable=False),
    Column("sku", Words, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit", Words, nullable=False),
    Column("line_status", Words, nullable=False),
    Column("facility", Words, nullable=False),
    Column("shipped_at", Utc, nullable=False),
    Column("inbox_key", Words, nullable=False),
    Index("ix_dispatch_line_reference", "warehouse", "reference"),
)

held_dispatch = Table(
    "held_dispatch", metadata,
    Column("business_key", Words, primary_key=True),
    Column("connection", Words, nullable=False),
    Column("order_id", Words, nullable=False),
    Column("waits_on", Words, nullable=False),
    Column("payload", sa.JSON, nullable=False),
    Column("held_at", Utc, nullable=False),
)

package_number = Table(
    "package_number", metadata,
    Column("connection", Words, primary_key=True),
    Column("order_id", Words, primary_key=True),
    Column("package", Words, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("given_at", Utc, nullable=False),
    UniqueConstraint("connection", "order_id", "number"),
)

exception = Table(
    "exception", metadata,
    Column("exception_id", Words, primary_key=True),
    Column("type", String(40), nullable=False),
    Column("owner", String(30), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("connection", Words, nullable=False),
    Column("record", Words, nullable=False),
    Column("cause", Words, nullable=False),
    Column("evidence", sa.JSON, nullable=False),
    Column("waits_on", Words, nullable=False, default=""),
    Column("count", Integer, nullable=False, default=1),
    Column("state", String(10), nullable=False),
    Column("opened_at", Utc, nullable=False),
    Column("last_seen_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("resolved_at", Utc),
    Column("resolved_by", Words, nullable=False, default=""),
    Column("reason", Words, nullable=False, default=""),
    Index("ix_exception_open", "type", "connection", "record", "cause", unique=True, sqlite_where=sa.text("state = 'open'"),
          postgresql_where=sa.text("state = 'open'")),
    Index("ix_exception_record", "connection", "record", "state"),
)

mapping = Table(
    "mapping", metadata,
    Column("mapping_id", Integer, primary_key=True, autoincrement=True),
    Column("table_name", String(40), nullable=False),
    Column("key", Words, nullable=False),
    Column("fields", sa.JSON, nullable=False),
    Column("valid_from", Utc, nullable=False),
    Column("valid_to", Utc),
    Column("actor", Words, nullable=False),
    Index("ix_mapping_now", "table_name", "key", unique=True, sqlite_where=sa.text("valid_to IS NULL"), postgresql_where=sa.text("valid_to IS NULL")),
)

item = Table(
    "item", metadata,
    Column("warehouse", Words, primary_key=True),
    Column("sku", Words, primary_key=True),
    Column("fields", sa.JSON, nullable=False),
    Column("seen_at", Utc, nullable=False),
)

inbox = Table(
    "inbox", metadata,
    Column("key", Words, primary_key=True),
    Column("source", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("state", String(12), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("detail", Words, nullable=False, default=""),
    sa.CheckConstraint("state IN ('processed', 'quarantined', 'duplicate')", name="ck_inbox_state"),
    Index("ix_inbox_sha", "sha256"),
)

control_number = Table(
    "control_number", metadata,
    Column("stream", Words, primary_key=True),
    Column("last", Integer, nullable=False),
)

vault_key = Table(
    "vault_key", metadata,
    Column("subject", Words, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
)

vault_item = Table(
    "vault_item", metadata,
    Column("subject", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_at", Utc, nullable=False),
)

access_log = Table(
    "access_log", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("subject", Words, nullable=False),
    Column("actor", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

timeline = Table(
    "timeline", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("connection", Words, nullable=False),
    Column("order_id", Words, nullable=False),
    Column("what", Words, nullable=False),
    Column("actor", Words, nullable=False),
    Column("detail", Words, nullable=False, default=""),
    Index("ix_timeline_order", "connection", "order_id"),
)

run = Table(
    "run", metadata,
    Column("run_id", Words, primary_key=True),
    Column("flow", String(80), nullable=False),
    Column("about", Words, nullable=False),
    Column("host", Words, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("beat_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("outcome", String(20), nullable=False, default=""),
)

stock_feed = Table(
    "stock_feed", metadata,
    Column("warehouse", Words, primary_key=True),
    Column("facility", Words, primary_key=True),
    Column("as_of", Utc, nullable=False),
    Column("sequence", sa.BigInteger, nullable=False),
    Column("positions", Words, nullable=False),
    Column("skus", Integer, nullable=False),
    Column("units", sa.BigInteger, nullable=False),
    Column("inbox_key", Words, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("whole_as_of", Utc),
    Column("whole_sequence", sa.BigInteger),
)

stock_change = Table(
    "stock_change", metadata,
    Column("warehouse", Words, primary_key=True),
    Column("document_id", Words, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("facility", Words, nullable=False),
    Column("sku", Words, nullable=False),
    Column("unit", Words, nullable=False),
    Column("change", Integer, nullable=False),
    Column("reason", Words, nullable=False),
    Column("reference", Words, nullable=False),
    Column("occurred_at", Utc, nullable=False),
    Column("sequence", sa.BigInteger, nullable=False),
    Column("inbox_key", Words, nullable=False),
    Column("entered_at", Utc, nullable=False),
    Column("is_open", Boolean, nullable=False, default=True),
    Index("ix_stock_change_sku", "warehouse", "facility", "sku", "occurred_at"),
    Index("ix_stock_change_open", "warehouse", "is_open"),
)

stock_desired = Table(
    "stock_desired", metadata,
    Column("connection", Words, primary_key=True),
    Column("location", Words, primary_key=True),
    Column("sku", Words, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("as_of", Utc, nullable=False),
    Column("sequence", sa.BigInteger, nullable=False),
    Column("decided_at", Utc, nullable=False),
    Column("parts", sa.JSON, nullable=False, default=dict),
    Column("is_owed", Boolean, nullable=False, default=True),
    Column("halved", Integer, nullable=False, default=0),
    Column("effect_id", Words, nullable=False, default=""),
    Column("sent_quantity", Integer),
    Column("sent_as_of", Utc),
    Column("sent_sequence", sa.BigInteger),
    Column("sent_at", Utc),
    Column("withheld", Words, nullable=False, default=""),
    Column("is_corrected", Boolean, nullable=False, default=False),
    Column("turn", Integer, nullable=False, default=0),
    Index("ix_stock_desired_owed", "connection", "is_owed"),
    Index("ix_stock_desired_corrected", "connection", "is_corrected"),
    Index("ix_stock_desired_effect", "effect_id"),
    Index("ix_stock_desired_withheld", "connection", "withheld"),
)

stock_mark = Table(
    "stock_mark", metadata,
    Column("connection", Words, primary_key=True),
    Column("positions", sa.JSON, nullable=False),
    Column("rules_hash", String(64), nullable=False),
    Column("decided_at", Utc, nullable=False),
)

sku_sales = Table(
    "sku_sales", metadata,
    Column("connection", Words, primary_key=True),
    Column("sku", Words, primary_key=True),
    Column("units", Integer, nullable=False),
    Column("days", Integer, nullable=False),
    Column("dispersion_milli", Integer, nullable=False),
    Column("counted_at", Utc, nullable=False),
)

rma = Table(
    "rma", metadata,
    Column("connection", Words, primary_key=True),
    Column("rma", Words, primary_key=True),
    Column("order_id", Words, nullable=False),
    Column("warehouse", Words, nullable=False),
    Column("facility", Words, nullable=False),
    Column("lines", sa.JSON, nullable=False),
    Column("reason", Words, nullable=False, default=""),
    Column("state", String(20), nullable=False),
    Column("asked_at", Utc, nullable=False),
    Column("asked_by", Words, nullable=False),
    Column("decided_at", Utc),
    Column("decided_by", Words, nullable=False, default=""),
    sa.CheckConstraint("state IN ('asked', 'approved', 'refused', 'closed')", name="ck_rma_state"),
    Index("ix_rma_order", "connection", "order_id"),
)

return_line = Table(
    "return_line", metadata,
    Column("warehouse", Words, primary_key=True),
    Column("document_id", Words, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("reference", Words, nullable=False),
    Column("rma", Words, nullable=False),
    Column("request_line", Words, nullable=False),
    Column("sku", Words, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit", Words, nullable=False),
    Column("grade", Words, nullable=False),
    Column("tracking_number", Words, nullable=False),
    Column("facility", Words, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("inbox_key", Words, nullable=False),
    Column("state", String(20), nullable=False),
    Column("connection", Words, nullable=False, default=""),
    Column("order_id", Words, nullable=False, default=""),
    Column("line_id", Words, nullable=False, default=""),
    Column("storefront_quantity", Integer, nullable=False, default=0),
    Column("disposition", String(20), nullable=False, default=""),
    Column("refund_effect", Words, nullable=False, default=""),
    Column("matched_by", Words, nullable=False, default=""),
    Column("placed", sa.JSON, nullable=False, default=list),
    Column("dues", sa.JSON, nullable=False, default=list),
    Index("ix_return_line_order", "connection", "order_id"),
    Index("ix_return_line_state", "warehouse", "state"),
)

refund_seen = Table(
    "refund_seen", metadata,
    Column("connection", Words, primary_key=True),
    Column("refund_id", Words, primary_key=True),
    Column("line_id", Words, primary_key=True),
    Column("order_id", Words, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("amount_minor", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("is_declined", Boolean, nullable=False),
    Column("reason", Words, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Index("ix_refund_seen_order", "connection", "order_id"),
)

payment_seen = Table(
    "payment_seen", metadata,
    Column("connection", Words, primary_key=True),
    Column("payment_id", Words, primary_key=True),
    Column("order_id", Words, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("amount_minor", sa.BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("is_settled", Boolean, nullable=False),
    Column("gateway", Words, nullable=False),
    Column("occurred_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Index("ix_payment_seen_order", "connection", "order_id"),
)

receipt_notice = Table(
    "receipt_notice", metadata,
    Column("warehouse", Words, primary_key=True),
    Column("reference", Words, primary_key=True),
    Column("facility", Words, nullable=False),
    Column("lines", sa.JSON, nullable=False),
    Column("expected_on", String(10), nullable=False),
    Column("state", String(20), nullable=False),
    Column("announced_at", Utc, nullable=False),
    Column("announced_by", Words, nullable=False),
)

drift = Table(
    "drift", metadata,
    Column("drift_id", Integer, primary_key=True, autoincrement=True),
    Column("connection", Words, nullable=False),
    Column("warehouse", Words, nullable=False),
    Column("about", String(20), nullable=False),
    Column("record", Words, nullable=False),
    Column("cause", String(30), nullable=False),
    Column("storefront_says", Words, nullable=False),
    Column("warehouse_says", Words, nullable=False),
    Column("ledger_says", Words, nullable=False),
    Column("detail", Words, nullable=False, default=""),
    Column("began_at", Utc, nullable=False),
    Column("found_at", Utc, nullable=False),
    Column("last_seen_at", Utc, nullable=False),
    Column("ended_at", Utc),
    sa.CheckConstraint("about IN ('order', 'tracking', 'stock', 'feed')", name="ck_drift_about"),
    Index("ix_drift_now", "connection", "warehouse", "about", "record", unique=True, sqlite_where=sa.text("ended_at IS NULL"),
          postgresql_where=sa.text("ended_at IS NULL")),
)

reconciliation = Table(
    "reconciliation", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("connection", Words, nullable=False),
    Column("period", String(20), nullable=False),
    Column("order_id", Words, nullable=False),
    Column("placed_at", Utc, nullable=False),
    Column("status", String(30), nullable=False),
    Column("is_carried_in", Boolean, nullable=False),
    Column("is_carried_out", Boolean, nullable=False),
    Column("verdict", String(40), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("ordered_minor", sa.BigInteger, nullable=False),
    Column("paid_minor", sa.BigInteger, nullable=False),
    Column("dispatched_minor", sa.BigInteger, nullable=False),
    Column("refunded_minor", sa.BigInteger, nullable=False),
    Column("returned_minor", sa.BigInteger, nullable=False),
    Column("deducted_minor", sa.BigInteger, nullable=False),
    Column("balance_minor", sa.BigInteger, nullable=False),
    Column("difference_minor", sa.BigInteger, nullable=False),
    Column("explained_minor", sa.BigInteger, nullable=False),
    Column("differences", sa.JSON, nullable=False, default=list),
    Column("detail", Words, nullable=False, default=""),
    Column("made_at", Utc, nullable=False),
    UniqueConstraint("connection", "period", "order_id"),
)

settlement = Table(
    "settlement", metadata,
    Column("connection", Words, primary_key=True),
    Column("settlement_id", Words, primary_key=True),
    Column("format", Words, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("marketplace", Words, nullable=False, default=""),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("deposit_at", Utc),
    Column("has_deposit", Boolean, nullable=False),
    Column("deposit_minor", sa.BigInteger, nullable=False),
    Column("deposit_fine", Integer, nullable=False, default=0),
    Column("sum_minor", sa.BigInteger, nullable=False),
    Column("sum_fine", Integer, nullable=False, default=0),
    Column("amounts", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("why", Words, nullable=False, default=""),
    Column("document", Words, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("findings", sa.JSON, nullable=False, default=list),
    Column("made_at", Utc, nullable=False),
    Column("taken_in_at", Utc, nullable=False),
    sa.CheckConstraint("state IN ('consistent', 'inconsistent')", name="ck_settlement_state"),
)

settlement_sum = Table(
    "settlement_sum", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("connection", Words, nullable=False),
    Column("settlement_id", Words, nullable=False),
    Column("posted_on", String(10), nullable=False),
    Column("transaction_type", Words, nullable=False),
    Column("amount_type", Words, nullable=False),
    Column("amount_description", Words, nullable=False),
    Column("category", Words, nullable=False),
    Column("account", Words, nullable=False),
    Column("level", String(12), nullable=False),
    Column("known_by", String(10), nullable=False),
    Column("fulfilment", String(12), nullable=False),
    Column("is_explained", Boolean, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("amount_minor", sa.BigInteger, nullable=False),
    Column("amount_fine", Integer, nullable=False, default=0),
    sa.CheckConstraint("known_by IN ('catalogue', 'rule', 'nobody')", name="ck_settlement_sum_known_by"),
    Index("ix_settlement_sum_settlement", "connection", "settlement_id"),
    Index("ix_settlement_sum_known", "connection", "known_by"),
)

settlement_item = Table(
    "settlement_item", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("connection", Words, nullable=False),
    Column("settlement_id", Words, nullable=False),
    Column("order_id", Words, nullable=False),
    Column("line_id", Words, nullable=False),
    Column("sku", Words, nullable=False),
    Column("fulfilment", String(12), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("principal_minor", sa.BigInteger, nullable=False),
    Column("shipping_minor", sa.BigInteger, nullable=False),
    Column("tax_minor", sa.BigInteger, nullable=False),
    Column("promotion_minor", sa.BigInteger, nullable=False),
    Column("withheld_minor", sa.BigInteger, nullable=False),
    Column("fees_minor", sa.BigInteger, nullable=False),
    Column("refunded_minor", sa.BigInteger, nullable=False),
    Column("unknown_minor", sa.BigInteger, nullable=False),
    Column("other_minor", sa.BigInteger, nullable=False),
    Column("net_minor", sa.BigInteger, nullable=False),
    Column("net_fine", Integer, nullable=False, default=0),
    Column("first_posted_at", Utc, nullable=False),
    Column("last_posted_at", Utc, nullable=False),
    Column("refunded_at", Utc),
    Index("ix_settlement_item_order", "connection", "order_id"),
    Index("ix_settlement_item_settlement", "connection", "settlement_id"),
)

hint = Table(
    "hint", metadata,
    Column("key", Words, primary_key=True),
    Column("connection", Words, nullable=False),
    Column("topic", Words, nullable=False),
    Column("record", Words, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("taken_at", Utc),
    Index("ix_hint_open", "connection", "taken_at"),
)

alert = Table(
    "alert", metadata,
    Column("exception_id", Words, primary_key=True),
    Column("stage", String(20), primary_key=True),
    Column("alert_id", String(36), nullable=False),
    Column("promised_at", Utc, nullable=False),
    Column("told_at", Utc),
    sa.CheckConstraint("stage IN ('opened', 'due')", name="ck_alert_stage"),
    Index("ix_alert_untold", "told_at", "alert_id"),
)

journal = Table(
    "journal", metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("actor", Words, nullable=False),
    Column("what", Words, nullable=False),
    Column("detail", sa.JSON, nullable=False, default=dict),
)
