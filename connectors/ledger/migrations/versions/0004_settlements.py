"""Settlements: the statements that were taken in, what each amount was, and what it comes to for each order."""

from alembic import op
import sqlalchemy as sa


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table('settlement',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('settlement_id', sa.Text(), nullable=False),
    sa.Column('format', sa.Text(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('marketplace', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deposit_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('has_deposit', sa.Boolean(), nullable=False),
    sa.Column('deposit_minor', sa.BigInteger(), nullable=False),
    sa.Column('deposit_fine', sa.Integer(), nullable=False),
    sa.Column('sum_minor', sa.BigInteger(), nullable=False),
    sa.Column('sum_fine', sa.Integer(), nullable=False),
    sa.Column('amounts', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('content_hash', sa.String(length=64), nullable=False),
    sa.Column('findings', sa.JSON(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('taken_in_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('consistent', 'inconsistent')", name="ck_settlement_state"),
    sa.PrimaryKeyConstraint('connection', 'settlement_id', name='pk_settlement')
    )


    op.create_table('settlement_sum',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('settlement_id', sa.Text(), nullable=False),
    sa.Column('posted_on', sa.String(length=10), nullable=False),
    sa.Column('transaction_type', sa.Text(), nullable=False),
    sa.Column('amount_type', sa.Text(), nullable=False),
    sa.Column('amount_description', sa.Text(), nullable=False),
    sa.Column('category', sa.Text(), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('level', sa.String(length=12), nullable=False),
    sa.Column('known_by', sa.String(length=10), nullable=False),
    sa.Column('fulfilment', sa.String(length=12), nullable=False),
    sa.Column('is_explained', sa.Boolean(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('amount_fine', sa.Integer(), nullable=False),
    sa.CheckConstraint("known_by IN ('catalogue', 'rule', 'nobody')", name="ck_settlement_sum_known_by"),
    sa.PrimaryKeyConstraint('sequence', name='pk_settlement_sum')
    )
    op.create_index('ix_settlement_sum_settlement', 'settlement_sum', ['connection', 'settlement_id'], unique=False)
    op.create_index('ix_settlement_sum_known', 'settlement_sum', ['connection', 'known_by'], unique=False)

    op.create_table('settlement_item',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('settlement_id', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('line_id', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('fulfilment', sa.String(length=12), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('principal_minor', sa.BigInteger(), nullable=False),
    sa.Column('shipping_minor', sa.BigInteger(), nullable=False),
    sa.Column('tax_minor', sa.BigInteger(), nullable=False),
    sa.Column('promotion_minor', sa.BigInteger(), nullable=False),
    sa.Column('withheld_minor', sa.BigInteger(), nullable=False),
    sa.Column('fees_minor', sa.BigInteger(), nullable=False),
    sa.Column('refunded_minor', sa.BigInteger(), nullable=False),
    sa.Column('unknown_minor', sa.BigInteger(), nullable=False),
    sa.Column('other_minor', sa.BigInteger(), nullable=False),
    sa.Column('net_minor', sa.BigInteger(), nullable=False),
    sa.Column('net_fine', sa.Integer(), nullable=False),
    sa.Column('first_posted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_posted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('refunded_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('sequence', name='pk_settlement_item')
    )
    op.create_index('ix_settlement_item_order', 'settlement_item', ['connection', 'order_id'], unique=False)
    op.create_index('ix_settlement_item_settlement', 'settlement_item', ['connection', 'settlement_id'], unique=False)


def downgrade() -> None:
    """What was settled cannot be unlearned."""
    raise RuntimeError("the ledger cannot be taken back: restore a backup")
