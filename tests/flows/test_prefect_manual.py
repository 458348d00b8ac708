"""Every command of the operating manual, as it stands there and in its order, against a house with a busy desk; and the forms it names."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.desk_house import busy_house
from tests.flows.conftest import ROOT, Site
from tests.journeys.rig import Rig
from typer.testing import CliRunner

from connectors.house import PROFILE
from connectors.kit.clock import SystemClock
from connectors.kit.sandbox import serve
from deployments.cli import app
from deployments.serve import entries
from tasks.analytics import publish
from tasks.opened import house

pytestmark = pytest.mark.prefect
MANUAL = (ROOT / "docs" / "operating-manual.md").read_text()
# the manual's example ids, and what they stand for
EXAMPLES = {"1f3a9c02": ("carrier_unmapped", "no carrier"), "2f3a9c02": ("carrier_unmapped", "no carrier either"), "3a3a9c02": ("ship_method_unmapped", ""),
            "4a3a9c02": ("facility_unmapped", ""), "5a3a9c02": ("rejected_by_warehouse", ""), "6a3a9c02": ("blocked_effect", ""),
            "7a3a9c02": ("sku_unknown", ""),
            "8a3a9c02": ("over_shipped", ""), "8b3a9c02": ("cancel_refused", ""), "8c3a9c02": ("document_malformed", ""), "8d3a9c02": ("refund_declined", ""),
            "8e3a9c02": ("address_missing", "")}
SAYS_WHAT_IT_FINDS = ("doctor", "audit", "reconcile", "evidence")  # exit code 1: there is something to look at


def commands() -> list[str]:
    """Line by line, in the order of the manual."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", MANUAL, re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture
def busy(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Rig, dict[str, int]]]:
    """The house of the walk-through, its shop on a port of this machine, a copy for analysts, and the profile in the environment."""
    rig, order = busy_house(tmp_path / "house")
    with serve(rig.shop, SystemClock()) as address:
        profile = rig.home / "profile.toml"
        profile.write_text(profile.read_text().replace("https://bigcommerce.invalid", address))
        publish(rig.house)
        monkeypatch.setenv(PROFILE, str(profile))
        monkeypatch.chdir(tmp_path)
        house.cache_clear()
        yield rig, order
        house.cache_clear()
    rig.house.close()


def test_every_command_of_the_manual_runs_as_it_stands_and_clears_the_desk(busy: tuple[Rig, dict[str, int]]) -> None:
    rig, order = busy
    ids = {example: next(row.exception_id for row in rig.on_desk(kind) if not which or row.record == str(order[which]))
           for example, (kind, which) in EXAMPLES.items()}
    listed = commands()
    assert len(listed) >= 20 and all(line.startswith("wharfinger ") for line in listed)
    for line in listed:
        _runs(line, ids)
    assert rig.desk() == [("carrier_unmapped", str(order["strange carrier"]))], "the walk-through left something, or took too much"


def _runs(line: str, ids: dict[str, str]) -> None:
    written, _, target = line.partition(" > ")
    words = [ids[word][:8] if word in ids else word for word in shlex.split(written)[1:]]
    ran = CliRunner().invoke(app, words)
    allowed = (0, 1) if words[0] in SAYS_WHAT_IT_FINDS and not isinstance(ran.exception, Exception) else (0,)
    assert ran.exit_code in allowed, f"{line}\n{ran.output[-1500:]}\n{ran.exception!r}"
    assert ran.stdout.strip(), f"{line} said nothing"
    if target:
        Path(target.strip()).write_text(ran.stdout)


def test_the_manual_names_every_flow_and_every_form_that_there_is() -> None:
    for entry in entries():
        flow = entry["entrypoint"].rpartition(".")[2].replace("_", "-")
        named = flow if "route" in entry["tags"] or entry.get("schedules") else entry["name"]
        assert named in MANUAL, f"the manual says nothing of {named}"
