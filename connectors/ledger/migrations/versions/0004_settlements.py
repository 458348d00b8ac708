"""Settlements: the files that were taken in, and what became of them."""

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
