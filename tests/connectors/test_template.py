"""The template does what its README says: what is its own, beside what the conformance suite asks of every system."""

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

import connectors
from connectors._template.client import Client
from connectors._template.rehearsal import rehearse
from connectors._template.sandbox import Sandbox
from connectors._template.warehouse import Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.errors import InDoubt, NotAllowed, Refused
from connectors.kit.http import Http, ReadFailed
from connectors.kit.rehearsal import Rehearsal
from connectors.kit.sandbox import serve
from connectors.ports import FULFILMENT_CANCEL, FULFILMENT_REQUEST, Warehouse
from tests import layout_rules
from tests.connectors.conformance import CONNECTORS, deliver, ready


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def quayside(clock: ManualClock, tmp_path: Path) -> Rehearsal:
    return rehearse(clock, tmp_path)


def _answering(answer: Callable[[httpx.Request], httpx.Response], clock: ManualClock) -> Warehouse:
    settings = Settings(base_url="http://quayside", token=SecretStr("x"), page_size=5)
    return connect("quayside-north", settings, clock, httpx.MockTransport(answer))


def test_an_order_goes_out_over_a_real_port_and_its_parcels_come_back(quayside: Rehearsal, clock: ManualClock) -> None:
    sandbox = Sandbox(clock, token="over-the-port", pick_seconds=60)
    with serve(sandbox, clock) as url:
        port = connect("quayside-north", Settings(base_url=url, token=SecretStr("over-the-port")), clock)
        effect = quayside.effects[FULFILMENT_REQUEST]
        assert port.find(effect) is None
        assert port.send(effect) == port.find(effect)
        clock.sleep(61)
        sandbox.step()
        (inbound,) = port.inbound()
        (message,) = port.read(inbound)
        port.file_away(inbound)
        assert list(port.inbound()) == []
    shipped = message.dispatches
    assert [(row.reference, row.request_line, row.sku, row.quantity) for row in shipped.itertuples()] == [
        ("BCUK-700-1", "1", "QS-001", 3), ("BCUK-700-1", "2", "QS-002", 3)]


def test_a_refusal_names_the_item_and_no_person(quayside: Rehearsal, clock: ManualClock) -> None:
    lines = [quayside.effects[FULFILMENT_REQUEST].payload["lines"][0] | {"warehouse_sku": "QS-999"}]
    effect = quayside.effects[FULFILMENT_REQUEST]
    with pytest.raises(Refused, match="unknown_item:QS-999"):
        quayside.port.send(replace(effect, payload=effect.payload | {"lines": lines}))
    assert quayside.count(FULFILMENT_REQUEST) == 0


def test_a_cancel_after_the_parcel_left_is_refused_and_not_in_doubt(quayside: Rehearsal, clock: ManualClock) -> None:
    cancel = ready(quayside, FULFILMENT_CANCEL, clock)
    clock.sleep(3600)
    quayside.sandbox.step()
    with pytest.raises(Refused, match="order_is_shipped"):
        quayside.port.send(cancel)
    assert quayside.port.find(cancel) is None


def test_two_orders_under_one_reference_are_told_by_the_read_back(quayside: Rehearsal, clock: ManualClock) -> None:
    effect = quayside.effects[FULFILMENT_REQUEST]
    first, second = quayside.port.send(effect), quayside.port.send(effect)
    assert first.remote_id != second.remote_id
    assert quayside.port.find(effect).evidence["copies"] == 2


def test_a_resend_after_a_cancel_is_not_mistaken_for_the_cancelled_order(quayside: Rehearsal, clock: ManualClock) -> None:
    deliver(quayside, ready(quayside, FULFILMENT_CANCEL, clock), clock)
    effect = quayside.effects[FULFILMENT_REQUEST]
    assert quayside.port.find(replace(effect, payload=effect.payload | {"revision": 3})) is None


@pytest.mark.parametrize("page", [
    {"items": [], "next": "5"}, {"items": []}, {"items": {}, "next": None}, [], None, {"items": [], "next": 5},
], ids=["a page that leads to itself", "no next", "items are no list", "a list", "null", "next is a number"])
def test_a_page_of_another_shape_is_an_error_and_not_an_empty_master(clock: ManualClock, page: object) -> None:
    with pytest.raises(ReadFailed):
        _answering(lambda request: httpx.Response(200, json=page), clock).items()


def test_a_far_side_that_pages_for_ever_is_stopped(clock: ManualClock) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("after"))
        return httpx.Response(200, json={"items": [], "next": str(len(asked))})

    with pytest.raises(ReadFailed, match="more than 7 pages"):
        list(Client(Http("quayside-north", "http://quayside", clock, transport=httpx.MockTransport(answer)), 5, pages_max=7).items())
    assert len(asked) == 7


def test_an_accepted_order_whose_answer_has_no_id_is_in_doubt(quayside: Rehearsal, clock: ManualClock) -> None:
    port = _answering(lambda request: httpx.Response(201, json={"reference": "BCUK-700-1"}), clock)
    with pytest.raises(InDoubt, match="id: missing"):
        port.send(quayside.effects[FULFILMENT_REQUEST])


def test_the_sandbox_refuses_another_token(quayside: Rehearsal, clock: ManualClock) -> None:
    with serve(Sandbox(clock, token="right"), clock) as url, pytest.raises(NotAllowed):
        connect("quayside-north", Settings(base_url=url, token=SecretStr("wrong")), clock).send(quayside.effects[FULFILMENT_REQUEST])


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The first step of the README: a copy under another name."""
    folder = tmp_path / "connectors" / "acme"
    (folder / "examples").mkdir(parents=True)
    for path in [*(CONNECTORS / "_template").glob("*.*"), *(CONNECTORS / "_template" / "examples").glob("*.*")]:
        text = path.read_text().replace("connectors._template", "connectors.acme")
        (folder / path.relative_to(CONNECTORS / "_template")).write_text(text)
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(folder.parent)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("connectors.acme")]:
        del sys.modules[name]


def test_a_copy_under_another_name_works_at_once(acme: Path, clock: ManualClock, tmp_path: Path) -> None:
    copied = importlib.import_module("connectors.acme.rehearsal").rehearse(clock, tmp_path)
    assert type(copied.port).__module__ == "connectors.acme.warehouse"
    assert deliver(copied, ready(copied, FULFILMENT_REQUEST, clock), clock).remote_id
    assert [line for rule in layout_rules.FILE_RULES for line in layout_rules.check(tmp_path, rule)] == []
