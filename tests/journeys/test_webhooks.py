"""The door, whole: a shop calls, the hint is kept before the answer, a run fetches the order anew; and whatever is not genuine changes nothing."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from tests.journeys.rig import PROFILE, STOREFRONT, Rig

from connectors.bigcommerce.hooks import HEADER
from connectors.bigcommerce.sandbox_hooks import post
from connectors.house import House
from connectors.kit import sandbox as faults
from connectors.kit.clock import SystemClock
from connectors.kit.errors import NotNow
from deployments.webhooks import BODY_MAX, door
from tasks.hints import FETCHED_MAX, take_hints
from tasks.orders import take_in_orders, window
from tasks.webhooks import keep_webhooks

OURS, SECRET = "a-header-of-our-own", "bigcommerce-client-secret"
CREATED = "store/order/created"


class Called(Rig):
    """A world whose shop calls us."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        (home / "client.secret").write_text(SECRET)
        (home / "hook.secret").write_text(OURS)
        profile = home / "profile.toml"
        more = f'client_secret = "file:{home}/client.secret"\nwebhook_secret = "file:{home}/hook.secret"\n'
        text = profile.read_text().replace('[ledger]', 'webhooks_url = "https://hooks.example.com"\n\n[ledger]', 1)
        profile.write_text(text.replace(f"[connections.{STOREFRONT}]\n", f"[connections.{STOREFRONT}]\n{more}"))
        self.house.close()
        self.house = self._opened()
        self.asked: list[str] = []
        self.shop.send_webhooks_to(self.receive)

    def receive(self, address: str, headers: dict[str, str], body: bytes) -> int:
        """One delivery, into the door in this process."""
        return self.knock(httpx.URL(address).path, headers, body)[0]

    def knock(self, path: str, headers: dict[str, str], body: bytes, times: int = 1, seconds: float = 0, method: str = "POST") -> list[int]:
        """So many deliveries at once; the statuses."""
        async def all_of_them() -> list[int]:
            transport = httpx.ASGITransport(door(self.house, seconds, self.asked.append))
            async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
                answers = await asyncio.gather(*(client.request(method, path, headers=headers, content=body) for _ in range(times)))
            await asyncio.sleep(seconds + 0.05)
            return [answer.status_code for answer in answers]
        return asyncio.run(all_of_them())

    def hints(self) -> list[tuple[str, str, bool]]:
        """(topic, record, is taken) of each."""
        frame = self.ledger.table("hint").sort_values(["received_at", "key"])
        return [(row.topic, row.record, row.taken_at is not None and row.taken_at == row.taken_at) for row in frame.itertuples()]


@pytest.fixture
def rig(tmp_path: Path) -> Called:
    rig = Called(tmp_path)
    keep_webhooks(rig.house, STOREFRONT)
    return rig


def test_an_order_is_in_the_book_moments_after_the_shop_called_and_the_pull_finds_nothing_new(rig: Called) -> None:
    order = rig.orders(("HEART", 1))
    rig.shop.step()
    assert rig.hints() == [("order", str(order), False)] and rig.asked == [STOREFRONT]
    before = window(rig.house, STOREFRONT).since
    assert take_hints(rig.house, STOREFRONT)["new"] == 1 and rig.hints()[0][2]
    assert window(rig.house, STOREFRONT).since == before, "a single order says nothing of how far the feed was read"
    assert take_hints(rig.house, STOREFRONT) == {}
    assert take_in_orders(rig.house, STOREFRONT)["same"] == 1


def test_an_older_order_that_no_hint_named_is_not_skipped(rig: Called) -> None:
    """Had the hinted order moved the watermark, the order placed before it, whose webhook was lost, would never have been read."""
    rig.shop.faults.add(faults.CONNECT_REFUSED, on="EVENT *", times=1)
    rig.orders(("HEART", 1))
    rig.passes(86_400)
    rig.orders(("MUG", 1))
    rig.shop.step()
    assert take_hints(rig.house, STOREFRONT)["new"] == 1
    assert take_in_orders(rig.house, STOREFRONT)["new"] == 1


def test_a_burst_makes_one_run_and_every_order_of_it_is_taken(rig: Called) -> None:
    for _ in range(7):
        rig.orders(("HEART", 1))
    deliveries: list[tuple[dict[str, str], bytes]] = []
    rig.shop.send_webhooks_to(lambda address, headers, body: deliveries.append((headers, body)) or 200)
    rig.shop.step()

    async def all_at_once() -> list[int]:
        transport = httpx.ASGITransport(door(rig.house, 0.2, rig.asked.append))
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            answers = await asyncio.gather(*(client.post(f"/hooks/{STOREFRONT}", headers=h, content=b) for h, b in deliveries))
        await asyncio.sleep(0.4)
        return [answer.status_code for answer in answers]

    assert asyncio.run(all_at_once()) == [204] * 7 and rig.asked == [STOREFRONT]
    assert take_hints(rig.house, STOREFRONT)["new"] == 7


def test_a_replay_is_answered_and_is_one_hint_and_no_second_run(rig: Called) -> None:
    rig.orders(("HEART", 1))
    deliveries: list[tuple[dict[str, str], bytes]] = []
    rig.shop.send_webhooks_to(lambda address, headers, body: deliveries.append((headers, body)) or 200)
    rig.shop.step()
    headers, body = deliveries[0]
    assert rig.knock(f"/hooks/{STOREFRONT}", headers, body, times=10) == [204] * 10
    take_hints(rig.house, STOREFRONT)
    assert rig.knock(f"/hooks/{STOREFRONT}", headers, body) == [204]
    assert len(rig.hints()) == 1 and rig.hints()[0][2] and rig.asked == [STOREFRONT]
    rig.passes(301)
    assert rig.knock(f"/hooks/{STOREFRONT}", headers, body) == [401], "too old"


def test_what_is_not_genuine_is_refused_and_leaves_no_trace(rig: Called) -> None:
    rig.orders(("HEART", 1))
    deliveries: list[tuple[dict[str, str], bytes]] = []
    rig.shop.send_webhooks_to(lambda address, headers, body: deliveries.append((headers, body)) or 200)
    rig.shop.step()
    headers, body = deliveries[0]
    here = f"/hooks/{STOREFRONT}"
    for changed in (body[:-1], body.replace(b"order", b"0rder"), b"", b"{}"):
        assert rig.knock(here, headers, changed) == [401]
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature", HEADER):
        assert rig.knock(here, {**headers, name: headers[name][:-1] + "~"}, body) == [401]
        assert rig.knock(here, {key: value for key, value in headers.items() if key != name}, body) == [401]
    assert rig.knock("/hooks/nobody", headers, body) == rig.knock("/hooks/gxo-uk", headers, body) == [401]
    assert rig.knock(here, {**headers, **{f"x-{n}": "y" for n in range(100)}}, body) == [401]
    assert rig.knock(here, headers, b"x" * (BODY_MAX + 1)) == [413]
    assert rig.knock(here, {**headers, "content-length": "99999999999999999"}, body) == [413]
    assert rig.knock(here, headers, body, method="GET") == [405] and rig.knock("/", headers, body) == [404]
    assert rig.hints() == [] and rig.asked == []
    assert rig.knock(here, headers, body) == [204]


def test_a_body_that_never_announces_its_length_is_cut_off(rig: Called) -> None:
    async def stream() -> int:
        async def endless():
            while True:
                yield b"x" * 8192
        transport = httpx.ASGITransport(door(rig.house, 0, rig.asked.append))
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            return (await client.post(f"/hooks/{STOREFRONT}", content=endless())).status_code

    assert asyncio.run(stream()) == 413


def test_while_the_ledger_is_away_the_shop_is_asked_to_come_again(rig: Called) -> None:
    order = rig.orders(("HEART", 1))

    def away(what: str) -> None:
        raise NotNow("committing", "the disk is full")

    rig.watch.before.append(away)
    rig.shop.step()
    rig.watch.stop()
    assert rig.shop.books()["deliveries"][-1]["status"] == 503 and rig.hints() == []
    rig.passes(60)
    rig.shop.step()
    assert rig.hints() == [("order", str(order), False)]


def test_a_genuine_call_that_says_nothing_to_us_is_answered_like_any_other(rig: Called) -> None:
    """Anything but a 2xx would bring it again for two days and then switch the hook off."""
    rig.shop._hooks.tell(CREATED, {"id": "no number"})
    rig.shop.step()
    assert rig.shop.books()["deliveries"][-1]["status"] == 204 and rig.hints() == []


def test_hints_wait_while_the_shop_is_away_and_one_that_is_gone_holds_up_nobody(rig: Called) -> None:
    first, _ = rig.orders(("HEART", 1)), rig.orders(("MUG", 1))
    rig.shop.step()
    rig.shop.faults.add(faults.ERROR_BEFORE, on="GET *")
    assert take_hints(rig.house, STOREFRONT)["hints"] == 2
    assert [taken for _, _, taken in rig.hints()] == [False, False]
    rig.shop.faults.clear()
    del rig.shop._books.orders[first]
    counts = take_hints(rig.house, STOREFRONT)
    assert (counts["gone_or_unreadable"], counts["new"]) == (1, 1)
    assert [taken for _, _, taken in rig.hints()] == [True, True]


def test_more_hints_than_a_pull_would_cost_are_left_to_the_pull(rig: Called) -> None:
    for _ in range(FETCHED_MAX + 5):
        rig.orders(("HEART", 1))
    rig.shop.step()
    rig.watch.calls.clear()
    counts = take_hints(rig.house, STOREFRONT)
    assert counts["left_to_the_pull"] == 5 and counts["new"] == FETCHED_MAX and len(rig.watch.calls) == FETCHED_MAX
    assert take_in_orders(rig.house, STOREFRONT)["new"] == 5


def test_hooks_that_went_wrong_are_put_right_and_on_somebodys_desk_until_they_are_seen_active(rig: Called) -> None:
    def desk() -> list[str]:
        return sorted(row.record for row in rig.ledger.exceptions.listed() if row.type == "webhook_off")

    assert desk() == [], "the first registration is no fault"
    hook = min(rig.shop.books()["hooks"])
    rig.shop.switch_off_webhook(hook)
    for _ in range(2):
        found = keep_webhooks(rig.house, STOREFRONT)
        if found[0]["was"] == "off":
            assert desk() == [CREATED] and rig.shop.books()["hooks"][hook]["is_active"]
    assert [one["was"] for one in found] == ["active"] * 3 and desk() == []


def test_a_house_without_an_address_asks_no_shop_to_call(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert keep_webhooks(rig.house, STOREFRONT) == [] and rig.watch.calls == []


@contextmanager
def listening(house: House, asked: list[str]) -> Iterator[str]:
    """The door on a real port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(door(house, 0, asked.append), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    clock = SystemClock()
    while not server.started:
        clock.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def test_on_a_real_port_it_answers_well_within_a_second(rig: Called) -> None:
    clock = SystemClock()
    with listening(rig.house, rig.asked) as url, httpx.Client() as client:
        assert client.get(f"{url}/health").text == "ok"
        rig.shop.send_webhooks_to(post(client, url))
        for _ in range(20):
            rig.orders(("HEART", 1))
        rig.shop.step()
        began = clock.now()
        for _ in range(20):
            rig.orders(("HEART", 1))
        rig.shop.step()
        seconds = (clock.now() - began).total_seconds() / 20
    assert {delivery["status"] for delivery in rig.shop.books()["deliveries"]} == {204} and len(rig.hints()) == 40
    assert seconds < 0.2, f"{seconds * 1000:.0f} ms a delivery"


def test_no_secret_and_no_body_is_ever_logged(rig: Called, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    rig.shop._hooks.tell(CREATED, {"id": "Canary"})
    rig.orders(("HEART", 1))
    rig.shop.step()
    rig.knock(f"/hooks/{STOREFRONT}", {HEADER: "Canary"}, json.dumps({"mail": "Canary"}).encode())
    said = caplog.text
    assert SECRET not in said and OURS not in said and "Canary" not in said


def test_the_profile_takes_only_an_https_address(tmp_path: Path) -> None:
    from pydantic import ValidationError

    from connectors.house import Profile

    for url in ("http://hooks.example.com", "https://hooks.example.com:8443", "https://a@b", "hooks.example.com"):
        with pytest.raises(ValidationError, match="webhooks_url"):
            Profile.model_validate({"home": str(tmp_path), "vault": {"key": "env:PATH"}, "webhooks_url": url})
    assert PROFILE.exists()
