"""Amazon's own Python SDK, unmodified, patches a listing and submits a feed against the stand-in on a port."""

import gzip
import json

import pytest

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, GB, REFRESH_TOKEN, SELLER, AmazonSandbox
from connectors.kit.clock import ManualClock
from connectors.kit.sandbox import serve

spapi = pytest.importorskip("spapi", reason="amzn-sp-api, Amazon's SDK, is not installed")
import requests  # noqa: E402
from spapi.api.feeds_v2021_06_30.feeds_api import FeedsApi  # noqa: E402
from spapi.api.listings_items_v2021_08_01.listings_api import ListingsApi  # noqa: E402
from spapi.client import SPAPIClient  # noqa: E402
from spapi.models.feeds_v2021_06_30.create_feed_document_specification import CreateFeedDocumentSpecification  # noqa: E402
from spapi.models.feeds_v2021_06_30.create_feed_specification import CreateFeedSpecification  # noqa: E402
from spapi.models.listings_items_v2021_08_01.listings_item_patch_request import ListingsItemPatchRequest  # noqa: E402
from spapi.models.listings_items_v2021_08_01.patch_operation import PatchOperation  # noqa: E402
from spapi.rest import ApiException  # noqa: E402

AVAILABILITY = "/attributes/fulfillment_availability"


@pytest.fixture
def world():
    """The stand-in on a port, a clock that we move, and the SDK's client."""
    clock = ManualClock()
    sandbox = AmazonSandbox(clock)
    sandbox.add_products([{"sku": "MUG", "quantity": 9, "lead_time": 3}, {"sku": "A/B c", "quantity": 1}])
    with serve(sandbox, clock) as url:
        config = spapi.SPAPIConfig(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN)
        yield sandbox, clock, SPAPIClient(config, oauth_endpoint=f"{url}/auth/o2/token", endpoint=url).api_client


def _figure(quantity, **more):
    return [{"fulfillment_channel_code": "DEFAULT", "quantity": quantity, **more}]


def test_the_official_sdk_patches_a_listing_and_reads_it_back(world):
    sandbox, clock, client = world
    listings = ListingsApi(client)
    patch = ListingsItemPatchRequest(product_type="HOME", patches=[PatchOperation(op="merge", path=AVAILABILITY, value=_figure(4))])
    for sku in ("MUG", "A/B c"):
        assert listings.patch_listings_item(SELLER, sku, [GB], patch).status == "ACCEPTED"
    clock.sleep(60)
    found = listings.search_listings_items(SELLER, [GB], identifiers=["MUG", "A/B c"], identifiers_type="SKU", included_data=["summaries", "fulfillmentAvailability"])
    assert {item.sku: item.fulfillment_availability[0].quantity for item in found.items} == {"MUG": 4, "A/B c": 4}
    assert listings.get_listings_item(SELLER, "A/B c", [GB], included_data=["attributes"]).attributes["fulfillment_availability"][0]["quantity"] == 4
    assert sandbox.books()["stock"]["MUG"]["DEFAULT"]["lead_time_to_ship_max_days"] == 3
    wrong = ListingsItemPatchRequest(product_type="HOME", patches=[PatchOperation(op="merge", path="/attributes/fulfillmentAvailability", value=_figure(4))])
    assert [issue.code for issue in listings.patch_listings_item(SELLER, "MUG", [GB], wrong).issues] == ["90000900"]
    with pytest.raises(ApiException) as raised:
        listings.get_listings_item(SELLER, "NOPE", [GB])
    assert raised.value.status == 404


def test_the_official_sdk_submits_a_feed_and_reads_its_report(world):
    sandbox, clock, client = world
    feeds, kind = FeedsApi(client), "application/json; charset=UTF-8"
    document = feeds.create_feed_document(CreateFeedDocumentSpecification(content_type=kind))
    body = {"header": {"sellerId": SELLER, "version": "2.0"}, "messages": [
        {"messageId": n, "sku": sku, "operationType": "PATCH", "productType": "HOME", "patches": [{"op": "merge", "path": AVAILABILITY, "value": _figure(n)}]}
        for n, sku in enumerate(("MUG", "NOPE", "A/B c"), 1)]}
    assert requests.put(document.url, data=json.dumps(body).encode(), headers={"Content-Type": kind}, timeout=10).status_code == 200
    made = feeds.create_feed(CreateFeedSpecification(feed_type="JSON_LISTINGS_FEED", marketplace_ids=[GB], input_feed_document_id=document.feed_document_id))
    statuses = []
    for _ in range(4):
        statuses.append(feeds.get_feed(made.feed_id).processing_status)
        clock.sleep(10)
    assert statuses == ["IN_QUEUE", "IN_PROGRESS", "IN_PROGRESS", "DONE"]
    result = feeds.get_feed_document(feeds.get_feed(made.feed_id).result_feed_document_id)
    report = json.loads(gzip.decompress(requests.get(result.url, timeout=10).content))
    assert [(issue["messageId"], issue["sku"]) for issue in report["issues"]] == [(2, "NOPE")] and report["summary"]["messagesAccepted"] == 2
    assert [one.feed_id for one in feeds.get_feeds(feed_types=["JSON_LISTINGS_FEED"], processing_statuses=["DONE"]).feeds] == [made.feed_id]
    assert {sku: one["DEFAULT"]["quantity"] for sku, one in sandbox.books()["stock"].items()} == {"MUG": 1, "A/B c": 3}
