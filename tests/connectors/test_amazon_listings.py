"""Amazon's listings: patched by merge, read back, searched to the last one; and never a word to a listing that Amazon ships."""

import json
from datetime import timedelta

import httpx
import pytest

from connectors.amazon.sandbox import GB, SELLER
from connectors.amazon.sandbox_shelf import problems
from connectors.amazon.wire import in_path
from connectors.amazon.wire_listings import Item, ItemPage, Patch, Submission
from connectors.kit import sandbox as faults
from connectors.kit.errors import BadDocument, InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.ports import STOCK_UPDATE, Effect
from contracts.items import CatalogueItems
from contracts.stock import ShownStock
from tests.connectors import amazon_spec
from tests.connectors.amazon_rig import DE, Rig
from tests.connectors.amazon_stock import PRODUCTS, quantities, sent_bodies, stocked, update

PATCH = "PATCH /listings/*"
ITEMS = f"/listings/2021-08-01/items/{SELLER}"


@pytest.fixture
def rig() -> Rig:
    return stocked()


def shown(port, skus: list[str] | None = None) -> dict[str, int]:
    return {row["sku"]: row["on_hand"] for page in port.shown_stock("DEFAULT", skus) for row in ShownStock.frame(page.to_dict("records")).to_dict("records")}


def test_a_figure_is_merged_a_moment_later_and_read_back(rig: Rig) -> None:
    port, effect = rig.connect(), update({"MUG": 7, "A/B c%20": 3})
    assert port.find(effect) is None
    receipt = port.send(effect)
    assert port.find(effect) is None, "a 200 that says ACCEPTED only says that it was taken in"
    rig.clock.sleep(15)
    assert port.find(effect).remote_id == receipt.remote_id == "2 SKUs" and receipt.evidence == {"told": 2}
    assert quantities(rig) | {"MUG": 7, "A/B c%20": 3} == quantities(rig)


def test_merge_keeps_the_lead_time_and_the_restock_date_that_replace_would_wipe(rig: Rig) -> None:
    """amzn/selling-partner-api-models#4406: after a replace the listing promised dispatch on the day."""
    rig.connect().send(update({"MUG": 7}))
    rig.clock.sleep(15)
    assert rig.sandbox.books()["stock"]["MUG"] == {"DEFAULT": {"quantity": 7, "lead_time_to_ship_max_days": 3, "restock_date": "2026-02-01"}}
    rig.sandbox.shelf.accept([("MUG", [Patch.of(5).model_dump() | {"op": "replace"}])], "another tool")
    rig.clock.sleep(15)
    assert rig.sandbox.books()["stock"]["MUG"] == {"DEFAULT": {"quantity": 5}}


def test_what_is_sent_is_exactly_one_merge_of_the_merchants_own_channel(rig: Rig) -> None:
    bodies: list[dict] = []
    inner = rig.overheard._inner
    rig.overheard._inner = httpx.MockTransport(lambda request: (request.method == "PATCH" and bodies.append(json.loads(request.content))) or inner.handle_request(request))
    rig.connect().send(update({"MUG": 7}))
    assert bodies == [{"productType": "DRINKWARE", "patches": [
        {"op": "merge", "path": "/attributes/fulfillment_availability", "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 7}]}]}]


def test_every_spelling_of_a_sku_finds_its_listing_and_no_other(rig: Rig) -> None:
    port, own = rig.connect(), [product["sku"] for product in PRODUCTS if "channel" not in product]
    port.send(update({sku: 40 + n for n, sku in enumerate(own)}))
    rig.clock.sleep(15)
    assert quantities(rig) == shown(port, own) == {sku: 40 + n for n, sku in enumerate(own)}
    assert port.catalogue(["mug", "MUG ", "Teetasse"]).empty


def test_a_listing_that_amazon_ships_is_refused_by_name_and_never_written_to(rig: Rig) -> None:
    """amzn/selling-partner-api-models#2061: another channel code does not replace the first, it is added to it."""
    port = rig.connect()
    with pytest.raises(Refused, match="AMAZON_EU.*second channel") as raised:
        port.send(update({"FBA-1": 5}))
    assert raised.value.records == ("FBA-1",) and not [call for call in rig.calls if call.startswith("PATCH")]
    receipt = port.send(update({"MUG": 7, "FBA-1": 5, "NOPE": 1}))
    assert set(receipt.evidence["refused"]) == {"FBA-1", "NOPE"} and receipt.evidence["told"] == 1
    assert [call for call in rig.calls if call.startswith("PATCH")] == [f"PATCH {ITEMS}/MUG"]
    rig.clock.sleep(15)
    assert rig.sandbox.books()["stock"]["FBA-1"] == {"AMAZON_EU": {}}


def test_the_stand_in_makes_a_second_channel_of_a_figure_for_what_amazon_ships(rig: Rig) -> None:
    rig.sandbox.shelf.accept([("FBA-1", [Patch.of(5).model_dump()])], "another tool")
    rig.clock.sleep(15)
    assert rig.sandbox.books()["stock"]["FBA-1"] == {"AMAZON_EU": {}, "DEFAULT": {"quantity": 5}}
    row = rig.connect().catalogue(["FBA-1"]).iloc[0]
    assert row["tracking"] == "none", "from now on it is nobody's of ours to count"


def test_what_amazon_ships_is_untracked_and_no_gap_of_an_audit(rig: Rig) -> None:
    port = rig.connect(listing_page_size=2)
    asked = CatalogueItems.frame(port.catalogue([product["sku"] for product in PRODUCTS]).to_dict("records"))
    assert dict(zip(asked["sku"], asked["tracking"], strict=True)) == {product["sku"]: "none" if "channel" in product else "variant" for product in PRODUCTS}
    assert set(port.whole_catalogue()["sku"]) == {product["sku"] for product in PRODUCTS} - {"FBA-1"}
    assert not [row for page in port.shown_stock("DEFAULT") for row in page.to_dict("records") if row["sku"] == "FBA-1" and row["is_tracked"]]


def test_a_200_that_says_invalid_is_a_refusal_with_amazons_code_and_not_its_text(rig: Rig) -> None:
    rig.sandbox.shelf.refused["MUG"] = ("18748", "Call Ada Lovelace about the approval.", ("fulfillment_availability",))
    with pytest.raises(Refused, match="SKU 'MUG': issue 18748 about fulfillment_availability") as raised:
        rig.connect().send(update({"MUG": 7}))
    assert raised.value.records == ("MUG",) and "Ada" not in str(raised.value)
    receipt = rig.connect().send(update({"MUG": 7, "..": 2}))
    rig.clock.sleep(15)
    assert receipt.evidence["refused"] == {"MUG": "issue 18748 about fulfillment_availability"} and quantities(rig)[".."] == 2 and quantities(rig)["MUG"] == 9


@pytest.mark.parametrize(("effect", "said"), [
    (update({"MUG": 1}, location="AMAZON_EU"), "'AMAZON_EU' is not the merchant's own channel"), (update({f"S{n}": 1 for n in range(2001)}), "more than 2000"),
    (Effect("e", STOCK_UPDATE, "amz", "k", update({"MUG": 1}).payload | {"items": update({"MUG": 1}).payload["items"] * 2}), "one of them twice"),
    (update({}), "at least 1"), (update({"MUG": 2**31}), "less than or equal to 2147483647")])
def test_what_breaks_a_limit_is_refused_before_anything_is_sent(rig: Rig, effect: Effect, said: str) -> None:
    with pytest.raises(Refused, match=said):
        port = rig.connect()
        port.send(Effect(**vars(effect) | {"document": port.prepare(effect)}))
    assert rig.calls == []


@pytest.mark.parametrize(("fault", "error", "taken"), [
    (faults.CONNECT_REFUSED, NotNow, 0), (faults.TIMEOUT_BEFORE, InDoubt, 0), (faults.TIMEOUT_AFTER, InDoubt, 1), (faults.LATE_COMMIT, InDoubt, 0),
    (faults.THROTTLED, NotNow, 0), (faults.ERROR_BEFORE, InDoubt, 0), (faults.ERROR_AFTER, InDoubt, 1), (faults.GARBLED, InDoubt, 1),
    (faults.TOKEN_EXPIRED, NotAllowed, 0)])
def test_each_fault_of_a_patch_is_the_right_error_and_the_figures_end_right(rig: Rig, fault: str, error: type[WharfingerError], taken: int) -> None:
    port, effect = rig.connect(), update({"MUG": 7, "..": 3})
    rig.sandbox.faults.add(fault, on=PATCH, times=1)
    with pytest.raises(error) as raised:
        port.send(effect)
    assert type(raised.value) is error and len(rig.sandbox.books()["stock_writes"]) == taken
    rig.clock.sleep(raised.value.wait_seconds or port.quiet_seconds)
    if port.find(effect) is None:
        port.send(effect)
        rig.clock.sleep(60)
    assert port.find(effect) and quantities(rig) | {"MUG": 7, "..": 3} == quantities(rig)


def test_a_read_that_fails_before_anything_was_sent_is_no_doubt(rig: Rig) -> None:
    rig.sandbox.faults.add(faults.ERROR_AFTER, on="GET /listings/*")
    with pytest.raises(NotNow):
        rig.connect().send(update({"MUG": 7}))


def test_a_stale_read_only_costs_a_second_patch(rig: Rig) -> None:
    """F13: the listing was shown as it was before; taken for proof it would have left the update in doubt for ever."""
    port, effect = rig.connect(), update({"MUG": 7})
    port.send(effect)
    rig.clock.sleep(20)
    rig.sandbox.faults.add(faults.STALE_READ, on=f"GET {ITEMS}", times=1)
    assert port.find(effect) is None and port.find(effect)


def test_nothing_more_is_sent_when_the_claim_has_run_out(rig: Rig) -> None:
    """F16: a worker slept, somebody else told newer figures, and the first woke up and told its own."""
    with pytest.raises(NotNow, match="longer than the claim"):
        rig.connect().send(update({"MUG": 7}, lease_until=rig.clock.now()))
    assert sent_bodies(rig) == []


@pytest.mark.parametrize("page_size", [4, 20])
def test_the_whole_catalogue_is_read_though_a_search_ends_before_its_last_listing(page_size: int) -> None:
    """Amazon pages through a thousand listings and no more; here it is forty, and three were created in each second."""
    rig = Rig(rates={"searchListingsItems": None})
    rig.sandbox.listings.found_max = 40
    began = rig.clock.now() - timedelta(days=900)
    rig.sandbox.add_products({"sku": f"S{n:05}", "quantity": n, "created_at": began + timedelta(seconds=n // 3)} for n in range(150))
    port = rig.connect(listing_page_size=page_size, rates={"searchListingsItems": (10_000, 10_000)})
    assert sorted(port.whole_catalogue()["sku"]) == [f"S{n:05}" for n in range(150)]
    assert shown(port) == {f"S{n:05}": n for n in range(150)}


def test_more_listings_of_one_second_than_can_be_paged_through_are_an_error_and_not_a_short_list() -> None:
    rig = Rig()
    rig.sandbox.listings.found_max = 40
    rig.sandbox.add_products({"sku": f"S{n:05}", "created_at": rig.began} for n in range(41))
    with pytest.raises(BadDocument, match="41 listings, of which 40 can be read"):
        rig.connect().whole_catalogue()


def test_pages_that_lead_in_a_circle_come_to_an_end(rig: Rig) -> None:
    inner = rig.overheard._inner
    page = {"numberOfResults": 99, "items": [], "pagination": {"nextToken": "again"}}
    rig.overheard._inner = httpx.MockTransport(lambda request: httpx.Response(200, json=page) if "/listings/" in request.url.path else inner.handle_request(request))
    with pytest.raises(BadDocument, match="in a circle"):
        rig.connect().whole_catalogue()


def test_a_listing_that_is_edited_while_the_pages_are_read_is_neither_lost_nor_there_twice(rig: Rig) -> None:
    rig.sandbox.faults.add(faults.PAGE_SHIFT, on=f"GET {ITEMS}")
    listed = list(rig.connect(listing_page_size=2).whole_catalogue()["sku"])
    assert sorted(listed) == sorted(product["sku"] for product in PRODUCTS if "channel" not in product)


def test_two_marketplaces_share_one_figure_and_a_patch_names_those_that_list_the_sku() -> None:
    rig = Rig(marketplaces=(GB, DE))
    rig.sandbox.add_products([{"sku": "BOTH", "quantity": 1}, {"sku": "UK", "quantity": 1, "marketplaces": [GB]}, {"sku": "DE", "quantity": 1, "marketplaces": [DE]}])
    port = rig.connect()
    assert sorted(port.whole_catalogue()["sku"]) == ["BOTH", "DE", "UK"] and shown(port) == {"BOTH": 1, "DE": 1, "UK": 1}
    seen: list[str] = []
    inner = rig.overheard._inner
    rig.overheard._inner = httpx.MockTransport(lambda request: (request.method == "PATCH" and seen.append(request.url.params["marketplaceIds"])) or inner.handle_request(request))
    port.send(update({"BOTH": 4, "UK": 5, "DE": 6}))
    rig.clock.sleep(15)
    assert seen == [f"{GB},{DE}", GB, DE] and quantities(rig) == {"BOTH": 4, "UK": 5, "DE": 6}
    assert rig.connect("uk", marketplace_ids=[GB]).catalogue(["DE"]).empty


def test_the_one_location_is_the_merchants_own_channel(rig: Rig) -> None:
    port = rig.connect()
    assert port.locations().to_dict("records") == [
        {"connection": "amz", "location": "DEFAULT", "name": "Shipped by the merchant", "is_active": True, "is_external": False}]
    with pytest.raises(Refused, match="no location 'AMAZON_EU'"):
        list(port.shown_stock("AMAZON_EU"))


def test_orders_take_stock_and_cancels_give_it_back(rig: Rig) -> None:
    order = rig.sandbox.place_order([{"sku": "MUG", "quantity": 4, "price": "2.00"}])
    assert shown(rig.connect(), ["MUG"]) == {"MUG": 5}
    rig.sandbox.place_order([{"sku": "MUG", "quantity": 6, "price": "2.00"}])
    assert [(one["sku"], one["quantity"]) for one in rig.sandbox.books()["oversold"]] == [("MUG", 1)]
    rig.sandbox.cancel_order(order)
    assert shown(rig.connect(), ["MUG"]) == {"MUG": 4}


@pytest.mark.parametrize(("patch", "code"), [
    ({"op": "merge", "path": "/attributes/fulfillmentAvailability", "value": [{"fulfillmentChannelCode": "DEFAULT", "quantity": 1}]}, "90000900"),
    ({"op": "merge", "path": "/attributes/fulfillment_availability", "value": [{"quantity": 1}]}, "99022"),
    ({"op": "merge", "path": "/attributes/fulfillment_availability", "value": [{"fulfillment_channel_code": "", "quantity": 1}]}, "99022"),
    ({"op": "merge", "path": "/attributes/fulfillment_availability", "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": "1"}]}, "90117"),
    ({"op": "put", "path": "/attributes/fulfillment_availability", "value": []}, "4000001")])
def test_the_stand_in_says_invalid_to_what_amazon_says_invalid_to(rig: Rig, patch: dict, code: str) -> None:
    assert [issue["code"] for issue in problems(rig.sandbox.shelf, "MUG", [GB], [patch])] == [code]


@pytest.mark.skipif(bool(amazon_spec.MISSING), reason=amazon_spec.MISSING)
def test_every_official_case_of_listings_decodes_or_is_a_refusal() -> None:
    cases = amazon_spec.cases("getListingsItem", "searchListingsItems", "patchListingsItem")
    read = {"getListingsItem": Item, "searchListingsItems": ItemPage, "patchListingsItem": Submission}
    done = [(case["operationId"], read[case["operationId"]].model_validate(case["response"])) for case in cases if case["status"] == 200]
    assert len(cases) == 8 and len(done) == 5
    items = [Item.model_validate(row) for _, one in done if isinstance(one, ItemPage) for row in one.items] + [one for _, one in done if isinstance(one, Item)]
    assert items and all(item.summaries and item.fulfillmentAvailability[0].quantity == 100 for item in items if item.fulfillmentAvailability)
    assert {one.status: one.refusal() for _, one in done if isinstance(one, Submission)} == {
        "ACCEPTED": "", "VALID": "status VALID", "INVALID": "issue 90000900 about fake_attribute"}


@pytest.mark.skipif(bool(amazon_spec.MISSING), reason=amazon_spec.MISSING)
@pytest.mark.parametrize("case", amazon_spec.cases("getListingsItem", "searchListingsItems", "patchListingsItem"), ids=lambda case: f"{case['operationId']} {case['status']} {case['case']}")
def test_an_official_answer_through_the_client_is_what_it_says(rig: Rig, case: dict) -> None:
    """The whole way: through the transport, the client's reading of the status, and ours of the body."""
    inner = rig.overheard._inner
    answer = httpx.Response(case["status"], json=case["response"])
    rig.overheard._inner = httpx.MockTransport(lambda request: answer if "/listings/" in request.url.path else inner.handle_request(request))
    port = rig.connect()
    path = f"{ITEMS}/{in_path('GM-ZDPI-9B4E')}"
    if case["operationId"] == "patchListingsItem":
        call = lambda: port._client.write("patchListingsItem", "PATCH", path, b"{}", {"marketplaceIds": GB})  # noqa: E731
    else:
        call = lambda: port._client.read(case["operationId"], path, {"marketplaceIds": GB})  # noqa: E731
    if case["status"] == 400:
        with pytest.raises(Refused, match="HTTP 400: BAD_REQUEST"):
            call()
    else:
        assert call()


@pytest.mark.skipif(bool(amazon_spec.MISSING), reason=amazon_spec.MISSING)
def test_what_passed_was_held_against_the_models(rig: Rig) -> None:
    port = rig.connect()
    port.send(update({"MUG": 7, "Teetasse, groß": 2}))
    list(port.shown_stock("DEFAULT"))
    assert {key for key in rig.checked.seen if "Listing" in key} == {"searchListingsItems 200", "getListingsItem 200", "patchListingsItem 200"}
