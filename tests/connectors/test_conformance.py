"""What every system must do, whichever it is. A new folder under connectors is held against all of this without a line here."""

import json
import re
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from connectors import ports
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument, InDoubt, NotAllowed, WharfingerError
from connectors.kit.rehearsal import PAGE_SIZE, Rehearsal, canaries_in, frames
from connectors.kit.sandbox import DELIVERED_TWICE, GARBLED, LATE_COMMIT, THROTTLED
from contracts.base import WHY
from contracts.orders import Recipients
from tests.connectors import conformance
from tests.connectors.conformance import MEANS, deliver, ready, send, sent

SYSTEMS = conformance.systems()
CASES = list(conformance.cases())
KINDS = {ports.FULFILMENT_REQUEST, ports.FULFILMENT_CHANGE, ports.FULFILMENT_CANCEL, ports.DISPATCH_CONFIRMATION, ports.ORDER_COMPLETION,
         ports.ACKNOWLEDGEMENT, ports.STOCK_UPDATE, ports.REFUND, ports.RETURN_NOTICE, ports.RECEIPT_NOTICE}
each_system = pytest.mark.parametrize("system", SYSTEMS)
each_kind = pytest.mark.parametrize(("system", "kind"), sorted({(system, kind) for system, kind, _ in CASES}))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def rehearsal(system: str, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    rehearsal = conformance.rehearse(system, clock, tmp_path / system)
    for name, secret in rehearsal.secrets.items():
        monkeypatch.setenv(name, secret)
    rehearsal.seed()
    return rehearsal


def test_there_are_systems_and_the_template_is_one_of_them() -> None:
    assert "_template" in SYSTEMS


@each_system
def test_it_is_a_storefront_or_a_warehouse(rehearsal: Rehearsal) -> None:
    assert isinstance(rehearsal.port, ports.Storefront) != isinstance(rehearsal.port, ports.Warehouse)


@each_system
def test_it_says_what_it_can_do(rehearsal: Rehearsal) -> None:
    port = rehearsal.port
    assert port.name and port.account
    assert port.kinds and set(port.kinds) == set(rehearsal.effects) <= KINDS
    assert 0 < port.quiet_seconds <= 86_400
    assert 0 < port.verify_seconds
    if isinstance(port, ports.Warehouse):
        assert port.follows_changes == (ports.FULFILMENT_CHANGE in port.kinds)
        assert port.follows_cancels == (ports.FULFILMENT_CANCEL in port.kinds)
        assert port.announces_returns == (ports.RETURN_NOTICE in port.kinds)
        assert port.stock_basis in ("available", "on_hand") and all(seconds > 0 for seconds in port.silent_after_seconds.values())


@each_system
def test_its_settings_refuse_an_unknown_key_and_name_it(rehearsal: Rehearsal) -> None:
    assert rehearsal.settings(**rehearsal.settings_example)
    for settings in conformance.unknown_keys(rehearsal.settings_example):
        with pytest.raises(ValidationError, match="no_such_setting"):
            rehearsal.settings(**settings)


@each_system
def test_its_settings_take_a_secret_by_reference_only(rehearsal: Rehearsal) -> None:
    assert rehearsal.secrets, "show the secret that an account of this system needs"
    with pytest.raises(ValidationError, match="by reference"):
        rehearsal.settings(**conformance.plain_secrets(rehearsal.settings_example))


@each_system
def test_no_secret_is_in_any_repr(rehearsal: Rehearsal) -> None:
    settings = rehearsal.settings(**rehearsal.settings_example)
    texts = repr(settings), str(settings), settings.model_dump_json(), repr(rehearsal.port), repr(vars(rehearsal.port))
    assert not [secret for secret in rehearsal.secrets.values() for text in texts if secret in text]


@each_kind
def test_the_document_of_an_effect_is_the_same_every_time(rehearsal: Rehearsal, kind: str, clock: ManualClock) -> None:
    effect = ready(rehearsal, kind, clock)
    before = list(rehearsal.calls)
    clock.sleep(90_000)
    assert isinstance(effect.document, bytes)
    assert rehearsal.port.prepare(effect) == effect.document
    assert rehearsal.calls == before, "prepare is pure: it asks nobody"


@each_kind
def test_what_was_not_sent_is_not_found(rehearsal: Rehearsal, kind: str, clock: ManualClock) -> None:
    effect = ready(rehearsal, kind, clock)
    assert rehearsal.count(kind) == 0
    assert rehearsal.port.find(sent(effect, clock)) is None


@each_kind
def test_what_was_sent_is_found_under_the_same_id(rehearsal: Rehearsal, kind: str, clock: ManualClock) -> None:
    effect = sent(ready(rehearsal, kind, clock), clock)
    receipt = rehearsal.port.send(effect)
    clock.sleep(rehearsal.port.quiet_seconds)
    found = rehearsal.port.find(effect)
    assert receipt.remote_id and found and found.remote_id == receipt.remote_id
    assert rehearsal.port.find(effect) == found
    assert rehearsal.count(kind) == 1


@pytest.mark.parametrize(("system", "kind", "fault"), [case for case in CASES if case[2] in MEANS])
def test_a_failed_write_becomes_the_right_error_and_in_the_end_happened_once(
        rehearsal: Rehearsal, kind: str, fault: str, clock: ManualClock) -> None:
    error, committed = MEANS[fault]
    effect = sent(ready(rehearsal, kind, clock), clock)
    rehearsal.sandbox.faults.late_seconds = rehearsal.port.quiet_seconds / 2
    rehearsal.sandbox.faults.add(fault, on=rehearsal.writes, times=1)
    calls = len(rehearsal.calls)
    with pytest.raises(error) as raised:
        rehearsal.port.send(effect)
    assert rehearsal.sandbox.faults.struck[fault] == 1
    assert conformance.writes(rehearsal, calls) <= 1, "a write is never repeated behind the ledger's back"
    assert rehearsal.count(kind) == committed
    if fault == THROTTLED:
        assert raised.value.wait_seconds and raised.value.wait_seconds > 0

    found = conformance.after(rehearsal, effect, raised.value, clock)
    assert bool(found) == (committed or fault == LATE_COMMIT), "it is sent again when it is proved absent, and only then"
    assert (found or deliver(rehearsal, effect, clock)).remote_id
    assert rehearsal.count(kind) == 1


@pytest.mark.parametrize(("system", "kind", "fault"), [case for case in CASES if case[2] == DELIVERED_TWICE])
def test_a_write_that_a_proxy_delivers_twice_has_the_outcome_that_the_system_owns_up_to(
        rehearsal: Rehearsal, kind: str, fault: str, clock: ManualClock) -> None:
    effect = ready(rehearsal, kind, clock)
    rehearsal.sandbox.faults.add(fault, on=rehearsal.writes, times=1)
    assert deliver(rehearsal, effect, clock).remote_id
    assert rehearsal.sandbox.faults.struck[fault] == 1
    outcomes = rehearsal.count(kind)
    assert outcomes == (1 if kind in rehearsal.once_if_twice else 2)


@each_system
def test_reads_give_the_same_twice_and_keep_their_contracts(rehearsal: Rehearsal) -> None:
    for name, read in conformance.reads(rehearsal).items():
        first, second = read(), read()
        assert first, f"{name} gave nothing, although there is something"
        assert len(first) == len(second)
        for one, other in zip(frames(first), frames(second), strict=True):
            assert one.equals(other), name
            unsound = conformance.contract_of(one).split(one)[1]
            assert unsound.empty, f"{name}: {unsound[WHY].tolist()}"


@each_system
def test_a_page_size_of_five_really_pages_and_gives_every_record_once(rehearsal: Rehearsal) -> None:
    for name, seeded in rehearsal.paged.items():
        assert seeded > 2 * PAGE_SIZE
        before = len(rehearsal.calls)
        keys = conformance.keys(conformance.reads(rehearsal)[name]())
        assert len(rehearsal.calls) - before >= 3, f"{name} of {seeded} records took fewer than three calls"
        assert len(keys) == len(set(keys)) == seeded


@pytest.mark.parametrize(("system", "fault"), list(conformance.outages()))
def test_an_outage_is_an_error_and_never_an_empty_answer(rehearsal: Rehearsal, fault: str) -> None:
    rehearsal.sandbox.faults.add(fault)
    for name, read in conformance.reads(rehearsal).items():
        with pytest.raises(WharfingerError):
            pytest.fail(f"{name} gave {read()!r:.200} in an outage")
    rehearsal.sandbox.faults.clear()
    assert all(read() for read in conformance.reads(rehearsal).values()), "healed, it answers again"


@each_kind
def test_a_read_back_that_fails_is_never_taken_for_not_there(rehearsal: Rehearsal, kind: str, clock: ManualClock) -> None:
    effect = sent(ready(rehearsal, kind, clock), clock)
    for fault in rehearsal.outages:
        rehearsal.sandbox.faults.add(fault)
        with pytest.raises(WharfingerError):
            pytest.fail(f"find gave {rehearsal.port.find(effect)} under {fault}")
        rehearsal.sandbox.faults.clear()
        clock.sleep(60)


@pytest.mark.parametrize(("system", "kind", "fault"), [case for case in CASES if case[2] in MEANS])
def test_no_error_gives_away_a_person_or_a_secret(rehearsal: Rehearsal, kind: str, fault: str, clock: ManualClock) -> None:
    effect = ready(rehearsal, kind, clock)
    rehearsal.sandbox.faults.add(fault)
    for act in (send, lambda *_: rehearsal.port.find(sent(effect, clock))):
        try:
            told = repr(act(rehearsal, effect, clock))
        except WharfingerError as error:
            told = conformance.all_of(error)
        conformance.tells_nothing(rehearsal, told)


@pytest.mark.parametrize("status", (200, 400, 403, 404, 409, 422, 500))
@pytest.mark.parametrize(("system", "kind"), sorted({(system, kind) for system, kind, fault in CASES if fault == GARBLED}))
def test_a_far_side_that_echoes_everything_makes_no_error_give_it_away(
        rehearsal: Rehearsal, kind: str, status: int, clock: ManualClock) -> None:
    """Vendors quote the refused body, sometimes the headers too, in their error texts; those end in logs and on screens."""
    effect = ready(rehearsal, kind, clock)
    body = effect.document.decode() + str(effect.recipient) + str(rehearsal.secrets)

    answer = rehearsal.sandbox.handle

    def echo(request: httpx.Request) -> httpx.Response:
        if not fnmatch(f"{request.method} {request.url.path}", rehearsal.writes):
            return answer(request)
        said = f"{body} {dict(request.headers)}"
        return httpx.Response(status, json={key: said for key in ("message", "title", "detail", "code", "error", "errors", "status", "id")})

    rehearsal.sandbox.handle = echo
    with pytest.raises(WharfingerError) as raised:
        send(rehearsal, effect, clock)
    conformance.tells_nothing(rehearsal, conformance.all_of(raised.value))
    assert status not in (200, 500) or type(raised.value) is InDoubt, "a write whose outcome is not told is in doubt"
    assert status not in (401, 403) or type(raised.value) is NotAllowed


@each_kind
def test_a_receipt_gives_away_nobody(rehearsal: Rehearsal, kind: str, clock: ManualClock) -> None:
    effect = sent(ready(rehearsal, kind, clock), clock)
    receipts = rehearsal.port.send(effect), rehearsal.port.find(effect)
    json.dumps([receipt.evidence for receipt in receipts if receipt])
    conformance.tells_nothing(rehearsal, repr(receipts))


@each_system
def test_people_are_in_the_frame_of_recipients_and_nowhere_else(rehearsal: Rehearsal) -> None:
    for name, read in conformance.reads(rehearsal).items():
        came = read()
        assert not canaries_in(conformance.told(came)), name
        if name == "orders":
            assert canaries_in("".join(f.to_csv() for f in frames(came) if conformance.contract_of(f) is Recipients)), "the sandbox has no canary"


@each_system
def test_what_came_can_be_filed_away_twice_and_is_then_not_offered_again(rehearsal: Rehearsal) -> None:
    if isinstance(rehearsal.port, ports.Warehouse):
        arrived = list(rehearsal.port.inbound())
        assert arrived and all(inbound.source and inbound.name and inbound.body for inbound in arrived)
        keys = [message.key for inbound in arrived for message in rehearsal.port.read(inbound)]
        assert all(keys) and len(keys) == len(set(keys))
        for inbound in [*arrived, *arrived]:
            rehearsal.port.file_away(inbound)
        assert list(rehearsal.port.inbound()) == []


@each_system
def test_bytes_that_cannot_be_read_are_a_bad_document(rehearsal: Rehearsal) -> None:
    if isinstance(rehearsal.port, ports.Warehouse):
        arrived = list(rehearsal.port.inbound())
        for body in (b"", b"<html>Please wait</html>", b"{", b"\xff\xfe\x00", b"[" * 100_000, arrived[0].body[:-10]):
            with pytest.raises(BadDocument):
                pytest.fail(f"{rehearsal.port.read(replace(arrived[0], body=body))!r:.200} was read from {body[:20]!r}")


@each_system
def test_its_readme_has_the_sections_that_people_look_for(system: str) -> None:
    readme = (conformance.CONNECTORS / system / "README.md").read_text()
    sections = set(re.findall(r"^## (.+?)\s*$", readme, re.MULTILINE))
    assert sections & {"Endpoints", "Documents"}
    assert {"Limits and quirks", "Assumed"} <= sections
