"""Amazon's money: what buyers paid and got back, added up from transactions; and the stand-in's statements, which add up to the cent in every format."""

import csv
import io
import re
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from connectors.amazon.sandbox_finances import Sold
from connectors.amazon.sandbox_settlement import FORMS, written
from connectors.kit import sandbox as faults
from connectors.kit.errors import BadDocument, WharfingerError
from connectors.ports import Window
from contracts.money import to_minor
from contracts.returns import Payments, Refunds
from tests.connectors import amazon_spec
from tests.connectors.amazon_money_rig import CA, DE, FR, GB, JP, US, Rig

DAY = 86_400
CATALOGUE = Path(__file__).resolve().parents[2] / "../shared/data/settlement_catalogue.csv"
WORLD = {"na": (US, CA), "eu": (GB, DE, FR), "fe": (JP,)}


@pytest.fixture
def rig() -> Rig:
    return Rig()


def busy(marketplaces: tuple[str, ...], weeks: int = 6, **money: int) -> Rig:
    """A seller who had a bit of everything, over three statements in each marketplace."""
    rig = Rig(marketplaces)
    for week in range(weeks):
        for place in marketplaces:
            items = [{"sku": "ブラシ 2" if place == JP else "BÜRSTE 2", "quantity": 3, "price": "5000" if place == JP else "10.01", "tax": "1500" if place == JP else "6.01",
                      "discount": "100" if place == JP else "1.00"}]
            order = rig.sell(marketplace=place, items=items, shipping="300" if place == JP else "3.99")
            rig.sandbox.ship_by_amazon(rig.sandbox.place_order(items, marketplace=place))
            rig.sandbox.money.charge(place, -799 - week)
            rig.sandbox.money.fulfil_elsewhere(place, f"FBA15{week:05d}")
            if week % 2:
                rig.sandbox.refund(order, goodwill_minor=week)
                rig.sandbox.money.retrocharge(order, 57)
                rig.sandbox.money.charge(place, 250, "SAFE-T Reimbursement", "other-transaction", "SAFE-T Reimbursement", order_id=order)
        rig.clock.sleep(7 * DAY)
        rig.sandbox.step()
    return rig


def rows_of(body: bytes) -> tuple[dict[str, str], list[dict[str, str]]]:
    """(summary row, the others) of a statement, read in the plainest way."""
    text = next(text for text in (_decoded(body, encoding) for encoding in ("utf-8-sig", "cp932", "cp1252")) if text)
    header, *lines = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    found = [dict(zip(header, line, strict=False)) for line in lines if line]
    return found[0], found[1:]


def _decoded(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        return ""


def amount(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


@pytest.mark.parametrize("region", WORLD)
def test_every_statement_adds_up_in_the_form_of_its_marketplace_and_its_reserves_are_a_chain(region: str) -> None:
    rig = busy(WORLD[region])
    by_place = defaultdict(list)
    for one in rig.connect().settlement_documents(rig.window()):
        summary, rows = rows_of(one.body)
        assert sum(amount(row["amount"]) for row in rows) == amount(summary["total-amount"])
        assert {row["settlement-id"] for row in rows} == {summary["settlement-id"]} and all(not row["currency"] for row in rows)
        by_place[summary["currency"] + next(row["marketplace-name"] for row in rows if row["marketplace-name"])].append(rows)
    assert len(by_place) == len(WORLD[region]) and all(len(found) == 3 for found in by_place.values())
    for found in by_place.values():
        reserves = [{row["amount-description"]: amount(row["amount"]) for row in rows if "Reserve" in row["amount-description"]} for rows in found]
        for before, after in zip(reserves, reserves[1:], strict=False):
            assert before["Current Reserve Amount"] < 0 and after["Previous Reserve Amount Balance"] == -before["Current Reserve Amount"]
        assert "Previous Reserve Amount Balance" not in reserves[0]


@pytest.mark.parametrize("region", WORLD)
def test_the_house_reads_every_statement_whole_and_knows_all_that_is_in_it(region: str) -> None:
    rig = busy(WORLD[region])
    port, books = rig.connect(), {one.settlement_id: one for one in rig.sandbox.books()["statements"]}
    for document in port.settlement_documents(rig.window()):
        read = port.read_settlement(document)
        head, = read.heads.to_dict("records")
        statement = books[head["settlement_id"]]
        assert head["is_consistent"] and (head["deposit_minor"], head["rows"], head["currency"]) == (statement.total_minor, len(statement.rows), statement.currency)
        assert read.rows["amount_minor"].tolist() == [row.minor for row, _ in statement.rows] and "unknown" not in set(read.rows["level"])
        assert not read.findings["fails"].any(), read.findings.to_dict("records")
        assert read.rows["posted_at"].notna().all() and set(read.rows["sku"]) == {row.sku for row, _ in statement.rows}


@pytest.mark.parametrize("faulty", ["row", "total"])
def test_the_house_tells_a_statement_that_does_not_add_up(rig: Rig, faulty: str) -> None:
    rig.sell()
    rig.sandbox.close_settlement(faulty=faulty)
    port = rig.connect()
    document, = port.settlement_documents(rig.window())
    read = port.read_settlement(document)
    assert not read.heads["is_consistent"].any() and "inconsistent" in set(read.findings["kind"])


def test_the_forms_differ_as_the_regions_do() -> None:
    bodies = {}
    for place in (US, GB, DE, FR, JP):
        rig = busy((place,), 2)
        bodies[place] = rig.sandbox.books()["reports"][0]["body"]
    assert re.search(rb"\t2026-01-\d\d \d\d:\d\d:\d\d UTC\t", bodies[US]) and b"\t10.01\t" not in bodies[US] and b"\t30.03\t" in bodies[US]
    assert re.search(rb"\t\d\d\.01\.2026 \d\d:\d\d:\d\d UTC\t", bodies[GB]) and b"\t30.03\t" in bodies[GB] and b"B\xdcRSTE" in bodies[GB]
    assert b"\t30,03\t" in bodies[DE] and b"promotion-id" not in bodies[DE] and b"promotion-id" in bodies[GB]
    assert re.search(rb"\t-?\d+\.\d\d\t", bodies[FR]) and re.search(rb"\t-?\d+,\d\d\t", bodies[FR]) and bodies[FR].startswith(b"\xef\xbb\xbf")
    assert b"\t15000\t" in bodies[JP] and "ブラシ".encode("cp932") in bodies[JP]
    assert {form.columns for form in FORMS.values()} == {23, 24}


@pytest.mark.parametrize("faulty", ["row", "total"])
def test_a_statement_that_does_not_add_up_can_be_had(rig: Rig, faulty: str) -> None:
    rig.sell()
    statement = rig.sandbox.close_settlement(faulty=faulty)
    summary, rows = rows_of(rig.sandbox.books()["reports"][0]["body"])
    assert not statement.is_consistent and sum(amount(row["amount"]) for row in rows) != amount(summary["total-amount"])
    assert rig.sandbox.close_settlement().is_consistent, "the next one adds up again"


def test_a_statement_of_nothing_and_one_that_owes_amazon_are_written_too(rig: Rig) -> None:
    assert rig.sandbox.close_settlement().total_minor == 0
    rig.sandbox.money.charge(GB, -5000)
    assert rig.sandbox.close_settlement().total_minor == -5000
    _, rows = rows_of((rig.sandbox.close_settlement(), rig.sandbox.books()["reports"][-1]["body"])[1])
    assert [(row["amount-description"], row["amount"]) for row in rows] == [("Payable to Amazon", "-50.00"), ("Successful charge", "50.00")]


def test_everything_that_moved_is_settled_once_and_the_orders_money_is_all_there() -> None:
    rig = busy((GB,))
    rows = [(row, one.settlement_id) for one in rig.sandbox.books()["statements"] for row, _ in one.rows]
    for event in rig.sandbox.money.events:
        assert sum(row in event.rows for row, settlement in rows if settlement == event.settlement_id) >= len(event.rows) and event.settlement_id
    paid = sum(row.minor for row, _ in rows if row.triple[0] == "Order" and row.triple[1] in ("ItemPrice", "Promotion"))
    assert paid == 6 * (2 * (3003 + 601 - 100) + 399)
    pairs = defaultdict(int)
    for row, _ in rows:
        if row.transaction_type == "Order_Retrocharge":
            pairs[row.order_id] += row.minor
    assert len(pairs) == 3 and set(pairs.values()) == {0}


@pytest.mark.skipif(not CATALOGUE.exists(), reason="the catalogue of triples is not beside the project (../shared/data)")
def test_every_triple_of_the_statements_is_one_that_was_seen_somewhere() -> None:
    with CATALOGUE.open() as lines:
        known = {(row["transaction_type"], row["amount_type"], row["amount_description"]) for row in csv.DictReader(line for line in lines if not line.startswith("#"))}
    written_triples = {row.triple for region in WORLD.values() for one in busy(region, 4).sandbox.books()["statements"] for row, _ in one.rows}
    assert len(written_triples) > 15 and written_triples <= known


def test_an_unknown_triple_and_a_shipment_in_the_place_of_an_order_are_written_as_they_are(rig: Rig) -> None:
    rig.sandbox.money.charge(GB, -321, "other-transaction", "Brand new", "Fee of 2027")
    rig.sandbox.money.fulfil_elsewhere(GB, "FBA15ABC")
    rig.sandbox.close_settlement()
    _, rows = rows_of(rig.sandbox.books()["reports"][0]["body"])
    port = rig.connect()
    read = port.read_settlement(next(iter(port.settlement_documents(rig.window()))))
    assert read.rows.loc[read.rows["level"] == "unknown", "amount_minor"].tolist() == [-321] and read.heads["is_consistent"].all()
    assert {(row["transaction-type"], row["amount-type"], row["amount-description"], row["amount"]) for row in rows} >= {("other-transaction", "Brand new", "Fee of 2027", "-3.21")}
    assert [row["order-id"] for row in rows if row["order-id"]] == ["FBA15ABC"]


def test_a_refund_row_has_no_quantity_and_its_adjustment_id(rig: Rig) -> None:
    rig.sandbox.refund(rig.sell())
    rig.sandbox.close_settlement()
    _, rows = rows_of(rig.sandbox.books()["reports"][0]["body"])
    back = [row for row in rows if row["transaction-type"] == "Refund"]
    assert back and all(row["adjustment-id"].startswith("amzn1:crow:") and row["merchant-adjustment-item-id"] and not row["quantity-purchased"] for row in back)
    assert {row["quantity-purchased"] for row in rows if row["transaction-type"] == "Order"} == {"3", "1"}


def test_parcels_of_one_order_are_charged_unit_by_unit_and_come_to_the_whole(rig: Rig) -> None:
    order = rig.sandbox.place_order([{"sku": "A", "quantity": 3, "price": "3.33", "tax": "0.10", "item_id": "7"}], shipping="2.00")
    for number in range(3):
        rig.sandbox.orders.confirm_by_hand(order, {"7": 1}, f"T{number}")
    sales = [row for event in rig.sandbox.money.events for row in event.rows]
    total = {kind: sum(row.minor for row in sales if row.triple[1:] == ("ItemPrice", kind)) for kind in ("Principal", "Tax", "Shipping")}
    assert total == {"Principal": 999, "Tax": 10, "Shipping": 200} and len(rig.sandbox.money.events) == 3


def test_what_a_buyer_paid_is_added_up_without_fees_and_without_the_tax_that_amazon_keeps(rig: Rig) -> None:
    order = rig.sell(shipping="3.99")
    rig.clock.sleep(600)
    sound, unsound = Payments.split(rig.connect().payments(order))
    assert unsound.empty and sound[["kind", "amount_minor", "currency", "is_settled"]].to_numpy().tolist() == [["purchase", 3000 + 600 + 501 + 399, "GBP", True]]
    assert rig.connect().payments(order).equals(rig.connect().payments(order))


def test_refunds_are_read_line_by_line_and_are_the_same_the_second_time(rig: Rig) -> None:
    order = rig.sell()
    rig.sandbox.refund(order, {"1001": 2})
    rig.clock.sleep(600)
    port = rig.connect()
    sound, unsound = Refunds.split(port.refunds(rig.window()))
    assert unsound.empty and len(sound) == 1
    row = sound.iloc[0]
    assert (row.order_id, row.line_id, row.quantity, row.amount_minor, row.currency, row.is_declined, row.reason) == (order, "1001", 2, 2400, "GBP", False, "Refund")
    assert port.refunds(rig.window()).equals(sound) and rig.calls.count(f"GET /orders/2026-01-01/orders/{order}") == 1
    payments = port.payments(order)
    assert payments["kind"].tolist() == ["purchase", "refund"] and payments["amount_minor"].tolist() == [4101, 2400]
    assert port.kinds and "refund" not in port.kinds, "money is never written"


def test_goodwill_is_money_and_no_unit(rig: Rig) -> None:
    order = rig.sell()
    rig.sandbox.refund(order, {"1002": 1}, goodwill_minor=500)
    rig.clock.sleep(600)
    row = rig.connect().refunds(rig.window()).iloc[0]
    assert (row.quantity, row.amount_minor) == (1, 1001)


@pytest.mark.parametrize("kind", ["Chargeback", "GuaranteeClaim"])
def test_chargebacks_and_claims_are_refunds_too(rig: Rig, kind: str) -> None:
    order = rig.sell()
    rig.sandbox.refund(order, kind=kind)
    rig.clock.sleep(600)
    found = rig.connect().refunds(rig.window())
    assert set(found["reason"]) == {kind} and found["amount_minor"].sum() == 4101


def test_a_sku_on_two_lines_and_an_order_that_is_gone_are_put_to_no_line(rig: Rig) -> None:
    twice = rig.sell(items=[{"sku": "A", "quantity": 1, "price": "1.00"}, {"sku": "A", "quantity": 1, "price": "2.00"}])
    gone = rig.sell(items=[{"sku": "B", "quantity": 1, "price": "4.00"}])
    rig.sandbox.refund(twice)
    rig.clock.sleep(1)
    rig.sandbox.refund(gone)
    del rig.sandbox.orders.book.orders[gone]
    rig.clock.sleep(600)
    found = rig.connect().refunds(rig.window())
    assert found[["order_id", "line_id", "amount_minor", "quantity"]].to_numpy().tolist() == [[twice, "", 300, 2], [gone, "", 400, 1]]


def test_many_refunds_come_over_pages_some_of_them_empty(rig: Rig) -> None:
    rig.sandbox.transactions.page_max = 5
    orders = [rig.sell() for _ in range(13)]
    for order in orders:
        rig.sandbox.refund(order, {"1002": 1})
        rig.clock.sleep(1)
    rig.clock.sleep(600)
    found = rig.connect().refunds(rig.window())
    assert sorted(found["order_id"]) == sorted(orders) and found["created_at"].is_monotonic_increasing
    asked = [one for one in rig.overheard.requests if one.url.path.endswith("/transactions")]
    assert len(asked) == 12 and all({"postedAfter", "postedBefore"} <= set(one.url.params) for one in asked), "a token goes with the arguments that made it"


def test_a_window_of_a_year_is_asked_for_in_pieces_and_one_that_reaches_into_the_future_is_cut(rig: Rig) -> None:
    orders = []
    for _ in range(4):
        orders.append(rig.sell())
        rig.sandbox.refund(orders[-1])
        rig.clock.sleep(120 * DAY)
    found = rig.connect().refunds(Window(rig.began - timedelta(days=10), rig.clock.now() + timedelta(days=1)))
    assert list(dict.fromkeys(found["order_id"])) == orders and not found.duplicated(["refund_id", "line_id"]).any()


def test_a_window_is_half_open(rig: Rig) -> None:
    order = rig.sell()
    at = rig.sandbox.refund(order).posted_at
    rig.clock.sleep(600)
    port, second = rig.connect(), timedelta(seconds=1)
    assert len(port.refunds(Window(at, at + second))) == 2 and port.refunds(Window(at - second, at)).empty and port.refunds(Window(at + second, at + 2 * second)).empty


def test_a_deferred_sale_is_paid_once_it_is_released_and_counts_once() -> None:
    rig = Rig()
    rig.sandbox.money.deferred = timedelta(days=7)
    order = rig.sell()
    rig.clock.sleep(600)
    port = rig.connect()
    held = port.payments(order)
    assert held["is_settled"].tolist() == [False]
    assert sum(row.minor for row, _ in rig.sandbox.close_settlement().rows) == 0
    rig.clock.sleep(8 * DAY)
    released = port.payments(order)
    assert released["is_settled"].tolist() == [True] and released["payment_id"].tolist() == held["payment_id"].tolist()
    assert released["amount_minor"].tolist() == held["amount_minor"].tolist() and rig.sandbox.close_settlement().total_minor > 0


def test_other_marketplaces_of_the_account_are_left_to_their_own_connection() -> None:
    rig = Rig((GB, DE))
    orders = {place: rig.sell(marketplace=place) for place in (GB, DE)}
    for order in orders.values():
        rig.sandbox.refund(order)
    rig.clock.sleep(600)
    assert set(rig.connect(marketplace_ids=(DE,)).refunds(rig.window())["order_id"]) == {orders[DE]}
    assert not any("marketplaceId" in one.url.params for one in rig.overheard.requests if one.url.path.endswith("/transactions"))


def test_a_token_that_goes_round_in_circles_is_found_out(rig: Rig) -> None:
    inner = rig.overheard.inner

    def circling(request: httpx.Request) -> httpx.Response:
        if "transactions" in request.url.path:
            return httpx.Response(200, json={"payload": {"nextToken": "again", "transactions": []}})
        return inner.handle_request(request)

    rig.overheard.inner = httpx.MockTransport(circling)
    rig.clock.sleep(600)
    with pytest.raises(BadDocument, match="circles"):
        rig.connect().refunds(Window(rig.began, rig.clock.now()))


@pytest.mark.parametrize("fault", [faults.CONNECT_REFUSED, faults.TIMEOUT_BEFORE, faults.ERROR_BEFORE, faults.GARBLED, faults.THROTTLED, faults.TOKEN_EXPIRED])
def test_an_outage_is_an_error_or_the_whole_truth_never_less(rig: Rig, fault: str) -> None:
    order = rig.sell()
    rig.sandbox.refund(order)
    rig.clock.sleep(600)
    rig.sandbox.faults.add(fault, "GET */transactions", times=1)
    port, whole = rig.connect(), None
    for _ in range(3):
        try:
            whole = port.refunds(rig.window())
            break
        except WharfingerError:
            continue
    assert whole is not None and whole["amount_minor"].sum() == 4101 and rig.sandbox.faults.struck[fault] == 1


def test_yen_have_no_cents() -> None:
    rig = Rig((JP,))
    order = rig.sell(marketplace=JP, items=[{"sku": "A", "quantity": 2, "price": "500", "tax": "100"}])
    rig.sandbox.refund(order)
    rig.clock.sleep(600)
    assert rig.connect().refunds(rig.window())[["amount_minor", "currency"]].to_numpy().tolist() == [[1100, "JPY"]]


def test_the_statement_and_the_transactions_of_the_same_days_come_to_the_same(rig: Rig) -> None:
    rig = busy((GB,), 2)
    listed = rig.connect()._finances._listed({"postedAfter": "2026-01-15T00:00:00Z"})
    total = sum(to_minor(one.totalAmount.currencyAmount, "GBP") for one in listed)
    statement = rig.sandbox.books()["statements"][0]
    assert total == sum(row.minor for row, _ in statement.rows if "Reserve" not in row.amount_description)


@pytest.mark.skipif(bool(amazon_spec.MISSING), reason=amazon_spec.MISSING or "there")
def test_what_passed_was_held_against_the_official_descriptions(rig: Rig) -> None:
    order = rig.sell()
    rig.sandbox.refund(order)
    rig.sandbox.close_settlement()
    rig.clock.sleep(DAY)
    port = rig.connect()
    list(port.settlement_documents(rig.window()))
    port.refunds(rig.window())
    port.authorised_returns(rig.window())
    assert set(rig.checked.seen) >= {"getReports 200", "createReport 202", "getReport 200", "getReportDocument 200", "listTransactions 200", "getOrder 200"}


def test_more_of_one_item_than_was_sold_cannot_be_imagined() -> None:
    money = Rig().sandbox.money
    money.sell("o", GB, [Sold("i", "A", 3, 1000, 200)])
    event = money.refund("o", {"i": 3})
    assert sum(row.minor for row in event.rows if row.amount_type == "ItemPrice") == -1200


def test_writing_is_the_same_in_every_process() -> None:
    first, second = (busy((GB, DE), 2).sandbox.books()["statements"] for _ in range(2))
    assert [written(one, FORMS["DE"]) for one in first] == [written(one, FORMS["DE"]) for one in second]
