"""An audit of a whole set-up with the real connectors: before any order, by its command, and when it cannot look."""

import json

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from deployments.demo_world import FORGOTTEN_METHOD, UK_FACILITY
from tasks import audit, mappings
from tasks.audit_page import audit_page
from tests.journeys.rig import SKUS, Rig, some_items

SHOP, SITE = "bigcommerce-uk", "gxo-uk"
HEAD = {"stock_locations": "connection,location,warehouse,facility,share_percent", "safety_stock": "connection,sku,rule,value",
        "return_rules": "connection,warehouse,grade,refund_percent,disposition,needs_rma"}


@pytest.fixture
def set_up(world):
    """A shop with a catalogue and shipping zones, and no order."""
    def make(*more: str, **given) -> Rig:
        rig = world(**given)
        rig.shop.add_products([{"sku": sku, "inventory_tracking": "product"} for sku in (*SKUS, *more)])
        rig.shop.add_zone("Home", ["GB"], ["Royal Mail Tracked 48", "DPD Next Day"])
        rig.shop.add_zone("Europe", ["DE", "FR"], ["DPD Classic"])
        rig.shop.add_zone("America", ["US"], ["International Priority"])
        for table, row in (("stock_locations", f"{SHOP},1,{SITE},{UK_FACILITY},100"), ("safety_stock", f"{SHOP},*,fixed,1"),
                           ("return_rules", f"{SHOP},{SITE},*,100,restock,no")):
            mappings.change_mapping(rig.house, table, f"{HEAD[table]}\n{row}\n", "set-up")
        return rig
    return make


def _look(rig: Rig) -> dict:
    return audit.audit_route(rig.house, SHOP, SITE)


def _ids(found: dict) -> list[str]:
    return [gap["id"] for gap in found["gaps"] if gap["kind"] != "row_never_matches"]  # the demo's tables name channels and countries of its own


def test_a_route_is_audited_before_its_first_order_and_nothing_is_changed_anywhere(set_up):
    rig = set_up("mug ", "NOSUCH", items=some_items(without="TRAY"))
    rig.shop.add_zone("Islands", ["AQ"], [FORGOTTEN_METHOD])
    rows, writes = _rows(rig), rig.writes()
    found = _look(rig)
    assert _ids(found) == ["country_unrouted:AQ", f"ship_method_unmapped:{FORGOTTEN_METHOD}", "sku_missing:NOSUCH", "sku_missing:TRAY", "sku_spelling:mug "]
    assert found["verdict"] == "gaps" and found["looked_at"]["orders so far"] == 0 and found["looked_at"]["catalogue"] == 6 and not found["not_looked_at"]
    assert _rows(rig) == rows and rig.writes() == writes and not [call for call in rig.watch.calls if call.split()[0] in ("POST", "PUT", "write", "rename")]
    assert _look(rig) == found, "the same set-up gave another answer"


def _rows(rig: Rig) -> dict[str, int]:
    from connectors.ledger.tables import metadata
    return {name: len(rig.ledger.table(name)) for name in metadata.tables if not name.startswith("vault")}


def test_orders_that_came_show_gaps_that_no_list_had(set_up):
    rig = set_up()
    before = set(_ids(_look(rig)))
    rig.orders(("GHOST", 1), to=[{**_ada(), "shipping_method": "Owl"}])
    rig.reads_orders()
    assert set(_ids(_look(rig))) - before == {"ship_method_unmapped:Owl", "sku_missing:GHOST"}


def _ada() -> dict[str, str]:
    from tests.journeys.rig import ADA
    return ADA


def test_a_side_that_is_away_is_said_and_is_not_taken_for_an_empty_one(set_up):
    rig = set_up()
    rig.shop.faults.add("F1")
    found = _look(rig)
    assert found["verdict"] == "could not look" and {one["what"] for one in found["not_looked_at"]} >= {"catalogue", "channels", "shipping methods", "locations"}
    assert not [gap for gap in found["gaps"] if gap["kind"] in ("sku_not_sold", "country_unrouted", "stock_unmapped")]


def test_a_secret_that_cannot_be_resolved_and_an_account_that_refuses_are_gaps_of_their_own(set_up):
    rig = set_up()
    (rig.home / "bigcommerce.token").write_text("wrong")
    rig.dies()
    found = _look(rig)
    assert found["verdict"] == "gaps" and "account_refuses:bigcommerce-uk: catalogue" in _ids(found)
    (rig.home / "bigcommerce.token").unlink()
    rig.dies()
    found = _look(rig)
    assert found["verdict"] == "gaps" and _ids(found)[0] == f"secret_unresolved:{SHOP}" and "wrong" not in json.dumps(found)


def test_the_page_holds_everything_escaped_and_fetches_nothing(set_up):
    rig = set_up("<script>alert(1)</script>", "=HYPERLINK()")
    found = _look(rig)
    page = audit_page(found, rig.clock.now())
    assert "<script" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "&#39;=HYPERLINK()" in page
    assert "http" not in page.replace("http-equiv", "") and all(gap["says"][:20].split("<")[0] in page for gap in found["gaps"] if "'" not in gap["says"][:20])


def test_the_command_prints_json_writes_the_page_and_ends_with_what_it_found(set_up, monkeypatch):
    rig = set_up("NOSUCH")
    rig.house.close()
    said = CliRunner().invoke(app, ["audit", SHOP, "nobody", "--json", "--profile", str(rig.home / "profile.toml")])
    assert said.exit_code != 0 and "nobody" in str(said.exception)
    page = rig.home / "audit.html"
    said = CliRunner().invoke(app, ["audit", SHOP, SITE, "--json", "--html", str(page), "--profile", str(rig.home / "profile.toml")])
    found = json.loads(said.output)
    assert said.exit_code == audit.EXIT[found["verdict"]] == 2, "the sandbox is not on a port, so the shop cannot be looked at"
    assert {one["what"] for one in found["not_looked_at"]} >= {"catalogue"} and "Could not be looked at" in page.read_text()
