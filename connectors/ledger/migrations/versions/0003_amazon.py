"""What Amazon's orders need: when an order must have left, and the numbers of its packages."""

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
