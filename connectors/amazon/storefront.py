"""The port: Amazon Seller Central as a Storefront. Joins the parts; what is particular to the vendor is in README.md."""

from collections.abc import Container, Iterator, Mapping
from typing import Any

import httpx
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.amazon.catalogue import Catalogue
from connectors.amazon.channels import channels, ship_options
from connectors.amazon.client import Client, said
from connectors.amazon.feeds import Feeds
from connectors.amazon.finances import Finances
from connectors.amazon.limits import RATES
from connectors.amazon.login import Login, refused
from connectors.amazon.mapping import PROGRAMS, Reading
from connectors.amazon.marketplaces import ENDPOINTS, MARKETPLACES
from connectors.amazon.orders import OrderDesk
from connectors.amazon.reports import SILENT_SECONDS, Reports
from connectors.amazon.returns_report import ReturnsReport
from connectors.amazon.shipments import Shipments
from connectors.amazon.statements import read_settlement
from connectors.amazon.stock import Stock
from connectors.amazon.wire_feeds import MESSAGES_MAX
from connectors.kit.buckets import Rate, shared_buckets
from connectors.kit.clock import Clock
from connectors.kit.errors import NotAllowed
from connectors.kit.http import Http
from connectors.kit.links import BYTES_MAX, Links
from connectors.kit.secret import Secret
from connectors.ports import DISPATCH_CONFIRMATION, STOCK_UPDATE, Effect, Hint, OrderPage, Receipt, SettlementDocument, SettlementRead, Storefront, Window

DOCUMENT_HOSTS = ("*.s3.amazonaws.com", "*.s3.*.amazonaws.com", "*.s3-*.amazonaws.com", "*.cloudfront.net")


class Settings(BaseModel):
    """One seller account in one region, as a profile gives it. Roles: Inventory and Order Tracking, Product Listing, Finance and Accounting,
    and Direct-to-Consumer Delivery: without that one no order has an address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seller_id: str = Field(pattern=r"^[A-Z0-9]{5,32}$")
    marketplace_ids: tuple[str, ...] = Field(min_length=1, max_length=50)
    region: str = Field("", description="na, eu or fe; '' : that of the marketplaces")
    client_id: str = Field(min_length=1, max_length=256)
    client_secret: Secret
    refresh_token: Secret
    base_url: str = Field("", description="'' : the region's own; a sandbox's address may have a path")
    login_url: str = Field("https://api.amazon.com", description="Login with Amazon; /auth/o2/token comes under it")
    rates: dict[str, tuple[float, int]] = Field({}, description="requests a second and burst of an operation, where Amazon granted others than it publishes")
    page_size: int = Field(100, ge=2, le=100)
    carriers: dict[str, tuple[str, ...]] = Field({}, description="marketplace id -> the carrier codes of its list in Seller Central, exactly; then no other is sent")
    programs_shipped: tuple[str, ...] = Field((), description="programs whose orders wait (see README) and that this account ships all the same")
    organisation_from_company: bool = True
    counts_amazon_fulfilled: bool = Field(True, description="read the orders that Amazon fulfils too, without their addresses: to count them, and to see one change hands")
    quiet_seconds: float = Field(300, ge=0)
    verify_seconds: float = Field(1800, ge=0)
    timeout_seconds: float = Field(30, gt=0)
    wait_seconds_max: float = Field(60, ge=0, description="longest wait for the request budget of an operation")
    document_hosts: tuple[str, ...] = Field(DOCUMENT_HOSTS, description="patterns of the hosts that documents may be fetched from, beside the API's own")
    document_bytes_max: int = Field(BYTES_MAX, ge=1024, description="the largest document, as it comes and unpacked")
    report_wait_seconds: float = Field(180, ge=0, description="how long one run waits for a report that it asked for; the next run takes it up")
    report_poll_seconds: float = Field(10, ge=0.5)
    update_items_max: int = Field(2000, ge=1, le=MESSAGES_MAX, description="SKUs of one stock update; more than 2,000 want a longer `ledger.lease_seconds`")
    patch_items_max: int = Field(50, ge=0, le=500, description="so many SKUs are patched one by one, at five a second; more go as a feed")
    listing_page_size: int = Field(20, ge=2, le=20)
    product_type: str = Field("", max_length=100, description="the product type that figures are sent under; '' : each listing's own")
    feed_wait_seconds: float = Field(60, ge=0, description="how long one send waits for its feed; the next run takes it up")
    feed_poll_seconds: float = Field(15, ge=0.5)
    stock_quiet_seconds: float = Field(120, ge=0, description="how long after a doubtful stock update the listings are trusted")

    @field_validator("rates")
    @classmethod
    def _of_operations(cls, rates: dict[str, tuple[float, int]]) -> dict[str, tuple[float, int]]:
        for operation, (per_second, burst) in rates.items():
            if operation not in RATES or not 0 < per_second <= 10_000 or burst < 1:
                raise ValueError(f"{operation}: no operation of {sorted(RATES)}, or no rate above 0 and burst from 1")
        return rates

    @field_validator("programs_shipped")
    @classmethod
    def _known_programs(cls, programs: tuple[str, ...]) -> tuple[str, ...]:
        if not set(programs) <= set(PROGRAMS):
            raise ValueError(f"only {sorted(PROGRAMS)} wait")
        return programs

    @model_validator(mode="after")
    def _one_region(self) -> "Settings":
        strange = sorted(set(self.marketplace_ids) - set(MARKETPLACES))
        if strange:
            raise ValueError(f"marketplace_ids: {strange[0][:20]!r} is no marketplace that we know")
        regions = {MARKETPLACES[one].region for one in self.marketplace_ids}
        if len(regions) > 1 or (self.region and {self.region} != regions):
            raise ValueError("marketplace_ids: one connection is one region; make one for each")
        return self

    @property
    def endpoint(self) -> str:
        """The API's base URL."""
        return self.base_url.rstrip("/") or ENDPOINTS[MARKETPLACES[self.marketplace_ids[0]].region]


def connect(name: str, settings: Settings, clock: Clock, transport: httpx.BaseTransport | None = None) -> Storefront:
    """A connection called `name`. Its request budgets are shared with every other connection of this process to the same account and application."""
    lwa = Http(f"{name} login", settings.login_url, clock, judge=refused, timeout_seconds=settings.timeout_seconds, transport=transport)
    login = Login(lwa, settings.client_id, settings.client_secret, settings.refresh_token, clock)
    http = Http(name, settings.endpoint, clock, sign=login.sign, describe=said, timeout_seconds=settings.timeout_seconds, transport=transport)
    rates = RATES | {operation: Rate(*rate) for operation, rate in settings.rates.items()}
    account = f"amazon {settings.seller_id} {MARKETPLACES[settings.marketplace_ids[0]].region} {settings.client_id}"
    client = Client(http, login, shared_buckets(account, clock, rates, settings.wait_seconds_max), clock)
    hosts = (*settings.document_hosts, httpx.URL(settings.endpoint).host)
    links = Links(name, clock, hosts, bytes_max=settings.document_bytes_max, timeout_seconds=settings.timeout_seconds, transport=transport)
    return Amazon(name, settings, client, clock, links)


class Amazon:
    """A Storefront (connectors.ports).

    Each part is an object with its own verbs. What carries out a kind of effect (prepare, send, find) goes into `_carriers`; `kinds` follows.
    """

    kinds = (DISPATCH_CONFIRMATION, STOCK_UPDATE)
    statements_silent_after_seconds = SILENT_SECONDS

    def __init__(self, name: str, settings: Settings, client: Client, clock: Clock, links: Links) -> None:
        self.name, self.account = name, settings.seller_id
        self.quiet_seconds, self.verify_seconds = settings.quiet_seconds, settings.verify_seconds
        self._client, self._marketplaces = client, settings.marketplace_ids
        reading = Reading(name, settings.organisation_from_company, settings.programs_shipped)
        self._orders = OrderDesk(name, client, clock, settings.marketplace_ids, settings.page_size, reading, settings.counts_amazon_fulfilled)
        self._shipments = Shipments(name, client, clock, self._orders, settings.marketplace_ids, settings.carriers)
        self._reports = Reports(name, client, clock, links, settings.page_size, settings.report_poll_seconds)
        self._returns = ReturnsReport(name, self._reports, clock, settings.marketplace_ids, settings.report_wait_seconds)
        self._finances = Finances(name, client, clock, settings.marketplace_ids, self._orders.line_ids)
        self.update_items_max = settings.update_items_max
        self._catalogue = Catalogue(name, client, settings.seller_id, settings.marketplace_ids, settings.listing_page_size)
        feeds = Feeds(name, client, links, clock, settings.feed_wait_seconds, settings.feed_poll_seconds)
        self._stock = Stock(name, client, clock, self._catalogue, feeds, settings.seller_id, settings.update_items_max, settings.patch_items_max,
                            settings.stock_quiet_seconds, settings.product_type)
        self._carriers: dict[str, Any] = {DISPATCH_CONFIRMATION: self._shipments, STOCK_UPDATE: self._stock}

    def orders(self, window: Window) -> Iterator[OrderPage]:
        """Every order modified in the window. Raises ReadFailed, NotNow, NotAllowed; what was yielded stands."""
        return self._orders.changed(window)

    def order(self, order_id: str) -> OrderPage:
        """One order as it stands now. Raises Refused when there is none."""
        return self._orders.one(order_id)

    def channels(self) -> pd.DataFrame:
        """Frame of contract Channels: the marketplaces of this connection, and whether the seller takes part in them."""
        return channels(self.name, self._client, self._marketplaces)

    def ship_options(self) -> pd.DataFrame:
        """Frame of contract ShipOptions: Amazon's service levels, in the country of each marketplace."""
        return ship_options(self.name, self._marketplaces)

    def catalogue(self, skus: list[str]) -> pd.DataFrame:
        """Frame of contract CatalogueItems for those of the SKUs that are listed, spelled exactly so; what Amazon ships is untracked."""
        return self._catalogue.items(skus)

    def whole_catalogue(self) -> pd.DataFrame:
        """Frame of contract CatalogueItems: every SKU that is listed, but for those that only Amazon ships."""
        return self._catalogue.whole()

    def locations(self) -> pd.DataFrame:
        """Frame of contract Locations: the merchant's own channel, active while the seller takes part in one of the marketplaces."""
        return self._stock.locations(bool(self.channels()["is_active"].any()))

    def shown_stock(self, location: str, skus: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """Frames of contract ShownStock. What was accepted a moment ago may not be in them yet."""
        return self._stock.shown(location, skus)

    def numbers(self, kind: str) -> str:
        """No control numbers here."""
        return ""

    def prepare(self, effect: Effect) -> bytes:
        """The body that will be sent. Raises Refused when Amazon would not take it, naming the field."""
        return self._carriers[effect.kind].prepare(effect)

    def send(self, effect: Effect) -> Receipt:
        """Carry it out, once. Raises NotNow, NotAllowed, Refused or InDoubt."""
        return self._carriers[effect.kind].send(effect, effect.document or self.prepare(effect))

    def find(self, effect: Effect) -> Receipt | None:
        """What this effect made, or None when there surely is nothing. Raises InDoubt when it cannot be told."""
        return self._carriers[effect.kind].find(effect)

    def shown_dispatches(self, order_id: str) -> list[dict[str, Any]]:
        """What Amazon now shows as shipped."""
        return self._shipments.shown(order_id)

    def refunds(self, window: Window) -> pd.DataFrame:
        """Frame of contract Refunds: what Amazon gave back in the window; never declined, and never made by us."""
        return self._finances.refunds(window)

    def payments(self, order_id: str) -> pd.DataFrame:
        """Frame of contract Payments: settled once Amazon has released the money to the seller."""
        return self._finances.payments(order_id)

    def settlement_documents(self, window: Window, known: Container[str] = ()) -> Iterator[SettlementDocument]:
        """Every statement made in the window (of the last ninety days) that is not known by its name, oldest first."""
        return self._reports.settlement_documents(window, known)

    def read_settlement(self, document: SettlementDocument) -> SettlementRead:
        """Every amount of a settlement file, attributed by the catalogue."""
        return read_settlement(document)

    def authorised_returns(self, window: Window) -> tuple[pd.DataFrame, list[dict[str, str]]]:
        """Frame of contract AuthorisedReturns, and the rows that could not be read: [{record, why}]."""
        return self._returns.authorised(window)

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Amazon pushes to queues only, never to an address: whatever comes here is not from it. Raises NotAllowed."""
        raise NotAllowed(f"{self.name}: reading a webhook", "Amazon sends none, so this is not genuine", "Point nothing at this address.")

    def keep_webhooks(self, destination: str) -> list[dict[str, str]]:
        """There are none to keep: orders are pulled."""
        return []
