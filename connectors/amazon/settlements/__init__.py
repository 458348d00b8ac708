"""Settlement files, V2 and V1: read, added up and attributed, one row an amount. `read_together` is the way in; `statements` gives the frames of the contracts."""

from connectors.amazon.settlements.across import Together, read_together
from connectors.amazon.settlements.frames import Statements, findings_frame, rows_frame, settlements_frame, statements

__all__ = ["Statements", "Together", "findings_frame", "read_together", "rows_frame", "settlements_frame", "statements"]
