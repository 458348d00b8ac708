"""A settlement document as the house takes it: frames of our contracts out of what `settlements/` reads."""

from connectors.amazon.settlements.form import unpacked
from connectors.amazon.settlements.frames import findings_frame, rows_frame, settlements_frame
from connectors.amazon.settlements.reading import read_file
from connectors.ports import SettlementDocument, SettlementRead


def read_settlement(document: SettlementDocument) -> SettlementRead:
    """Every settlement in the document. Raises BadDocument when it is none."""
    files = [read_file(name, body) for name, body in unpacked(document.name, document.body)]
    return SettlementRead(settlements_frame(files), rows_frame(file.rows for file in files), findings_frame(files))
