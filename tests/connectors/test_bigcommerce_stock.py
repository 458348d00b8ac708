"""Stock at BigCommerce: absolute, whole or not at all, applied later, read back; and a refusal that says which SKU."""

import json

import httpx
import pytest

from connectors.kit import sandbox as faults
from connectors.kit.errors import InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.ports import STOCK_UPDATE, Effect
from contracts.stock import Locations, ShownStock
from tests.connectors.bigcommerce_rig import ADA, Rig

PUT = "PUT *absolute"
PRODUCTS = [{"sku": "MUG", "inventory_tracking": "product"}, {"sku": "SHIRT", "inventory_tracking": "variant", "variants": ["SHIRT-S", "SHIRT-M"]},
            {"sku": "SET", "inventory_tracking": "product", "variants": ["SET-1", "SET-2"]}, {"sku": "GIFT", "inventory_tracking": "none"},
            {"sku": "A,B", "inventory_tracking": "product"}]


@pytest.fixture
def rig() -> Rig:
    return stocked()


def stocked(**sandbox: object) -> Rig:
    rig = Rig(**sandbox)
    rig.sandbox.add_products(PRODUCTS)
    rig.sandbox.add_location(2, "Daventry", is_external=True)
    return rig


def update(figures: dict[str, int], location: str = "2", effect_id: str = "stock:bc:2:1") -> Effect:
    items = [{"sku": sku, "quantity": quantity, "as_of": "2026-01-15T08:00:00+00:00", "sequence": 1} for sku, quantity in figures.items()]
    return Effect(effect_id, STOCK_UPDATE, "bc", "2:1", {"connection": "bc", "location": location, "items": items})


def stock(rig: Rig, location: int = 2) -> dict[str, int]:
    return {sku: figure["on_hand"] for sku, figure in rig.sandbox.books()["stock"][location].items()}


def test_figures_are_set_a_moment_later_and_read_back(rig: Rig) -> None:
    port, effect = rig.connect(), update({"MUG": 7, "SHIRT-S": 0, "SHIRT-M": 3})
    assert port.find(effect) is None
    receipt = port.send(effect)
    assert receipt.evidence["transaction_id"] and port.find(effect) is None, "a 200 only says that it was taken in"
    rig.clock.sleep(2)
    assert port.find(effect).remote_id == receipt.remote_id
    assert stock(rig) == {"MUG": 7, "SHIRT-S": 0, "SHIRT-M": 3}
    assert rig.calls.count("PUT /inventory/adjustments/absolute") == 1


def test_the_body_is_exactly_what_the_api_takes(rig: Rig) -> None:
    body = json.loads(rig.connect().prepare(update({"MUG": 7, "A,B": 1})))
    assert body == {"reason": "ref:stock:bc:2:1", "items": [{"location_id": 2, "sku": "MUG", "quantity": 7}, {"location_id": 2, "sku": "A,B", "quantity": 1}]}


@pytest.mark.parametrize(("effect", "said"), [
    (update({"MUG": 1}, location="home"), "'home' is not a BigCommerce id"), (update({f"S{n}": 1 for n in range(2001)}), "more than 2000"),
    (Effect("e", STOCK_UPDATE, "bc", "k", update({"MUG": 1}).payload | {"items": update({"MUG": 1}).payload["items"] * 2}), "one of them twice"),
    (update({}), "items: List should have at least 1"), (update({"MUG": 2**31}), "less than or equal to 2147483647")])
def test_what_breaks_a_limit_is_refused_before_anything_is_sent(rig: Rig, effect: Effect, said: str) -> None:
    with pytest.raises(Refused, match=said):
        rig.connect().send(effect)
    assert rig.calls == []


@pytest.mark.parametrize(("fault", "error", "taken"), [
    (faults.CONNECT_REFUSED, NotNow, 0), (faults.TIMEOUT_BEFORE, InDoubt, 0), (faults.TIMEOUT_AFTER, InDoubt, 1), (faults.LATE_COMMIT, InDoubt, 0),
    (faults.THROTTLED, NotNow, 0), (faults.ERROR_BEFORE, InDoubt, 0), (faults.ERROR_AFTER, InDoubt, 1), (faults.GARBLED, InDoubt, 1),
    (faults.TOKEN_EXPIRED, NotAllowed, 0)])
def test_each_fault_of_a_write_is_the_right_error_and_the_figures_end_right(rig: Rig, fault: str, error: type[WharfingerError], taken: int) -> None:
    port, effect = rig.connect(), update({"MUG": 7, "SHIRT-M": 3})
    rig.sandbox.faults.add(fault, on=PUT, times=1)
    with pytest.raises(error) as raised:
        port.send(effect)
    assert type(raised.value) is error and len(rig.sandbox.books()["stock_writes"]) == taken
    rig.clock.sleep(port.quiet_seconds)
    if port.find(effect) is None:
        port.send(effect)
        rig.clock.sleep(port.quiet_seconds)
    assert port.find(effect) and stock(rig) == {"MUG": 7, "SHIRT-M": 3}
    assert len(rig.sandbox.books()["stock_writes"]) <= 2, "the worst is the same figure a second time"


def test_a_stale_read_only_costs_a_second_request(rig: Rig) -> None:
    """F13: the items were shown as before; taken for proof they would have left the update in doubt for ever."""
    port, effect = rig.connect(), update({"MUG": 7})
    port.send(effect)
    rig.clock.sleep(5)
    rig.sandbox.faults.add(faults.STALE_READ, on="GET *items", times=1)
    assert port.find(effect) is None
    assert port.find(effect)


def test_zeros_that_agree_by_chance_are_no_proof(rig: Rig) -> None:
    """Before the first update everything shows 0: most figures of a group agreed, the rest looked sold, and an update that never arrived was confirmed."""
    assert rig.connect().find(update({"MUG": 0, "SHIRT-S": 0, "SHIRT-M": 3})) is None
    assert rig.connect().find(update({"MUG": 0, "NOBODY": 0})) is None


@pytest.mark.parametrize("fault", [faults.TIMEOUT_BEFORE, faults.ERROR_BEFORE, faults.GARBLED, faults.CONNECT_REFUSED, faults.TOKEN_EXPIRED])
def test_a_read_back_that_fails_says_nothing(rig: Rig, fault: str) -> None:
    rig.sandbox.faults.add(fault, on="GET *")
    with pytest.raises(WharfingerError):
        rig.connect().find(update({"MUG": 1}))


def test_a_refusal_names_the_skus_and_nothing_is_applied(rig: Rig) -> None:
    with pytest.raises(Refused, match=r"it names SKU 'GIFT', SKU 'NOBODY'") as raised:
        rig.connect().send(update({"MUG": 7, "GIFT": 1, "NOBODY": 2}))
    assert raised.value.records == ("GIFT", "NOBODY")
    rig.clock.sleep(5)
    assert stock(rig) == {} and rig.sandbox.books()["stock_writes"] == []


@pytest.mark.parametrize(("body", "records"), [
    ({"title": "Payload contains invalid fields", "errors": {"items.1.sku": "unknown"}}, ("B-2",)), ({"title": "[sku A-1] is odd", "errors": {}}, ("A-1",)),
    ({"title": "Item with sku: B-2 cannot be updated"}, ("B-2",)), ({"title": "B-2 and B-22 differ"}, ("B-2",)), ({"title": "B-22"}, ()),
    ({"title": "nothing to see"}, ()), ({}, ()), ([1, 2], ()), ("text", ()), ({"errors": {"items.7.sku": "x", "items.0": "y"}}, ("A-1",))])
def test_the_skus_are_found_in_whatever_form_a_refusal_has(rig: Rig, body: object, records: tuple[str, ...]) -> None:
    rig.overheard._inner = httpx.MockTransport(lambda request: httpx.Response(422, json=body))
    with pytest.raises(Refused) as raised:
        rig.connect().send(update({"A-1": 1, "B-2": 2}))
    assert raised.value.records == records and type(raised.value) is Refused


def test_a_refusal_that_names_ids_is_told_in_skus(rig: Rig) -> None:
    inner = rig.overheard._inner
    no = httpx.Response(422, json={"title": "Items with identity: [variant_id 3] have a problem; ask the person at 1 Canary Row"})
    rig.overheard._inner = httpx.MockTransport(lambda request: no if request.method == "PUT" else inner.handle_request(request))
    with pytest.raises(Refused, match="SKU 'SHIRT-M'") as raised:
        rig.connect().send(update({"MUG": 1, "SHIRT-M": 2}))
    assert raised.value.records == ("SHIRT-M",) and "Canary" not in str(raised.value)


def test_a_product_tracked_as_a_whole_is_addressed_by_its_id_once_the_api_says_so() -> None:
    """The vendor's 422: 'Item with variant_id 106 is tracked by product, please update stock by product id'."""
    rig = stocked(is_strict=True)
    port, effect = rig.connect(), update({"MUG": 7, "SHIRT-M": 3, "SET": 2})
    assert port.send(effect)
    rig.clock.sleep(2)
    assert stock(rig) == {"MUG": 7, "SHIRT-M": 3, "SET": 2} and port.find(effect)
    assert [item.keys() - {"location_id", "quantity"} for item in rig.sandbox.books()["stock_writes"][0]["items"]] == [{"product_id"}, {"sku"}, {"product_id"}]
    before = len(rig.calls)
    port.send(update({"MUG": 6}))
    assert rig.calls[before:] == ["PUT /inventory/adjustments/absolute"], "it is learnt once"
    rig.sandbox.track("SET", "variant")
    with pytest.raises(Refused) as raised:  # the product's own SKU is nothing that is counted now
        port.send(update({"SET": 1, "MUG": 5}))
    assert raised.value.records == ("SET",)


def test_two_thousand_complaints_in_one_answer_are_all_read() -> None:
    """The answer was 160 kB, of which the first 64 were read, and so nothing: the whole group was refused for no reason that anybody could see."""
    rig = stocked(is_strict=True)
    rig.sandbox.add_products({"sku": f"P{n}", "inventory_tracking": "product"} for n in range(2000))
    rig.connect(stock_page_size=1000, page_size=250).send(update({f"P{n}": n % 7 for n in range(2000)}))
    rig.clock.sleep(2)
    assert sum(stock(rig).values()) == sum(n % 7 for n in range(2000)) and len(rig.calls) < 25


def test_one_variant_of_a_product_that_is_tracked_as_a_whole_sets_no_other_s_figure(rig: Rig) -> None:
    """Addressed by the product, the figure of one variant would have become that of all."""
    with pytest.raises(Refused, match="SKU 'SET-2': one variant among several") as raised:
        rig.connect().send(update({"MUG": 7, "SET-2": 5}))
    assert raised.value.records == ("SET-2",) and stock(rig) == {}


def test_locations_say_whether_people_can_edit_them(rig: Rig) -> None:
    rig.sandbox.add_location(3, "Closed", is_enabled=False)
    frame = rig.connect().locations()
    assert Locations.sound(frame).drop(columns="connection").values.tolist() == [
        ["1", "Default location", True, False], ["2", "Daventry", True, True], ["3", "Closed", False, False]]


def test_what_is_shown_comes_page_by_page_with_tracking_and_what_is_kept_back(rig: Rig) -> None:
    rig.sandbox.add_products({"sku": f"P{n}", "inventory_tracking": "product"} for n in range(13))
    port = rig.connect(stock_page_size=5)
    port.send(update({"MUG": 7, "P0": 2}))
    rig.clock.sleep(2)
    port.set_safety_stock("2", {"MUG": 3})
    pages = list(port.shown_stock("2"))
    rows = {row["sku"]: row for page in pages for row in ShownStock.sound(page).to_dict("records")}
    assert len(pages) == 4 and len(rows) == sum(map(len, pages)) == 13 + 6
    assert (rows["MUG"]["on_hand"], rows["MUG"]["available"], rows["MUG"]["safety_stock"]) == (7, 4, 3)
    assert [sku for sku, row in rows.items() if not row["is_tracked"]] == ["GIFT"]
    some = [row for page in port.shown_stock("2", ["P0", "A,B", "NOBODY", "MUG"]) for row in page["sku"]]
    assert sorted(some) == ["A,B", "MUG", "P0"] and rows["P0"]["on_hand"] == 2
    rig.sandbox.track("P0", "none")
    (row,) = [row for page in port.shown_stock("2", ["P0"]) for row in page.to_dict("records")]
    assert not row["is_tracked"], "somebody changed it between two looks (found by the simulator, 500115)"


def test_many_skus_are_asked_for_in_addresses_of_bearable_length(rig: Rig) -> None:
    skus = [f"LONG-SKU-NUMBER-{n:05d}" for n in range(1000)]
    rig.sandbox.add_products({"sku": sku, "inventory_tracking": "product"} for sku in skus)
    port = rig.connect(stock_page_size=1000)
    seen: list[int] = []
    inner = rig.overheard._inner
    rig.overheard._inner = httpx.MockTransport(lambda request: seen.append(len(str(request.url))) or inner.handle_request(request))
    assert sum(len(page) for page in port.shown_stock("2", skus)) == 1000
    assert max(seen) < 6000


def test_a_location_that_is_gone_is_refused_and_not_empty(rig: Rig) -> None:
    with pytest.raises(Refused, match="404"):
        list(rig.connect().shown_stock("9"))
    with pytest.raises(Refused):
        rig.connect().send(update({"MUG": 1}, location="9"))


def test_orders_and_cancels_move_the_stock_and_people_may_where_it_is_theirs(rig: Rig) -> None:
    rig.sandbox.set_stock_by_hand("MUG", 5)
    order = rig.sandbox.place_order([{"sku": "MUG", "quantity": 3, "price": "2"}], [ADA])
    assert stock(rig, 1) == {"MUG": 2}
    other = rig.sandbox.place_order([{"sku": "MUG", "quantity": 3, "price": "2"}], [ADA])
    assert stock(rig, 1) == {"MUG": 0} and [(short["order_id"], short["quantity"]) for short in rig.sandbox.books()["oversold"]] == [(other, 1)]
    rig.sandbox.edit_order(order, quantities={1: 1})
    assert stock(rig, 1) == {"MUG": 2}
    rig.sandbox.cancel_order(other)
    rig.sandbox.cancel_order(other)
    assert stock(rig, 1) == {"MUG": 4}
    rig.sandbox.edit_order(other, status_id=11)
    assert stock(rig, 1) == {"MUG": 1}
    assert rig.connect()._client.update_order(str(other), b'{"status_id": 5}') and stock(rig, 1) == {"MUG": 4}
    with pytest.raises(ValueError, match="outside system"):
        rig.sandbox.set_stock_by_hand("MUG", 9, 2)
    assert {change["by"] for change in rig.sandbox.books()["stock_changes"]} == {"by hand", f"order {order}", f"order {other}", f"order {other} cancelled",
                                                                                f"order {order} cancelled"}


@pytest.mark.parametrize(("path", "body"), [
    ("/inventory/adjustments/absolute", {"items": []}), ("/inventory/adjustments/absolute", {"items": [{"location_id": 2, "quantity": 1}]}),
    ("/inventory/adjustments/absolute", {"items": [{"location_id": 2, "sku": "MUG", "product_id": 1, "quantity": 1}]}),
    ("/inventory/adjustments/absolute", {"items": [{"location_id": 2, "sku": "MUG", "quantity": -1}]}), ("/inventory/adjustments/absolute", {}),
    ("/inventory/adjustments/absolute", {"items": [{"location_id": 2, "sku": "MUG", "quantity": 1}] * 2001}),
    ("/inventory/locations/2/items", {"settings": [{"identity": {"sku": "MUG"}}]}),
    ("/inventory/locations/2/items", {"settings": [{"identity": {"sku": "MUG"}, "safety_stock": "3"}]})])
def test_the_stand_in_refuses_what_the_documents_exclude(rig: Rig, path: str, body: object) -> None:
    answer = rig.sandbox.handle(httpx.Request("PUT", f"http://x/v3{path}", json=body, headers={"X-Auth-Token": "bigcommerce-sandbox"}))
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert rig.sandbox.books()["stock_writes"] == []


def test_safety_stock_is_set_absolutely_and_only_where_it_makes_sense(rig: Rig) -> None:
    for kept_back in ({}, {"MUG": -1}, {f"S{n}": 1 for n in range(2001)}):
        with pytest.raises(Refused):
            rig.connect().set_safety_stock("2", kept_back)
    assert rig.calls == []
