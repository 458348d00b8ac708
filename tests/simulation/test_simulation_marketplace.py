"""Worlds whose storefront is an Amazon seller account: a few of them, and bugs in what is a marketplace's. `wharfinger simulate --theme marketplace` plays more."""

from collections import Counter
from dataclasses import replace

import pytest

from deployments.simulation import market_coverage
from deployments.simulation.kernel import Kernel
from deployments.simulation.market_oracle import invariants
from deployments.simulation.modes import SMALL, each_call
from deployments.simulation.play import MARKETPLACE, Scenario, play, themes_of
from tests.simulation.planted_market import BUGS, hunt

ALL_WELL, SMALL_MARKET = Scenario(about=MARKETPLACE), replace(SMALL, about=MARKETPLACE)
# seeds that found something in the product, and what it was (docs/proof.md)
INCIDENTS = {
    2: "a process whose clock was ahead moved the watermark of settlements past a statement that was made a moment later: it was never taken in",
    66: "a process that slept while it bought an access token confirmed a parcel whose claim had ended",
}
SOON = {"what_amazon_fulfils_is_let_through": 1, "a_parcel_gets_a_new_number_each_time_it_is_sent": 2, "replace_for_merge": 3, "statements_are_dated_by_our_clock": 3}


@pytest.mark.parametrize(("seed", "incident"), INCIDENTS.items())
def test_what_a_seed_once_found_stays_mended(seed, incident):
    assert [(v.invariant, v.what) for v in play(seed, ALL_WELL).violations] == [], incident


def test_a_world_with_a_shelf_is_clean():
    outcome = play(3, ALL_WELL)
    assert outcome.violations == [] and outcome.effects["stock_update"] > 1 and len(outcome.struck) > 10


def test_the_same_seed_is_the_same_world():
    assert play(52, SMALL_MARKET).hash == play(52, SMALL_MARKET).hash != play(54, SMALL_MARKET).hash


@pytest.mark.parametrize(("name", "seed"), SOON.items())
def test_a_planted_bug_is_found(name, seed):
    assert hunt(name, range(seed, seed + 1))


def test_a_call_is_struck_by_one_fault_and_the_world_heals():
    struck = play(4, next(each_call(4, small=SMALL_MARKET)))
    assert len(struck.struck) == 1 and struck.violations == []


def test_one_world_in_ten_has_a_marketplace_and_a_hundred_of_them_aim_at_every_cell():
    assert sum(MARKETPLACE in themes_of(Kernel(seed)) for seed in range(200)) == 20
    aimed = Counter()
    for turn in range(market_coverage.WORLDS_MIN):
        aimed.update((fault, effect) for fault, effect, _ in market_coverage.aims(turn, turn, "stock" in themes_of(Kernel(turn), MARKETPLACE), {}))
    assert set(aimed) == {(fault, effect) for effect, faults in market_coverage.CELLS.items() for fault in faults} and min(aimed.values()) >= 4
    full = {fault: Counter(dict.fromkeys(market_coverage.CELLS, 9)) for faults in market_coverage.CELLS.values() for fault in faults}
    full["F7"]["market feed"] = 0
    assert market_coverage.thin(full, 100, {}) == ["F7 on market feed: 0"] and market_coverage.thin({}, 99, {}) == []


def test_every_invariant_says_how_it_is_asked():
    assert len(invariants()) > 30 and all(invariants().values()) and len(BUGS) >= 12
