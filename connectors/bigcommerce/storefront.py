"""The port: BigCommerce as a Storefront. Joins client, feed, wire and mapping; what is particular to the vendor is in README.md."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.bigcommerce.client import Client, over_quantity, said
from connectors.bigcommerce.feed import walk
from connectors.bigcommerce.mapping import (
    RELEASABLE, Reading, Unmappable, WholeOrder, embedded, line_rows, matching, order_row, recipient_rows, ship_group_rows, shipment_request, shown,
    why,
)
from connectors.bigcommerce.offers import listed, ship_options
from connectors.bigcommerce.wire import Address, CatalogueProduct, CatalogueVariant, Channel, Order, Product, Shipment, ShipmentRequest
from connectors.kit.budget import shared_budget
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, InDoubt, Refused
from connectors.kit.http import Http
from connectors.kit.secret import Secret
from connectors.ports import DISPATCH_CONFIRMATION, ORDER_COMPLETION, Effect, OrderPage, Receipt, Storefront, Window
from contracts.effects import DispatchConfirmation
from contracts.items import CatalogueItems, Channels
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups

SKUS_PER_REQUEST = 50
LIVE_CHANNELS = ("active", "connected")
SHIPPED, COMPLETE, UNDER_WAY = 2, 10, (3, 9, 11)  # status ids; under way: Partially Shipped, Awaiting Shipment, Awaiting Fulfillment
COMPLETED = b'{"status_id":2}'


class Settings(BaseModel):
    """One BigCommerce account, as a profile gives it. Scopes: store_v2_orders, store_v2_products_read_only, store_channel_settings_read_only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store_hash: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    access_token: Secret
    base_url: str = "https://api.bigcommerce.com"
    v2_url: str = Field("", description="'' : {base_url}/stores/{store_hash}/v2")
    v3_url: str = Field("", description="'' : {base_url}/stores/{store_hash}/v3")
    page_size: int = Field(250, ge=2, le=250)
    release_status_ids: tuple[int, ...] = (11,)
    embed_consignments: bool = Field(True, description="ask for lines and addresses in the list call; what does not come whole is fetched singly")
    po_field: str = Field("", pattern=r"^(|external_id|external_order_id|payment_provider_id|form_field:.{1,100})$")
    organisation_from_company: bool = True
    quiet_seconds: float = Field(120, ge=0)
    verify_seconds: float = Field(900, ge=0)
    timeout_seconds: float = Field(30, gt=0)
    reserve: int = Field(5, ge=0, description="requests left for the account's other apps")
    wait_seconds_max: float = Field(60, ge=0, description="longest wait for the request budget")

    @field_validator("release_status_ids")
    @classmethod
    def _releasable(cls, ids: tuple[int, ...]) -> tuple[int, ...]:
        if not ids or not set(ids) <= RELEASABLE:
            raise ValueError(f"only {sorted(RELEASABLE)} can release an order")
        return ids


def connect(name: str, settings: Settings, clock: Clock, transport: httpx.BaseTransport | None = None) -> Storefront:
    """A connection called `name`. Its request budget is shared with every other connection of this process to the same account."""
    def sign(request: httpx.Request) -> None:
        request.headers["X-Auth-Token"] = settings.access_token.get_secret_value()

    root = f"{settings.base_url.rstrip('/')}/stores/{settings.store_hash}"
    budget = shared_budget(f"bigcommerce {settings.store_hash}", clock, settings.reserve, settings.wait_seconds_max)
    v2 = Http(name, settings.v2_url or f"{root}/v2", clock, sign=sign, budget=budget, judge=over_quantity, describe=said,
              timeout_seconds=settings.timeout_seconds, transport=transport)
    return BigCommerce(name, settings, Client(v2, v2.at(settings.v3_url or f"{root}/v3"), settings.page_size), clock)


class BigCommerce:
    """A Storefront (connectors.ports)."""

    kinds = (DISPATCH_CONFIRMATION, ORDER_COMPLETION)

    def __init__(self, name: str, settings: Settings, client: Client, clock: Clock) -> None:
        self.name, self.account = name, settings.store_hash
        self.quiet_seconds, self.verify_seconds = settings.quiet_seconds, settings.verify_seconds
        self._client, self._clock, self._page_size = client, clock, settings.page_size
        self._embeds = settings.embed_consignments
        self._reading = Reading(name, settings.release_status_ids, settings.po_field, settings.organisation_from_company)

    def orders(self, window: Window) -> Iterator[OrderPage]:
        """Every order modified in the window, oldest change first. Raises ReadFailed, NotNow, NotAllowed; what was yielded stands."""
        for listed in walk(self._list_orders, window, self._page_size, self._clock.now()):
            yield self._page(listed.rows, listed.reached)

    def order(self, order_id: str) -> OrderPage:
        """One order as it stands now. Raises Refused when there is none."""
        number = _number(order_id, f"{self.name}: reading an order")
        page = self._page([self._embedding(lambda embed: self._client.order(number, embed))], self._clock.now())
        moments = page.orders["modified_at"]
        return page if moments.empty else OrderPage(page.orders, page.lines, page.ship_groups, page.recipients, moments[0].to_pydatetime())

    def channels(self) -> pd.DataFrame:
        """Frame of contract Channels."""
        found = [_read(Channel, row, "/channels") for row in self._client.channels()]
        return Channels.frame({"connection": self.name, "channel": str(c.id), "name": c.name, "is_active": c.status in LIVE_CHANNELS} for c in found)

    def catalogue(self, skus: list[str]) -> pd.DataFrame:
        """Frame of contract CatalogueItems for those of the SKUs that exist, spelled exactly so.

        A product's own SKU can be asked for many at a time; a variant's only one at a time, or all variants at once: whatever is fewer requests.
        """
        wanted = {sku for sku in skus if sku}
        products = self._products_by_sku(sorted(wanted))
        rows = {p.sku: self._item(p, p.base_variant_id, p.sku) for p in products.values() if p.sku in wanted}
        variants = self._variants_by_sku(sorted(wanted - set(rows)))
        known = products | self._products_by_id(sorted({v.product_id for v in variants} - set(products)))
        rows |= {v.sku: self._item(known[v.product_id], v.id, v.sku) for v in variants if v.product_id in known}
        return CatalogueItems.frame(rows[sku] for sku in sorted(rows))

    def whole_catalogue(self) -> pd.DataFrame:
        """Frame of contract CatalogueItems: every SKU that it lists."""
        return listed(self.name, self._client)

    def ship_options(self) -> pd.DataFrame:
        """Frame of contract ShipOptions: what customers can choose, by country."""
        return ship_options(self.name, self._client)

    def numbers(self, kind: str) -> str:
        """No control numbers here."""
        return ""

    def prepare(self, effect: Effect) -> bytes:
        """The JSON body of the shipment, or of the order's new status. Raises Refused when it breaks one of the vendor's limits, naming it."""
        if effect.kind == ORDER_COMPLETION:
            return COMPLETED
        return self._request(effect).model_dump_json(exclude_none=True).encode()

    def send(self, effect: Effect) -> Receipt:
        """Create the shipment, once. Raises NotNow, NotAllowed, Refused or InDoubt."""
        body = effect.document or self.prepare(effect)
        if effect.kind == ORDER_COMPLETION:
            return self._complete(effect, body)
        answer = self._client.create_shipment(_number(effect.payload["order_id"], self._doing(effect)), body)
        try:
            shipment = Shipment.model_validate(answer)
        except ValidationError as error:
            raise InDoubt(self._doing(effect), f"the answer is no shipment ({why(error)})") from None
        return _receipt(shipment)

    def find(self, effect: Effect) -> Receipt | None:
        """The shipment that this effect made, or None when there surely is none.

        Absent from the list is not enough: the order's own count of shipped quantities must agree with the list, else the list is old.
        Raises InDoubt when it cannot be told.
        """
        if effect.kind == ORDER_COMPLETION:
            return self._completed(effect)
        payload, request = DispatchConfirmation.model_validate(effect.payload), self._request(effect)
        order_id = _number(payload.order_id, self._doing(effect))
        shipments = self._shipments(order_id)
        match = matching(shipments, request, effect.effect_id)
        if match:
            return _receipt(match)
        listed: dict[int, int] = {}
        for item in (item for shipment in shipments for item in shipment.items):
            listed[item.order_product_id] = listed.get(item.order_product_id, 0) + item.quantity
        ours = {item.order_product_id for item in request.items}
        for line in (_read(Product, row, "/orders/{id}/products") for row in self._client.order_products(order_id)):
            if line.id in ours and line.quantity_shipped > listed.get(line.id, 0):
                raise InDoubt(f"{self._doing(effect)}: reading back", f"order product {line.id} counts {line.quantity_shipped} as shipped, "
                              f"the list of shipments only {listed.get(line.id, 0)}")
        return None

    def shown_dispatches(self, order_id: str) -> list[dict[str, Any]]:
        """What the storefront now shows as shipped."""
        return [shown(shipment) for shipment in self._shipments(_number(order_id, f"{self.name}: reading shipments"))]

    def _complete(self, effect: Effect, body: bytes) -> Receipt:
        """Set the status to Shipped, unless it is there already. A status never moves backwards: a cancelled order is left alone (Refused)."""
        there = self._completed(effect)
        if there is not None:
            return there
        number = _number(effect.payload["order_id"], self._doing(effect))
        answer = self._client.update_order(number, body)
        try:
            status = Order.model_validate(answer).status_id
        except ValidationError as error:
            raise InDoubt(self._doing(effect), f"the answer is no order ({why(error)})") from None
        if status != SHIPPED:
            raise InDoubt(self._doing(effect), f"the answer says status {status}")
        return Receipt(f"order {number}", {"status_id": status})

    def _completed(self, effect: Effect) -> Receipt | None:
        number = _number(effect.payload["order_id"], self._doing(effect))
        status = _read(Order, self._client.order(number, False), "/orders/{id}").status_id
        if status in (SHIPPED, COMPLETE):
            return Receipt(f"order {number}", {"status_id": status})
        if status not in UNDER_WAY:
            raise Refused(self._doing(effect), f"the order's status is {status} by now", "Look at the order in the storefront.")
        return None

    def _doing(self, effect: Effect) -> str:
        return f"{self.name}: {effect.kind.replace('_', ' ')} {effect.effect_id}"

    def _request(self, effect: Effect) -> ShipmentRequest:
        try:
            return shipment_request(DispatchConfirmation.model_validate(effect.payload), effect.effect_id)
        except (ValidationError, Unmappable) as error:
            raise Refused(self._doing(effect), f"BigCommerce would not take it: {why(error)}", "Correct the dispatch at its source.") from None

    def _shipments(self, order_id: str) -> list[Shipment]:
        return [_read(Shipment, row, "/orders/{id}/shipments") for row in self._client.shipments(order_id)]

    def _list_orders(self, **filters: Any) -> list[dict]:
        return self._embedding(lambda embed: self._client.orders(embed, **filters))

    def _embedding(self, fetch: Callable[[bool], Any]) -> Any:
        """Ask with embedded consignments; an account that refuses them is asked without from then on."""
        if not self._embeds:
            return fetch(False)
        try:
            return fetch(True)
        except Refused:
            answer = fetch(False)  # refused again: the order or the filter is at fault, not the embedding
            self._embeds = False
            return answer

    def _page(self, rows: list[dict], reached: datetime) -> OrderPage:
        orders, lines, groups, recipients, unreadable = [], [], [], [], []
        for row in rows:
            try:
                whole = self._whole(row)
                found = (order_row(whole.order, self._reading), line_rows(whole, self._reading), ship_group_rows(whole, self._reading),
                         recipient_rows(whole, self._reading))
            except (ValueError, Refused, BadDocument) as error:  # NotMoney, Unmappable and ValidationError are ValueErrors
                unreadable.append({"record": str(row.get("id", ""))[:64], "why": why(error)})
                continue
            orders.append(found[0])
            for rows_of, more in zip((lines, groups, recipients), found[1:], strict=True):
                rows_of += more
        return OrderPage(Orders.frame(orders), OrderLines.frame(lines), ShipGroups.frame(groups), Recipients.frame(recipients), reached, unreadable)

    def _whole(self, row: dict) -> WholeOrder:
        order = Order.model_validate(row)
        whole = embedded(order, row.get("consignments")) if self._embeds else None
        if whole is None:
            lines = [Product.model_validate(r) for r in self._client.order_products(str(order.id))]
            whole = WholeOrder(order, lines, [Address.model_validate(r) for r in self._client.shipping_addresses(str(order.id))])
        return whole

    def _products_by_sku(self, skus: list[str]) -> dict[int, CatalogueProduct]:
        plain = [sku for sku in skus if "," not in sku]  # 'sku:in' is separated by commas
        batches: list[dict] = [{"sku:in": ",".join(plain[i:i + SKUS_PER_REQUEST])} for i in range(0, len(plain), SKUS_PER_REQUEST)]
        batches += [{"sku": sku} for sku in skus if "," in sku]
        found = [_read(CatalogueProduct, row, "/catalog/products") for batch in batches for row in self._client.products(**batch)]
        return {product.id: product for product in found}

    def _products_by_id(self, ids: list[int]) -> dict[int, CatalogueProduct]:
        batches = [ids[i:i + SKUS_PER_REQUEST] for i in range(0, len(ids), SKUS_PER_REQUEST)]
        rows = [row for batch in batches for row in self._client.products(**{"id:in": ",".join(map(str, batch))})]
        return {product.id: product for product in (_read(CatalogueProduct, row, "/catalog/products") for row in rows)}

    def _variants_by_sku(self, skus: list[str]) -> list[CatalogueVariant]:
        if len(skus) > 1 and self._client.variant_pages() < len(skus):
            rows = list(self._client.variants())
        else:
            rows = [row for sku in skus for row in self._client.variants(sku=sku)]
        wanted = set(skus)
        return [variant for variant in (_read(CatalogueVariant, row, "/catalog/variants") for row in rows) if variant.sku in wanted]

    def _item(self, product: CatalogueProduct, variant_id: int | None, sku: str) -> dict[str, Any]:
        return {"connection": self.name, "sku": sku, "product_id": str(product.id), "variant_id": str(variant_id or ""), "name": product.name,
                "tracking": product.inventory_tracking}


def _receipt(shipment: Shipment) -> Receipt:
    return Receipt(str(shipment.id), {"order_id": str(shipment.order_id), **shown(shipment)})


def _number(text: str, doing: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(doing, f"{text[:20]!r} is not a BigCommerce id")
    return text


def _read(model: type, row: dict, path: str) -> Any:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise BadDocument(f"reading {path}", why(error)) from None
