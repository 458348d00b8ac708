"""JSON_LISTINGS_FEED: many figures in one submission, read message by message, and never sent blindly a second time."""

import gzip
import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft7Validator

from connectors.amazon.feeds import Feeds
from connectors.amazon.sandbox import GB, SELLER
from connectors.amazon.wire_feeds import Created, Document, Feed, FeedPage, Report, Uploadable
from connectors.kit import sandbox as faults
from connectors.kit.buckets import Rate
from connectors.kit.errors import BadDocument, InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.ports import Effect, Receipt
from tests.connectors import amazon_spec
from tests.connectors.amazon_rig import DE, Rig
from tests.connectors.amazon_stock import many, quantities, schema, sent_bodies, stocked, update

DOCUMENTS, FEEDS = "/feeds/2021-06-30/documents", "/feeds/2021-06-30/feeds"
CREATE = f"POST {FEEDS}"
BULK = {"patch_items_max": 2}
WITH_SPECS = pytest.mark.skipif(bool(amazon_spec.MISSING), reason=amazon_spec.MISSING)


@pytest.fixture
def rig() -> Rig:
    return stocked()


def in_flight(rig: Rig, figures: dict[str, int], **effect: Any) -> Effect:
    return update(figures, sent_at=rig.clock.now(), attempt=1, **effect)


def delivered(rig: Rig, port: Any, effect: Effect, rounds: int = 6) -> Receipt:
    """What the ledger does with it: doubts wait and are read back, and only what is absent is sent again."""
    for attempt in range(1, rounds):
        error: WharfingerError
        effect = Effect(**vars(effect) | {"attempt": attempt, "sent_at": rig.clock.now()})
        try:
            return port.send(effect)
        except (InDoubt, NotNow, NotAllowed) as raised:
            error = raised
        while isinstance(error, InDoubt):
            effect = Effect(**vars(effect) | {"evidence": error.evidence or effect.evidence})
            rig.clock.sleep(port.quiet_seconds if error.wait_seconds is None else error.wait_seconds)
            try:
                found = port.find(effect)
                if found:
                    return found
                break
            except InDoubt as again:
                error = again
            except (NotNow, NotAllowed):
                rig.clock.sleep(60)
        else:
            rig.clock.sleep(error.wait_seconds or 30)
    raise AssertionError("it was never told")


def feeds(rig: Rig) -> list[dict[str, Any]]:
    return rig.sandbox.books()["feeds"]


def test_many_figures_go_as_one_feed_and_its_report_says_that_all_were_taken(rig: Rig) -> None:
    figures = many(rig, 60)
    receipt = rig.connect().send(in_flight(rig, figures))
    (feed,) = feeds(rig)
    assert receipt.evidence == {"told": 60, "feeds": {feed["feed_id"]: 60}} and receipt.remote_id == f"60 SKUs by feed {feed['feed_id']}"
    assert figures.items() <= quantities(rig).items()
    assert [call for call in rig.calls if call.startswith("P") and "auth" not in call] == [f"POST {DOCUMENTS}", "PUT /documents/feeds/00000001", CREATE]


def test_every_message_is_one_merge_of_the_merchants_own_channel(rig: Rig) -> None:
    rig.connect(**BULK).send(in_flight(rig, {"MUG": 7, "..": 1, "A/B c%20": 2}))
    assert sent_bodies(rig) == [{"op": "merge", "path": "/attributes/fulfillment_availability", "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": n}]}
                                for n in (7, 1, 2)]
    assert rig.sandbox.books()["stock"]["MUG"]["DEFAULT"] == {"quantity": 7, "lead_time_to_ship_max_days": 3, "restock_date": "2026-02-01"}
    assert [(one["messageId"], one["sku"], one["productType"]) for one in feeds(rig)[0]["messages"]] == [(1, "MUG", "DRINKWARE"), (2, "..", "HOME"), (3, "A/B c%20", "HOME")]


@WITH_SPECS
def test_the_document_and_the_report_are_what_the_official_schemas_say(rig: Rig) -> None:
    rig.sandbox.shelf.refused[".."] = ("18748", "No.", ("fulfillment_availability",))
    port, effect = rig.connect(**BULK), in_flight(rig, {"MUG": 7, "..": 1, "A/B c%20": 2})
    port.send(effect)
    (feed,) = feeds(rig)
    document = {"header": {"sellerId": SELLER, "version": "2.0"}, "messages": feed["messages"]}
    Draft7Validator(schema("listings-feed-schema-v2")).validate(document)
    Draft7Validator(schema("listings-feed-schema-v2")).validate(json.loads(port.prepare(effect)))
    for message in feed["messages"]:
        Draft7Validator(schema("listings-feed-message-schema-v2")).validate(message)
    Draft7Validator(schema("listings-feed-processing-report-schema-v2")).validate(feed["report"])


@WITH_SPECS
def test_the_official_report_is_read_message_by_message() -> None:
    report = Report.model_validate(schema("listings-feed-processing-report-schema-v2.example"))
    assert {(issue.messageId, issue.sku, issue.code) for issue in report.issues if issue.is_error} == {
        (4, "My-SKU-B", "90220"), (5, "My-SKU-C", "99022")} and report.summary.messagesInvalid == 2


def test_messages_that_were_not_taken_are_named_and_the_others_stand(rig: Rig) -> None:
    figures = many(rig, 9)
    rig.sandbox.shelf.refused |= {sku: ("18748", "Ada Lovelace must approve.", ("fulfillment_availability",)) for sku in ("S0002", "S0007")}
    receipt = rig.connect(**BULK).send(in_flight(rig, figures | {"FBA-1": 3, "NOPE": 1}))
    feed = feeds(rig)[0]["feed_id"]
    said = f"feed {feed}: issue 18748 about fulfillment_availability"
    assert receipt.evidence["refused"] == {"S0002": said, "S0007": said, "FBA-1": receipt.evidence["refused"]["FBA-1"], "NOPE": receipt.evidence["refused"]["NOPE"]}
    assert receipt.evidence["told"] == 7 and quantities(rig)["S0003"] == 4 and quantities(rig)["S0002"] == 0
    assert rig.sandbox.books()["stock"]["FBA-1"] == {"AMAZON_EU": {}}


def test_a_feed_that_takes_its_time_is_asked_about_by_its_number_and_never_made_again(rig: Rig) -> None:
    rig = Rig(feed_queue_seconds=900, feed_seconds=300)
    figures = many(rig, 9)
    rig.sandbox.shelf.refused["S0004"] = ("18748", "No.", ())
    port, effect = rig.connect(**BULK), in_flight(rig, figures)
    with pytest.raises(InDoubt, match="IN_QUEUE") as raised:
        port.send(effect)
    assert raised.value.wait_seconds == 15 and list(raised.value.evidence["feeds"].values()) == [9]
    later = Effect(**vars(effect) | {"evidence": raised.value.evidence})
    with pytest.raises(InDoubt, match="IN_QUEUE"):
        port.find(later)
    rig.clock.sleep(1200)
    receipt = port.find(later)
    assert receipt and set(receipt.evidence["refused"]) == {"S0004"} and len(feeds(rig)) == 1


def test_what_was_refused_before_the_feed_was_made_is_still_named_when_it_is_over() -> None:
    rig = Rig(feed_queue_seconds=900)
    figures = many(rig, 5)
    rig.sandbox.add_products([{"sku": "FBA-1", "channel": "AMAZON_EU"}])
    receipt = delivered(rig, rig.connect(**BULK), in_flight(rig, figures | {"FBA-1": 3}))
    assert set(receipt.evidence["refused"]) == {"FBA-1"} and receipt.evidence["told"] == 5 and len(feeds(rig)) == 1


def test_while_a_feed_of_unknown_number_is_under_way_nothing_is_decided() -> None:
    """The worker died after createFeed: its successor knows no number. Sent again now, the older feed could come last and win."""
    rig = Rig(feed_queue_seconds=900, feed_seconds=60)
    figures = many(rig, 9)
    port, effect = rig.connect(**BULK), in_flight(rig, figures)
    rig.sandbox.faults.add(faults.TIMEOUT_AFTER, on=CREATE, times=1)
    with pytest.raises(InDoubt) as raised:
        port.send(effect)
    assert raised.value.evidence == {}
    rig.clock.sleep(port.quiet_seconds)
    with pytest.raises(InDoubt, match="IN_QUEUE"):
        port.find(effect)
    rig.clock.sleep(900)
    assert port.find(effect) and len(feeds(rig)) == 1 and figures.items() <= quantities(rig).items()


@pytest.mark.parametrize("fault", [faults.CONNECT_REFUSED, faults.TIMEOUT_BEFORE, faults.TIMEOUT_AFTER, faults.LATE_COMMIT, faults.THROTTLED, faults.ERROR_BEFORE,
                                   faults.ERROR_AFTER, faults.GARBLED, faults.TOKEN_EXPIRED, faults.DELIVERED_TWICE])
@pytest.mark.parametrize("call", [f"POST {DOCUMENTS}", "PUT /documents/*", CREATE, f"GET {FEEDS}/*", f"GET {DOCUMENTS}/*", "GET /documents/*", f"GET {FEEDS}", "GET /listings/*"])
def test_every_call_of_a_feed_struck_by_every_fault_ends_with_the_right_figures(rig: Rig, call: str, fault: str) -> None:
    figures = many(rig, 9)
    rig.sandbox.shelf.refused["S0004"] = ("18748", "No.", ())
    port = rig.connect(**BULK)
    rig.sandbox.faults.add(fault, on=call, times=5)
    receipt = delivered(rig, port, in_flight(rig, figures), rounds=10)
    assert receipt.remote_id and {sku: n for sku, n in quantities(rig).items() if sku in figures} == figures | {"S0004": 0}
    assert set(receipt.evidence["refused"]) == {"S0004"}
    assert len(feeds(rig)) <= (10 if call == CREATE else 1), "only a doubt about createFeed itself can make a second feed"


def test_a_feed_that_a_proxy_delivered_twice_is_waited_for_as_well() -> None:
    """F11: the second feed was still in the queue when a newer figure was patched, and brought the older one back."""
    rig = Rig(feed_queue_seconds=40, feed_seconds=40)
    figures = many(rig, 9)
    port = rig.connect(**BULK)
    rig.sandbox.faults.add(faults.DELIVERED_TWICE, on=CREATE, times=1)
    delivered(rig, port, in_flight(rig, figures))
    assert [feed["status"] for feed in feeds(rig)] == ["DONE", "DONE"]
    port.send(update({"S0001": 77}))
    rig.clock.sleep(600)
    assert quantities(rig)["S0001"] == 77


@pytest.mark.parametrize("ending", ["FATAL", "CANCELLED"])
def test_a_feed_that_was_broken_off_is_read_back_and_sent_again(rig: Rig, ending: str) -> None:
    figures = many(rig, 9)
    rig.sandbox.feeds.cut_short.append(ending)
    port = rig.connect(**BULK)
    with pytest.raises(InDoubt, match=f"ended {ending}"):
        port.send(in_flight(rig, figures))
    delivered(rig, port, in_flight(rig, figures))
    assert figures.items() <= quantities(rig).items() and [feed["status"] for feed in feeds(rig)] == [ending, "DONE"]


def test_what_is_broken_off_again_and_again_is_refused_so_that_smaller_groups_come(rig: Rig) -> None:
    figures = many(rig, 9)
    rig.sandbox.feeds.cut_short += ["FATAL"] * 9
    with pytest.raises(Refused, match="sent as a feed 3 times and broken off"):
        delivered(rig, rig.connect(**BULK), in_flight(rig, figures), rounds=9)
    assert len(feeds(rig)) == 3


def test_a_report_that_does_not_account_for_every_message_is_not_believed(rig: Rig) -> None:
    figures = many(rig, 9)
    port, inner = rig.connect(**BULK), rig.overheard._inner

    def short(request: httpx.Request) -> httpx.Response:
        answer = inner.handle_request(request)
        if request.method == "GET" and request.url.path.startswith("/documents/feeds/"):
            report = json.loads(gzip.decompress(answer.content))
            report["summary"]["messagesAccepted"] -= 1
            return httpx.Response(200, content=gzip.compress(json.dumps(report).encode()))
        return answer
    rig.overheard._inner = httpx.MockTransport(short)
    with pytest.raises(InDoubt, match="took 8 of 9 messages, and names 0"):
        port.send(in_flight(rig, figures))


def test_a_report_of_another_feed_or_none_at_all_is_a_doubt_with_the_feeds_number(rig: Rig) -> None:
    figures = many(rig, 9)
    port, inner = rig.connect(**BULK), rig.overheard._inner
    rig.sandbox.feeds.is_packed = False
    rig.overheard._inner = httpx.MockTransport(lambda request: httpx.Response(200, content=b"not JSON") if request.method == "GET" and
                                               request.url.path.startswith("/documents/feeds/") else inner.handle_request(request))
    with pytest.raises(InDoubt, match="it is not JSON") as raised:
        port.send(in_flight(rig, figures))
    assert raised.value.evidence["feeds"]


def test_nothing_is_submitted_when_the_claim_has_run_out(rig: Rig) -> None:
    with pytest.raises(NotNow, match="longer than the claim"):
        rig.connect(**BULK).send(in_flight(rig, many(rig, 9), lease_until=rig.clock.now()))
    assert feeds(rig) == []


def test_a_send_waits_for_its_feed_no_longer_than_its_claim_lasts() -> None:
    rig = Rig(feed_queue_seconds=900)
    figures, began = many(rig, 9), rig.clock.now()
    with pytest.raises(InDoubt):
        rig.connect(**BULK, feed_wait_seconds=600).send(in_flight(rig, figures, lease_until=began.replace(minute=2)))
    assert 60 <= (rig.clock.now() - began).total_seconds() < 120


def test_a_presigned_address_lives_five_minutes_and_takes_one_method(rig: Rig) -> None:
    rig.connect(**BULK).send(in_flight(rig, many(rig, 9)))
    for method, key in (("GET", "00000001"), ("PUT", "00000002")):
        assert rig.sandbox.handle(httpx.Request(method, f"http://amazon/documents/feeds/{key}")).status_code == 403
    assert rig.sandbox.handle(httpx.Request("GET", "http://amazon/documents/feeds/00000002")).status_code == 200
    rig.clock.sleep(300)
    assert rig.sandbox.handle(httpx.Request("GET", "http://amazon/documents/feeds/00000002")).status_code == 403


def test_each_set_of_marketplaces_has_a_feed_of_its_own() -> None:
    rig = Rig(marketplaces=(GB, DE))
    both, uk = many(rig, 4), {f"U{n}": n + 1 for n in range(3)}
    rig.sandbox.add_products({"sku": sku, "marketplaces": [GB]} for sku in uk)
    receipt = rig.connect(**BULK).send(in_flight(rig, both | uk))
    assert sorted(receipt.evidence["feeds"].values()) == [3, 4] and (both | uk).items() <= quantities(rig).items()
    assert [one["places"] for one in rig.sandbox.feeds.feeds.values()] == [[GB, DE], [GB]]


def test_a_backlog_of_feeds_keeps_to_five_in_five_minutes_and_loses_none_to_a_429() -> None:
    rig = Rig(feed_queue_seconds=1, feed_seconds=1)
    figures = many(rig, 3)
    port = rig.connect(**BULK, feed_poll_seconds=1, rates={"getFeeds": (5, 10), "getFeedDocument": (5, 10)})
    rig.sandbox._meters["getFeeds"].rate = rig.sandbox._meters["getFeedDocument"].rate = Rate(5, 10)
    began = rig.clock.now()
    for n in range(1, 16):
        delivered(rig, port, in_flight(rig, {sku: n for sku in figures}))
    spent = (rig.clock.now() - began).total_seconds()
    assert rig.sandbox.books()["refused_429"] == 0 and len(feeds(rig)) == 15
    assert spent <= (15 - 5) * 60 / 0.95, "at least 95 % of what is permitted"


def test_nobody_elses_place_is_uploaded_to(rig: Rig) -> None:
    port, inner = rig.connect(**BULK), rig.overheard._inner
    elsewhere = {"feedDocumentId": "d1", "url": "https://files.example.net/put?key=secret-key"}
    rig.overheard._inner = httpx.MockTransport(lambda request: httpx.Response(201, json=elsewhere) if request.url.path == DOCUMENTS else inner.handle_request(request))
    with pytest.raises(NotAllowed, match=r"files\.example\.net") as raised:
        port.send(in_flight(rig, many(rig, 9)))
    assert "secret-key" not in str(raised.value)


def test_a_list_of_feeds_that_never_ends_comes_to_an_end(rig: Rig) -> None:
    port, inner = rig.connect(**BULK, rates={"getFeeds": (1000, 1000)}), rig.overheard._inner
    rig.overheard._inner = httpx.MockTransport(lambda request: httpx.Response(200, json={"feeds": [], "nextToken": "again"}) if request.url.path == FEEDS
                                               else inner.handle_request(request))
    assert isinstance(port._stock._feeds, Feeds)
    with pytest.raises(BadDocument, match="no end"):
        port._stock._feeds.none_pending(rig.clock.now())


@WITH_SPECS
def test_every_official_case_of_feeds_decodes() -> None:
    read = {"getFeeds": FeedPage, "createFeed": Created, "getFeed": Feed, "createFeedDocument": Uploadable, "getFeedDocument": Document}
    cases = amazon_spec.cases(*read)
    done = [read[case["operationId"]].model_validate(case["response"]) for case in cases if case["status"] < 300]
    assert len(cases) == 10 and len(done) == 5
    assert [Feed.model_validate(row).processingStatus for page in done if isinstance(page, FeedPage) for row in page.feeds]
    assert {case["status"] for case in cases if case["status"] >= 300} == {400}


@WITH_SPECS
def test_what_passed_was_held_against_the_models(rig: Rig) -> None:
    rig.connect(**BULK).send(in_flight(rig, many(rig, 9)))
    assert {key for key in rig.checked.seen if "Feed" in key} == {"createFeedDocument 201", "createFeed 202", "getFeed 200", "getFeedDocument 200", "getFeeds 200"}
