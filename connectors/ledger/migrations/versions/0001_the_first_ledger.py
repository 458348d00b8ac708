"""The first ledger: its tables, and triggers that allow an effect's state only the edges there are."""

from alembic import op
import sqlalchemy as sa


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


EDGES = """PLANNED>IN_FLIGHT PLANNED>WITHDRAWN PLANNED>REJECTED IN_FLIGHT>CONFIRMED IN_FLIGHT>UNKNOWN IN_FLIGHT>REJECTED IN_FLIGHT>BLOCKED
IN_FLIGHT>PLANNED UNKNOWN>CONFIRMED UNKNOWN>PLANNED UNKNOWN>BLOCKED BLOCKED>CONFIRMED BLOCKED>PLANNED BLOCKED>WITHDRAWN""".split()


def upgrade() -> None:
    """Make the tables and the triggers."""
    _tables()
    allowed = ", ".join(f"'{edge}'" for edge in EDGES)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"""CREATE FUNCTION effect_edges() RETURNS trigger AS $$ BEGIN
            IF NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN ({allowed}) THEN
                RAISE EXCEPTION 'no such edge: % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation'; END IF;
            IF NEW.fence < OLD.fence THEN RAISE EXCEPTION 'a fence went back' USING ERRCODE = 'check_violation'; END IF;
            RETURN NEW; END $$ LANGUAGE plpgsql""")
        op.execute("CREATE TRIGGER effect_edges BEFORE UPDATE ON effect FOR EACH ROW EXECUTE FUNCTION effect_edges()")
        return
    op.execute(f"""CREATE TRIGGER effect_edges BEFORE UPDATE OF state ON effect
        WHEN NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN ({allowed})
        BEGIN SELECT RAISE(ABORT, 'no such edge'); END""")
    op.execute("CREATE TRIGGER effect_fence BEFORE UPDATE OF fence ON effect WHEN NEW.fence < OLD.fence BEGIN SELECT RAISE(ABORT, 'a fence went back'); END")


def _tables() -> None:
    op.create_table('access_log',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('previous', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name='pk_access_log')
    )
    op.create_table('control_number',
    sa.Column('stream', sa.Text(), nullable=False),
    sa.Column('last', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('stream', name='pk_control_number')
    )
    op.create_table('dispatch_line',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('advice_id', sa.Text(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('package_id', sa.Text(), nullable=False),
    sa.Column('carrier', sa.Text(), nullable=False),
    sa.Column('service', sa.Text(), nullable=False),
    sa.Column('tracking_number', sa.Text(), nullable=False),
    sa.Column('request_line', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('unit', sa.Text(), nullable=False),
    sa.Column('line_status', sa.Text(), nullable=False),
    sa.Column('facility', sa.Text(), nullable=False),
    sa.Column('shipped_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('inbox_key', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name='pk_dispatch_line')
    )
    with op.batch_alter_table('dispatch_line', schema=None) as batch_op:
        batch_op.create_index('ix_dispatch_line_reference', ['warehouse', 'reference'], unique=False)

    op.create_table('effect',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('effect_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('target', sa.Text(), nullable=False),
    sa.Column('business_key', sa.Text(), nullable=False),
    sa.Column('ordering_key', sa.Text(), nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('record', sa.Text(), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('payload_hash', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('holder', sa.Text(), nullable=False),
    sa.Column('planned_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('not_before', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('doubted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('verify_by', sa.DateTime(timezone=True), nullable=True),
    sa.Column('verified_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('remote_id', sa.Text(), nullable=False),
    sa.Column('evidence', sa.JSON(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.CheckConstraint("state IN ('PLANNED', 'IN_FLIGHT', 'CONFIRMED', 'UNKNOWN', 'REJECTED', 'BLOCKED', 'WITHDRAWN')", name='ck_effect_state'),
    sa.PrimaryKeyConstraint('sequence', name='pk_effect'),
    sa.UniqueConstraint('effect_id', name='uq_effect_effect_id'),
    sa.UniqueConstraint('kind', 'target', 'business_key', name='uq_effect_kind_target_business_key')
    )
    with op.batch_alter_table('effect', schema=None) as batch_op:
        batch_op.create_index('ix_effect_due', ['target', 'state', 'sequence'], unique=False)
        batch_op.create_index('ix_effect_number', ['target', 'number'], unique=False)
        batch_op.create_index('ix_effect_order', ['ordering_key', 'target', 'state'], unique=False)
        batch_op.create_index('ix_effect_record', ['connection', 'record'], unique=False)

    op.create_table('exception',
    sa.Column('exception_id', sa.Text(), nullable=False),
    sa.Column('type', sa.String(length=40), nullable=False),
    sa.Column('owner', sa.String(length=30), nullable=False),
    sa.Column('severity', sa.String(length=10), nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('record', sa.Text(), nullable=False),
    sa.Column('cause', sa.Text(), nullable=False),
    sa.Column('evidence', sa.JSON(), nullable=False),
    sa.Column('waits_on', sa.Text(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolved_by', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('exception_id', name='pk_exception')
    )
    with op.batch_alter_table('exception', schema=None) as batch_op:
        batch_op.create_index('ix_exception_open', ['type', 'connection', 'record', 'cause'], unique=True, sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))
        batch_op.create_index('ix_exception_record', ['connection', 'record', 'state'], unique=False)

    op.create_table('held_dispatch',
    sa.Column('business_key', sa.Text(), nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('waits_on', sa.Text(), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('held_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('business_key', name='pk_held_dispatch')
    )
    op.create_table('inbox',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.CheckConstraint("state IN ('processed', 'quarantined', 'duplicate')", name='ck_inbox_state'),
    sa.PrimaryKeyConstraint('key', name='pk_inbox')
    )
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.create_index('ix_inbox_sha', ['sha256'], unique=False)

    op.create_table('item',
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('fields', sa.JSON(), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('warehouse', 'sku', name='pk_item')
    )
    op.create_table('mapping',
    sa.Column('mapping_id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('table_name', sa.String(length=40), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('fields', sa.JSON(), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_to', sa.DateTime(timezone=True), nullable=True),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('mapping_id', name='pk_mapping')
    )
    with op.batch_alter_table('mapping', schema=None) as batch_op:
        batch_op.create_index('ix_mapping_now', ['table_name', 'key'], unique=True, sqlite_where=sa.text('valid_to IS NULL'), postgresql_where=sa.text('valid_to IS NULL'))

    op.create_table('order_book',
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('order', sa.JSON(), nullable=False),
    sa.Column('lines', sa.JSON(), nullable=False),
    sa.Column('ship_groups', sa.JSON(), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('addressed', sa.JSON(), nullable=False),
    sa.Column('modified_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('taken_in_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('asked_hash', sa.String(length=64), nullable=False),
    sa.Column('replan', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('connection', 'order_id', name='pk_order_book')
    )
    with op.batch_alter_table('order_book', schema=None) as batch_op:
        batch_op.create_index('ix_order_book_replan', ['connection', 'replan'], unique=False)

    op.create_table('request',
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('ship_group', sa.Text(), nullable=False),
    sa.Column('facility', sa.Text(), nullable=False),
    sa.Column('carrier', sa.Text(), nullable=False),
    sa.Column('service', sa.Text(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('effect_id', sa.Text(), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('warehouse', 'reference', name='pk_request')
    )
    with op.batch_alter_table('request', schema=None) as batch_op:
        batch_op.create_index('ix_request_order', ['connection', 'order_id'], unique=False)

    op.create_table('request_line',
    sa.Column('warehouse', sa.Text(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('line_id', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('warehouse_sku', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('unit', sa.Text(), nullable=False),
    sa.Column('factor', sa.Integer(), nullable=False),
    sa.Column('advised', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('warehouse', 'reference', 'number', name='pk_request_line')
    )
    op.create_table('run',
    sa.Column('run_id', sa.Text(), nullable=False),
    sa.Column('flow', sa.String(length=80), nullable=False),
    sa.Column('about', sa.Text(), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('beat_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.PrimaryKeyConstraint('run_id', name='pk_run')
    )
    op.create_table('timeline',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('connection', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Text(), nullable=False),
    sa.Column('what', sa.Text(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name='pk_timeline')
    )
    with op.batch_alter_table('timeline', schema=None) as batch_op:
        batch_op.create_index('ix_timeline_order', ['connection', 'order_id'], unique=False)

    op.create_table('vault_item',
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('sealed_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('subject', 'name', name='pk_vault_item')
    )
    op.create_table('vault_key',
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('subject', name='pk_vault_key')
    )
    op.create_table('watermark',
    sa.Column('feed', sa.Text(), nullable=False),
    sa.Column('reached_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('feed', name='pk_watermark')
    )


def downgrade() -> None:
    """There is nothing before the first."""
    raise RuntimeError("the first ledger cannot be taken back: restore a backup")
