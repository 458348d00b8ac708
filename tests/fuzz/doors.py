"""Every door by which something from outside comes in: one line each. A parser that is in no line fails tests/fuzz/test_fuzz.py, which walks the product.

The answers of every HTTP system are doors by themselves (tests/fuzz/answers.py). What a door may refuse with are the house's own errors, or what the
function behind it promises in its docstring.
"""

from functools import cache

from pydantic import ValidationError

from tests.fuzz import answers, house, marketplace, partner
from tests.fuzz.door import Door
from tests.fuzz.judges import messages_hold, rows_hold, rows_of_messages, table_is_sound

X12 = ("connectors.gxo.x12:parse",)
CSV = ("connectors.gxo.csv_files:csv_messages", "connectors.gxo.csv_table:*")

DOORS: tuple[Door, ...] = (
    # the partner's files
    *(Door(f"gxo {path.name}", partner.files, partner.bytes_of(path), "x12", X12, messages_hold, is_ended=True, parts=rows_of_messages, cost=2) for path in partner.examples(".edi")),
    *(Door(f"gxo {path.name}", partner.files, partner.bytes_of(path), "csv", (*CSV, "connectors.gxo.mapping_csv*"), messages_hold, parts=rows_of_messages, cost=2)
      for path in partner.examples(".csv")),
    Door("gxo items file", partner.items, partner.items_samples, "csv", ("connectors.gxo.mapping_csv:items_frame",), rows_hold, cost=2),  # no parts: what is named again later is set aside, and in a beginning it is not
    Door("gxo documents of ours", partner.written, partner.payloads, "json", judge=partner.is_one_interchange, cost=2),
    Door("x12 envelope", partner.envelope, partner.envelopes, "x12", X12),
    Door("names in the partner's folder", partner.name, partner.names, "words", judge=partner.name_is_safe),
    Door("host key", house.host_key, house.host_keys, "words", ("connectors.kit.login:*",), refuses=(ValueError,)),
    # the marketplace's files
    *(Door(f"settlement file, {region}", marketplace.settlement, marketplace.settlements(region), "tsv", ("connectors.amazon.settlements.reading:*", "connectors.amazon.settlements.form:as_text"),
           marketplace.settlement_sums, is_ended=True, cost=4) for region in marketplace.REGIONS),
    Door("numbers and dates of a settlement", marketplace.numbers_and_dates, marketplace.cells, "words", ("connectors.amazon.settlements.numbers:*", "connectors.amazon.settlements.dates:*")),
    Door("packed settlement file", marketplace.archives, marketplace.packed_files, "blind", ("connectors.amazon.settlements.form:unpacked",)),
    Door("packed document", marketplace.document, marketplace.packed_files, "blind", ("connectors.kit.links:unpacked",), is_ended=True),
    Door("report of returns", marketplace.returns, marketplace.reports, "tsv", ("connectors.amazon.returns_report:read_returns",), rows_hold, cost=2),
    # the shop's calls
    Door("webhook headers and body", house.hook, house.hooks, "words", ("connectors.bigcommerce.*:*hint", "connectors.ports:Storefront.hint"), house.hook_is_genuine),
    Door("webhooks door", house.knock, house.hooks, "words", ("deployments.webhooks:take",), judge=house.knock_is_answered, cost=20),
    Door("json", house.json_of, house.json_samples, "json", ("connectors.kit.http:parse",), refuses=(ValueError,)),
    # what people give
    *(Door(f"mapping table {table}", house.mapping(table), house.mapping_samples(table), "csv", ("tasks.rules.mapping_tables:read_csv",), table_is_sound, cost=2)
      for table in house.TABLES),
    Door("rows typed into a form", house.typed, house.typed_samples, "words", ("tasks.rules.mapping_rows:typed_rows",)),
    Door("lines of a return", house.return_lines, house.line_samples, "csv", ("tasks.rules.rmas:read_lines",), house.lines_are_whole),
    Door("lines of a receipt notice", house.receipt_lines, house.line_samples, "csv", ("tasks.rules.receipts:read_rows",), house.lines_are_whole),
    Door("what a held record waits for", house.waits, house.wait_samples, "words", ("tasks.rules.waits:parse", "tasks.rules.mapping_rows:tables_of"), refuses=(ValueError,)),
    Door("profile", house.profile, house.profiles, "toml", cost=4),
    Door("flow parameters", house.parameters, house.parameter_samples, "json", ("tasks.desk:*",), refuses=house.PARAMETER_ERRORS, cost=4),
    Door("sql", house.sql, house.sql_samples, "words", ("connectors.snapshots.query:query",), house.sql_reads_only, cost=6),
    Door("orders file", house.orders_file, house.orders_samples, "csv", cost=8),
    Door("cells for a spreadsheet", house.cell, house.cells, "words", ("contracts.spreadsheet:safe_cell",), house.cell_is_safe),
    Door("money", house.money, house.amounts, "words", refuses=(ValueError,)),
    Door("effect payloads", house.payload, partner.payloads, "json", refuses=(ValidationError,), cost=2),
)

# public functions that take bytes or text and read nothing from outside, and why
NOT_DOORS: dict[str, str] = {
    "connectors.*.client:*": "writes a body of ours",
    "connectors.bigcommerce.*:*.send": "sends a body of ours",
    "connectors.*:*.write": "writes our bytes", "connectors.kit.*:*.put": "writes our bytes", "connectors.kit.http:Http.read": "the body is ours; its answers are doors",
    "connectors.*.checked:*": "checks an id of ours before it stands in a path", "connectors.amazon.wire:in_path": "writes an id into a path",
    "connectors.amazon.*:*.send": "sends a body of ours", "connectors.amazon.feeds:Feeds.upload": "sends a body of ours",
    "connectors.amazon.mapping_shipment:shipped_at": "reads a payload of ours", "connectors.amazon.storefront:Amazon.hint": "refuses everything",
    "connectors.amazon.settlements.catalogue:squashed": "folds a label", "connectors.amazon.settlements.columns:constant": "makes a column",
    "connectors.ledger.*": "keeps what a door let in",
    "connectors.snapshots.files:unstamp": "reads names of ours",
    "tasks.rules.waits:folded": "folds case", "tasks.rules.mapping_tables:half_characters": "a part of read_csv", "tasks.rules.findings:*": "makes a finding",
    "tasks.sheets:*": "escapes for Prefect's tables", "deployments.cli_parts:harmless": "escapes for a terminal",
    "tasks.mappings:*": "hands the text to read_csv", "tasks.receipts:*": "hands the text to read_rows", "tasks.rmas:*": "hands the text to read_lines",
    "deployments.demo_world:table_frame": "the demo's own tables", "deployments.serve:Route.read": "an option of our own command",
}


@cache
def all_doors() -> dict[str, Door]:
    """By name: the table, and the answers of every HTTP system."""
    return {door.name: door for door in (*DOORS, *answers.doors())}
