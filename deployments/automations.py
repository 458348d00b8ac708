"""Prefect automations that send the desks' alerts on: as e-mail, to Slack, to any webhook. Made from the profile, and made only once.

    python -m deployments.automations     says what is there afterwards; the worker does the same at its start

The profile names Prefect blocks; their addresses and passwords are kept by Prefect, encrypted, and by nobody else:

    [alerts.notify]
    operations = "slack-webhook/warehouse-channel"
    "*" = "custom-webhook/everybody-else"      # what has no line of its own; without any line an alert is an event and a line in a run's log
"""

from collections.abc import Mapping
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import CallWebhook, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger
from prefect.exceptions import ObjectNotFound

from contracts.exceptions import ROLES
from tasks.alerts import EVENT, RESOURCE
from tasks.flow_runs import server
from tasks.opened import house

NAME = "wharfinger alerts"
SUBJECT, BODY = "{{ event.payload.subject }}", "{{ event.payload.body }}"
CALLED_WITH = '{"subject": {{ event.payload.subject | tojson }}, "body": {{ event.payload.body | tojson }}}'
ANY = "*"


def set_up(notify: Mapping[str, str]) -> list[str]:
    """Exactly these automations and no other of ours; one sentence about each. Raises NotNow when Prefect is away."""
    with server("setting up the alerts") as client:
        there = {one.name: one for one in client.read_automations() if one.name.startswith(NAME)}
        said = [_set_up_one(client, role, block, notify, there) for role, block in notify.items()]
        for name in there.keys() - {_name(role) for role in notify}:
            client.delete_automation(there[name].id)
            said.append(f"{name}: removed")
        return said or ["alerts are events and lines in the log of the run 'the desk': the profile names no block"]


def _set_up_one(client: SyncPrefectClient, role: str, block: str, notify: Mapping[str, str], there: Mapping[str, Automation]) -> str:
    kind, _, name = block.partition("/")
    try:
        document = client.read_block_document_by_name(name, kind)
    except ObjectNotFound:
        return f"{_name(role)}: there is no Prefect block {block}; make it under Blocks, then run this again"
    wanted = AutomationCore(name=_name(role), description=f"Sends the alerts of the desk on to {block}. Made from the profile: change them there.",
                            trigger=_trigger(role, notify), actions=[_action(document.id, kind)])
    if _name(role) not in there:
        client.create_automation(wanted)
        return f"{wanted.name}: made, to {block}"
    old = there[_name(role)]
    if old.model_copy(update={"enabled": True}).model_dump(include=set(_COMPARED), mode="json") == wanted.model_dump(include=set(_COMPARED), mode="json"):
        return f"{wanted.name}: as it was, to {block}"
    client.update_automation(old.id, wanted.model_copy(update={"enabled": old.enabled}))  # a person who switched it off wants it off
    return f"{wanted.name}: changed, to {block}"


_COMPARED = ("name", "description", "trigger", "actions")


def _name(role: str) -> str:
    return f"{NAME}: {'everybody' if role == ANY else role}"


def _trigger(role: str, notify: Mapping[str, str]) -> EventTrigger:
    roles = [one for one in ROLES if one not in notify] if role == ANY else [role]
    return EventTrigger(expect={EVENT}, match={"prefect.resource.id": sorted(f"{RESOURCE}.{one.replace(' ', '-')}" for one in roles)}, threshold=1, within=0)


def _action(block_id: UUID, kind: str) -> SendNotification | CallWebhook:
    """Prefect's plain 'webhook' block is called; every other block that can be named here notifies (Slack, Teams, e-mail, custom webhook)."""
    if kind == "webhook":
        return CallWebhook(block_document_id=block_id, payload=CALLED_WITH)
    return SendNotification(block_document_id=block_id, subject=SUBJECT, body=BODY)


if __name__ == "__main__":
    print("\n".join(set_up(house().profile.alerts.notify)))
