"""The rules of DESIGN.md §3 and STYLE.md §5 that a machine can hold us to. Each takes a file (or a tree) and yields what is wrong.

All of them work on any root, so that `test_layout.py` can show each one a tree that breaks it.
"""

import ast
import fnmatch
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LAYERS = ("contracts", "connectors", "tasks", "flows", "deployments")  # each may import itself and what stands before it
NOT_SYSTEMS = ("kit", "ledger", "snapshots", "ports", "settings", "house")  # under connectors, and ours
OUTSIDE_WORLD = {"httpx", "duckdb", "sqlalchemy", "paramiko", "cryptography", "alembic", "psycopg"}  # only under connectors
# files that stand in for the outside world, and so must speak its libraries, and why
STANDS_IN = {"deployments/simulation/world.py": "opens the simulated worlds' one ledger, and lets faults strike its commits",
             "deployments/simulation/wire.py": "carries the simulated worlds' requests, and looks at each",
             "deployments/simulation/market_wire.py": "the same for a simulated marketplace"}
CONTRACTS_MAY = {"contracts", "pandas", "pandera", "pyarrow", "pydantic"}  # pyarrow: what text in a frame is kept in
RULES_MAY = {"contracts", "tasks.rules", "pandas"}
RULES_NEVER = {"random", "time", "uuid", "secrets", "socket", "ssl", "http", "urllib", "sqlite3", "subprocess", "threading", "asyncio", "os",
               "pathlib", "shutil", "tempfile", "multiprocessing", "concurrent", "importlib"}
FLOWS_MAY = {"prefect", "tasks", "flows", "contracts", "typing", "datetime", "collections", "pydantic.Field"}  # Field describes a form's fields
SYSTEMS_MAY = {"connectors.kit", "connectors.ports", "contracts", "httpx", "paramiko", "pydantic", "pandas", "pyarrow", "standardwebhooks"}

CLOCK = "connectors/kit/clock.py"
# files in which a process really waits, or really looks at the machine's clock, and why that is right there
REAL_TIME: dict[str, str] = {
    "deployments/demo_play.py": "waits for the runs that it asks Prefect for, and for a warehouse to ship",
    "deployments/demo.py": "waits for a Prefect server and its workers, and says how long all of it took",
    "deployments/sandboxes.py": "moves its sandboxes on while real time passes",
    "tests/benchmarks/our_step.py": "measures how long it takes",
    "tests/benchmarks/peers.py": "measures how long they take",
    "tests/benchmarks/settlement_peers.py": "measures how long they take",
    "tests/fuzz/campaign.py": "measures how long it takes, and stops in time",
    "tests/fuzz/door.py": "measures how long a document takes",
    "tests/kills/campaign.py": "kills real processes at a moment that nobody chose",
    "tests/kills/databases.py": "kills a real database at a moment that nobody chose",
    "tests/kills/workers.py": "kills a real worker and server at a moment that nobody chose",
    "tests/flows/test_demo.py": "kills a real worker at a moment that nobody chose",
    "tests/flows/test_prefect_runs.py": "compares with the moment at which the kernel started a real process",
}
CLOCK_AND_DICE = re.compile(
    r"(datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today|pandas\.Timestamp\.(now|utcnow|today)"
    r"|time\.(time|time_ns|sleep|monotonic|monotonic_ns|perf_counter|perf_counter_ns|localtime|gmtime)"
    r"|uuid\.uuid[14]|random\.(?!Random\b)\w+|numpy\.random\.(?!default_rng\b|Generator\b)\w+)"
)

FUNCTION_LINES_MAX = 60
MIGRATIONS = "connectors/ledger/migrations/versions/"  # written out by alembic and frozen: neither short nor for reading
BANNED_WORDS = {"util", "utils", "helper", "helpers", "manager", "managers", "handler", "handlers", "store", "stores", "data"}
TOP_LEVEL = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "requirements.lock", "docs", "tests", ".ci", ".git", ".gitignore",
             ".gitattributes", *LAYERS}


@dataclass(frozen=True)
class Source:
    """One Python file of the tree: its path from the root ('flows/orders_to_warehouse.py'), its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """'tasks/rules/orders.py' -> 'tasks.rules.orders'."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def layer(self) -> str:
        """The top-level package it is in ('tests' for a test)."""
        return self.path.split("/")[0]

    @property
    def system(self) -> str:
        """The system whose folder it is in, or ''."""
        return _system(self.module)


@cache
def sources(root: Path) -> list[Source]:
    """Every Python file of the five packages and of the tests, read once a root."""
    files = sorted(f for layer in (*LAYERS, "tests") for f in (root / layer).rglob("*.py"))
    return [Source(f.relative_to(root).as_posix(), text := f.read_text(), ast.parse(text, str(f))) for f in files]


def imports_point_downward(source: Source) -> Iterator[str]:
    """deployments → flows → tasks → connectors → contracts, never up."""
    if source.layer not in LAYERS:
        return
    above = LAYERS[LAYERS.index(source.layer) + 1:]
    for line, name in _imports(source):
        if name.split(".")[0] in above:
            yield f"{source.path}:{line} imports {name}: {source.layer} may not know {name.split('.')[0]}"


def each_package_imports_only_what_it_may(source: Source) -> Iterator[str]:
    """contracts, tasks/rules, flows and system folders have a short list; whatever is not on it is a mistake."""
    own = f"connectors.{source.system}"
    if source.layer == "contracts":
        may, never = CONTRACTS_MAY | sys.stdlib_module_names, set()
    elif source.module.startswith("tasks.rules"):
        may, never = RULES_MAY | sys.stdlib_module_names, RULES_NEVER
    elif source.layer == "flows":
        may, never = FLOWS_MAY, set()
    elif source.system:
        may, never = SYSTEMS_MAY | {own} | sys.stdlib_module_names, set()
    else:
        return
    for line, name in _imports(source):
        if not _within(name, may) or _within(name, never):
            yield f"{source.path}:{line} imports {name}, which is not on the list for its place"


def the_outside_world_is_reached_through_connectors(source: Source) -> Iterator[str]:
    """Network, database and cipher libraries only under connectors; Prefect never there, nor in contracts or rules."""
    if source.layer == "tests":
        return
    inside = source.layer == "connectors"
    no_prefect = inside or source.layer == "contracts" or source.module.startswith("tasks.rules")
    for line, name in _imports(source):
        package = name.split(".")[0]
        if package in OUTSIDE_WORLD and not inside and source.path not in STANDS_IN:
            yield f"{source.path}:{line} imports {package}: only connectors touch the outside world"
        if package == "prefect" and no_prefect:
            yield f"{source.path}:{line} imports prefect: the logic must run without it"


def no_system_is_named_outside_its_folder(source: Source) -> Iterator[str]:
    """A system never imports another, and nothing between it and `deployments` knows it: a new system edits no file."""
    if source.layer in ("tests", "deployments"):
        return
    for line, name in _imports(source):
        other = _system(name)
        if other and other != source.system:
            yield f"{source.path}:{line} imports the system {other}: use its port"


def no_relative_imports(source: Source) -> Iterator[str]:
    """Absolute imports everywhere."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{source.path}:{node.lineno} has a relative import"


def clock_and_dice_only_in_kit_clock(source: Source) -> Iterator[str]:
    """Time and randomness are handed in, or no run can be played again. `random.Random(seed)` is no die."""
    if source.path == CLOCK or source.path in REAL_TIME:
        return
    names = {local: dotted for _, local, dotted in _bindings(source)}
    for node in ast.walk(source.tree):
        dotted = _dotted(node, names)
        if dotted and CLOCK_AND_DICE.fullmatch(dotted):
            yield f"{source.path}:{node.lineno} uses {dotted}: take a Clock (connectors/kit/clock.py)"


def functions_are_short(source: Source) -> Iterator[str]:
    """Sixty lines without the docstring is a wall; thirty is the habit."""
    for node in ast.walk(source.tree) if not source.path.startswith(MIGRATIONS) else ():
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        words = node.body[0] if ast.get_docstring(node) else None
        lines = node.end_lineno - node.lineno + 1 - (words.end_lineno - words.lineno + 1 if words else 0)
        if lines > FUNCTION_LINES_MAX:
            yield f"{source.path}:{node.lineno} {node.name} has {lines} lines"


def public_names_have_docstrings(source: Source) -> Iterator[str]:
    """Every module, and every public class and function in it. A test's name is its sentence."""
    if source.layer == "tests" or source.path.startswith(MIGRATIONS):
        return
    if not ast.get_docstring(source.tree):
        yield f"{source.path}:1 the module has no docstring"
    for node in source.tree.body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if named and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{source.path}:{node.lineno} {node.name} has no docstring"


def nothing_is_swallowed(source: Source) -> Iterator[str]:
    """No `except Exception: pass`, nor its disguises: an outage must never look like an empty day."""
    names = {local: dotted for _, local, dotted in _bindings(source)}
    for node in ast.walk(source.tree):
        silent = isinstance(node, ast.ExceptHandler) and _is_everything(node.type) and all(_does_nothing(step) for step in node.body)
        suppressed = isinstance(node, ast.Call) and _dotted(node.func, names) == "contextlib.suppress" and any(map(_is_everything, node.args))
        if silent or suppressed:
            yield f"{source.path}:{node.lineno} swallows every error"


def ignored_types_have_a_reason(source: Source) -> Iterator[str]:
    """`# type: ignore[code]  why`: the why is for the next reader."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        found = re.search(r"#\s*type:\s*ignore(\[[^]]*\])?(?P<why>.*)", token.string) if token.type == tokenize.COMMENT else None
        if found and not re.search(r"[A-Za-z]{3}", found["why"]):
            yield f"{source.path}:{token.start[0]} ignores a type and does not say why"


def flows_shadow_no_package(root: Path) -> Iterator[str]:
    """No file in flows/ is named like a package: started by path, it would be imported in its place."""
    taken = {*LAYERS, "tests", *OUTSIDE_WORLD, "prefect", "pandas", "pandera", "pydantic", *sys.stdlib_module_names}
    for file in sorted((root / "flows").glob("*.py")):
        if file.stem in taken:
            yield f"flows/{file.name} is named like the package {file.stem}"


def names_say_what_is_in_them(root: Path) -> Iterator[str]:
    """No folder or file is called utils, helper, manager, handler, store or data."""
    for layer in (*LAYERS, "tests"):
        for path in sorted((root / layer).rglob("*")):
            words = set(re.split(r"[^a-z]+", path.name.lower())) if "__pycache__" not in path.parts else set()
            if words & BANNED_WORDS:
                yield f"{path.relative_to(root).as_posix()} is named {'/'.join(sorted(words & BANNED_WORDS))}: use a word of DESIGN.md §2"


def the_top_level_is_fixed(root: Path) -> Iterator[str]:
    """Nothing lies at the top but what DESIGN.md §3 lists, and what .gitignore keeps out of the project."""
    ignored = (root / ".gitignore").read_text().split() if (root / ".gitignore").exists() else []
    for path in sorted(root.iterdir()):
        if path.name not in TOP_LEVEL and not any(fnmatch.fnmatch(path.name, pattern.rstrip("/")) for pattern in ignored):
            yield f"{path.name} has no place at the top level"


FILE_RULES: tuple[Callable[[Source], Iterator[str]], ...] = (
    imports_point_downward, each_package_imports_only_what_it_may, the_outside_world_is_reached_through_connectors,
    no_system_is_named_outside_its_folder, no_relative_imports, clock_and_dice_only_in_kit_clock, functions_are_short,
    public_names_have_docstrings, nothing_is_swallowed, ignored_types_have_a_reason,
)
TREE_RULES: tuple[Callable[[Path], Iterator[str]], ...] = (flows_shadow_no_package, names_say_what_is_in_them, the_top_level_is_fixed)


def check(root: Path, rule: Callable) -> list[str]:
    """Everything under this root that breaks the rule, one line each."""
    return list(rule(root)) if rule in TREE_RULES else [line for source in sources(root) for line in rule(source)]


def _system(dotted: str) -> str:
    """'connectors.gxo.x12.read' -> 'gxo'; '' for what is ours."""
    parts = dotted.split(".")
    named = len(parts) > 1 and parts[0] == "connectors" and parts[1] not in NOT_SYSTEMS
    return parts[1] if named else ""


def _within(name: str, allowed: set[str]) -> bool:
    return any(name == a or name.startswith(a + ".") for a in allowed)


def _bindings(source: Source) -> Iterator[tuple[int, str, str]]:
    """(line, local name, what it is), for every absolute import: `from datetime import datetime as d` -> d, datetime.datetime."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.asname or a.name.split(".")[0], a.name if a.asname else a.name.split(".")[0]) for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)


def _imports(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, names)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _is_everything(kind: ast.expr | None) -> bool:
    return kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))


def _does_nothing(step: ast.stmt) -> bool:
    return isinstance(step, ast.Pass | ast.Continue) or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
