"""Tell each desk what is new and what is nearly due: one alert for all of it, at most one in so long, none twice.

An alert is an event in Prefect (`wharfinger.desk.alert`); an automation sends it on as e-mail, Slack or webhook (deployments/automations.py).
It names types, records and times: never a person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import task
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.filters import EventFilter, EventIDFilter, EventOccurredFilter
from prefect.events.schemas.events import Event
from prefect.logging import get_run_logger
from prefect.settings import get_current_settings

from connectors.house import House
from connectors.kit.clock import new_id
from connectors.ledger.ledger import Row
from contracts.exceptions import ROLES
from tasks.flow_runs import has_server, server
from tasks.opened import RETRY, house

EVENT, RESOURCE = "wharfinger.desk.alert", "wharfinger.desk"
FIRST_FEW, TYPES_SHOWN = 5, 6
QUIET = timedelta(seconds=30)  # after so long an event that was sent can be read back


@dataclass(frozen=True)
class Alert:
    """What one desk is told at once."""

    id: str
    owner: str
    new: int
    due: int
    subject: str
    body: str


def tell(opened: House, send: Callable[[Alert], None], is_out: Callable[[str], bool]) -> list[Alert]:
    """Promise, send and tick off, desk by desk; first what an earlier run promised and may not have sent. What was sent now.

    send(alert) raises NotNow when it cannot; the promise then waits for the next run.
    """
    sent = [*_kept(opened, send, is_out)]
    for owner in ROLES:
        alert = _promised(opened, owner)
        if alert:
            send(alert)
            _tick(opened, alert)
            sent.append(alert)
    return sent


def _kept(opened: House, send: Callable[[Alert], None], is_out: Callable[[str], bool]) -> list[Alert]:
    sent, now = [], opened.clock.now()
    with opened.ledger.transaction() as tx:
        broken = opened.ledger.alerts.broken(tx, now - QUIET)
    for alert_id, by_stage in broken.items():
        owner = next(row.owner for rows in by_stage.values() for row in rows)
        alert = _written(alert_id, owner, by_stage, now)
        if not is_out(alert_id):
            send(alert)
            sent.append(alert)
        _tick(opened, alert)
    return sent


def _promised(opened: House, owner: str) -> Alert | None:
    settings, now = opened.profile.alerts, opened.clock.now()
    with opened.ledger.transaction() as tx:
        untold = opened.ledger.alerts.untold(tx, owner, now + timedelta(seconds=settings.before_due_seconds))
        last = opened.ledger.alerts.last_promised(tx, owner) if any(untold.values()) else None
        if not any(untold.values()) or last is not None and now - last < timedelta(seconds=settings.interval_seconds):
            return None
        alert = _written(str(UUID(new_id())), owner, untold, now)
        for stage, rows in untold.items():
            opened.ledger.alerts.promise(tx, alert.id, stage, [row.exception_id for row in rows])
    return alert


def _tick(opened: House, alert: Alert) -> None:
    with opened.ledger.transaction() as tx:
        opened.ledger.alerts.told(tx, alert.id)


def _written(alert_id: str, owner: str, by_stage: dict[str, list[Row]], now: datetime) -> Alert:
    new, due = by_stage["opened"], by_stage["due"]
    parts = [f"{len(new)} new" if new else "", f"{len(due)} due by {max(row.due_at for row in due):%H:%M} UTC" if due else ""]
    subject = f"{owner}: {', '.join(filter(None, parts))}"
    lines = [*_listed("New", new), *_listed("Nearly due, or overdue", due), f"The list: {_address(owner)}"]
    return Alert(alert_id, owner, len(new), len(due), subject, "\n".join(lines))


def _listed(title: str, rows: list[Row]) -> list[str]:
    """A thousand of one cause are one line: how many, and the first few."""
    by_type: dict[str, list[Row]] = {}
    for row in rows:
        by_type.setdefault(row.type, []).append(row)
    lines = [f"{title}:"] if rows else []
    for kind, found in sorted(by_type.items(), key=lambda one: one[1][0].due_at)[:TYPES_SHOWN]:
        records = list(dict.fromkeys(f"{row.connection} {row.record}" for row in found))
        more = f" and {len(records) - FIRST_FEW} more" if len(records) > FIRST_FEW else ""
        lines.append(f"  {len(found)} × {kind}, due {found[0].due_at:%Y-%m-%d %H:%M} UTC: {', '.join(records[:FIRST_FEW])}{more}")
    left = sum(len(found) for found in list(by_type.values())[TYPES_SHOWN:])
    return [*lines, f"  and {left} of other types"] if len(by_type) > TYPES_SHOWN else lines


def _address(owner: str) -> str:
    ui = get_current_settings().ui_url if has_server() else ""
    return f"{ui or 'the Prefect UI'}/artifacts/key/{desk_key(owner)}"


def desk_key(owner: str) -> str:
    """The key of a role's list among Prefect's artifacts."""
    return f"desk-{owner.replace(' ', '-')}"


def to_event(alert: Alert) -> Event:
    """As Prefect's automations see it."""
    return Event(id=UUID(alert.id), event=EVENT, resource={"prefect.resource.id": f"{RESOURCE}.{alert.owner.replace(' ', '-')}",
                                                           "prefect.resource.name": f"{alert.owner} desk"},
                 payload={"owner": alert.owner, "new": alert.new, "due": alert.due, "subject": alert.subject, "body": alert.body})


def _send_with(client: SyncPrefectClient) -> Callable[[Alert], None]:
    return lambda alert: client.request("POST", "/events", json=[to_event(alert).model_dump(mode="json")]).raise_for_status()


def _is_out_at(client: SyncPrefectClient, now: datetime) -> Callable[[str], bool]:
    window = EventOccurredFilter(since=now - timedelta(days=7), until=now + timedelta(days=1))
    return lambda alert_id: bool(client.read_events(EventFilter(id=EventIDFilter(id=[UUID(alert_id)]), occurred=window), limit=1).events)


def tell_desks(opened: House) -> list[Alert]:
    """Through this process's Prefect. Nothing is promised where there is none: nobody could be told. Raises NotNow when it is away."""
    if not has_server():
        return []
    with server("telling the desks") as client:
        return tell(opened, _send_with(client), _is_out_at(client, opened.clock.now()))


@task(name="tell desks", task_run_name="tell each desk what is new and nearly due", **RETRY)
def tell_desks_now() -> list[dict[str, Any]]:
    """One alert a desk, where there is something to tell."""
    told = tell_desks(house())
    for alert in told:
        get_run_logger().warning("%s\n%s", alert.subject, alert.body)
    return [vars(alert) for alert in told]
