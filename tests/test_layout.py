"""The layout of DESIGN.md §3, held by `ast`: on this tree, and each rule shown to fail on a tree that breaks it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import layout_rules as rules

ROOT = Path(__file__).resolve().parents[1]
LONG = "def tall():\n" + "    x = 1\n" * 60
TALL_WORDS = 'def tall():\n    """' + "words\n" * 70 + '    """\n    return 1\n'

BROKEN = [
    (rules.imports_point_downward, "contracts/orders.py", "from connectors.ports import Window"),
    (rules.imports_point_downward, "connectors/ports.py", "import tasks.orders"),
    (rules.imports_point_downward, "tasks/orders.py", "def late():\n    from flows import orders_to_warehouse"),
    (rules.imports_point_downward, "flows/returns.py", "from deployments.cli import main"),
    (rules.each_package_imports_only_what_it_may, "contracts/orders.py", "import httpx"),
    (rules.each_package_imports_only_what_it_may, "tasks/rules/orders.py", "from connectors.ports import Effect"),
    (rules.each_package_imports_only_what_it_may, "tasks/rules/orders.py", "from tasks.ledger import promise"),
    (rules.each_package_imports_only_what_it_may, "tasks/rules/orders.py", "import random"),
    (rules.each_package_imports_only_what_it_may, "tasks/rules/orders.py", "from urllib.request import urlopen"),
    (rules.each_package_imports_only_what_it_may, "flows/returns.py", "import pandas as pd"),
    (rules.each_package_imports_only_what_it_may, "flows/returns.py", "from connectors.ports import Window"),
    (rules.each_package_imports_only_what_it_may, "flows/returns.py", "from pydantic import BaseModel"),
    (rules.each_package_imports_only_what_it_may, "connectors/gxo/client.py", "import requests"),
    (rules.each_package_imports_only_what_it_may, "connectors/gxo/client.py", "from connectors.ledger import effects"),
    (rules.the_outside_world_is_reached_through_connectors, "tasks/orders.py", "from sqlalchemy import select"),
    (rules.the_outside_world_is_reached_through_connectors, "deployments/cli.py", "import httpx"),
    (rules.the_outside_world_is_reached_through_connectors, "connectors/kit/http.py", "from prefect import get_run_logger"),
    (rules.the_outside_world_is_reached_through_connectors, "tasks/rules/orders.py", "import prefect"),
    (rules.no_system_is_named_outside_its_folder, "connectors/gxo/warehouse.py", "from connectors.bigcommerce.wire import Order"),
    (rules.no_system_is_named_outside_its_folder, "connectors/gxo/warehouse.py", "from connectors import bigcommerce"),
    (rules.no_system_is_named_outside_its_folder, "connectors/kit/http.py", "import connectors.gxo.client"),
    (rules.no_system_is_named_outside_its_folder, "tasks/orders.py", "from connectors.bigcommerce import storefront"),
    (rules.no_relative_imports, "tasks/orders.py", "from . import dispatches"),
    (rules.no_relative_imports, "tests/rules/test_orders.py", "from .orders import sample"),
    (rules.clock_and_dice_only_in_kit_clock, "tasks/orders.py", "from datetime import datetime as d, UTC\nx = d.now(UTC)"),
    (rules.clock_and_dice_only_in_kit_clock, "tasks/orders.py", "import datetime\nx = field(default_factory=datetime.datetime.utcnow)"),
    (rules.clock_and_dice_only_in_kit_clock, "tasks/orders.py", "import pandas as pd\nx = pd.Timestamp.now()"),
    (rules.clock_and_dice_only_in_kit_clock, "connectors/kit/http.py", "from time import sleep\nsleep(1)"),
    (rules.clock_and_dice_only_in_kit_clock, "connectors/gxo/client.py", "import uuid\nx = uuid.uuid4()"),
    (rules.clock_and_dice_only_in_kit_clock, "deployments/cli.py", "import random\nx = random.random()"),
    (rules.clock_and_dice_only_in_kit_clock, "tests/test_x.py", "from random import choice\nx = choice([1])"),
    (rules.functions_are_short, "tasks/orders.py", LONG),
    (rules.public_names_have_docstrings, "tasks/orders.py", "x = 1"),
    (rules.public_names_have_docstrings, "tasks/orders.py", '"""Words."""\ndef send():\n    return 1'),
    (rules.public_names_have_docstrings, "tasks/orders.py", '"""Words."""\nclass Orders:\n    x = 1'),
    (rules.nothing_is_swallowed, "tasks/orders.py", "try:\n    x = 1\nexcept Exception:\n    pass"),
    (rules.nothing_is_swallowed, "tasks/orders.py", "for x in y:\n    try:\n        x()\n    except:\n        continue"),
    (rules.nothing_is_swallowed, "tasks/orders.py", "from contextlib import suppress\nwith suppress(Exception):\n    x()"),
    (rules.ignored_types_have_a_reason, "tasks/orders.py", "x = y()  # type: ignore"),
    (rules.ignored_types_have_a_reason, "tasks/orders.py", "x = y()  # type: ignore[arg-type]"),
    (rules.flows_shadow_no_package, "flows/contracts.py", ""),
    (rules.flows_shadow_no_package, "flows/prefect.py", ""),
    (rules.names_say_what_is_in_them, "tasks/order_utils.py", ""),
    (rules.names_say_what_is_in_them, "connectors/kit/helper/http.py", ""),
    (rules.names_say_what_is_in_them, "tests/data/order.json", ""),
    (rules.the_top_level_is_fixed, "scripts/fix.py", ""),
]
SOUND = [
    ("contracts/orders.py", '"""Words."""\nfrom contracts.base import Contract\nimport pandera.pandas as pa\n'),
    ("connectors/gxo/warehouse.py", '"""Words."""\nfrom connectors.gxo.client import Client\nfrom connectors.kit.clock import Clock\nimport httpx\n'),
    ("connectors/gxo/sandbox.py", '"""Words."""\nimport random\ndice = random.Random(7)\n'),
    ("connectors/kit/clock.py", '"""Words."""\nfrom datetime import datetime\nx = datetime.now()\n'),
    ("tasks/rules/orders.py", '"""Words."""\nfrom tasks.rules.lines import match\nfrom datetime import datetime\nimport pandas as pd\n'),
    ("tasks/orders.py", '"""Words."""\nimport prefect\nfrom connectors import ports, settings\n' + TALL_WORDS),
    ("flows/returns.py", '"""Words."""\nfrom prefect import flow\nfrom pydantic import Field\nfrom tasks import returns\n'),
    ("deployments/sandboxes.py", '"""Words."""\nfrom connectors.gxo.sandbox import Sandbox\n'),
    ("tasks/storefront.py", '"""Words."""\nx = y()  # type: ignore[arg-type]  pandas has no stubs for this\n'),
    ("tests/test_x.py", "def test_that_it_works():\n    try:\n        x = 1\n    except ValueError:\n        pass\n"),
]


def _tree(root: Path, path: str, text: str) -> Path:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    return root


@pytest.mark.parametrize("rule", (*rules.FILE_RULES, *rules.TREE_RULES), ids=lambda rule: rule.__name__)
def test_the_tree_keeps(rule: Callable) -> None:
    assert not rules.check(ROOT, rule), "\n".join([rule.__doc__, *rules.check(ROOT, rule)])


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value)[:40]))
def test_a_tree_that_breaks_a_rule_is_found_out(tmp_path: Path, rule: Callable, path: str, text: str) -> None:
    found = rules.check(_tree(tmp_path, path, text), rule)
    assert found and path.split("/")[0] in found[0]


@pytest.mark.parametrize(("path", "text"), SOUND, ids=[path for path, _ in SOUND])
def test_a_sound_file_breaks_no_rule(tmp_path: Path, path: str, text: str) -> None:
    _tree(tmp_path, path, text)
    assert [line for rule in (*rules.FILE_RULES, *rules.TREE_RULES) for line in rules.check(tmp_path, rule)] == []


def test_every_rule_has_a_tree_that_breaks_it() -> None:
    assert {rule for rule, _, _ in BROKEN} == {*rules.FILE_RULES, *rules.TREE_RULES}


def test_what_git_ignores_may_lie_about(tmp_path: Path) -> None:
    _tree(tmp_path, ".gitignore", ".venv/\n*.egg-info/\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / "wharfinger.egg-info").mkdir()
    assert rules.check(tmp_path, rules.the_top_level_is_fixed) == []


def test_the_tree_has_files_to_check() -> None:
    assert {source.layer for source in rules.sources(ROOT)} >= {"contracts", "connectors", "tests"}


def test_every_file_that_may_look_at_the_clock_exists_and_says_why() -> None:
    assert all((ROOT / path).is_file() and why for path, why in rules.REAL_TIME.items())
