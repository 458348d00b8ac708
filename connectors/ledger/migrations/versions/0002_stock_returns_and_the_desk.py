"""Stock, returns, refunds, drift, reconciliation, webhooks' hints, alerts and the journal."""

from alembic import op
import sqlalchemy as sa


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.add_column('order_book', sa.Column('changed_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_order_book_changed', 'order_book', ['connection', 'changed_at'], unique=False)
    op.create_table('stock_feed',
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('facility', sa.Text(), nullable=False),
    sa.Column('as_of', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sequence', sa.BigInteger(), nullable=False),
    sa.Column('positions', sa.Text(), nullable=False),
    sa.Column('skus', sa.Integer(), nullable=False),
    sa.Column('units', sa.BigInteger(), nullable=False),
    sa.Column('inbox_key', sa.Text(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('whole_as_of', sa.DateTime(timezone=True), nullable=True),
    sa.Column('whole_sequence', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('warehouse', 'facility', name='pk_stock_feed')
    )

    op.create_table('stock_change',
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('document_id', sa.Text(), nullable=False),
    sa.Column('line', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('facility', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('unit', sa.Text(), nullable=False),
    sa.Column('change', sa.Integer(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sequence', sa.BigInteger(), nullable=False),
    sa.Column('inbox_key', sa.Text(), nullable=False),
    sa.Column('entered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('is_open', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('warehouse', 'document_id', 'line', name='pk_stock_change')
    )
    op.create_index('ix_stock_change_open', 'stock_change', ['warehouse', 'is_open'], unique=False)
    op.create_index('ix_stock_change_sku', 'stock_change', ['warehouse', 'facility', 'sku', 'occurred_at'], unique=False)

    op.create_table('stock_desired',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('location', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('as_of', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sequence', sa.BigInteger(), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('parts', sa.JSON(), nullable=False),
    sa.Column('is_owed', sa.Boolean(), nullable=False),
    sa.Column('halved', sa.Integer(), nullable=False),
    sa.Column('effect_id', sa.Text(), nullable=False),
    sa.Column('sent_quantity', sa.Integer(), nullable=True),
    sa.Column('sent_as_of', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sent_sequence', sa.BigInteger(), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('withheld', sa.Text(), nullable=False),
    sa.Column('is_corrected', sa.Boolean(), nullable=False),
    sa.Column('turn', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('connection', 'location', 'sku', name='pk_stock_desired')
    )
    op.create_index('ix_stock_desired_corrected', 'stock_desired', ['connection', 'is_corrected'], unique=False)
    op.create_index('ix_stock_desired_effect', 'stock_desired', ['effect_id'], unique=False)
    op.create_index('ix_stock_desired_withheld', 'stock_desired', ['connection', 'withheld'], unique=False)
    op.create_index('ix_stock_desired_owed', 'stock_desired', ['connection', 'is_owed'], unique=False)

    op.create_table('stock_mark',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('positions', sa.JSON(), nullable=False),
    sa.Column('rules_hash', sa.String(length=64), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('connection', name='pk_stock_mark')
    )

    op.create_table('sku_sales',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('units', sa.Integer(), nullable=False),
    sa.Column('days', sa.Integer(), nullable=False),
    sa.Column('dispersion_milli', sa.Integer(), nullable=False),
    sa.Column('counted_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('connection', 'sku', name='pk_sku_sales')
    )

    op.create_table('rma',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('rma', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('facility', sa.Text(), nullable=False),
    sa.Column('lines', sa.JSON(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('asked_by', sa.Text(), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decided_by', sa.Text(), nullable=False),
    sa.CheckConstraint("state IN ('asked', 'approved', 'refused', 'closed')", name='ck_rma_state'),
    sa.PrimaryKeyConstraint('connection', 'rma', name='pk_rma')
    )
    op.create_index('ix_rma_order', 'rma', ['connection', 'order_id'], unique=False)

    op.create_table('return_line',
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('document_id', sa.Text(), nullable=False),
    sa.Column('line', sa.Integer(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('rma', sa.Text(), nullable=False),
    sa.Column('request_line', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('unit', sa.Text(), nullable=False),
    sa.Column('grade', sa.Text(), nullable=False),
    sa.Column('tracking_number', sa.Text(), nullable=False),
    sa.Column('facility', sa.Text(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('inbox_key', sa.Text(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('line_id', sa.Text(), nullable=False),
    sa.Column('storefront_quantity', sa.Integer(), nullable=False),
    sa.Column('disposition', sa.String(length=20), nullable=False),
    sa.Column('refund_effect', sa.Text(), nullable=False),
    sa.Column('matched_by', sa.Text(), nullable=False),
    sa.Column('placed', sa.JSON(), nullable=False),
    sa.Column('dues', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('warehouse', 'document_id', 'line', name='pk_return_line')
    )
    op.create_index('ix_return_line_order', 'return_line', ['connection', 'order_id'], unique=False)
    op.create_index('ix_return_line_state', 'return_line', ['warehouse', 'state'], unique=False)

    op.create_table('refund_seen',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('refund_id', sa.Text(), nullable=False),
    sa.Column('line_id', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('is_declined', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('connection', 'refund_id', 'line_id', name='pk_refund_seen')
    )
    op.create_index('ix_refund_seen_order', 'refund_seen', ['connection', 'order_id'], unique=False)

    op.create_table('payment_seen',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('payment_id', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('is_settled', sa.Boolean(), nullable=False),
    sa.Column('gateway', sa.Text(), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('connection', 'payment_id', name='pk_payment_seen')
    )
    op.create_index('ix_payment_seen_order', 'payment_seen', ['connection', 'order_id'], unique=False)

    op.create_table('receipt_notice',
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('facility', sa.Text(), nullable=False),
    sa.Column('lines', sa.JSON(), nullable=False),
    sa.Column('expected_on', sa.String(length=10), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('announced_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('announced_by', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('warehouse', 'reference', name='pk_receipt_notice')
    )

    op.create_table('drift',
    sa.Column('drift_id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('about', sa.String(length=20), nullable=False),
    sa.Column('record', sa.Text(), nullable=False),
    sa.Column('cause', sa.String(length=30), nullable=False),
    sa.Column('storefront_says', sa.Text(), nullable=False),
    sa.Column('warehouse_says', sa.Text(), nullable=False),
    sa.Column('ledger_says', sa.Text(), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('found_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("about IN ('order', 'tracking', 'stock', 'feed')", name='ck_drift_about'),
    sa.PrimaryKeyConstraint('drift_id', name='pk_drift')
    )
    op.create_index('ix_drift_now', 'drift', ['connection', 'warehouse', 'about', 'record'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))

    op.create_table('reconciliation',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('period', sa.String(length=20), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('placed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('status', sa.String(length=30), nullable=False),
    sa.Column('is_carried_in', sa.Boolean(), nullable=False),
    sa.Column('is_carried_out', sa.Boolean(), nullable=False),
    sa.Column('verdict', sa.String(length=40), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('ordered_minor', sa.BigInteger(), nullable=False),
    sa.Column('paid_minor', sa.BigInteger(), nullable=False),
    sa.Column('dispatched_minor', sa.BigInteger(), nullable=False),
    sa.Column('refunded_minor', sa.BigInteger(), nullable=False),
    sa.Column('returned_minor', sa.BigInteger(), nullable=False),
    sa.Column('deducted_minor', sa.BigInteger(), nullable=False),
    sa.Column('balance_minor', sa.BigInteger(), nullable=False),
    sa.Column('difference_minor', sa.BigInteger(), nullable=False),
    sa.Column('explained_minor', sa.BigInteger(), nullable=False),
    sa.Column('differences', sa.JSON(), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.UniqueConstraint('connection', 'period', 'order_id', name='uq_reconciliation_connection_period_order_id'),
    sa.PrimaryKeyConstraint('sequence', name='pk_reconciliation')
    )

    op.create_table('hint',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('record', sa.Text(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('key', name='pk_hint')
    )
    op.create_index('ix_hint_open', 'hint', ['connection', 'taken_at'], unique=False)

    op.create_table('alert',
    sa.Column('exception_id', sa.Text(), nullable=False),
    sa.Column('stage', sa.String(length=20), nullable=False),
    sa.Column('alert_id', sa.String(length=36), nullable=False),
    sa.Column('promised_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('told_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("stage IN ('opened', 'due')", name=op.f('ck_alert_stage')),
    sa.PrimaryKeyConstraint('exception_id', 'stage', name='pk_alert')
    )
    op.create_index('ix_alert_untold', 'alert', ['told_at', 'alert_id'], unique=False)

    op.create_table('journal',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('what', sa.Text(), nullable=False),
    sa.Column('detail', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name='pk_journal')
    )


def downgrade() -> None:
    """What these tables hold cannot be had again."""
    raise RuntimeError("restore a backup of before")
