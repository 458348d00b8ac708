"""Token buckets: what is permitted is used, and nothing is refused for it."""

import threading

import pytest

from connectors.amazon.limits import RATES
from connectors.amazon.sandbox import Meter
from connectors.kit.buckets import Bucket, Buckets, Rate, shared_buckets
from connectors.kit.clock import ManualClock
from connectors.kit.errors import NotNow

HEADER = "x-amzn-ratelimit-limit"


@pytest.mark.parametrize("operation", sorted(RATES))
def test_under_a_backlog_95_percent_of_what_is_permitted_is_used_and_no_call_is_refused(operation):
    """Every operation at its published rate, for as long as 400 calls take, against a meter that fills at exactly that rate."""
    clock, rate = ManualClock(), RATES[operation]
    bucket, meter, began = Bucket(operation, rate, wait_seconds_max=1e6), Meter(rate), clock.now()
    for _ in range(400):
        bucket.take(clock)
        clock.sleep(0.03)  # the way there
        assert meter.takes(clock.now())
        clock.sleep(0.05)
        bucket.settle(clock, 200, {HEADER: str(rate.per_second)})
    permitted = rate.burst + rate.per_second * (clock.now() - began).total_seconds()
    assert 400 >= 0.95 * permitted or (clock.now() - began).total_seconds() <= 400 * 0.081, "or we were slower than the rate by ourselves"


def test_after_a_rest_the_whole_burst_is_there_again_and_no_more():
    clock = ManualClock()
    bucket = Bucket("x", Rate(0.5, 5), wait_seconds_max=0)
    for _ in range(2):
        for _ in range(5):
            bucket.take(clock)
        with pytest.raises(NotNow) as raised:
            bucket.take(clock)
        assert 2 < raised.value.wait_seconds < 2.1
        clock.sleep(86_400)


def test_a_short_wait_is_waited_for_and_a_long_one_is_told():
    clock = ManualClock()
    bucket = Bucket("x", Rate(1, 1), wait_seconds_max=60)
    began = clock.now()
    bucket.take(clock)
    bucket.take(clock)
    assert 1 <= (clock.now() - began).total_seconds() < 1.1
    slow = Bucket("x", Rate(0.01, 1), wait_seconds_max=60)
    slow.take(clock)
    with pytest.raises(NotNow, match="used up for another 10"):
        slow.take(clock)


@pytest.mark.parametrize(("said", "seconds"), [("0.1", 10), ("4", 0.25), ("nonsense", 1), ("", 1), ("0", 1), ("-3", 1), ("inf", 1), ("nan", 1)])
def test_the_rate_in_force_is_learned_from_the_header(said, seconds):
    clock = ManualClock()
    bucket = Bucket("x", Rate(1, 1), wait_seconds_max=0)
    bucket.take(clock)
    bucket.settle(clock, 200, {HEADER: said})
    assert seconds <= bucket.seconds_to_wait(clock.now()) <= seconds * 1.05


def test_a_429_empties_the_bucket_and_the_next_ones_wait_longer():
    clock = ManualClock()
    bucket = Bucket("x", Rate(2, 10), wait_seconds_max=60)
    waits = []
    for _ in range(6):
        bucket.take(clock)
        bucket.settle(clock, 429, {})
        waits.append(round(bucket.seconds_to_wait(clock.now()), 2))
    assert waits == [0.51, 1.02, 2.04, 4.08, 4.08, 4.08]
    bucket.take(clock)
    bucket.settle(clock, 200, {})
    bucket.take(clock)
    bucket.settle(clock, 429, {"retry-after": "7"})
    assert bucket.seconds_to_wait(clock.now()) == pytest.approx(7, abs=0.01)


def test_what_never_arrived_costs_a_token_and_no_more():
    clock = ManualClock()
    bucket = Bucket("x", Rate(1, 2), wait_seconds_max=0)
    bucket.take(clock)
    bucket.settle(clock, None, {})
    bucket.take(clock)
    with pytest.raises(NotNow):
        bucket.take(clock)


def test_a_clock_that_stands_or_runs_back_fills_nothing():
    clock = ManualClock()
    bucket = Bucket("x", Rate(1, 1), wait_seconds_max=0)
    bucket.take(clock)
    clock.at = clock.at.replace(hour=1)
    with pytest.raises(NotNow):
        bucket.take(clock)


def test_each_account_has_its_own_buckets_and_each_clock_its_own_world():
    clock, rates = ManualClock(), {"x": Rate(1, 1)}
    one, same, other = (shared_buckets(account, clock, rates) for account in ("a", "a", "b"))
    assert one is same and one is not other and one is not shared_buckets("a", ManualClock(), rates)
    with pytest.raises(KeyError):
        Buckets("a", rates).of("y")


def test_many_threads_take_no_token_twice():
    clock = ManualClock()
    bucket, taken = Bucket("x", Rate(0.001, 50), wait_seconds_max=0), []

    def work():
        for _ in range(20):
            try:
                bucket.take(clock)
                taken.append(1)
            except NotNow:
                return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 50
