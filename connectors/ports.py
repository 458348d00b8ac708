"""What a storefront and a warehouse must be able to do. Small on purpose: a new system fills these and nothing else."""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import pandas as pd

# every kind of effect there is; a system's `kinds` says which of them it can carry out
FULFILMENT_REQUEST = "fulfilment_request"
FULFILMENT_CHANGE = "fulfilment_change"
FULFILMENT_CANCEL = "fulfilment_cancel"
DISPATCH_CONFIRMATION = "dispatch_confirmation"
ORDER_COMPLETION = "order_completion"
ACKNOWLEDGEMENT = "acknowledgement"
STOCK_UPDATE = "stock_update"
REFUND = "refund"
RETURN_NOTICE = "return_notice"
RECEIPT_NOTICE = "receipt_notice"


@dataclass(frozen=True)
class Window:
    """Half-open in the source's own clock: from <= modified < to."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class OrderPage:
    """One page of orders: four frames of the contracts Orders, OrderLines, ShipGroups, Recipients, and what could not be read.

    `reached` is how far the feed is safely taken in once this page is: the watermark after it.
    `unreadable` lists {record, why} for records whose shape the connector could not read at all: never dropped.
    """

    orders: pd.DataFrame
    lines: pd.DataFrame
    ship_groups: pd.DataFrame
    recipients: pd.DataFrame
    reached: datetime
    unreadable: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Effect:
    """One intended change in an outside system, as the ledger hands it out for delivery.

    payload: JSON, no personal data, fixed when planned. recipient: personal data, opened from the vault for this call only.
    number: the control number of this effect where the system needs one, else 0. document: the bytes frozen before the first
    send; the same bytes are sent every time. attempt: 1 for the first send. lease_until: from then on somebody else may take it over:
    a call that can be held back until then must not take effect any more. known_status: the status of the order in our book (contract Orders).
    evidence: what the latest doubt left behind (InDoubt.evidence), of this attempt or an earlier one: the far side's id of what it was working on.
    """

    effect_id: str
    kind: str
    target: str
    business_key: str
    payload: dict[str, Any]
    attempt: int = 1
    fence: int = 0
    number: int = 0
    planned_at: datetime | None = None
    sent_at: datetime | None = None
    recipient: dict[str, str] | None = None
    document: bytes | None = None
    lease_until: datetime | None = None
    known_status: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """Proof that the far side has it: its id there, and what we saw (no personal data).

    Of a stock update that is taken SKU by SKU, evidence['refused'] says which were not, and why: {SKU: reason}. All others have their figures.
    """

    remote_id: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inbound:
    """One message or file from a warehouse, exactly as it came. `source` is the feed, `name` the file or message id."""

    source: str
    name: str
    body: bytes


@dataclass(frozen=True)
class Message:
    """One business message out of an `Inbound`: a transaction set, a CSV file.

    key identifies it for ever: (sender, interchange and set control numbers), or the content hash where the format has none.
    kind: 'dispatches' | 'acknowledgement' | 'stock_levels' | 'stock_changes' | 'returns'. A frame of the contract Dispatches, StockLevels,
    StockChanges or ReturnLines goes with its kind; one document may bring changes *and* returns (a receipt of returned goods: then the stock of
    it is in `stock_changes`). is_whole: a stock statement that names every SKU of its facilities, so that a SKU left out is out of stock.
    acknowledgements: a list of {number, accepted: bool, code, reason}. errors: what is wrong with the message as a whole: then nothing of it is used.
    """

    key: str
    kind: str
    sent_at: datetime | None = None
    dispatches: pd.DataFrame | None = None
    acknowledgements: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    answer: dict[str, Any] | None = None  # payload of the acknowledgement effect that we owe for the interchange, if any
    stock_levels: pd.DataFrame | None = None
    stock_changes: pd.DataFrame | None = None
    returns: pd.DataFrame | None = None
    is_whole: bool = False


@dataclass(frozen=True)
class Hint:
    """What a webhook says: something happened to this record. Never the truth itself: the record is fetched anew."""

    key: str  # the same for every delivery of one event
    topic: str  # 'order' | 'refund' (record: the order's id) | 'stock'
    record: str


@runtime_checkable
class Delivers(Protocol):
    """Carries out effects. Both sides of the house do."""

    name: str  # the connection's name in the profile
    account: str  # what shares one rate budget and one set of control numbers
    kinds: tuple[str, ...]
    quiet_seconds: float  # how long after a doubtful send a read-back can be trusted
    verify_seconds: float  # how soon a confirmed effect must have been proven (read back, or acknowledged)

    def numbers(self, kind: str) -> str:
        """The control-number stream that this kind of effect draws from; '' when it needs none."""

    def prepare(self, effect: Effect) -> bytes:
        """The exact bytes that will be sent, frozen in the ledger before the first send. Pure."""

    def send(self, effect: Effect) -> Receipt:
        """Send once. Raises NotNow, NotAllowed, Refused (nothing happened) or InDoubt (nobody knows)."""

    def find(self, effect: Effect) -> Receipt | None:
        """Read back by our reference: a Receipt when it is there, None when it is surely not. Raises InDoubt when it cannot be told."""


@runtime_checkable
class Storefront(Delivers, Protocol):
    """The system that sells."""

    def orders(self, window: Window) -> Iterator[OrderPage]:
        """Every order modified in the window, oldest change first; a record may come twice, none is left out."""

    def order(self, order_id: str) -> OrderPage:
        """One order as it stands now."""

    def channels(self) -> pd.DataFrame:
        """Frame of contract Channels."""

    def catalogue(self, skus: list[str]) -> pd.DataFrame:
        """Frame of contract CatalogueItems for those of the SKUs that exist."""

    def whole_catalogue(self) -> pd.DataFrame:
        """Frame of contract CatalogueItems: every SKU that it lists; one without a SKU as ''. For an audit."""

    def ship_options(self) -> pd.DataFrame:
        """Frame of contract ShipOptions: every shipping method that it has, by country. For an audit."""

    def shown_dispatches(self, order_id: str) -> list[dict[str, Any]]:
        """What the storefront now shows as shipped: [{remote_id, reference, tracking_number, provider, tracking_carrier,
        lines: [{line_id, quantity}]}]."""

    update_items_max: int  # SKUs that one stock update may hold

    def locations(self) -> pd.DataFrame:
        """Frame of contract Locations."""

    def shown_stock(self, location: str, skus: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """What it shows now: frames of contract ShownStock, a page each. skus None: every SKU of the location. A SKU it does not know is in none."""

    def refunds(self, window: Window) -> pd.DataFrame:
        """Frame of contract Refunds: every refund made in the window, declined ones too."""

    def payments(self, order_id: str) -> pd.DataFrame:
        """Frame of contract Payments: every movement of money of one order."""

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """What a delivered webhook says. Raises NotAllowed when it is not genuine or too old, BadDocument when it cannot be read. No network."""

    def keep_webhooks(self, destination: str) -> list[dict[str, str]]:
        """Register what is missing, switch on what was switched off, and say what was found: [{topic, was: 'active' | 'off' | 'missing' | 'elsewhere'}]."""


@dataclass(frozen=True)
class SettlementDocument:
    """One settlement file exactly as the marketplace gave it (decompressed). name: its document's id there; made_at: when it was made."""

    name: str
    kind: str
    body: bytes
    made_at: datetime


@dataclass(frozen=True)
class SettlementRead:
    """What is in a settlement document: frames of the contracts Settlements, SettlementRows and SettlementFindings."""

    heads: pd.DataFrame
    rows: pd.DataFrame
    findings: pd.DataFrame


@runtime_checkable
class Settles(Protocol):
    """A storefront that pays out: a marketplace. Its statements can only be listed, and are gone after a while."""

    statements_silent_after_seconds: float  # how old the newest statement may become before the feed counts as silent: no statement is not an empty one

    def read_settlement(self, document: SettlementDocument) -> SettlementRead:
        """Every amount in it, attributed by the catalogue. Raises BadDocument when it is no settlement or cannot be read as one. Pure, no network."""

    def settlement_documents(self, window: Window, known: Container[str] = ()) -> Iterator[SettlementDocument]:
        """Every statement made in the window, oldest first; one may come twice, none is left out but those whose name is in `known`. Raises NotNow, NotAllowed, BadDocument: what was
        yielded before stands, and the watermark may only move when nothing was raised.
        """


@runtime_checkable
class AuthorisesReturns(Protocol):
    """A storefront that itself decides what customers may send back: a marketplace."""

    def authorised_returns(self, window: Window) -> tuple[pd.DataFrame, list[dict[str, str]]]:
        """Frame of contract AuthorisedReturns: returns asked for in the window, as they stand now; and the rows that could not be read: [{record, why}].

        It may be minutes in the making: NotNow says that it is not ready, and the next call takes up where this one left.
        """


@runtime_checkable
class Warehouse(Delivers, Protocol):
    """The system that ships."""

    follows_changes: bool  # may an order be changed after export?
    follows_cancels: bool
    acknowledges: bool  # does it send acknowledgements? If not, a read-back proves what it has
    announces_returns: bool  # does it want approved returns announced (kind RETURN_NOTICE)?
    stock_basis: str  # 'available': its figures are less what it has allocated to orders it knows; 'on_hand': they are not
    silent_after_seconds: dict[str, float]  # message kind -> how long none may come before the feed counts as silent; missing: never

    def items(self) -> tuple[pd.DataFrame, list[dict[str, str]]]:
        """The item master (contract Items, sound rows), and the rows that could not be read: [{record, why}]."""

    def inbound(self) -> Iterator[Inbound]:
        """What has come and is not yet filed away. Only whole files: a file that is still growing is not offered."""

    def read(self, inbound: Inbound) -> list[Message]:
        """The messages in it. Raises BadDocument when it cannot be read. Pure."""

    def refused_names(self) -> list[str]:
        """What lies there under a name that is never offered (hostile, or no regular file), escaped and safe to show."""

    def file_away(self, inbound: Inbound) -> None:
        """Called after the ledger has committed what was in it. Doing it twice is harmless."""


@runtime_checkable
class Archives(Protocol):
    """A warehouse that keeps filed-away messages where we can remove them: personal data may be in them."""

    def forget_filed(self, before: datetime, dry_run: bool = False) -> int:
        """Remove from the archive what is older. How many files; dry_run: only count them. Raises NotNow, NotAllowed."""

    def put_back(self, is_known: Callable[[bytes], bool]) -> int:
        """Lay ready again what the archive holds and the ledger does not know (it is an older one, restored). How many. Raises NotNow, NotAllowed."""
