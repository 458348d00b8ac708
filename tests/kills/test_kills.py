"""Real processes on a real ledger file, killed with SIGKILL; PostgreSQL killed under them; a disk that is full, or may not be written. `make kills` is the long form."""

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from tests.kills import databases, steps
from tests.kills.campaign import Campaign
from tests.kills.mortal import DONE, ENDED_EARLY, Child
from tests.postgres import postgres, why_not

SEED = 4


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    made = Campaign(tmp_path / "world", SEED)
    yield made
    made.close()


def test_processes_killed_at_named_points_and_at_random_instants_lose_nothing_and_repeat_nothing(campaign):
    report = campaign.run(12)
    assert report.violations == [], "\n".join([*report.violations, *report.lines()])
    assert report.kills >= 12 and sum(report.named.values()) >= 3 and sum(report.instants.values()) >= 2, report.lines()
    assert report.checked > 100 and all(report.effects[kind] for kind in ("fulfilment_request", "dispatch_confirmation", "stock_update"))


@pytest.mark.postgres
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_a_postgres_that_is_killed_under_the_runs_comes_back_and_they_go_on(tmp_path):
    with postgres() as server, databases.campaign(tmp_path / "world", SEED, server) as made:
        report = databases.run(made, server, 2)
    assert report.violations == [], "\n".join([*report.violations, *report.lines()])
    assert report.kills >= 2 and report.effects["fulfilment_request"]


def _goes_on(campaign: Campaign) -> None:
    """Once the trouble is over, everything that was owed comes to its end."""
    campaign.drain()
    campaign.judge()
    assert campaign.report.violations == [] and campaign.report.effects["fulfilment_request"] >= 4


def test_files_that_may_not_grow_are_told_of_keep_what_was_true_and_go_on_when_they_may(campaign):
    """The kernel refuses every byte beyond a limit (RLIMIT_FSIZE): in the ledger and its journal, in snapshots, in the catalogue, in files to the partner."""
    for limit in (40_000, 80_000):
        child = Child(campaign.home, campaign.shared, steps.orders_out, limit_bytes=limit)
        assert child.wait() == ENDED_EARLY and child.told.startswith("NotNow") and "nothing was changed" in child.told and "disk" in child.told, child.told
    assert Child(campaign.home, campaign.shared, steps.publish).wait() == DONE
    catalogue = campaign.home / "analytics" / "analytics.duckdb"
    before = catalogue.read_bytes()
    child = Child(campaign.home, campaign.shared, steps.publish, limit_bytes=100_000)
    assert child.wait() == ENDED_EARLY and "NotNow" in child.told, child.told
    assert catalogue.read_bytes() == before
    _goes_on(campaign)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_full_or_became_read_only_loses_nothing(small_disk):
    campaign = Campaign(small_disk / "world", SEED)
    try:
        told = {"full": _tries_everything(campaign, full(small_disk)), "read-only": _tries_everything(campaign, read_only(small_disk))}
        for how, texts in told.items():
            assert texts and all(text.startswith(("NotNow", "NotAllowed", "BadConfiguration")) for text in texts), (how, texts)
        _goes_on(campaign)
    finally:
        campaign.close()


def _tries_everything(campaign: Campaign, trouble: AbstractContextManager) -> list[str]:
    """What each step says while there is trouble; none may end with an error that is no error of ours."""
    texts = []
    with trouble:
        for name, step in steps.STEPS.items():
            child = Child(campaign.home, campaign.shared, step)
            assert child.wait() in (DONE, ENDED_EARLY), f"{name}: {child.told}"
            texts += [child.told] if child.outcome == ENDED_EARLY else []
            campaign.shared.add(60)
    return texts


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte more."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    yield
    filler.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """As the kernel makes a disk that it does not trust any more."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
