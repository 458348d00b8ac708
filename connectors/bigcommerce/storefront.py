"""The port: BigCommerce as a Storefront. Joins client, feed, wire and mapping; what is particular to the vendor is in README.md."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import httpx
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.bigcommerce.catalogue import Catalogue
from connectors.bigcommerce.checked import number, read
from connectors.bigcommerce.client import Client, over_quantity, said
from connectors.bigcommerce.feed import walk
from connectors.bigcommerce.hooks import SCOPES, Keys, Webhooks
from connectors.bigcommerce.inventory import Inventory
from connectors.bigcommerce.mapping import RELEASABLE, Reading, WholeOrder, embedded, line_rows, order_row, recipient_rows, ship_group_rows, why
from connectors.bigcommerce.offers import listed, ship_options
from connectors.bigcommerce.refunds import RefundDesk
from connectors.bigcommerce.shipments import Completions, Shipments
from connectors.bigcommerce.wire import Address, Channel, Order, Product
from connectors.kit.budget import shared_budget
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, Refused
from connectors.kit.http import Http
from connectors.kit.secret import Secret
from connectors.ports import DISPATCH_CONFIRMATION, ORDER_COMPLETION, REFUND, STOCK_UPDATE, Effect, Hint, OrderPage, Receipt, Storefront, Window
from contracts.items import Channels
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups

LIVE_CHANNELS = ("active", "connected")


class Settings(BaseModel):
    """One BigCommerce account, as a profile gives it.

    Scopes: store_v2_orders, store_v2_transactions, store_inventory, store_v2_products_read_only, store_channel_settings_read_only.
    """

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
    update_items_max: int = Field(2000, ge=1, le=2000, description="SKUs of one stock update")
    stock_page_size: int = Field(1000, ge=2, le=1000)
    offline_refunds: bool = Field(False, description="may a refund be noted that somebody else has to pay out?")
    store_credit_refunds: bool = Field(False, description="may money come back as store credit, where nothing else is offered?")
    refund_quiet_seconds: float = Field(900, ge=0, description="how long after a doubtful refund the list of refunds is trusted")
    refund_gap_seconds: float = Field(10, ge=0, le=30, description="between two refunds of one order: the second waits")
    client_secret: Secret | None = Field(None, description="the app's: webhooks are signed with it")
    webhook_secret: Secret | None = Field(None, description="what every hook of ours carries in a header of its own; 16 letters or more")
    webhook_scopes: tuple[str, ...] = ("store/order/created", "store/order/updated", "store/order/refund/created")
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


    @field_validator("client_secret", "webhook_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not 16 <= len(secret.get_secret_value()) <= 256:
            raise ValueError("it has fewer than 16 letters, or more than 256")
        return secret

    @field_validator("webhook_scopes")
    @classmethod
    def _heard(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if not set(scopes) <= set(SCOPES):
            raise ValueError(f"only {sorted(SCOPES)} are understood")
        return scopes


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

    kinds = (DISPATCH_CONFIRMATION, ORDER_COMPLETION, STOCK_UPDATE, REFUND)

    def __init__(self, name: str, settings: Settings, client: Client, clock: Clock) -> None:
        self.name, self.account = name, settings.store_hash
        self.quiet_seconds, self.verify_seconds = settings.quiet_seconds, settings.verify_seconds
        self.update_items_max = settings.update_items_max
        self._client, self._clock, self._page_size = client, clock, settings.page_size
        self._catalogue, self._shipments = Catalogue(name, client), Shipments(name, client, clock)
        self._inventory = Inventory(name, client, clock, self._catalogue, settings.stock_page_size, settings.update_items_max)
        self._refunds = RefundDesk(name, client, clock, settings.refund_quiet_seconds, settings.refund_gap_seconds,
                                   settings.offline_refunds, settings.store_credit_refunds)
        keys = Keys(client_secret=settings.client_secret.get_secret_value(), header=settings.webhook_secret.get_secret_value()) \
            if settings.client_secret and settings.webhook_secret else None
        self._webhooks = Webhooks(name, settings.store_hash, client, clock, keys, settings.webhook_scopes)
        self._carriers = {DISPATCH_CONFIRMATION: self._shipments, ORDER_COMPLETION: Completions(name, client, clock), STOCK_UPDATE: self._inventory,
                          REFUND: self._refunds}
        self._embeds = settings.embed_consignments
        self._reading = Reading(name, settings.release_status_ids, settings.po_field, settings.organisation_from_company)

    def orders(self, window: Window) -> Iterator[OrderPage]:
        """Every order modified in the window, oldest change first. Raises ReadFailed, NotNow, NotAllowed; what was yielded stands."""
        for listed in walk(self._list_orders, window, self._page_size, self._clock.now()):
            yield self._page(listed.rows, listed.reached)

    def order(self, order_id: str) -> OrderPage:
        """One order as it stands now. Raises Refused when there is none."""
        found = number(order_id, f"{self.name}: reading an order")
        page = self._page([self._embedding(lambda embed: self._client.order(found, embed))], self._clock.now())
        moments = page.orders["modified_at"]
        return page if moments.empty else OrderPage(page.orders, page.lines, page.ship_groups, page.recipients, moments[0].to_pydatetime())

    def channels(self) -> pd.DataFrame:
        """Frame of contract Channels."""
        found = [read(Channel, row, "/channels") for row in self._client.channels()]
        return Channels.frame({"connection": self.name, "channel": str(c.id), "name": c.name, "is_active": c.status in LIVE_CHANNELS} for c in found)

    def catalogue(self, skus: list[str]) -> pd.DataFrame:
        """Frame of contract CatalogueItems for those of the SKUs that exist, spelled exactly so."""
        return self._catalogue.items(skus)

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
        """The JSON body, as far as it is known without asking. Raises Refused when it breaks one of the vendor's limits, naming it."""
        return self._carriers[effect.kind].prepare(effect)

    def send(self, effect: Effect) -> Receipt:
        """Carry it out, once. Raises NotNow, NotAllowed, Refused or InDoubt."""
        return self._carriers[effect.kind].send(effect, effect.document or self.prepare(effect))

    def find(self, effect: Effect) -> Receipt | None:
        """What this effect made, or None when there surely is nothing. Raises InDoubt when it cannot be told."""
        return self._carriers[effect.kind].find(effect)

    def shown_dispatches(self, order_id: str) -> list[dict[str, Any]]:
        """What the storefront now shows as shipped."""
        return self._shipments.shown(order_id)

    def locations(self) -> pd.DataFrame:
        """Frame of contract Locations."""
        return self._inventory.locations()

    def shown_stock(self, location: str, skus: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """Frames of contract ShownStock, a page each. What was set a moment ago may not be in them yet."""
        return self._inventory.shown(location, skus)

    def set_safety_stock(self, location: str, kept_back: dict[str, int]) -> None:
        """How many of each SKU the storefront itself keeps back at the location. Absolute. Not part of the port."""
        self._inventory.set_safety_stock(location, kept_back)

    def refunds(self, window: Window) -> pd.DataFrame:
        """Frame of contract Refunds: every refund made in the window, declined ones too."""
        return self._refunds.refunds(window)

    def payments(self, order_id: str) -> pd.DataFrame:
        """Frame of contract Payments."""
        return self._refunds.payments(order_id)

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """What a delivered webhook says. Raises NotAllowed when it is not genuine or too old, BadDocument when it cannot be read. No network."""
        return self._webhooks.hint(headers, body)

    def keep_webhooks(self, destination: str) -> list[dict[str, str]]:
        """Register what is missing, switch on what was switched off, turn here what points elsewhere; what each was before."""
        return self._webhooks.keep(destination)

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
