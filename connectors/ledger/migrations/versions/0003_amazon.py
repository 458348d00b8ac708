"""What a marketplace's orders need: effects that are due by a time go first, and every package of an order has a number for ever."""

from alembic import op
import sqlalchemy as sa


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

WHENEVER = '9999-12-31 00:00:00'


def upgrade() -> None:
    """Make the tables."""
    whenever = WHENEVER + ('+00' if op.get_bind().dialect.name == 'postgresql' else '.000000')
    op.add_column('effect', sa.Column('due_by', sa.DateTime(timezone=True), nullable=False, server_default=whenever))
    op.drop_index('ix_effect_due', table_name='effect')
    op.create_index('ix_effect_due', 'effect', ['target', 'state', 'due_by', 'sequence'], unique=False)
    op.create_table('package_number',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('package', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('given_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('connection', 'order_id', 'package', name='pk_package_number'),
    sa.UniqueConstraint('connection', 'order_id', 'number', name='uq_package_number_connection_order_id_number')
    )
