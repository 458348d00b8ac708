"""From the first order at a marketplace to the statement that finance signs: real connectors, real ledger, and everything that can differ to the penny."""

import csv
import hashlib
import io
import json
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
from typer.testing import CliRunner

from connectors.amazon.sandbox_finances import Sold
from connectors.amazon.sandbox_settlement import form_of, written
from connectors.snapshots.query import query
from contracts.money import to_minor
from deployments.cli import app
from deployments.demo_world import WAREHOUSE
from tasks import analytics, mappings
from tasks.evidence.export import export
from tasks.settlements import take_in_settlements
from tests.journeys.rig import CANARIES
from tests.settlements.market_rig import DAY, MARKET, MarketRig

QUESTIONS = re.findall(r"```sql\n(.*?)```", (Path(__file__).resolve().parents[2] / "docs" / "finance.md").read_text(), re.DOTALL)
RULES = f"connection,warehouse,grade,refund_percent,disposition,needs_rma\n*,{WAREHOUSE},A,100,restock,no\n"
ADDRESS = {"name": "Canary Lovelace", "addressLine1": "1 Canary Row", "city": "Canaryton", "postalCode": "CN1 1CN", "countryCode": "GB", "phone": "07700900001"}


def _sheet(told: dict[str, Any], title: str) -> list[dict[str, Any]]:
    book = openpyxl.load_workbook(told["statement"].replace(".html", ".xlsx"), read_only=True)
    head, *rows = book[title].iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def _amounts(body: bytes) -> list[int]:
    """The amounts of a statement, counted straight from its bytes by whoever trusts none of our readers."""
    lines = [line.split("\t") for line in body.decode("cp1252").splitlines()]
    column = lines[0].index("amount")
    return [to_minor(cells[column].replace(",", "."), "GBP") for cells in lines[2:]]


def test_a_month_in_which_all_is_well_is_explained_to_the_penny(market):
    rig = market()
    placed = [rig.sells(("HEART", 4), ("MUG", 1), tax="1.20"), rig.sells(("LANTERN", 3), price="7.35"), rig.sells(("TRAY", 2))]
    rig.ships()
    statement = rig.settles()
    told = rig.reconciled(period="2026-01")
    assert {order: row["verdict"] for order, row in told["rows"].items()} == dict.fromkeys(placed, "matched")
    assert told["marketplace"] == {"is_explained": True, "not_settled_yet": 0, "currencies": {"GBP": {
        "held_before": "0.00", "earned": told["marketplace"]["currencies"]["GBP"]["earned"], "paid_out": f"{Decimal(statement.total_minor) / 100}",
        "held_after": told["marketplace"]["currencies"]["GBP"]["held_after"], "suspense": "0.00", "unexplained": "0.00"}}}
    assert rig.desk() == []
    page = open(told["statement"], encoding="utf-8").read()
    assert "Nothing is unexplained" in page and statement.settlement_id in page and "Prepared by" in page


def test_the_statement_ties_out_to_the_bytes_that_the_marketplace_wrote(market):
    """Deposits, journal and what is held are counted again from the files themselves."""
    rig = market()
    shop, statements = rig.market.marketplaces[0], []
    for n in range(3):
        rig.market.money.sell(f"026-{n}-1", shop, [Sold("11", "MUG", 2, 1999 + n, 200, 350, 70, 50)])
        rig.passes(5 * DAY)
        rig.market.money.charge(shop, -1234)
        rig.market.money.refund(f"026-{n}-1", {"11": 1})
        statements.append(rig.settles(9))
    told = rig.reconciled(period="2026-02")
    by_id = {one.settlement_id: written(one, form_of("GB")) for one in statements}
    paid = {row["settlement id"]: row for row in _sheet(told, "Settlements") if row["paid on"].startswith("2026-02")}
    assert len(paid) >= 2
    assert {key: round(row["total"] * 100) for key, row in paid.items()} == {key: sum(_amounts(by_id[key])) for key in paid}
    assert all(round((row["before the"] if "before the" in row else row["before"]) * 100) + round(row["within"] * 100) + round(row["after"] * 100) == round(row["total"] * 100)
               for row in paid.values())
    with open(told["statement"].replace("statement.html", "postings.csv"), newline="") as file:
        postings = list(csv.DictReader(file))
    for key in paid:
        own = [to_minor(row["amount"], "GBP") for row in postings if row["settlement_id"] == key]
        assert sum(own) == 0 and -to_minor(next(row["amount"] for row in postings if (row["settlement_id"], row["account"]) == (key, "Deposit")), "GBP") == sum(_amounts(by_id[key]))
    held = told["marketplace"]["currencies"]["GBP"]
    assert to_minor(held["held_before"], "GBP") + to_minor(held["earned"], "GBP") - to_minor(held["paid_out"], "GBP") == to_minor(held["held_after"], "GBP")
    assert to_minor(held["paid_out"], "GBP") == sum(sum(_amounts(by_id[key])) for key in paid)
    digest = hashlib.sha256(open(told["statement"].replace("statement.html", "postings.csv"), "rb").read()).hexdigest()
    assert digest in open(told["statement"], encoding="utf-8").read()


def test_every_difference_of_a_marketplace_is_named_and_gone_when_it_agrees(market):
    rig = market()
    mappings.change_mapping(rig.house, "return_rules", RULES, "set-up")
    fine, kept, back = rig.sells(("HEART", 2)), rig.sells(("MUG", 1)), rig.sells(("TRAY", 1))
    unpaid = rig.sells(("LANTERN", 1))
    rig.ships()
    by_hand = rig.sells(("NO-SUCH", 1))
    rig.passes(200)
    rig.reads_orders(MARKET)
    item = next(iter(rig.market.orders.book.orders[by_hand]["items"]))
    rig.market.orders.confirm_by_hand(by_hand, {item: 1}, "RM1")  # somebody ships it from a drawer: charged, and no warehouse of ours
    rig.market.money.events = [event for event in rig.market.money.events if event.order_id != unpaid]  # the marketplace forgets to pay
    rig.market.money.sell("026-9999999-9999999", rig.market.marketplaces[0], [Sold("99", "MUG", 1, 700)])  # an order that nobody told us of
    rig.market.money.sell("026-8888888-8888888", rig.market.marketplaces[0], [Sold("88", "MUG", 1, 900, fulfilment="AFN")])  # shipped by the marketplace
    rig.passes(DAY)
    rig.market.refund(kept)
    rig.market.reports.returns.send_back(kept, "MUG", refunded_minor=500)
    reference = next(ours for ours, copies in rig.site.books()["orders"].items() if copies[0]["storefront_order"] == back)
    rig.site.receive_return(reference, [("TRAY", 1, "A")], "", "", "")
    rig.handles_returns(MARKET)
    rig.settles(13)
    told = rig.reconciled(period="2026-01", patience_days=0)
    assert {order: row["verdict"] for order, row in told["rows"].items()} == {
        fine: "matched", kept: "refunded_not_returned", back: "returned_not_refunded", unpaid: "shipped_not_paid", by_hand: "paid_not_shipped"}
    assert rig.desk() == sorted([("refunded_not_returned", kept), ("refund_by_hand", back), ("shipped_not_paid", unpaid), ("sku_unknown", by_hand),
                                 ("paid_not_shipped", "026-9999999-9999999")]), "what is to be refunded there has been on a desk since it came back"
    (goods,) = rig.on_desk("refunded_not_returned")
    assert "1 × MUG were asked back on" in goods.evidence["return"] and "has not arrived" in goods.evidence["return"]
    again = rig.reconciled(period="2026-01", patience_days=0)
    assert (again["opened"], again["settled"], again["rows"]) == (0, 0, told["rows"])
    assert "026-8888888" not in str(rig.desk()) and "The marketplace itself shipped 1 orders" in open(told["statement"], encoding="utf-8").read()
    assert [row["order id"] for row in _sheet(told, "Not settled yet")] == [unpaid]

    rig.market.refund(back)
    rig.market.money.sell(unpaid, rig.market.marketplaces[0], [Sold(next(iter(rig.market.orders.book.orders[unpaid]["items"])), "LANTERN", 1, 500)])
    rig.settles()
    rig.handles_returns(MARKET)
    rig.reconciled(period="this month", patience_days=0)
    assert rig.desk() == sorted([("refunded_not_returned", kept), ("sku_unknown", by_hand), ("paid_not_shipped", "026-9999999-9999999")])


def test_what_is_shipped_and_not_settled_is_open_and_no_difference_while_it_is_young(market):
    rig = market()
    order = rig.sells(("HEART", 2))
    rig.ships()
    told = rig.reconciled(period="2026-01")
    assert told["rows"][order]["verdict"] == "in_progress" and rig.desk() == []
    assert [(row["order id"], row["amount"]) for row in _sheet(told, "Not settled yet")] == [(order, 10)]


def test_the_published_views_say_the_same_as_the_ledger(market):
    rig = market()
    order = rig.sells(("HEART", 2), tax="1.00")
    rig.ships()
    rig.market.money.charge(rig.market.marketplaces[0], -77, "Novelty Fee", "other-transaction", "=cmd()")
    rig.settles(faulty="total")
    rig.market.refund(order)
    rig.settles()
    rig.reconciled(period="this month", patience_days=0)
    with duckdb.connect(analytics.publish(rig.house), read_only=True) as catalogue:
        def asked(sql: str) -> list[tuple]:
            return catalogue.execute(sql).fetchall()

        assert asked("SELECT DISTINCT total FROM (SELECT sum(amount_minor) AS total FROM settlement_journal GROUP BY settlement_id)") == [(0,)]
        assert asked("SELECT sum(amount_minor), count(*) FROM settlement_rows") == asked("SELECT sum(sum_minor), sum(amounts) FROM settlements")
        assert asked("SELECT count(*) FROM settlement_rows WHERE category = '' AND level <> 'unknown'") == [(0,)]
        assert asked("SELECT sum(amount_minor) FROM settlement_rows WHERE level = 'unknown'") == [(-77,)]
        assert asked("SELECT difference_minor, is_consistent FROM settlements ORDER BY ended_at") == [(-1, False), (0, True)]
        assert asked("SELECT units_paid, units_dispatched, principal_minor, tax_minor, withheld_minor, refunded_minor, verdict FROM settlement_orders") == [
            (2, 2, 1000, 100, 0, -1100, "refunded_not_returned")]
        assert [verdict for (verdict,) in asked("SELECT verdict FROM reserve_chain ORDER BY started_at")] == ["nothing before it", "whole"]
    for sql in QUESTIONS:
        assert query(sql, rig.home / "analytics" / "analytics.duckdb") is not None, sql
    assert len(QUESTIONS) == 10
    analytics.publish(rig.house)
    with duckdb.connect(rig.home / "analytics" / "analytics.duckdb", read_only=True) as catalogue:
        assert catalogue.execute("SELECT sum(amount_minor), count(*) FROM settlement_rows").fetchall() == catalogue.execute("SELECT sum(sum_minor), sum(amounts) FROM settlements").fetchall()


def test_the_evidence_about_an_order_has_every_link_and_nobodys_name(market, monkeypatch):
    rig = market()
    order = rig.sells(("HEART", 2), address=ADDRESS)
    rig.ships()
    rig.settles()
    evidence, path = export(rig.house, MARKET, order, "A. Reader")
    assert evidence.findings == []
    with zipfile.ZipFile(path) as archive:
        files = {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    assert manifest["files"] == {name: hashlib.sha256(body).hexdigest() for name, body in files.items() if name != "manifest.json"}
    assert not [word for word in CANARIES for body in files.values() if word.encode() in body]
    rows = {name: list(csv.DictReader(io.StringIO(files[f"{name}.csv"].decode(), newline=""))) for name in ("asked", "shipped", "told", "settled", "documents")}
    (told,), (settled,) = rows["told"], rows["settled"]
    assert told["tracking_number"] == rows["shipped"][0]["tracking_number"] and told["read_back_at"] and told["effect_state"] == "CONFIRMED"
    assert (settled["principal"], settled["net"]) == ("10.00", "8.50") and rows["asked"][0]["proven_at"]
    assert all(len(row["sha256"] or row["payload_sha256"]) == 64 for row in rows["documents"]) and {"fulfilment_request", "dispatch_confirmation", "dispatches"} <= {
        row["what"] for row in rows["documents"]}
    again, other = export(rig.house, MARKET, order, "A. Reader")
    assert again.tables == evidence.tables and other == path

    waiting = rig.sells(("MUG", 1))
    rig.passes(200)
    rig.reads_orders(MARKET)
    rig.house.close()
    monkeypatch.delenv("WHARFINGER_PROFILE", raising=False)
    told = CliRunner().invoke(app, ["evidence", waiting, "--storefront", MARKET, "--out", str(rig.home / "claims"), "--json", "--profile", str(rig.home / "profile.toml")])
    assert told.exit_code == 1 and json.loads(told.stdout)["findings"] == ["No warehouse says that it shipped anything of it."], told.output
    assert CliRunner().invoke(app, ["evidence", "no-such", "--storefront", MARKET, "--profile", str(rig.home / "profile.toml")]).exit_code != 0


def test_a_run_that_dies_between_the_settlement_and_the_statement_is_made_good_by_the_next(market):
    rig = market()
    order = rig.sells(("HEART", 2))
    rig.ships()
    rig.passes(14 * DAY)
    rig.market.close_settlement()
    rig.passes(3600)
    take_in_settlements(rig.house, MARKET)
    rig.dies()
    told = rig.reconciled(period="2026-01")
    assert told["rows"][order]["verdict"] == "matched" and rig.reconciled(period="2026-01")["rows"] == told["rows"]
