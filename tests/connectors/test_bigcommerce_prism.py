"""Opt-in: Stoplight Prism between our client and the official descriptions, and between our client and our sandbox.

`tests/prism.sh` installs Prism outside the project and runs this. Without PRISM (the path of its binary) it is skipped.
"""

import contextlib
import itertools
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.bigcommerce.storefront import BigCommerce, Settings, connect
from connectors.kit.clock import ManualClock, SystemClock
from connectors.kit.errors import BadDocument, Refused
from connectors.kit.sandbox import serve
from connectors.ports import STOCK_UPDATE, Effect, Window
from tests.connectors import bigcommerce_spec as spec
from tests.connectors.bigcommerce_rig import dispatch

PRISM = os.environ.get("PRISM", "")
pytestmark = pytest.mark.skipif(not PRISM or bool(spec.MISSING), reason=spec.MISSING or "PRISM does not name a Prism binary: run tests/prism.sh")
TOKEN = "bigcommerce-sandbox"
HOME = {"first_name": "Ada", "last_name": "Test", "street_1": "1 Example Road", "city": "Exampleton", "zip": "ZZ99 9ZZ", "country": "United Kingdom",
        "country_iso2": "GB"}
BILLING = {**HOME, "email": "ada@example.invalid"}
LINES = [{"sku": "85123A", "name": "Holder", "quantity": 3, "price": "2.55", "tax_rate": "0.2"},
         {"sku": "71053", "name": "Lantern", "quantity": 1, "price": "3.39", "address": 1, "wrapping_name": "Paper", "wrapping_message": "Hello"},
         {"sku": "DL", "name": "Song", "quantity": 1, "price": "0.99", "type": "digital"}]


@contextmanager
def prism(tmp_path: Path, *arguments: str) -> Iterator[str]:
    """Prism on a free port, ready; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / f"prism-{port}.log").open("wb") as log:
        process = subprocess.Popen([PRISM, arguments[0], "-h", "127.0.0.1", "-p", str(port), "--errors", *arguments[1:]], stdout=log, stderr=log)
        try:
            for _ in range(300):
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    SystemClock().sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


class Watched(httpx.BaseTransport):
    """Passes everything on, and notes what Prism complained of."""

    def __init__(self) -> None:
        self.complaints, self.calls, self._inner = [], 0, httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        response.read()
        self.calls += 1
        if "stoplight.io" in response.text or response.status_code >= 500:
            self.complaints.append(f"{request.method} {request.url.raw_path.decode()} -> {response.status_code} {response.text[:600]}")
        return response


def connection(watched: Watched, clock: ManualClock, v2: str = "http://127.0.0.1:9", v3: str = "http://127.0.0.1:9", **more: object) -> BigCommerce:
    return connect("bc", Settings(store_hash="sandbox", access_token=SecretStr(TOKEN), v2_url=v2, v3_url=v3, page_size=5, **more), clock, watched)


@pytest.mark.parametrize("embed", [True, False])
def test_the_mock_of_the_orders_description_accepts_every_request_of_ours(tmp_path: Path, embed: bool) -> None:
    clock, watched = ManualClock(), Watched()
    with prism(tmp_path, "mock", str(spec.ORDERS)) as url:
        port = connection(watched, clock, v2=url, embed_consignments=embed)
        pages = list(port.orders(Window(clock.now().replace(year=2018), clock.now())))
        assert sum(len(page.orders) for page in pages) == 1 and not any(page.unreadable for page in pages)
        assert len(port.order("100").lines) == 2
        shown = port.shown_dispatches("225")
        effect = dispatch(225, 127, {188: 1}, "NEW")
        port.find(effect)
        receipt = port.send(effect)
    assert shown and receipt.remote_id
    assert watched.complaints == []


def test_the_mock_refuses_a_shipment_whose_address_is_text(tmp_path: Path) -> None:
    """The control: Prism does look at what we send."""
    with prism(tmp_path, "mock", str(spec.ORDERS)) as url:
        port = connection(Watched(), ManualClock(), v2=url)
        with pytest.raises(Refused, match="HTTP 422"):
            port._client.create_shipment("1", b'{"order_address_id": "20", "items": [{"order_product_id": 1, "quantity": 1}]}')


@pytest.mark.parametrize("path", [spec.CHANNELS, spec.PRODUCTS, spec.VARIANTS], ids=lambda path: path.stem)
def test_the_mock_of_each_v3_description_accepts_our_requests(tmp_path: Path, path: Path) -> None:
    watched = Watched()
    with prism(tmp_path, "mock", str(path)) as url:
        client = connection(watched, ManualClock(), v3=url)._client
        first = {spec.CHANNELS: lambda: client.channels(), spec.PRODUCTS: lambda: client.products(**{"sku:in": "a,b"}),
                 spec.VARIANTS: lambda: client.variants(sku="a")}[path]()
        assert next(first)
        if path == spec.PRODUCTS:
            assert next(client.products(**{"id:in": "1,2"}))
    assert watched.complaints == []


def v3_calls(port: BigCommerce, path: Path, order: int = 100, line: int = 1) -> None:
    """Everything of ours that the description has, against whatever answers."""
    if path == spec.INVENTORY:
        items = [{"sku": "85123A", "quantity": 5, "as_of": "2026-01-15T08:00:00+00:00", "sequence": 1}]
        effect = Effect("stock:1", STOCK_UPDATE, "bc", "1", {"connection": "bc", "location": "1", "items": items})
        port.send(effect)
        port.find(effect)
        list(port._client.stock("1", 5))
    elif path == spec.LOCATIONS:
        assert len(port.locations())
    elif path == spec.MONEY:
        body = json.dumps({"items": [{"item_type": "PRODUCT", "item_id": line, "quantity": 1, "reason": "ref:1"}]}).encode()
        quote = port._client.quote_refund(str(order), body)
        payments = [{name: option[name] for name in ("provider_id", "offline")} | {"amount": float(option["amount"])} for option in quote["refund_methods"][-1]]
        port._client.refund(str(order), json.dumps(json.loads(body) | {"payments": payments}).encode())
        port._client.order_refunds(str(order))
        port.payments(str(order))
        list(itertools.islice(port._client.refunds(**{"created:min": "2026-01-01T00:00:00+00:00"}), 3))
    else:
        port._client.update_hook(int(port._client.create_hook(HOOK)["id"]), HOOK)
        list(itertools.islice(port._client.hooks(), 3))


HOOK = b'{"scope": "store/order/created", "destination": "https://hooks.example.com/hooks/bc", "is_active": true, "headers": {"X-Wharfinger-Hook": "x"}}'
LATER = [spec.INVENTORY, spec.LOCATIONS, spec.MONEY, spec.HOOKS]


@pytest.mark.parametrize("path", LATER, ids=lambda path: path.stem)
def test_the_mock_of_each_later_description_accepts_our_requests(tmp_path: Path, path: Path) -> None:
    watched = Watched()
    with prism(tmp_path, "mock", str(path)) as url, contextlib.suppress(BadDocument):  # a mock's own examples need not be what we can use
        v3_calls(connection(watched, ManualClock(), v3=url), path)
    assert watched.complaints == [] and watched.calls


@pytest.mark.parametrize("path", LATER, ids=lambda path: path.stem)
def test_the_proxy_finds_no_violation_in_stock_money_and_hooks(tmp_path: Path, path: Path) -> None:
    clock, watched = ManualClock(), Watched()
    sandbox = sandbox_with_orders(clock, "lines")
    order = next(iter(sandbox.books()["orders"]))
    with serve(sandbox, clock) as inside, prism(tmp_path, "proxy", str(path), inside) as url:
        v3_calls(connection(watched, clock, v3=url), path, order, next(iter(sandbox.books()["orders"][order]["lines"])))
    assert watched.complaints == [] and watched.calls


def sandbox_with_orders(clock: ManualClock, embeds: str) -> BigCommerceSandbox:
    sandbox = BigCommerceSandbox(clock, quota=10_000, embeds=embeds)
    sandbox.add_products([{"sku": "85123A", "inventory_tracking": "product"}, {"sku": "SHIRT", "variants": ["SHIRT-S", "SHIRT-M"]}])
    for number in range(12):
        clock.sleep(1 if number < 5 else 0)
        sandbox.place_order(LINES, [{**HOME, "shipping_method": "Royal Mail"}, HOME], billing=BILLING, customer_message="Ring twice")
    clock.sleep(10)
    return sandbox


@pytest.mark.parametrize("embeds", ["lines", "refused", "plain", "empty"])
def test_the_proxy_finds_no_violation_between_our_client_and_our_sandbox(tmp_path: Path, embeds: str) -> None:
    clock, watched = ManualClock(), Watched()
    began = clock.now()
    sandbox = sandbox_with_orders(clock, embeds)
    with serve(sandbox, clock) as inside, prism(tmp_path, "proxy", str(spec.ORDERS), inside) as url:
        port = connection(watched, clock, v2=url)
        pages = list(port.orders(Window(began, clock.now())))
        assert len({i for page in pages for i in page.orders["order_id"]}) == 12 and not any(page.unreadable for page in pages)
        order = next(iter(sandbox.books()["orders"]))
        (first, second), lines = sandbox.books()["orders"][order]["addresses"], list(sandbox.books()["orders"][order]["lines"])
        assert port.shown_dispatches(str(order)) == []
        for group, items, number in ((first, {lines[0]: 2}, "T1"), (first, {lines[0]: 1}, "T2"), (second, {lines[1]: 1}, "T3")):
            effect = dispatch(order, group, items, number)
            assert port.find(effect) is None
            receipt = port.send(effect)
            assert port.find(effect) == receipt
        assert port.order(str(order)).orders["status"].tolist() == ["shipped"]
        http = httpx.Client(base_url=url, headers={"X-Auth-Token": TOKEN, "Accept": "application/json"})
        for path in ("/orders/count", "/order_statuses", "/order_statuses/11", f"/orders/{order}/shipments/count",
                     f"/orders/{order}/products/{lines[0]}", f"/orders/{order}/shipping_addresses/{first}", f"/orders/{order}/shipments/1",
                     f"/orders/{order}/consignments"):
            answer = http.get(path)
            assert answer.status_code == 200, answer.text
        assert http.put(f"/orders/{order}", json={"status_id": 10}).status_code == 200
        assert http.put(f"/orders/{order}/shipments/1", json={"tracking_number": "T9", "order_address_id": first}).status_code == 200
        assert http.delete(f"/orders/{order}/shipments/1").status_code == 204
        assert http.get("/orders/999").status_code == 404
    assert watched.complaints == [] and watched.calls > 15


def test_the_proxy_does_look_at_what_the_sandbox_answers(tmp_path: Path) -> None:
    """The control: an id that is text is found out."""
    clock = ManualClock()
    sandbox = sandbox_with_orders(clock, "lines")
    handle = sandbox.handle

    def broken(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[{**row, "id": str(row["id"])} for row in handle(request).json()])

    sandbox.handle = broken
    with serve(sandbox, clock) as inside, prism(tmp_path, "proxy", str(spec.ORDERS), inside) as url:
        answer = httpx.get(f"{url}/orders", headers={"X-Auth-Token": TOKEN, "Accept": "application/json"})
    assert answer.status_code == 500 and "VIOLATIONS" in answer.text


@pytest.mark.parametrize("path", [spec.CHANNELS, spec.PRODUCTS, spec.VARIANTS], ids=lambda path: path.stem)
def test_the_proxy_finds_no_violation_on_the_v3_side(tmp_path: Path, path: Path) -> None:
    clock, watched = ManualClock(), Watched()
    sandbox = sandbox_with_orders(clock, "lines")
    with serve(sandbox, clock) as inside, prism(tmp_path, "proxy", str(path), inside) as url:
        port = connection(watched, clock, v3=url)
        if path == spec.CHANNELS:
            assert port.channels()["channel"].tolist() == ["1"]
        elif path == spec.PRODUCTS:
            assert len(list(port._client.products(**{"sku:in": "85123A,SHIRT"}))) == 2
        else:
            assert len(list(port._client.variants())) == 3
    assert watched.complaints == []


def test_the_proxy_finds_no_violation_in_the_account_s_own_page(tmp_path: Path) -> None:
    clock = ManualClock()
    with serve(sandbox_with_orders(clock, "lines"), clock) as inside, prism(tmp_path, "proxy", str(spec.STORE), inside) as url:
        for path in ("/store", "/time"):
            answer = httpx.get(f"{url}{path}", headers={"X-Auth-Token": TOKEN, "Accept": "application/json"})
            assert answer.status_code == 200, answer.text
