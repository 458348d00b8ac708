"""The short form of the proof: a few worlds, the same in any process, and bugs that must be found. `make simulate` runs the long one."""

import os
import subprocess
import sys

import pytest

from deployments.simulation.modes import SMALL, swarm
from deployments.simulation.play import Scenario, play
from tests.simulation.planted import BUGS, SOON, hunt

SEEDS = range(1, 9)


def test_a_swarm_of_worlds_breaks_no_invariant():
    report = swarm(SEEDS, lambda said: None)
    assert [(v.seed, v.invariant, v.what, v.faults) for v in report.violations] == []
    assert report.seeds == len(SEEDS) and report.calls > 1000 and sum(report.faults.values()) > 10 and report.effects["fulfilment_request"] > 5


def test_the_same_seed_is_the_same_world_in_any_process():
    code = "from deployments.simulation.play import play; print(play(3).hash, play(4).hash)"
    told = [subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
            for seed in ("1", "2")]
    assert told[0] == told[1] == f"{play(3).hash} {play(4).hash}\n" and play(3).hash != play(4).hash


@pytest.mark.parametrize("point", [40, 140])
def test_a_process_killed_at_a_point_of_a_small_world_changes_nothing_in_the_end(point):
    outcome = play(3, Scenario(**{**vars(SMALL), "doomed_at": point}))
    assert outcome.crashes == 1 and outcome.violations == []


@pytest.mark.parametrize("name", SOON)
def test_a_planted_bug_is_found_within_a_few_worlds(name):
    assert hunt(name, range(1000, 1004))



def test_twenty_bugs_and_more_are_planted():
    assert len(BUGS) >= 20 and set(SOON) <= set(BUGS)
