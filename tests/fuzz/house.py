"""The doors of the house itself: webhooks, what people give (tables, forms, profiles, parameters, SQL), and the formats underneath."""

import asyncio
import atexit
import importlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import httpx
from prefect import Flow
from prefect.exceptions import ParameterTypeError
from pydantic import SecretStr, ValidationError

from connectors.bigcommerce.hooks import HEADER
from connectors.bigcommerce.sandbox_hooks import CLIENT_SECRET
from connectors.bigcommerce.storefront import BigCommerce
from connectors.house import House, Profile, read_profile
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadConfiguration, NotAllowed
from connectors.kit.http import parse
from connectors.kit.login import HostKey
from connectors.kit.sandbox import Transport
from connectors.ledger.vault import new_master_key
from connectors.ports import Hint
from connectors.snapshots import locked
from contracts.effects import FulfilmentRequest
from contracts.mappings import TABLES
from contracts.money import to_minor
from contracts.spreadsheet import plain_cell, safe_cell
from deployments.demo_orders import Period, generated, period, read_file
from deployments.demo_returns import return_tables
from deployments.demo_stock import stock_tables
from deployments.demo_world import STOREFRONT, tables
from deployments.webhooks import door
from tasks import analytics
from tasks.rules import mapping_rows, mapping_tables, receipts, rmas
from tasks.rules import waits as waiting
from tests.connectors.bigcommerce_rig import Rig

ROOT = Path(__file__).resolve().parents[2]
OURS = "a-header-of-our-own"
SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature", HEADER.lower())
TYPED = "carrier=TUFF; tracking_carrier=tuffnells; warehouse=gxo-uk; service=*; connection=bigcommerce-uk; provider="
QUERIES = ("SELECT type, owner, count(*) FROM exceptions_open GROUP BY ALL", "WITH x AS (SELECT * FROM effects WHERE state = 'CONFIRMED') SELECT kind, count(*) FROM x GROUP BY 1 ORDER BY 2",
           "DESCRIBE orders", "SELECT * FROM stock_as_of(now()) LIMIT 3", "SELECT * FROM read_text('/etc/passwd')", "COPY (SELECT 1) TO 'x.csv'", "SELECT 1; SELECT 2",
           "SELECT (SELECT max(as_of) FROM stock_levels), * FROM range(3) JOIN effects ON true", "ATTACH 'x.db'", "SET memory_limit = '1TB'", "FROM glob('*')",
           "SELECT * FROM 'file.csv'", "PRAGMA database_list", "INSERT INTO effects VALUES (1)", "EXPORT DATABASE 'x'")
PARAMETER_ERRORS = (ParameterTypeError, ValidationError, TypeError, BadConfiguration)


@cache
def folder() -> Path:
    """A place of this process, gone with it."""
    made = Path(tempfile.mkdtemp(prefix="wharfinger-fuzz-house-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


# webhooks

@cache
def _called() -> tuple[BigCommerce, bytes, dict[str, str], bytes]:
    """A connection, and a delivery that it takes for genuine."""
    rig, got = Rig(), []
    port = rig.connect(client_secret=SecretStr(CLIENT_SECRET), webhook_secret=SecretStr(OURS))
    port.keep_webhooks("https://hooks.example.com/hooks/bc")
    rig.sandbox.send_webhooks_to(lambda address, headers, body: got.append((headers, body)) or 200)
    rig.place(1)
    rig.sandbox.step()
    headers, body = got[0]
    return port, _packed(headers, body), {name.lower(): value for name, value in headers.items()}, body


def _packed(headers: dict[str, str], body: bytes) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in headers.items()).encode() + b"\n" + body


def _unpacked(packed: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = packed.partition(b"\n\n")
    pairs = [line.partition(": ") for line in head.decode("latin-1").split("\n")]
    return {name: value for name, _, value in pairs}, body


def hooks() -> list[bytes]:
    """A genuine delivery."""
    return [_called()[1]]


def hook(packed: bytes) -> tuple[Hint, dict[str, str], bytes]:
    """A delivery: what it says, if it is believed."""
    headers, body = _unpacked(packed)
    return _called()[0].hint(headers, body), headers, body


def hook_is_genuine(came: tuple[Hint, dict[str, str], bytes]) -> Iterator[str]:
    """Only the very bytes that were signed are believed, under the very headers."""
    _, headers, body = came
    given = {name.lower(): value for name, value in headers.items()}
    _, _, signed, whole = _called()
    if body != whole or any(given.get(name, "") != signed[name] for name in SIGNED if name != "webhook-signature") \
            or signed["webhook-signature"] not in given.get("webhook-signature", "").split(" "):
        yield "a delivery was believed that nobody signed"


@cache
def _house() -> House:
    """A house with that one connection, its ledger in memory."""
    home = folder() / "hooked"
    home.mkdir()
    for name, secret in (("vault.key", new_master_key()), ("token", "bigcommerce-sandbox"), ("client", CLIENT_SECRET), ("own", OURS)):
        (home / name).write_text(secret)
    (home / "profile.toml").write_text(
        f'home = "{home}"\n[ledger]\nurl = "sqlite://"\n[vault]\nkey = "file:{home}/vault.key"\n[connections.bc]\nsystem = "bigcommerce"\nstore_hash = "abc123"\n'
        f'access_token = "file:{home}/token"\nbase_url = "http://bigcommerce"\nclient_secret = "file:{home}/client"\nwebhook_secret = "file:{home}/own"\n')
    clock = ManualClock()
    clock.sleep(1)
    return House(read_profile(home / "profile.toml"), clock, {"bc": Transport(Rig().sandbox, clock)})


def knock(packed: bytes) -> int:
    """The same through the whole door; its status."""
    headers, body = _unpacked(packed)
    sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return asyncio.run(_knock(sent, body))


async def _knock(headers: list[tuple[bytes, bytes]], body: bytes) -> int:
    said: list[int] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            said.append(message["status"])

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/hooks/bc", "raw_path": b"/hooks/bc", "root_path": "",
             "scheme": "https", "query_string": b"", "headers": [(name.lower(), value) for name, value in headers], "client": ("192.0.2.1", 1), "server": ("door", 443)}
    await door(_house(), 0, lambda storefront: None)(scope, receive, send)
    return said[0]


def knock_is_answered(status: int) -> Iterator[str]:
    """Never an error of ours."""
    if status not in (204, 401, 408, 413):
        yield f"it answers {status}"


# formats

def json_of(body: bytes) -> Any:
    """JSON, as every answer is read."""
    return parse(body)


def json_samples() -> list[bytes]:
    """Examples of the systems."""
    return [path.read_bytes() for path in sorted((ROOT / "connectors").glob("*/examples/*.json"))]


def host_key(body: bytes) -> HostKey:
    """A pinned key from the profile."""
    return HostKey.parse(body.decode("utf-8", "replace"))


def host_keys() -> list[bytes]:
    """Both forms."""
    return [b"SHA256:" + b"A" * 43, b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Xx0a2T0m7mF6m4k9jQ2b8c3d4e5f6071829304a5b6c7d me@host"]


def money(body: bytes) -> int:
    """'19.99 GBP'."""
    amount, _, currency = body.decode("utf-8", "replace").rpartition(" ")
    return to_minor(amount, currency)


def amounts() -> list[bytes]:
    """Some."""
    return [b"19.99 GBP", b"1000 JPY", b"-0.001 KWD", b"1E+3 EUR"]


def cell(body: bytes) -> tuple[str, str]:
    """A text as it goes into a spreadsheet."""
    text = body.decode("utf-8", "surrogatepass" if b"\xed" in body else "replace") if _is_utf8(body) else body.decode("latin-1")
    return text, safe_cell(text)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def cells() -> list[bytes]:
    """Harmless ones, and formulas."""
    return [b"White hanging heart", b"=HYPERLINK(\"http://x\")", "\u200b＝1+1".encode(), b"'@SUM(A1)", b"\t-1"]


def cell_is_safe(came: tuple[str, str]) -> Iterator[str]:
    """It begins like no formula, and is read back as it was."""
    text, safe = came
    if safe.lstrip(" \u00a0\u200b")[:1] in tuple("=+-@\t\r\n\x00"):
        yield f"{safe!r} may run"
    if plain_cell(safe) != text:
        yield "it is not read back as it was"


# what people give

def mapping(table: str) -> Callable[[bytes], Any]:
    """A whole table, as `change_mapping` is given it."""
    return lambda body: mapping_tables.read_csv(table, _text(body))


def mapping_samples(table: str) -> Callable[[], list[bytes]]:
    """The demo's own table, and a known bad one where there is one."""
    def samples() -> list[bytes]:
        known = tables(mended=True) | stock_tables() | return_tables()
        bad = ROOT / "tests" / "rules" / "known_bad" / f"{table}.csv"
        found = [known[table].encode()] if table in known else []
        return found + ([bad.read_bytes()] if bad.exists() else []) or [(",".join(TABLES[table].columns()) + "\n").encode() + b",".join([b"*"] * len(TABLES[table].columns())) + b"\n"]

    return samples


def typed(body: bytes) -> Any:
    """Rows in the form of `resolve_exception`."""
    return mapping_rows.typed_rows("carriers", _text(body), {"warehouse": "gxo-uk"})


def typed_samples() -> list[bytes]:
    """Each of the three ways."""
    return [TYPED.encode(), TYPED.replace("; ", "\n").encode(), b"carrier,tracking_carrier\nTUFF,tuffnells\n"]


def return_lines(body: bytes) -> Any:
    """CSV of `authorise_return`."""
    return rmas.read_lines(_text(body))


def receipt_lines(body: bytes) -> Any:
    """CSV of `announce_receipt`."""
    lines, problems = receipts.read_rows(_text(body), {sku: {"unit": "EA"} for sku in ("HEART", "MUG", "TRAY")})
    return [(line["sku"], line["quantity"]) for line in lines], problems


def line_samples() -> list[bytes]:
    """As people write it."""
    return [b"sku,quantity\nHEART,3\nMUG,12\n", b"sku,quantity,unit\nHEART,3,EA\nTRAY,1,CA\n"]


def lines_are_whole(came: tuple[list[tuple[str, int]], list[str]]) -> Iterator[str]:
    """A SKU and a number above 0 each; nothing without rows or a problem."""
    lines, problems = came
    if not lines and not problems:
        yield "nothing, and no problem"
    if any(not sku or not 0 < units < 10**8 for sku, units in lines):
        yield f"a line without goods: {lines[:3]}"


def waits(body: bytes) -> Any:
    """What a held record waits for."""
    text = _text(body)
    mapping_rows.tables_of(text)
    return waiting.parse(text)


def wait_samples() -> list[bytes]:
    """Some waits."""
    made = waiting.any_of(waiting.waits_on_item("gxo-uk", "A:B|C"), waiting.waits_on_mapping("carriers", warehouse="gxo-uk", carrier="TUFF", service=["*", "48"]))
    return [made.encode(), b"carriers:*"]


def orders_file(body: bytes) -> Period:
    """`--orders FILE`, CSV."""
    path = folder() / "orders.csv"
    path.write_bytes(body)
    return period(read_file(path))


def orders_samples() -> list[bytes]:
    """A day."""
    return [generated(days=1, orders_a_day=3, seed=2).to_csv(index=False).encode()]


def profile(body: bytes) -> Profile:
    """A profile, and the settings of each of its connections."""
    path = folder() / "profile.toml"
    path.write_bytes(body)
    read = read_profile(path)
    for name, settings in read.connections.items():
        for side in ("storefront", "warehouse"):
            try:
                module = importlib.import_module(f"connectors.{settings.system}.{side}")
            except ModuleNotFoundError:
                continue
            try:
                module.Settings.model_validate(settings.options)
            except ValidationError as error:
                raise BadConfiguration(f"opening {name}", str(error.error_count())) from None
    return read


def profiles() -> list[bytes]:
    """The demo's and the example, with their secrets in place."""
    (folder() / "secret").write_text(new_master_key())
    found = []
    for path in sorted((ROOT / "deployments" / "profiles").glob("*/profile.toml")):
        text = path.read_text().replace("{bigcommerce}", "https://bigcommerce.invalid").replace("{home}", str(folder()))
        found.append("\n".join(_with_secret(line) for line in text.splitlines()).encode())
    return found


def _with_secret(line: str) -> str:
    key, mark, value = line.partition("=")
    return f'{key}= "file:{folder()}/secret"' if mark and value.strip().startswith(('"env:', '"file:')) else line


@cache
def flows() -> dict[str, Flow]:
    """Every flow, by its name."""
    found = {}
    for path in sorted((ROOT / "flows").glob("*.py")):
        module = importlib.import_module(f"flows.{path.stem}")
        found |= {one.name: one for one in vars(module).values() if isinstance(one, Flow)}
    return found


def parameters(body: bytes) -> Any:
    """A flow's parameters, as a form or a program gives them."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise BadConfiguration("reading parameters", "no JSON") from None
    if not isinstance(given, dict) or not isinstance(given.get("parameters"), dict) or given.get("flow") not in flows():
        raise BadConfiguration("reading parameters", "no such flow")
    logging.getLogger("prefect.flows").disabled = True  # it tells of every refusal
    return flows()[given["flow"]].validate_parameters({str(name): value for name, value in given["parameters"].items()})


def parameter_samples() -> list[bytes]:
    """For every flow, a text for each parameter."""
    made = []
    for name, flow in flows().items():
        wanted = {key: value.get("default", "x" if value.get("type") == "string" else 1) for key, value in flow.parameters.properties.items()}
        made.append(json.dumps({"flow": name, "parameters": wanted}).encode())
    return made


# analysts

@cache
def _catalogue() -> Path:
    from tests.journeys.rig import Rig as World
    world = World(folder() / "world")
    world.orders(("HEART", 1))
    world.day()
    path = Path(analytics.publish(world.house))
    world.house.close()
    return path


def sql(body: bytes) -> tuple[list[str], str]:
    """A question, as far as the lock: what it lets through is not run here."""
    text = _text(body)
    connection = locked._open({"memory": "256MB", "threads": 1, "path": str(_catalogue())})
    try:
        tree = json.loads(connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()[0])
        if tree.get("error") or len(tree["statements"]) != 1:
            raise NotAllowed("asking", "not one SELECT")
        locked._check(tree, *locked._published(connection))
        return [str(one.type).rpartition(".")[2] for one in connection.extract_statements(text)], _plan(connection, text)
    except (locked._Refused, duckdb.Error) as error:
        raise NotAllowed("asking", str(error)[:80]) from None
    finally:
        connection.close()


def _plan(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    return "\n".join(str(row[-1]) for row in connection.execute(f"EXPLAIN {text}").fetchall())


def sql_samples() -> list[bytes]:
    """Questions, and attacks."""
    return [query.encode() for query in QUERIES]


def sql_reads_only(came: tuple[list[str], str]) -> Iterator[str]:
    """By DuckDB's own account it is one SELECT, and its plan reads no file and writes none."""
    kinds, plan = came
    if [kind for kind in kinds if kind not in ("SELECT", "SELECT_STATEMENT")] or len(kinds) != 1:
        yield f"let through: {kinds}"
    for word in ("READ_CSV", "READ_TEXT", "READ_BLOB", "READ_JSON", "READ_PARQUET", "PARQUET_SCAN", "GLOB", "COPY_TO_FILE", "BATCH_COPY"):
        if f"{word} " in plan.upper() or f"{word}(" in plan.upper():
            yield f"its plan has {word}"


def payload(body: bytes) -> Any:
    """The payload of a request, as the ledger is given it."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    return FulfilmentRequest.model_validate(given.get("payload") if isinstance(given, dict) else given)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogatepass") if _is_utf8(body) else body.decode("latin-1")
