"""The shared HTTP kit: what came is read in one place, a write is sent once, a read is tried again within bounds, and a budget is kept."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from connectors.kit.budget import Budget, retry_after_seconds, shared_budget
from connectors.kit.clock import ManualClock, SystemClock
from connectors.kit.errors import BadConfiguration, InDoubt, NotAllowed, NotNow, Refused
from connectors.kit.http import Http, ReadFailed, classify

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
HTML = {"content-type": "text/html"}
TOKEN = "token-that-nobody-may-see"

CAME = [  # what came, what it means for a write, what it means for a read
    (httpx.ConnectError("x"), NotNow, NotNow), (httpx.ConnectTimeout("x"), NotNow, NotNow), (httpx.PoolTimeout("x"), NotNow, NotNow),
    (httpx.ReadTimeout("x"), InDoubt, ReadFailed), (httpx.WriteTimeout("x"), InDoubt, ReadFailed), (httpx.ReadError("x"), InDoubt, ReadFailed),
    (httpx.WriteError("x"), InDoubt, ReadFailed), (httpx.RemoteProtocolError("x"), InDoubt, ReadFailed),
    (httpx.DecodingError("x"), InDoubt, ReadFailed),
    (httpx.Response(200), None, None), (httpx.Response(204), None, None),
    (httpx.Response(301), InDoubt, ReadFailed), (httpx.Response(400), Refused, Refused), (httpx.Response(401), NotAllowed, NotAllowed),
    (httpx.Response(403), NotAllowed, NotAllowed), (httpx.Response(404), Refused, Refused), (httpx.Response(408), InDoubt, ReadFailed),
    (httpx.Response(409), Refused, Refused), (httpx.Response(422), Refused, Refused), (httpx.Response(429), NotNow, NotNow),
    (httpx.Response(500), InDoubt, ReadFailed), (httpx.Response(502), InDoubt, ReadFailed), (httpx.Response(503), InDoubt, ReadFailed),
    (httpx.Response(504), InDoubt, ReadFailed),
]


def told(came: httpx.Response | Exception) -> str:
    return str(came.status_code) if isinstance(came, httpx.Response) else type(came).__name__


@pytest.mark.parametrize(("came", "write", "read"), CAME, ids=[told(came) for came, _, _ in CAME])
def test_every_answer_and_every_failure_means_one_thing(came: httpx.Response | Exception, write: type | None, read: type | None) -> None:
    for meant, writing in ((write, True), (read, False)):
        error = classify("doing", came, NOW, writing=writing)
        assert type(error) is (meant or type(None))


@pytest.mark.parametrize(("headers", "seconds"), [
    ({"X-Retry-After": "15"}, 15), ({"Retry-After": "7"}, 7), ({"Retry-After": "Thu, 15 Jan 2026 09:00:30 +0000"}, 30),
    ({"X-Rate-Limit-Time-Reset-Ms": "2500"}, 2.5), ({"Retry-After": "soon"}, None), ({"Retry-After": "-4"}, None), ({}, None),
    ({"X-Retry-After": "4", "X-Rate-Limit-Time-Reset-Ms": "9000"}, 4)])
def test_a_429_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(httpx.Headers(headers), NOW) == seconds
    assert classify("doing", httpx.Response(429, headers=headers), NOW, writing=True).wait_seconds == seconds


class FarSide(httpx.BaseTransport):
    """Gives the answers one after the other, the last one for ever; counts the calls."""

    def __init__(self, *answers: httpx.Response | Exception | Callable) -> None:
        self.answers, self.requests = list(answers), []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def http(far: FarSide, clock: ManualClock, **more: object) -> Http:
    return Http("shop", "https://api.example/root", clock, sign=lambda r: r.headers.update({"X-Auth-Token": TOKEN}), transport=far, **more)


LOST = [httpx.Response(503, headers=HTML, content=b"<html>busy</html>"), httpx.Response(500), httpx.ReadTimeout("x"), httpx.ConnectError("x"),
        httpx.Response(200, headers=HTML, content=b"<html>Please wait</html>"), httpx.Response(200, content=b""),
        httpx.Response(200, content=b'{"a": 1'), httpx.Response(429)]
LOST_IDS = ["503 html", "500 empty", "read timeout", "refused", "200 html", "200 empty", "200 cut off", "429"]


@pytest.mark.parametrize("lost", LOST, ids=LOST_IDS)
def test_a_read_is_tried_again_until_it_comes(lost: httpx.Response | Exception) -> None:
    far, clock = FarSide(lost, lost, httpx.Response(200, json=[])), ManualClock()
    assert http(far, clock).read("/orders") == []
    assert len(far.requests) == 3 and clock.now() > NOW


@pytest.mark.parametrize("lost", LOST, ids=LOST_IDS)
def test_a_read_that_never_comes_is_an_error_and_never_an_empty_result(lost: httpx.Response | Exception) -> None:
    far = FarSide(lost)
    with pytest.raises((ReadFailed, NotNow)):
        http(far, ManualClock(), attempts=4).read("/orders")
    assert len(far.requests) == 4


def test_a_read_stops_when_its_seconds_are_used_up() -> None:
    far, clock = FarSide(httpx.Response(429, headers={"Retry-After": "40"})), ManualClock()
    with pytest.raises(NotNow) as error:
        http(far, clock, attempts=100, total_seconds=90).read("/orders")
    assert (clock.now() - NOW).total_seconds() == 80 and error.value.wait_seconds == 40


@pytest.mark.parametrize("refused", [400, 401, 403, 404, 422])
def test_a_no_is_not_asked_again(refused: int) -> None:
    far = FarSide(httpx.Response(refused))
    with pytest.raises((Refused, NotAllowed)):
        http(far, ManualClock()).read("/orders")
    assert len(far.requests) == 1


@pytest.mark.parametrize("lost", LOST, ids=LOST_IDS)
def test_a_write_is_sent_once_whatever_comes(lost: httpx.Response | Exception) -> None:
    far = FarSide(lost)
    with pytest.raises((InDoubt, NotNow)) as error:
        http(far, ManualClock()).write("POST", "/orders", b"{}")
    assert len(far.requests) == 1
    assert isinstance(error.value, NotNow) == (isinstance(lost, httpx.ConnectError) or getattr(lost, "status_code", 0) == 429)
    assert not isinstance(error.value, ReadFailed), "a write in doubt must be read back, not repeated"


def test_money_is_read_as_decimal_and_nothing_that_is_not_json_is_read() -> None:
    assert http(FarSide(httpx.Response(200, content=b'{"a": 19.9900}')), ManualClock()).read("/a") == {"a": Decimal("19.9900")}
    for body in (b"NaN", b"[Infinity]", b"[" * 100_000, b"\xff\xfe\x00"):
        with pytest.raises(ReadFailed):
            http(FarSide(httpx.Response(200, content=body)), ManualClock(), attempts=1).read("/a")


def test_a_204_is_nothing() -> None:
    assert http(FarSide(httpx.Response(204)), ManualClock()).read("/a") is None


def test_a_redirect_is_not_followed() -> None:
    far = FarSide(httpx.Response(302, headers={"location": "http://169.254.169.254/"}))
    with pytest.raises(InDoubt):
        http(far, ManualClock()).write("POST", "/a", b"{}")
    assert [request.url.host for request in far.requests] == ["api.example"]


@pytest.mark.parametrize("path", ["https://evil.example/x", "//evil.example/x", "/../../x", "/a/..", "@evil.example", "/a?b=c", "/a#b", "/a\\b", ""])
def test_no_path_leads_away_from_the_base_url(path: str) -> None:
    far = FarSide(httpx.Response(200, json={}))
    with pytest.raises(BadConfiguration):
        http(far, ManualClock()).read(path)
    assert far.requests == []


@pytest.mark.parametrize("base", ["ftp://api.example", "api.example", "http://api.example", "https://user:pw@api.example", "https://api.example?a=b"])
def test_a_base_url_that_would_give_the_credentials_away_is_refused(base: str) -> None:
    with pytest.raises(BadConfiguration) as error:
        Http("shop", base, ManualClock())
    assert "pw" not in str(error.value)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://localhost:1", "http://bigcommerce:80", "https://api.example"])
def test_this_machine_and_a_container_beside_us_may_speak_plain_http(base: str) -> None:
    Http("shop", base, ManualClock())


def test_nothing_of_a_request_or_an_answer_is_logged_or_told(caplog: pytest.LogCaptureFixture) -> None:
    secret = "Zzcanary Street"
    with caplog.at_level(logging.DEBUG):
        for status in (200, 400, 500):
            far = FarSide(httpx.Response(status, json={"message": secret}))
            client = http(far, ManualClock(), attempts=1)
            try:
                client.write("POST", "/a", secret.encode())
            except (Refused, InDoubt) as error:
                assert secret not in str(error) and TOKEN not in repr(error)
            assert far.requests[0].headers["x-auth-token"] == TOKEN
    assert secret not in caplog.text and TOKEN not in caplog.text


def test_a_far_side_without_end_is_cut_off() -> None:
    with pytest.raises(ReadFailed):
        http(FarSide(httpx.Response(200, content=b"[" + b"1," * 1000 + b"1]")), ManualClock(), attempts=1, body_bytes_max=1000).read("/a")


def limits(left: int, quota: int = 10, reset_ms: int = 30_000) -> dict[str, str]:
    return {"x-rate-limit-requests-left": str(left), "x-rate-limit-requests-quota": str(quota), "x-rate-limit-time-reset-ms": str(reset_ms),
            "x-rate-limit-time-window-ms": "30000"}


def test_a_budget_waits_for_the_next_window_before_it_is_empty() -> None:
    budget, clock = Budget("shop", reserve=2), ManualClock()
    budget.take(clock)
    budget.settle(clock, 200, limits(left=3, reset_ms=12_000))
    budget.take(clock)
    assert clock.now() == NOW
    budget.settle(clock, 200, limits(left=2, reset_ms=12_000))
    budget.take(clock)
    assert (clock.now() - NOW).total_seconds() == 12


def test_a_budget_counts_what_is_under_way() -> None:
    budget, clock = Budget("shop", reserve=0), ManualClock()
    for _ in range(3):
        budget.take(clock)
    budget.settle(clock, 200, limits(left=2))
    assert clock.now() == NOW
    budget.take(clock)
    assert (clock.now() - NOW).total_seconds() == 30, "the two that are left are spoken for"


def test_an_old_answer_does_not_give_back_what_was_spent() -> None:
    budget, clock = Budget("shop", reserve=0), ManualClock()
    for _ in range(2):
        budget.take(clock)
    budget.settle(clock, 200, limits(left=0))
    budget.settle(clock, 200, limits(left=1))
    budget.take(clock)
    assert (clock.now() - NOW).total_seconds() == 30


def test_a_429_without_headers_backs_off_and_doubles() -> None:
    budget, clock, waits = Budget("shop"), ManualClock(), []
    for _ in range(4):
        before = clock.now()
        budget.take(clock)
        waits.append((clock.now() - before).total_seconds())
        budget.settle(clock, 429, {})
    assert waits == [0, 1, 2, 4]


def test_a_wait_that_is_too_long_is_not_waited() -> None:
    budget, clock = Budget("shop", wait_seconds_max=10), ManualClock()
    budget.take(clock)
    budget.settle(clock, 429, {"x-retry-after": "25"})
    with pytest.raises(NotNow) as error:
        budget.take(clock)
    assert error.value.wait_seconds == 25 and clock.now() == NOW


def test_a_request_that_never_came_back_does_not_hold_its_place_for_ever() -> None:
    clock = ManualClock()
    budget = Budget("shop", reserve=0)
    far = FarSide(httpx.ReadTimeout("x"), ZeroDivisionError(), httpx.Response(200, json={}, headers=limits(left=1)))
    client = http(far, clock, budget=budget, attempts=1)
    for error in (ReadFailed, ZeroDivisionError):
        with pytest.raises(error):
            client.read("/a")
    client.read("/a")
    client.read("/a")
    assert clock.now() == NOW


def test_one_account_has_one_budget_in_this_process_and_another_clock_has_its_own() -> None:
    one, other = ManualClock(), ManualClock()
    assert shared_budget("a", one) is shared_budget("a", one)
    assert shared_budget("a", one) is not shared_budget("b", one)
    assert shared_budget("a", one) is not shared_budget("a", other)
    assert shared_budget("kit-test", SystemClock()) is shared_budget("kit-test", SystemClock())


def test_threads_never_take_more_than_there_is() -> None:
    budget, clock, taken = Budget("shop", reserve=0, wait_seconds_max=0), ManualClock(), []
    budget.take(clock)
    budget.settle(clock, 200, limits(left=7))

    def many() -> None:
        for _ in range(5):
            try:
                budget.take(clock)
                taken.append(1)
            except NotNow:
                return

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 7


def test_a_sibling_under_another_base_url_keeps_credentials_and_budget() -> None:
    far, clock = FarSide(httpx.Response(200, json={}, headers=limits(left=9))), ManualClock()
    http(far, clock, budget=Budget("shop")).at("https://api.example/v3").read("/channels")
    assert str(far.requests[0].url) == "https://api.example/v3/channels" and far.requests[0].headers["x-auth-token"] == TOKEN
