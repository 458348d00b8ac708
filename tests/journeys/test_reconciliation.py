"""A month from the first order to the signed statement: real connectors, real ledger, and everything that can differ to the penny."""

import csv
import io
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.kit.errors import BadConfiguration
from contracts.exceptions import DONE
from deployments.cli import app
from deployments.cli_reconcile import reconcile_now, told_of
from deployments.demo_world import STOREFRONT, WAREHOUSE
from tasks import desk, mappings, orders
from tasks.reconciliation import ACTOR, period_of
from tests.journeys.rig import CANARIES, Rig

RULES = f"connection,warehouse,grade,refund_percent,disposition,needs_rma\n*,{WAREHOUSE},A,100,restock,no\n*,{WAREHOUSE},B,50,keep apart,no\n"


def _reconciled(rig: Rig, **how: Any) -> dict[str, Any]:
    """One run, as the command line makes it: what a program reads, and the rows by order."""
    period = how.pop("period", f"{rig.clock.now():%Y-%m}")
    outcome = reconcile_now(rig.house, STOREFRONT, WAREHOUSE, period, **{"patience_days": 0} | how)
    return told_of(outcome) | {"rows": {row["order_id"]: row for row in outcome.found.rows.to_dict("records")}, "opened": outcome.opened, "settled": outcome.settled}


def _world(world: Any, **given: Any) -> Rig:
    rig = world(**given)
    mappings.change_mapping(rig.house, "return_rules", RULES, "set-up")
    return rig


def _verdicts(told: dict[str, Any]) -> dict[str, str]:
    return {order_id: row["verdict"] for order_id, row in told["rows"].items()}


def test_a_month_in_which_all_is_well_agrees_to_the_penny_and_shows_it(world):
    rig = _world(world)
    placed = [rig.orders(("HEART", 4), ("MUG", 1)), rig.orders(("LANTERN", 3), shipping_cost="4.95"), rig.orders(("TRAY", 2), ("MUG", 3), discount="1.00")]
    rig.drains()
    rig.customer_returns(placed[0], ("HEART", 3, "A"))
    rig.customer_returns(placed[2], ("MUG", 1, "B"))
    rig.settles_returns()
    told = _reconciled(rig)
    assert _verdicts(told) == {str(order): "matched" for order in placed}
    assert (told["orders"], told["matched"], told["differences"], told["difference_minor"]) == (3, 3, 0, 0)
    first = told["rows"][str(placed[0])]
    assert [first[f"{name}_minor"] for name in ("ordered", "paid", "dispatched", "refunded", "returned", "balance")] == [1275, 1275, 1275, 765, 765, 0]
    assert rig.desk() == [] and _reconciled(rig)["opened"] == 0


def test_every_difference_is_named_on_finances_desk_and_gone_when_it_agrees_again(world):
    rig = _world(world)
    held, fine, unpaid, goodwill = (rig.orders(("NO-SUCH", 1)), rig.orders(("HEART", 2)), rig.orders(("MUG", 1), payment_status="authorized"), rig.orders(("TRAY", 1)))
    rig.drains()
    rig.shop.refund_by_hand(goodwill, amount="0.50", reason="sorry")
    rig.passes(60)
    told = _reconciled(rig)
    assert _verdicts(told) == {str(held): "paid_not_shipped", str(fine): "matched", str(unpaid): "shipped_not_paid", str(goodwill): "refunded_not_returned"}
    assert (told["differences"], told["difference_minor"], told["explained"]) == (2, 305, 1)  # the one that is held is on ecommerce's desk already
    assert rig.desk() == sorted([("sku_unknown", str(held)), ("shipped_not_paid", str(unpaid)), ("refunded_not_returned", str(goodwill))])
    assert {row.owner for row in rig.on_desk("shipped_not_paid") + rig.on_desk("refunded_not_returned")} == {"finance"}

    rig.shop.pay(unpaid, "2.55")
    (one,) = rig.on_desk("refunded_not_returned")
    desk.resolve(rig.house, one.exception_id, DONE, "A. Reader", "goodwill for a late parcel")
    told = _reconciled(rig)
    assert (told["differences"], told["settled"], told["opened"]) == (0, 1, 0)
    page = open(told["statement"], encoding="utf-8").read()
    assert "A. Reader: goodwill for a late parcel" in page and "Nothing is unexplained" in page
    assert rig.desk() == [("sku_unknown", str(held))]


def test_what_is_young_is_no_difference_yet(world):
    rig = _world(world)
    rig.orders(("HEART", 1))
    orders.take_in_orders(rig.house, STOREFRONT)
    told = _reconciled(rig, patience_days=None)
    assert list(_verdicts(told).values()) == ["in_progress"] and told["differences"] == 0 and rig.desk() == []


def test_a_statement_of_last_month_shows_its_end_and_the_desks_show_today(world):
    """The order was placed last month, and sent this month: open at the month's end, and nobody's trouble now."""
    rig = _world(world)
    order = rig.orders(("HEART", 2))
    rig.reads_orders()
    last = f"{rig.clock.now():%Y-%m}"
    end = period_of(rig.house, last).until
    rig.passes((end - rig.clock.now()).total_seconds() + 3600)
    rig.drains()
    told = _reconciled(rig, period="last month")
    assert _verdicts(told) == {str(order): "paid_not_shipped"} and told["rows"][str(order)]["is_carried_out"]
    assert rig.desk() == [] and told["opened"] == 0
    now = _reconciled(rig, period="this month")
    assert _verdicts(now) == {str(order): "matched"} and now["rows"][str(order)]["is_carried_in"]


def test_a_dry_run_says_the_same_and_changes_nothing(world):
    rig = _world(world)
    rig.orders(("MUG", 1), payment_status="authorized")
    rig.drains()
    before, calls = [(name, len(rig.ledger.table(name))) for name in ("exception", "reconciliation", "payment_seen", "journal")], len(rig.watch.calls)
    told = _reconciled(rig, dry_run=True)
    assert told["by_verdict"] == {"shipped_not_paid": 1} and told["statement"] == "" and len(rig.watch.calls) == calls
    assert [(name, len(rig.ledger.table(name))) for name, _ in before] == before


def test_the_files_hold_no_personal_data_and_the_ledger_the_same_rows(world):
    rig = _world(world)
    rig.orders(("HEART", 4))
    rig.drains()
    told = _reconciled(rig, actor="A. Reader")
    folder = rig.home / "statements" / STOREFRONT / f"{rig.clock.now():%Y-%m}"
    texts = [path.read_bytes() for path in sorted(folder.iterdir())]
    assert [path.name for path in sorted(folder.iterdir())] == ["statement.csv", "statement.html", "statement.xlsx"] and told["statement"] == str(folder / "statement.html")
    assert not [word for word in CANARIES for text in texts if word.encode() in text]
    shown = list(csv.DictReader(io.StringIO(texts[0].decode(), newline="")))
    with rig.ledger.transaction() as tx:
        kept = rig.ledger.reconciliations.of(tx, STOREFRONT, folder.name)
        (made,) = rig.ledger.reconciliations.made(tx, STOREFRONT, folder.name)
    assert [(row["order_id"], row["paid"], row["verdict"]) for row in shown] == [(row.order_id, "10.20", "matched") for row in kept]
    assert made.actor == "A. Reader" and made.detail["csv_sha256"] in texts[1].decode()


def test_payments_are_asked_about_once_and_again_only_when_they_may_have_changed(world):
    rig = _world(world)
    first, short = rig.orders(("HEART", 1)), rig.orders(("MUG", 1), payment_status="authorized")
    rig.drains()

    def asked() -> list[str]:
        before = len(rig.watch.calls)
        _reconciled(rig)
        return sorted(call for call in rig.watch.calls[before:] if "transactions" in call)

    assert len(asked()) == 2
    rig.passes(7200)
    assert asked() == [f"GET /orders/{short}/transactions"]
    rig.shop.edit_order(first, customer_message="please ring")
    rig.reads_orders()
    assert len(asked()) == 2


def test_the_command_line_exits_with_one_when_something_is_unexplained(world, monkeypatch):
    rig = _world(world)
    rig.orders(("MUG", 1), payment_status="authorized")
    rig.drains()
    rig.house.close()
    monkeypatch.delenv("WHARFINGER_PROFILE", raising=False)
    month = f"{rig.clock.now():%Y-%m}"
    asked = ["reconcile", "--storefront", STOREFRONT, "--warehouse", WAREHOUSE, "--period", month, "--patience-days", "0", "--dry-run", "--profile", str(rig.home / "profile.toml")]
    told = CliRunner().invoke(app, [*asked, "--json"])
    assert told.exit_code == 1, told.output
    found = json.loads(told.stdout)
    assert found["orders"] == 1 and found["differences"] == 1 and found["difference_minor"] == 255 and found["by_verdict"] == {"shipped_not_paid": 1}
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 1 and "shipped not paid" in shown.stdout


def test_a_period_is_a_month_or_two_days_and_nothing_else(world):
    rig = _world(world)
    assert period_of(rig.house, "this month", "2026-01-05", "2026-01-12").name == "20260105-20260112"
    assert period_of(rig.house, "last month").until == period_of(rig.house, "this month").since <= rig.clock.now()
    for wrong in (("",), ("2026-13",), ("../x",), ("", "2026-01-05"), ("", "2026-01-12", "2026-01-05"), ("", "5 January", "2026-02-01"), ("", "2026-02-30", "2026-03-05")):
        with pytest.raises(BadConfiguration, match="is no|is not a|a period is"):
            period_of(rig.house, *wrong)
    for storefront, warehouse in (("no-such", WAREHOUSE), (STOREFRONT, "no-such")):
        with pytest.raises(BadConfiguration):
            reconcile_now(rig.house, storefront, warehouse, "2026-01", dry_run=True)


def test_nobody_but_the_reconciliation_settles_what_it_found(world):
    rig = _world(world)
    rig.orders(("MUG", 1), payment_status="authorized")
    rig.drains()
    _reconciled(rig)
    (one,) = rig.on_desk("shipped_not_paid")
    assert one.evidence["found_by"] == ACTOR and one.evidence["amount_minor"] == 255
    for _ in range(2):
        rig.day()
        _reconciled(rig)
    assert [row.exception_id for row in rig.on_desk("shipped_not_paid")] == [one.exception_id]
