"""A desk is told once of what is new and once of what is nearly due; a storm is one alert, and a crash neither loses nor repeats one."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.house import House, read_profile
from connectors.kit.clock import ManualClock
from connectors.kit.errors import NotNow
from connectors.ledger.vault import new_master_key
from contracts.exceptions import Finding
from tasks.alerts import QUIET, Alert, tell, to_event


class Post:
    """Prefect's event store, as far as an alert sees it."""

    def __init__(self) -> None:
        self.sent: list[Alert] = []
        self.is_away = self.answer_is_lost = False

    def send(self, alert: Alert) -> None:
        if self.is_away:
            raise NotNow("sending", "away")
        self.sent.append(alert)
        if self.answer_is_lost:
            raise NotNow("sending", "no answer")

    def is_out(self, alert_id: str) -> bool:
        return any(alert.id == alert_id for alert in self.sent)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "key").write_text(new_master_key())
    (tmp_path / "profile.toml").write_text(f'home = "{tmp_path}"\n[vault]\nkey = "file:{tmp_path / "key"}"\n[alerts]\ninterval_seconds = 900\n')
    made = House(read_profile(tmp_path / "profile.toml"), ManualClock())
    yield made
    made.close()


@pytest.fixture
def post() -> Post:
    return Post()


def _opens(opened: House, kind: str, *records: object, secret: str = "canary street") -> None:
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.open(tx, [Finding(kind, "bc-uk", str(record), f"{kind}:{record}", {"said": secret}) for record in records])


def _tells(opened: House, post: Post) -> list[Alert]:
    return tell(opened, post.send, post.is_out)


def test_a_thousand_of_one_cause_are_one_alert_that_names_the_count_and_the_first_few(opened, post):
    _opens(opened, "carrier_unmapped", *range(1000))
    (alert,) = _tells(opened, post)
    assert (alert.owner, alert.new, alert.due) == ("operations", 1000, 0) and alert.subject == "operations: 1000 new"
    assert "1000 × carrier_unmapped" in alert.body and "bc-uk 0, bc-uk 1, bc-uk 10" in alert.body and "and 995 more" in alert.body
    assert len(alert.body) < 600 and "canary" not in str(to_event(alert).model_dump())


def test_a_desk_is_told_once_and_not_of_what_is_only_medium_before_it_is_nearly_due(opened, post):
    _opens(opened, "sku_unknown", 1)  # due at 15:00
    _opens(opened, "untracked_item", 2)
    _opens(opened, "stock_drift", 3)  # medium, due in a day
    assert [(alert.owner, alert.new, alert.due) for alert in _tells(opened, post)] == [("ecommerce", 1, 0)]
    assert _tells(opened, post) == []
    opened.clock.sleep(5 * 3600 + 60)
    assert [(alert.new, alert.due) for alert in _tells(opened, post)] == [(0, 1)]
    opened.clock.sleep(18 * 3600)
    assert [(alert.new, alert.due) for alert in _tells(opened, post)] == [(0, 2)]
    opened.clock.sleep(24 * 3600)
    assert _tells(opened, post) == [] and len(post.sent) == 3


def test_desks_are_told_apart_and_each_at_most_once_in_its_interval(opened, post):
    _opens(opened, "sku_unknown", 1)
    _opens(opened, "carrier_unmapped", 1)
    assert [alert.owner for alert in _tells(opened, post)] == ["operations", "ecommerce"]
    for record in range(2, 9):
        opened.clock.sleep(120)
        _opens(opened, "carrier_unmapped", record)
        _tells(opened, post)
    assert [alert.new for alert in post.sent] == [1, 1] and opened.clock.now().minute == 14
    opened.clock.sleep(60)
    assert [alert.new for alert in _tells(opened, post)] == [7], "what came in between is told together"


def test_what_is_resolved_before_it_was_told_is_not_told(opened, post):
    _opens(opened, "carrier_unmapped", 1)
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.resolve(tx, opened.ledger.exceptions.open_of(tx, "carrier_unmapped")[0].exception_id, "ann", "it was nothing")
    assert _tells(opened, post) == []


def test_an_alert_that_could_not_be_sent_is_sent_by_the_next_run(opened, post):
    _opens(opened, "carrier_unmapped", 1)
    post.is_away = True
    with pytest.raises(NotNow):
        _tells(opened, post)
    post.is_away = False
    assert _tells(opened, post) == [], "it may still be on its way"
    opened.clock.sleep(QUIET.total_seconds() + 1)
    assert [alert.new for alert in _tells(opened, post)] == [1]
    opened.clock.sleep(3600)
    assert _tells(opened, post) == [] and len(post.sent) == 1


def test_an_alert_whose_answer_was_lost_is_looked_up_and_not_sent_twice(opened, post):
    _opens(opened, "carrier_unmapped", 1)
    post.answer_is_lost = True
    with pytest.raises(NotNow):
        _tells(opened, post)
    post.answer_is_lost = False
    opened.clock.sleep(QUIET.total_seconds() + 1)
    assert _tells(opened, post) == [] and len(post.sent) == 1
    assert opened.ledger.table("alert")["told_at"].notna().all()


def test_a_worker_that_dies_between_promise_and_sending_loses_no_alert(opened, post):
    _opens(opened, "carrier_unmapped", 1, 2)

    def dies(alert: Alert) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell(opened, dies, post.is_out)
    opened.clock.sleep(timedelta(minutes=1).total_seconds())
    assert [alert.new for alert in _tells(opened, post)] == [2]
