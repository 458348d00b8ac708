"""The desk on a real Prefect server: a person in a browser clears it from the manual, and alerts really leave the house."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from tests.desk_house import busy_house
from tests.flows.conftest import Site, eventually
from tests.journeys.rig import Rig

from connectors.house import PROFILE
from connectors.kit.clock import SystemClock
from contracts.exceptions import ROLES, Finding
from deployments.automations import NAME, set_up
from deployments.serve import entries
from deployments.worker import Worker
from tasks import desk
from tasks.alerts import desk_key, tell_desks
from tasks.board import FORMS, refresh, timeline_key
from tasks.sheets import all_latest

pytestmark = pytest.mark.prefect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
FORM = FORMS["resolve"]
PATIENCE = 5


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, dict[str, int]]]:
    """A house whose desk has something of everything."""
    rig, order = busy_house(tmp_path_factory.mktemp("busy") / "house")
    yield rig, order
    rig.house.close()


@pytest.fixture(scope="module")
def served(site: Site, busy: tuple[Rig, dict[str, int]]) -> Iterator[Worker]:
    """A worker of that house, with the desk's own deployments as prefect.yaml has them; nothing runs by itself."""
    mine = [entry | {"schedules": []} for entry in entries() if "desk" in entry["tags"]]
    for entry in mine:  # another test may have deployed them into a work pool
        _forget(site, f"{entry['entrypoint'].rpartition('.')[2].replace('_', '-')}/{entry['name']}")
    file = site.home / "desk.yaml"
    file.write_text(yaml.safe_dump({"deployments": mine}, allow_unicode=True))
    environment = site.environment() | {PROFILE: str(busy[0].home / "profile.toml")}
    with Worker(site.home, environment, options=["--file", str(file), "--poll-seconds", "1"]) as made:
        eventually(lambda: _has(site, FORM), 120, "the form is there")
        yield made


def _has(site: Site, name: str) -> bool:
    try:
        return bool(site.client.read_deployment_by_name(name))
    except ObjectNotFound:
        return False


def _forget(site: Site, name: str) -> None:
    if _has(site, name):
        site.client.delete_deployment(site.client.read_deployment_by_name(name).id)


class Person:
    """Somebody in front of the UI. What they see is kept, numbered, for whoever wants to look."""

    def __init__(self, site: Site, context: Any, album: Path) -> None:
        self.site, self.context, self.album = site, context, album
        self.shots = 0
        context.set_default_timeout(20_000)

    @property
    def page(self) -> Any:
        """The tab that was opened last: the lists' links open new ones."""
        return self.context.pages[-1] if self.context.pages else self.context.new_page()

    def sees(self, what: str) -> None:
        """A screenshot."""
        self.shots += 1
        self.page.screenshot(path=str(self.album / f"{self.shots:02} {what}.png"), full_page=True)

    def finds_the_list(self, role: str) -> None:
        """Artifacts, the card 'desk', its sheet, and the role's link on it."""
        self.page.goto(f"{self.site.server.ui_url}/artifacts")
        self.page.get_by_text("desk", exact=True).first.click()
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()
        self.page.get_by_text("due within the hour").wait_for()
        self.sees("the desk")
        self.follows(self.page.get_by_role("link", name=role, exact=True))
        self.page.get_by_role("columnheader", name="what to do").wait_for()

    def follows(self, link: Any) -> None:
        """Into its new tab."""
        with self.context.expect_page():
            link.click()

    def goes_back(self) -> None:
        """Closes the tab of the form; the list is behind it, as it was."""
        self.page.close()

    def opens_the_form(self, exception_id: str) -> None:
        """By the exception's id in the list."""
        self.follows(self.page.get_by_role("link", name=exception_id[:8]))
        self.page.get_by_text("Validate parameters").wait_for()

    def opens_an_empty_form(self) -> None:
        """Deployments, 'resolve exceptions', Run, Custom run."""
        self.page.goto(f"{self.site.server.ui_url}/deployments")
        self.page.get_by_placeholder(re.compile("search", re.IGNORECASE)).first.fill("resolve exceptions")
        self.page.get_by_role("link", name="resolve exceptions").first.click()
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_text("Custom run").click()
        self.page.get_by_text("Validate parameters").wait_for()

    def writes(self, **fields: str) -> None:
        """Into the form's fields."""
        for field, text in fields.items():
            self._field(field).locator("textarea").first.fill(text)

    def adds(self, field: str, before: str, after: str) -> None:
        """Puts something into what the form was filled in with."""
        box = self._field(field).locator("textarea").first
        assert before in box.input_value()
        box.fill(box.input_value().replace(before, after))

    def chooses(self, remedy: str) -> None:
        """From the list of remedies, which the arrow key opens."""
        self._field("remedy").locator("button.p-select-button__control").press("ArrowDown")
        self.page.locator(".p-select-option", has_text=re.compile(f"^{remedy}$")).first.click()

    def submits(self) -> FlowRun:
        """Presses Submit, again when the UI says 'Oops' (Prefect's database was busy: 503, nothing happened), and waits for the run's end."""
        for _ in range(PATIENCE):
            with self.page.expect_response(lambda response: response.url.endswith("/create_flow_run"), timeout=60_000) as asked:
                self.page.get_by_role("button", name="Submit").click()
            if asked.value.ok:
                run_id = UUID(asked.value.json()["id"])
                return eventually(lambda: (run := self.site.client.read_flow_run(run_id)).state.is_final() and run, 90, "the run has ended")
        return pytest.fail(f"Prefect refused the run {PATIENCE} times: {asked.value.status} {asked.value.text()}")

    def _field(self, name: str) -> Any:
        label = self.page.locator(".schema-form-property__label", has_text=re.compile(rf"^{name}( \(Optional\))?$"))
        return self.page.locator(".schema-form-property", has=label).last


@pytest.fixture(scope="module")
def person(site: Site, served: Worker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """With Debian's own browser; nothing is downloaded."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine (tests/system.sh installs it)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Person(site, browser.new_context(viewport={"width": 1500, "height": 1100}), tmp_path_factory.mktemp("album"))
        browser.close()


def _id(rig: Rig, kind: str, record: int | str = "") -> str:
    return next(row.exception_id for row in rig.on_desk(kind) if str(record) in ("", row.record))


@pytest.mark.timeout(600)
def test_a_person_clears_the_desk_in_the_browser(busy: tuple[Rig, dict[str, int]], person: Person) -> None:
    """The walk-through of docs/operating-manual.md, click by click; afterwards the ledger, the shop and the warehouse say what became of it."""
    rig, order = busy
    refresh(rig.house)
    assert len({kind for kind, _ in rig.desk()}) >= 10
    person.finds_the_list("operations")
    person.sees("the list of operations")
    carriers = [_id(rig, "carrier_unmapped", order[which])[:8] for which in ("no carrier", "no carrier either")]
    _adds_a_row(person, carriers[0], {carriers[0]: " ".join(carriers), "service=TRACKED 48": "service=*", "tracking_carrier=": "tracking_carrier=tuffnells"})
    assert [row.record for row in rig.on_desk("carrier_unmapped")] == [str(order["strange carrier"])]
    _adds_a_row(person, _id(rig, "ship_method_unmapped"), {"carrier=; service=": "carrier=TUFF; service=COLLECT"})
    _adds_a_row(person, _id(rig, "facility_unmapped"), {"sku=MUG; warehouse=; facility=": "sku=*; warehouse=gxo-uk; facility=DAVENTRY"})
    _decides(person, _id(rig, "rejected_by_warehouse"), "resend", "They have set the lamp up")
    _decides(person, _id(rig, "blocked_effect"), "send again", "Rang the warehouse: they do not have it")
    _a_wrong_choice_says_what_fits(person, _id(rig, "over_shipped"))
    person.finds_the_list("ecommerce")
    _adds_a_row(person, _id(rig, "sku_unknown"), {"warehouse_sku=": "warehouse_sku=HEART"})
    the_rest = [_id(rig, kind)[:8] for kind in ("over_shipped", "cancel_refused", "document_malformed", "refund_declined", "address_missing")]
    person.opens_an_empty_form()
    person.writes(exceptions="\n".join(the_rest), actor="AR", reason="Settled with the warehouse and the customers this morning")
    person.chooses("done")
    person.sees("five at once")
    assert person.submits().state.is_completed()
    person.finds_the_list("operations")
    person.sees("what is left")
    assert rig.desk() == [("carrier_unmapped", str(order["strange carrier"]))]
    _everything_went_where_it_was_sent(rig, order)


def _adds_a_row(person: Person, exception_id: str, typed: dict[str, str]) -> None:
    person.opens_the_form(exception_id)
    for before, after in typed.items():
        person.adds("exceptions" if before == exception_id else "rows", before, after)
    person.writes(actor="AR", reason="Agreed with the warehouse")
    person.sees("a mapping row")
    run = person.submits()
    assert run.state.is_completed(), run.state.message
    person.goes_back()


def _decides(person: Person, exception_id: str, remedy: str, reason: str) -> None:
    person.opens_the_form(exception_id)
    person.chooses(remedy)
    person.writes(actor="AR", reason=reason)
    run = person.submits()
    assert run.state.is_completed(), run.state.message
    person.goes_back()


def _a_wrong_choice_says_what_fits(person: Person, exception_id: str) -> None:
    person.opens_the_form(exception_id)
    person.chooses("resend")
    person.writes(actor="AR", reason="A slip of the mouse")
    run = person.submits()
    assert run.state.is_failed() and "does not fit over_shipped" in run.state.message and "Choose for over_shipped: done" in run.state.message
    person.page.goto(f"{person.site.server.ui_url}/runs/flow-run/{run.id}?tab=Artifacts")
    person.page.get_by_text("resolution").first.wait_for()
    person.sees("a wrong choice")
    person.goes_back()


def _everything_went_where_it_was_sent(rig: Rig, order: dict[str, int]) -> None:
    rig.clock.at = SystemClock().now()
    rig.site._other_carrier = "TUFF"
    rig.site._skus.add("LAMP")
    rig.drains(60)
    went = ("no carrier", "no carrier either", "refused", "no method", "no article", "no route", "in doubt")
    assert [len(rig.shipments(order[which])) for which in went] == [1] * len(went) and len(rig.shop.books()["emails"]) == len(went)
    assert rig.shipments(order["strange carrier"]) == []
    assert rig.desk() == [("address_missing", str(order["no street"])), ("carrier_unmapped", str(order["strange carrier"]))], "what still holds comes back"
    resolved = [row for row in rig.ledger.exceptions.listed(only_open=False) if row.state == "resolved" and row.resolved_by == "AR"]
    assert len(resolved) == 12 and all(row.reason for row in resolved)


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Somebody's webhook, and what it has been called with."""
    received: list[dict[str, str]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 (http.server's name)
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_alert_leaves_the_house_once_through_an_automation_made_from_the_profile(site: Site, busy: tuple[Rig, dict[str, int]], receiver: Any) -> None:
    """A storm of one cause is one call of the webhook, the next look at the same desk none; the automation is made once and goes with its line."""
    rig, (url, received) = busy[0], receiver
    block = CustomWebhookNotificationBlock(name="desk", url=url, method="POST", json_data={"subject": "{{subject}}", "body": "{{body}}"})
    block.save("desk-of-the-test", overwrite=True, _sync=True)  # said so, since the browser's driver keeps a loop running in this thread
    said = [set_up({"finance": "custom-webhook/desk-of-the-test"}) for _ in range(2)]
    assert said == [[f"{NAME}: finance: {what}, to custom-webhook/desk-of-the-test"] for what in ("made", "as it was")]
    assert "no Prefect block" in set_up({"finance": "custom-webhook/desk-of-the-test", "*": "slack-webhook/nowhere"})[1]
    with rig.ledger.transaction() as tx:
        storm = [Finding("refund_declined", "bigcommerce-uk", str(n), f"refund_declined:{n}", {"said": "Canary Row"}) for n in range(1000)]
        rig.ledger.exceptions.open(tx, storm)
    told = tell_desks(rig.house)
    assert [alert.new for alert in told if alert.owner == "finance"][0] >= 1000 and len(told) == len({alert.owner for alert in told})
    eventually(lambda: received, 60, "the webhook was called")
    assert tell_desks(rig.house) == []
    SystemClock().sleep(2)
    assert len(received) == 1 and received[0]["subject"].startswith("finance: 100") and "refund_declined" in received[0]["body"]
    assert "Canary" not in str(received) and f"{site.server.ui_url}/artifacts/key/desk-finance" in received[0]["body"]
    assert set_up({}) == [f"{NAME}: finance: removed"] and [one for one in site.client.read_automations() if one.name.startswith(NAME)] == []


def test_the_lists_are_refreshed_in_their_place_and_what_holds_no_more_is_taken_down(site: Site, busy: tuple[Rig, dict[str, int]]) -> None:
    rig, order = busy
    _await_peace(site)
    refresh(rig.house)
    before = _sheets(site)
    key = timeline_key("bigcommerce-uk", str(order["strange carrier"]))
    assert key in before and "carrier\\_unmapped" not in before[key].data and "`carrier_unmapped`" in before[key].data
    assert refresh(rig.house)["written"] <= 6, "what is the same is not written again (a minute may have passed)"
    desk.resolve(rig.house, [_id(rig, "carrier_unmapped", order["strange carrier"])], "add a mapping", "AR", "a test",
                 rows="carrier=ZZZZ; service=*; tracking_carrier=zz")
    refresh(rig.house)
    after = _sheets(site)
    assert key not in after and {name: one.latest_id for name, one in after.items()} == {name: before[name].latest_id for name in after}
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[desk_key(role) for role in ROLES]))
    assert len(site.client.read_artifacts(artifact_filter=wanted)) == len(ROLES), "the lists pile up"


def _await_peace(site: Site) -> None:
    """A run that an earlier test asked for may still be hanging its sheets: seen once, on a loaded machine."""
    clock = SystemClock()
    for _ in range(20):
        before = {name: one.latest_id for name, one in _sheets(site).items()}
        clock.sleep(3)
        if before == {name: one.latest_id for name, one in _sheets(site).items()}:
            return


def _sheets(site: Site) -> dict[str, Any]:
    return {one.key: one for one in all_latest(site.client, "desk") + all_latest(site.client, "timeline-")}
