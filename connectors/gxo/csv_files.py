"""Which kind of CSV file this is: the one whose columns its header has. Pure."""

from connectors.gxo.csv_table import header_of
from connectors.gxo.mapping_csv import advice_messages
from connectors.gxo.mapping_csv_changes import adjustment_messages, return_messages
from connectors.gxo.mapping_csv_stock import statement_message
from connectors.gxo.profile import Profile
from connectors.gxo.profile_csv import CsvAdjustments, CsvAdvice, CsvLayout, CsvStock
from connectors.kit.errors import BadDocument
from connectors.ports import Message


def csv_messages(warehouse: str, profile: Profile, body: bytes, name: str) -> list[Message]:
    """The messages of a file that is not X12. Raises BadDocument: no layout fits, or the file as a whole cannot be read."""
    layout = _layout(profile, body, name)
    if isinstance(layout, CsvAdvice):
        return advice_messages(warehouse, profile, layout, body, name)
    if isinstance(layout, CsvStock):
        return [statement_message(warehouse, profile, layout, body, name)]
    if isinstance(layout, CsvAdjustments):
        return adjustment_messages(warehouse, profile, layout, body, name)
    return return_messages(warehouse, profile, layout, body, name)


def _layout(profile: Profile, body: bytes, name: str) -> CsvLayout:
    """The one that fits; of several the one with most columns. A lone layout is taken in any case: its reader says what is lacking."""
    layouts = profile.csv_layouts
    if not layouts:
        raise BadDocument(f"reading {name}", "it is not X12, and the partner profile has no CSV advice", "Ask the partner, or add csv_advice.")
    if len(layouts) == 1:
        return next(iter(layouts.values()))
    fitting = {key: layout for key, layout in layouts.items() if set(layout.columns.values()) <= header_of(body, layout.encoding, layout.delimiter)}
    most = max((len(layout.columns) for layout in fitting.values()), default=0)
    best = {key: layout for key, layout in fitting.items() if len(layout.columns) == most}
    if len(best) != 1:
        why = f"its header fits {' and '.join(best)} alike" if best else f"it is not X12, and its header fits none of {', '.join(layouts)}"
        raise BadDocument(f"reading {name}", why, "Compare it with the profile.")
    return next(iter(best.values()))
