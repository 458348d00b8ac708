"""Real processes on a real ledger file, killed with SIGKILL; PostgreSQL killed under them; a disk that is full, or may not be written. `make kills` is the long form."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kills import databases, steps
from tests.kills.campaign import Campaign
from tests.kills.mortal import DONE, ENDED_EARLY, Child
from tests.postgres import postgres, why_not

SEED = 4
NOBODY = 65534


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    made = Campaign(tmp_path / "world", SEED)
    yield made
    made.close()


def test_processes_killed_at_named_points_and_at_random_instants_lose_nothing_and_repeat_nothing(campaign):
    report = campaign.run(24)
    assert report.violations == [], "\n".join([*report.violations, *report.lines()])
    assert report.kills >= 24 and sum(report.named.values()) >= 8 and sum(report.instants.values()) >= 4, report.lines()
    assert report.checked > 200 and all(report.effects[kind] for kind in ("fulfilment_request", "dispatch_confirmation", "stock_update"))


@pytest.mark.postgres
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_a_postgres_that_is_killed_under_the_runs_comes_back_and_they_go_on(tmp_path):
    with postgres() as server, databases.campaign(tmp_path / "world", SEED, server) as made:
        report = databases.run(made, server, 4)
    assert report.violations == [], "\n".join([*report.violations, *report.lines()])
    assert report.kills >= 4 and report.effects["fulfilment_request"]


def _goes_on(campaign: Campaign) -> None:
    """Once the trouble is over, everything that was owed comes to its end."""
    campaign.drain()
    campaign.judge()
    assert campaign.report.violations == [] and campaign.report.effects["fulfilment_request"] >= 4


def test_a_ledger_that_may_not_grow_says_so_keeps_what_was_true_and_goes_on_when_it_may(campaign):
    """The kernel refuses every byte beyond a limit (RLIMIT_FSIZE): for the ledger and its journal, for snapshots, for files to the partner."""
    child = Child(campaign.home, campaign.shared, steps.orders_out, limit_bytes=max(path.stat().st_size for path in campaign.home.glob("ledger.db*")) + 8_000)
    assert child.wait() == ENDED_EARLY and child.told.startswith("NotNow") and "nothing was changed" in child.told and "disk" in child.told, child.told
    for limit in (6_000, 14_000, 30_000):
        Child(campaign.home, campaign.shared, steps.stock_out, limit_bytes=limit).wait()
    _goes_on(campaign)


def test_a_folder_of_snapshots_that_may_not_grow_keeps_no_half_of_one(campaign):
    assert Child(campaign.home, campaign.shared, steps.publish).wait() == DONE
    catalogue = campaign.home / "analytics" / "analytics.duckdb"
    before = catalogue.read_bytes()
    child = Child(campaign.home, campaign.shared, steps.publish, limit_bytes=100_000)
    assert child.wait() == ENDED_EARLY and "NotNow" in child.told, child.told
    assert catalogue.read_bytes() == before
    _goes_on(campaign)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_full_loses_nothing(small_disk):
    campaign = Campaign(small_disk / "world", SEED)
    try:
        filler = small_disk / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
                    file.flush()
            except OSError:
                pass
        told = []
        for name in ("orders", "stock", "dispatches"):
            child = Child(campaign.home, campaign.shared, steps.STEPS[name])
            assert child.wait() == ENDED_EARLY, child.told
            told.append(child.told)
            campaign.shared.add(60)
        assert all(text.startswith(("NotNow", "")) for text in told)
        filler.unlink()
        _goes_on(campaign)
    finally:
        campaign.close()


@pytest.mark.skipif(not hasattr(__import__("os"), "geteuid") or __import__("os").geteuid() != 0, reason="needs to become somebody who may not write: only root can")
def test_a_house_that_may_not_be_written_is_told_as_such(campaign):
    child = Child(campaign.home, campaign.shared, steps.orders_out, as_user=NOBODY)
    assert child.wait() == ENDED_EARLY and child.told.startswith("BadConfiguration"), child.told
    _goes_on(campaign)
