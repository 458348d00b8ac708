"""The short form of the proof: a few worlds, the same in any process, and bugs that must be found. `make simulate` runs the long one."""

import os
import subprocess
import sys

import pytest

from deployments.simulation.modes import SMALL, shrink, swarm
from deployments.simulation.play import Scenario, play
from tests.simulation.planted import BUGS, SOON, hunt, planted

SEEDS = range(1, 13)


def test_a_swarm_of_worlds_breaks_no_invariant():
    report = swarm(SEEDS, lambda said: None)
    assert [(v.seed, v.invariant, v.what, v.faults) for v in report.violations] == []
    assert report.seeds == len(SEEDS) and report.calls > 1000 and sum(report.faults.values()) > 20 and report.effects["fulfilment_request"] > 10


def test_the_same_seed_is_the_same_world_in_any_process():
    code = "from deployments.simulation.play import play; print(play(3).hash, play(4).hash)"
    told = [subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
            for seed in ("1", "2")]
    assert told[0] == told[1] == f"{play(3).hash} {play(4).hash}\n" and play(3).hash != play(4).hash


@pytest.mark.parametrize("point", [40, 90, 140, 190])
def test_a_process_killed_at_a_point_of_a_small_world_changes_nothing_in_the_end(point):
    outcome = play(3, Scenario(**{**vars(SMALL), "doomed_at": point}))
    assert outcome.crashes == 1 and outcome.violations == []


@pytest.mark.parametrize("name", SOON)
def test_a_planted_bug_is_found_within_a_few_worlds(name):
    assert hunt(name, range(1000, 1012))


def test_a_violation_is_shrunk_to_the_faults_that_it_needs_and_tells_its_story():
    with planted("blind_retry"):
        seed = next(seed for seed in range(1000, 1012) if play(seed).violations)
        report = swarm([seed], lambda said: None)
        violation = report.violations[0]
        before = len(play(seed).struck)
        assert 1 <= len(violation.faults) <= before and violation.story
    assert shrink and len(BUGS) >= 20
