"""What the account offers as a whole: every SKU on every page, and every shipping method by country."""

from connectors.bigcommerce.offers import FREE
from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.bigcommerce.storefront import Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.sandbox import Transport


def _port(sandbox: BigCommerceSandbox, clock: ManualClock, monkeypatch):
    monkeypatch.setenv("OFFERS_TOKEN", "bigcommerce-sandbox")
    settings = Settings(store_hash="sandbox", access_token="env:OFFERS_TOKEN", base_url="https://shop.invalid", page_size=5)
    return connect("shop", settings, clock, Transport(sandbox, clock))


def test_every_variant_of_every_page_is_listed_and_one_without_a_sku_bears_its_products(monkeypatch):
    clock = ManualClock()
    sandbox = BigCommerceSandbox(clock)
    sandbox.add_products([{"sku": f"P{n}", "inventory_tracking": "product"} for n in range(7)])
    sandbox.add_products([{"sku": "TEE", "variants": ["TEE-S", "TEE-M", ""], "inventory_tracking": "variant"}, {"sku": "", "name": "Nameless"}])
    listed = _port(sandbox, clock, monkeypatch).whole_catalogue()
    assert listed["sku"].tolist() == [*(f"P{n}" for n in range(7)), "TEE-S", "TEE-M", "TEE", ""]
    assert set(listed["tracking"]) == {"product", "variant", "none"}


def test_ship_options_are_told_by_country_with_what_is_off_and_the_zones_free_shipping(monkeypatch):
    clock = ManualClock()
    sandbox = BigCommerceSandbox(clock)
    port = _port(sandbox, clock, monkeypatch)
    assert port.ship_options().empty, "no zone is a 204"
    sandbox.add_zone("Home", ["GB", "IE"], ["Royal Mail Tracked 48"], switched_off=["Courier"], free=True)
    sandbox.add_zone("World", [], ["International Priority"])
    sandbox.add_zone("Closed", ["FR"], [])
    found = [tuple(row) for row in port.ship_options()[["ship_method", "country", "is_enabled"]].itertuples(index=False)]
    assert found == [("Royal Mail Tracked 48", "GB", True), ("Royal Mail Tracked 48", "IE", True), ("Courier", "GB", False), ("Courier", "IE", False),
                     (FREE, "GB", True), (FREE, "IE", True), ("International Priority", "", True)]
