"""Amazon's reports: listed by token alone, waited for, fetched through links that live five minutes; statements and returns among them."""

import gzip
import json
from datetime import timedelta

import httpx
import pytest

from connectors.amazon.finances import payment_row
from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from connectors.amazon.sandbox_settlement import FORMS, written
from connectors.amazon.wire_finances import Transaction, TransactionsPage
from connectors.amazon.wire_reports import RETURNS, V1_SETTLEMENT, V2_SETTLEMENT, Report, ReportDocument, ReportMade, ReportsPage
from connectors.kit import sandbox as faults
from connectors.kit.errors import BadDocument, NotAllowed, NotNow, Refused, WharfingerError
from connectors.kit.http import parse
from connectors.ports import AuthorisesReturns, Settles, Window
from contracts.returns import AuthorisedReturns
from tests.connectors import amazon_spec
from tests.connectors.amazon_money_rig import DE, GB, Rig

DAY = 86_400


@pytest.fixture
def rig() -> Rig:
    return Rig()


def statements(rig: Rig, count: int, days: float = 14) -> list[str]:
    """So many statements, and their settlement ids."""
    found = []
    for _ in range(count):
        rig.sandbox.money.charge(GB, -100)
        rig.clock.sleep(days * DAY)
        found.append(rig.sandbox.close_settlement().settlement_id)
    return found


def ids(documents: list) -> list[str]:
    return [one.body.decode("cp1252").splitlines()[1].split("\t")[0] for one in documents]


def test_every_statement_is_listed_oldest_first_over_pages_that_only_a_token_names(rig: Rig) -> None:
    port = rig.connect()
    assert isinstance(port, Settles) and isinstance(port, AuthorisesReturns)
    made = statements(rig, 12, days=5)
    found = list(port.settlement_documents(rig.window()))
    assert ids(found) == made == ids(list(port.settlement_documents(rig.window()))), "and the same again"
    assert [one.made_at for one in found] == sorted(one.made_at for one in found) and {one.kind for one in found} == {V2_SETTLEMENT}
    pages = [call for call in rig.overheard.requests if call.url.path.endswith("/reports")]
    assert [sorted(one.url.params) for one in pages[:3]] == [["createdSince", "pageSize", "reportTypes"], ["nextToken"], ["nextToken"]]


def test_a_window_holds_its_beginning_and_not_its_end(rig: Rig) -> None:
    first, second, _ = statements(rig, 3)
    made = [one.made_at for one in rig.connect().settlement_documents(rig.window())]
    assert ids(list(rig.connect().settlement_documents(Window(made[0], made[2])))) == [first, second]


def test_what_is_older_than_ninety_days_is_gone_and_is_not_asked_for(rig: Rig) -> None:
    made = statements(rig, 8, days=14)
    found = ids(list(rig.connect().settlement_documents(Window(rig.began, rig.clock.now() + timedelta(hours=1)))))
    assert found == made[1:], "112 days ago is beyond what they keep"
    since = next(one.url.params["createdSince"] for one in rig.overheard.requests if "createdSince" in one.url.params)
    assert since > (rig.clock.now() - timedelta(days=90)).isoformat()


def test_a_statement_under_another_report_id_comes_again_only_as_another_document(rig: Rig) -> None:
    settlement, = statements(rig, 1)
    report = rig.sandbox.books()["reports"][0]["reportId"]
    rig.sandbox.reports.publish_again(report, is_same_document=True)
    assert ids(list(rig.connect().settlement_documents(rig.window()))) == [settlement]
    rig.sandbox.reports.publish_again(report)
    found = list(rig.connect().settlement_documents(rig.window()))
    assert ids(found) == [settlement, settlement] and len({one.name for one in found}) == 2, "the house knows it by its settlement id"


def test_statements_of_every_marketplace_come_whatever_is_asked_for(rig: Rig) -> None:
    rig = Rig((GB, DE))
    for place in (GB, DE):
        rig.sandbox.money.charge(place, -100)
        rig.sandbox.close_settlement(place)
    assert len(list(rig.connect(marketplace_ids=(GB,)).settlement_documents(rig.window()))) == 2


def test_older_kinds_of_statement_are_read_while_they_last(rig: Rig) -> None:
    now = rig.clock.now()
    rig.sandbox.reports.publish(V1_SETTLEMENT, b"settlement-id\n7\n", now, now, [GB])
    assert [one.kind for one in rig.connect().settlement_documents(rig.window())] == [V1_SETTLEMENT]
    rig.sandbox.reports.gone = (V1_SETTLEMENT,)
    statements(rig, 1)
    port = rig.connect()
    assert [one.kind for one in port.settlement_documents(rig.window())] == [V2_SETTLEMENT] == [one.kind for one in port.settlement_documents(rig.window())]
    assert sum("FLAT_FILE,GET" in str(one.url) or "%2CGET" in str(one.url) for one in rig.overheard.requests) == 2, "once it is gone it is not asked for again"


def test_a_statement_that_is_still_being_made_or_failed_stops_the_watermark_and_no_other_statement(rig: Rig) -> None:
    now = rig.clock.now()
    rig.sandbox.reports.publish(V2_SETTLEMENT, b"", now, now, [GB], outcome="IN_PROGRESS")
    rig.clock.sleep(60)
    made = statements(rig, 2)
    found: list = []
    with pytest.raises(NotNow, match="50001000001 is still being made"):
        found.extend(rig.connect().settlement_documents(rig.window()))
    assert ids(found) == made
    rig.sandbox.reports.publish(V2_SETTLEMENT, b"", now, now, [GB], outcome="FATAL")
    with pytest.raises(BadDocument, match="could not make"):
        list(rig.connect().settlement_documents(rig.window()))


def test_no_statement_at_all_is_no_statement_and_its_age_is_what_tells_silence(rig: Rig) -> None:
    port = rig.connect()
    assert list(port.settlement_documents(rig.window())) == [] and port.statements_silent_after_seconds == 21 * DAY
    statements(rig, 1)
    newest = [one.made_at for one in port.settlement_documents(rig.window())][-1]
    rig.clock.sleep(22 * DAY)
    assert (rig.clock.now() - newest).total_seconds() > port.statements_silent_after_seconds


def test_the_clock_makes_a_statement_every_fortnight_also_over_nothing(rig: Rig) -> None:
    rig.sell()
    for _ in range(44):
        rig.clock.sleep(DAY)
        rig.sandbox.step()
    found = list(rig.connect().settlement_documents(rig.window()))
    assert len(found) == 3 and len(set(ids(found))) == 3


def test_a_link_that_has_expired_is_asked_for_anew_and_not_for_ever(rig: Rig) -> None:
    statements(rig, 1)
    slow = iter([301, 0, 301, 301, 301])
    port = rig.connect()
    inner = rig.overheard.inner

    def dawdling(request: httpx.Request) -> httpx.Response:
        if "documents/reports" in request.url.path:
            rig.clock.sleep(next(slow))
        return inner.handle_request(request)

    rig.overheard.inner = httpx.MockTransport(dawdling)
    assert len(list(port.settlement_documents(rig.window()))) == 1 and rig.sandbox.reports.links_given == 2
    with pytest.raises(NotNow, match="new link"):
        list(port.settlement_documents(rig.window()))
    assert rig.sandbox.reports.links_given == 5


def test_a_link_to_a_host_that_is_not_allowed_is_refused_and_told(rig: Rig) -> None:
    statements(rig, 1)
    inner = rig.overheard.inner

    def evil(request: httpx.Request) -> httpx.Response:
        response = inner.handle_request(request)
        if "/2021-06-30/documents/" not in request.url.path:
            return response
        return httpx.Response(200, json={"reportDocumentId": "x", "url": "http://169.254.169.254/latest"})

    rig.overheard.inner = httpx.MockTransport(evil)
    with pytest.raises(NotAllowed, match="document_hosts|not https"):
        list(rig.connect().settlement_documents(rig.window()))
    assert not [call for call in rig.calls if "latest" in call]


def test_no_token_of_ours_goes_with_a_link(rig: Rig) -> None:
    statements(rig, 1)
    list(rig.connect().settlement_documents(rig.window()))
    fetched = [one for one in rig.overheard.requests if "documents/reports" in one.url.path]
    assert len(fetched) == 1 and "x-amz-access-token" not in fetched[0].headers


def test_unpacked_documents_come_as_they_are(rig: Rig) -> None:
    statements(rig, 1)
    packed = [one.body for one in rig.connect().settlement_documents(rig.window())]
    rig.sandbox.reports.is_packed = False
    assert [one.body for one in rig.connect().settlement_documents(rig.window())] == packed and packed[0].startswith(b"settlement-id\t")


@pytest.mark.parametrize("fault", [faults.CONNECT_REFUSED, faults.TIMEOUT_BEFORE, faults.TIMEOUT_AFTER, faults.ERROR_BEFORE, faults.ERROR_AFTER, faults.GARBLED,
                                   faults.THROTTLED, faults.TOKEN_EXPIRED])
@pytest.mark.parametrize("call", ["GET */reports", "GET */2021-06-30/documents/*", "GET /documents/reports/*"])
@pytest.mark.parametrize("is_packed", [True, False], ids=["packed", "plain"])
def test_a_stumble_costs_no_statement(rig: Rig, fault: str, call: str, is_packed: bool) -> None:
    made = statements(rig, 3)
    rig.sandbox.reports.is_packed = is_packed
    rig.sandbox.faults.add(fault, call, times=1)
    port, found = rig.connect(), []
    for _ in range(3):
        try:
            found = list(port.settlement_documents(rig.window()))
            break
        except WharfingerError:
            continue
    assert rig.sandbox.faults.struck[fault] == 1
    assert ids(found) == made


def test_a_settlement_cannot_be_asked_for(rig: Rig) -> None:
    port = rig.connect()
    rig.clock.sleep(DAY)
    with pytest.raises(Refused):
        port._reports.ask(V2_SETTLEMENT, (GB,), rig.began, rig.clock.now())


def test_returns_are_asked_for_waited_for_and_read_without_anything_personal(rig: Rig) -> None:
    rig.clock.sleep(3 * DAY)
    rig.sandbox.reports.returns.send_back("026-1", "MUG-1", 2, refunded_minor=1999, **{"Item Name": "Zzcanary", "Tracking ID": "T9", "SafeT claim id": "S1",
                                          "SafeT claim state": "Granted", "SafeT claim reimbursement amount": "5.50", "Return delivery date": "20-Jan-2026"})
    rig.clock.sleep(60)
    frame, unreadable = rig.connect().authorised_returns(rig.window())
    sound, unsound = AuthorisedReturns.split(frame)
    assert len(sound) == 1 and unsound.empty and unreadable == []
    row = sound.iloc[0]
    assert (row.order_id, row.sku, row.quantity, row.refunded_minor, row.reimbursed_minor, row.currency) == ("026-1", "MUG-1", 2, 1999, 550, "GBP")
    assert (row.claim_id, row.tracking_number, row.is_claimed, str(row.delivered_at.date())) == ("S1", "T9", False, "2026-01-20")
    assert "Zzcanary" not in frame.to_csv()
    assert [call.split()[0] for call in rig.calls if call.endswith("/reports")] == ["GET", "POST"] and rig.calls.count("GET /reports/2021-06-30/reports/50001000001") > 1


def test_no_returns_are_a_cancelled_report_and_an_empty_frame(rig: Rig) -> None:
    rig.clock.sleep(DAY)
    frame, unreadable = rig.connect().authorised_returns(rig.window())
    assert frame.empty and list(frame.columns) == AuthorisedReturns.columns() and unreadable == []
    assert rig.sandbox.books()["reports"][0]["processingStatus"] == "CANCELLED"


def test_a_report_that_takes_longer_is_taken_up_by_the_next_run(rig: Rig) -> None:
    rig.clock.sleep(DAY)
    rig.sandbox.reports.returns.send_back("026-1", "MUG-1")
    rig.clock.sleep(60)
    window = Window(rig.began, rig.clock.now())
    port = rig.connect(report_wait_seconds=20)
    with pytest.raises(NotNow, match="IN_"):
        port.authorised_returns(window)
    rig.clock.sleep(120)
    frame, _ = port.authorised_returns(window)
    assert len(frame) == 1 and len(rig.sandbox.books()["reports"]) == 1


def test_a_report_that_failed_is_told_and_asked_for_again_by_the_next_run(rig: Rig) -> None:
    rig.clock.sleep(DAY)
    rig.sandbox.reports.returns.send_back("026-1", "MUG-1")
    rig.sandbox.reports.fail_next_report()
    rig.clock.sleep(60)
    with pytest.raises(Refused, match="FATAL"):
        rig.connect().authorised_returns(rig.window())
    assert len(rig.connect().authorised_returns(rig.window())[0]) == 1


def test_a_longer_period_is_read_in_pieces_of_sixty_days_and_a_return_comes_once(rig: Rig) -> None:
    for day in range(5):
        rig.sandbox.reports.returns.send_back(f"026-{day}", "MUG-1")
        rig.clock.sleep(30 * DAY)
    frame, _ = rig.connect().authorised_returns(Window(rig.began, rig.clock.now()))
    assert sorted(frame["order_id"]) == [f"026-{day}" for day in range(5)]
    assert sum(one["reportType"] == RETURNS for one in rig.sandbox.books()["reports"]) == 3


def test_a_row_that_cannot_be_read_is_told_with_its_column_and_the_others_are_read(rig: Rig) -> None:
    rig.clock.sleep(DAY)
    back = rig.sandbox.reports.returns.send_back
    back("026-1", "MUG-1")
    back("026-2", "MUG-1", **{"Return quantity": "two"})
    back("026-3", "MUG-1", **{"Return request date": "yesterday"})
    back("026-4", "MUG-1", **{"Refunded Amount": "1,250"})
    back("", "MUG-1")
    back("026-1", "MUG-1", **{"Amazon RMA ID": "D00000001RRMA"})
    rig.clock.sleep(60)
    frame, unreadable = rig.connect().authorised_returns(rig.window())
    assert frame["order_id"].tolist() == ["026-1"]
    assert [one["why"] for one in unreadable] == ["Return quantity is no number of units", "Return request date is no date", "Refunded Amount is no amount", "no Order ID",
                                                      "the same return, order and SKU a second time in one file"]


def test_the_official_sdk_lists_and_downloads_a_statement_and_the_returns(rig: Rig) -> None:
    """Unmodified, over a port, as Amazon's own guide does it: list, document, link, unpack; ask, wait, fetch."""
    spapi = pytest.importorskip("spapi", reason="the official SDK is among the developers' packages")
    order = rig.sell()
    rig.clock.sleep(DAY)
    statement = rig.sandbox.close_settlement()
    rig.sandbox.reports.returns.send_back(order, "MUG-1")
    rig.clock.sleep(60)
    with faults.serve(rig.sandbox, rig.clock) as root:
        config = spapi.SPAPIConfig(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN)
        client = spapi.SPAPIClient(config, oauth_endpoint=f"{root}/auth/o2/token", endpoint=root)
        reports, finances = spapi.ReportsApi(client.api_client), spapi.FinancesV2024Api(client.api_client)
        listed = reports.get_reports(report_types=[V2_SETTLEMENT], processing_statuses=["DONE"], page_size=5)
        body = fetched(reports.get_report_document(listed.reports[0].report_document_id))
        assert len(listed.reports) == 1 and body == written(statement, FORMS["GB"]) and listed.next_token is None
        asked = reports.create_report({"reportType": RETURNS, "marketplaceIds": [GB], "dataStartTime": "2026-01-15T00:00:00Z", "dataEndTime": "2026-01-16T09:03:00Z"})
        assert reports.get_report(asked.report_id).processing_status == "IN_QUEUE"
        rig.clock.sleep(60)
        made = reports.get_report(asked.report_id)
        assert made.processing_status == "DONE" and order in fetched(reports.get_report_document(made.report_document_id)).decode()
        told = finances.list_transactions(posted_after="2026-01-15T00:00:00Z").payload
        while not told.transactions:
            told = finances.list_transactions(posted_after="2026-01-15T00:00:00Z", next_token=told.next_token).payload
        assert told.transactions[0].transaction_type == "Shipment"
        with pytest.raises(spapi.ApiException, match="400"):
            reports.create_report({"reportType": V2_SETTLEMENT, "marketplaceIds": [GB]})


def fetched(document: object) -> bytes:
    """What is behind a link, as anybody would fetch it."""
    body = httpx.get(document.url, trust_env=False).content
    return gzip.decompress(body) if document.compression_algorithm == "GZIP" else body


@pytest.mark.skipif(bool(amazon_spec.MISSING), reason=amazon_spec.MISSING or "there")
@pytest.mark.parametrize("case", [] if amazon_spec.MISSING else amazon_spec.cases("getReports", "createReport", "getReport", "getReportDocument", "listTransactions"),
                         ids=lambda case: f"{case['operationId']} {case['status']}")
def test_every_official_case_of_these_operations_decodes(rig: Rig, case: dict) -> None:
    body = json.dumps(case["response"]).encode()
    if case["status"] < 300:
        model = {"getReports": ReportsPage, "createReport": ReportMade, "getReport": Report, "getReportDocument": ReportDocument, "listTransactions": TransactionsPage}
        assert model[case["operationId"]].model_validate(parse(body))
        return
    inner = rig.overheard.inner
    rig.overheard.inner = httpx.MockTransport(lambda request: httpx.Response(case["status"], content=body) if "auth" not in request.url.path else
                                               inner.handle_request(request))
    with pytest.raises(Refused, match="HTTP 400"):
        rig.connect()._client.read(case["operationId"], "/anything")


@pytest.mark.skipif(bool(amazon_spec.MISSING), reason=amazon_spec.MISSING or "there")
def test_the_official_example_of_a_transaction_is_read_with_what_its_buyer_paid() -> None:
    models = parse((amazon_spec.SPECS / "amazon/models/finances_2024-06-19.json").read_bytes())
    transaction = Transaction.model_validate(models["definitions"]["Transaction"]["example"])
    row = payment_row("amz", "8129762527551", transaction)
    assert (row["kind"], row["amount_minor"], row["currency"], row["is_settled"]) == ("purchase", 1000, "USD", True)
