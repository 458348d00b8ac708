"""The house, opened from a profile: the ledger, the snapshots and every connection by name.

A profile is a TOML file. It names no secret, only where each is ('env:NAME', 'file:path'). `{home}` stands for the profile's
home folder. A wrong key is refused with its name.
"""

import importlib
import importlib.util
import os
import threading
import tomllib
from datetime import time
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from connectors.kit.clock import Clock, SystemClock
from connectors.kit.errors import BadConfiguration
from connectors.kit.secret import Secret
from connectors.ledger.ledger import Ledger
from connectors.ports import Storefront, Warehouse
from connectors.snapshots.snapshots import Snapshots
from contracts.exceptions import ROLES

PROFILE = "WHARFINGER_PROFILE"
LEDGER_URL = "sqlite:///{home}/ledger.db"
SIDES = ("storefront", "warehouse")
ConnectionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]  # it is part of effect ids and of subjects in the vault


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerSettings(_Part):
    """Where the ledger is, and how long a worker may hold an effect. The password of a PostgreSQL goes into `password`, by reference."""

    url: str = LEDGER_URL
    password: Secret | None = None
    lease_seconds: float = Field(120, gt=0)

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        if _url(url).password is not None or "password" in _url(url).query:
            raise ValueError("it holds a password: give that as `password = \"env:NAME\"`")
        return url

    @property
    def full_url(self) -> str:
        """The URL with its password. Not for logs."""
        return self.url if self.password is None else _url(self.url).set(password=self.password.get_secret_value()).render_as_string(hide_password=False)


class VaultSettings(_Part):
    """Where the master key is. Never in the database, never in the profile."""

    key: Secret


class RetentionSettings(_Part):
    """How many days what is kept. personal_days counts from the last dispatch, or from the cancelling."""

    personal_days: int = Field(30, ge=1, le=3650)
    hint_days: int = Field(30, ge=1)
    run_days: int = Field(90, ge=1)
    stock_days: int = Field(400, ge=35, description="snapshots of stock and its history; one month-end must still be reconciled")


class ConnectionSettings(BaseModel):
    """One account of a system. `options` are the system's own settings."""

    model_config = ConfigDict(extra="allow", frozen=True)

    system: str = Field(pattern=r"^[a-z0-9_]+$")
    reference_prefix: str = Field("", pattern=r"^[A-Z0-9]{0,6}$")
    overlap_seconds: float = Field(300, ge=0)
    first_days: float = Field(30, gt=0)
    ship_within_hours: float = Field(0, ge=0, description="of a storefront: every order must have left so soon after it was placed; 0: it does not say")
    refund_limit_minor: int | None = Field(None, ge=0)  # of one order, by us alone; above it a person approves. None: no limit but what was paid
    lost_percent_max: float = Field(40, gt=0, le=100)  # a statement that loses more of its SKUs or units than this is not believed
    lost_skus_min: int = Field(20, ge=1)  # ... in a facility that had at least so many
    stock_calls_max: int = Field(50, ge=1)  # stock updates that one run may send
    patience_days: dict[Literal["ship", "pay", "refund", "come_back"], int] = Field({}, description="days before money without goods, or goods without money, is a difference")
    settlement_kept_days: float = Field(90, gt=0, description="of a marketplace: how long a statement can be fetched there")
    stock_window_seconds: float = Field(0, ge=0)  # how long a sale may go unnoticed elsewhere; 0: reckoned from the feed

    @property
    def options(self) -> dict[str, Any]:
        """What belongs to the system, not to the house."""
        return dict(self.model_extra or {})

    @field_validator("system")
    @classmethod
    def _exists(cls, system: str) -> str:
        if not any(_has(system, side) for side in SIDES):
            raise ValueError(f"there is no system {system!r}")
        return system


class AlertSettings(_Part):
    """When a desk is told, and through which Prefect block: {owner role, or '*' for every other: 'block-type/name'}. Without one: events only."""

    interval_seconds: float = Field(900, gt=0, description="at most one alert a desk in so long")
    before_due_seconds: float = Field(3600, gt=0)
    notify: dict[str, Annotated[str, Field(pattern=r"^[a-z0-9-]+/[A-Za-z0-9_-]+$")]] = {}

    @field_validator("notify")
    @classmethod
    def _of_roles(cls, notify: dict[str, str]) -> dict[str, str]:
        strange = sorted(set(notify) - {"*", *ROLES})
        if strange:
            raise ValueError(f"there is no owner role {strange[0]!r}: choose from {', '.join(ROLES)}, or '*'")
        return notify


class Profile(_Part):
    """Everything a house needs to know."""

    home: Path
    webhooks_url: str = Field("", pattern=r"^(|https://[^\s:/@]+(/[^\s?#]*)?)$", description="where storefronts reach `wharfinger webhooks`; '': they do not")
    cut_off: time = Field(time(15, 0), description="when parcels are collected, UTC")
    cut_offs: dict[str, time] = Field({}, description="'warehouse/facility' -> its own cut-off")
    collection_weekdays: tuple[Annotated[int, Field(ge=0, le=6)], ...] = Field(tuple(range(7)), min_length=1, description="0 is Monday")
    handling_hours: float = Field(2, ge=0, description="an order placed less than so long before a collection is expected on the next one")
    ledger: LedgerSettings = LedgerSettings()
    vault: VaultSettings
    retention: RetentionSettings = RetentionSettings()
    cycles_seconds: float = Field(900, ge=0, description="what three runs of the other flows take: a difference that is younger is late, and no alarm yet")
    alerts: AlertSettings = AlertSettings()
    connections: dict[ConnectionName, ConnectionSettings] = {}

    @model_validator(mode="before")
    @classmethod
    def _place(cls, raw: Any) -> Any:
        """`{home}` in every text, in the default of the ledger's URL too."""
        if not isinstance(raw, dict) or "home" not in raw:
            return raw
        ledger = raw.get("ledger", {})
        return _placed(raw | {"ledger": {"url": LEDGER_URL} | ledger if isinstance(ledger, dict) else ledger}, str(raw["home"]))


def read_profile(path: Path) -> Profile:
    """Read and check a profile. Raises BadConfiguration that names the file and the key."""
    doing = f"reading the profile {path.name}"
    try:
        raw = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise BadConfiguration(doing, error.strerror or "it cannot be read", f"Set {PROFILE} to a profile file.") from None
    except UnicodeDecodeError:
        raise BadConfiguration(doing, "it is not UTF-8", "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(doing, f"it is not TOML ({error})", "Correct that line.") from None
    home = Path(os.environ.get("WHARFINGER_HOME") or str(raw.get("home") or ".wharfinger")).expanduser().absolute()
    try:
        return Profile.model_validate(raw | {"home": str(home)})
    except ValidationError as error:
        raise BadConfiguration(doing, _first(error), "Correct that key.") from None


class House:
    """Opens each part when it is first asked for, and closes them all. `transports` replaces a connection's way out (tests, simulator)."""

    def __init__(self, profile: Profile, clock: Clock | None = None, transports: dict[str, Any] | None = None, make_id: Any = None) -> None:
        self.profile, self.clock = profile, clock or SystemClock()
        self._transports, self._make_id, self._open = transports or {}, make_id, {}
        self._opening = threading.RLock()  # two threads must not open one account twice: they would not share its rate budget

    @property
    def ledger(self) -> Ledger:
        """The effect ledger. Raises BadConfiguration, NotNow."""
        with self._opening:
            return self._ledger

    @cached_property
    def _ledger(self) -> Ledger:
        try:
            self.profile.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadConfiguration("opening the house", f"its home {self.profile.home} cannot be made: {error.strerror}", "Set `home` to a folder.") from None
        more = {"make_id": self._make_id} if self._make_id else {}
        return Ledger(self.profile.ledger.full_url, self.clock, self.profile.vault.key, self.profile.ledger.lease_seconds, cut_off=self.profile.cut_off, **more)

    @cached_property
    def snapshots(self) -> Snapshots:
        """What systems said, and the analysts' catalogue."""
        return Snapshots(self.profile.home / "analytics", self.clock)

    def storefront(self, name: str) -> Storefront:
        """The storefront connection of this name. Raises BadConfiguration."""
        return self._connection(name, "storefront")

    def warehouse(self, name: str) -> Warehouse:
        """The warehouse connection of this name. Raises BadConfiguration."""
        return self._connection(name, "warehouse")

    def settings(self, name: str) -> ConnectionSettings:
        """The connection's own table in the profile. Raises BadConfiguration."""
        if name not in self.profile.connections:
            known = ", ".join(sorted(self.profile.connections)) or "none"
            raise BadConfiguration(f"opening the connection {name!r}", f"the profile has only: {known}", "Add a table for it.")
        return self.profile.connections[name]

    def names(self, side: str) -> list[str]:
        """The connections on one side ('storefront' or 'warehouse')."""
        return sorted(name for name, settings in self.profile.connections.items() if _has(settings.system, side))

    def close(self) -> None:
        """Close what was opened. Asked for again, a part is opened anew."""
        with self._opening:
            while self._open:
                getattr(self._open.popitem()[1], "close", lambda: None)()
            if "_ledger" in self.__dict__:
                self.__dict__.pop("_ledger").close()

    def _connection(self, name: str, side: str) -> Any:
        with self._opening:
            if (name, side) not in self._open:
                self._open[name, side] = self._connect(name, side)
            return self._open[name, side]

    def _connect(self, name: str, side: str) -> Any:
        settings = self.settings(name)
        doing = f"opening the connection {name!r}"
        if not _has(settings.system, side):
            raise BadConfiguration(doing, f"there is no system {settings.system!r} that is a {side}", "Correct `system` in the profile.")
        module = importlib.import_module(f"connectors.{settings.system}.{side}")
        try:
            options = module.Settings.model_validate(settings.options)
        except ValidationError as error:
            raise BadConfiguration(doing, _first(error), "Correct that key in the profile.") from None
        return module.connect(name, options, self.clock, self._transports.get(name))


def _has(system: str, side: str) -> bool:
    """Is there a folder for this system, and is it on this side? Looked up without opening it."""
    try:
        return importlib.util.find_spec(f"connectors.{system}.{side}") is not None
    except ModuleNotFoundError:
        return False


def _url(text: str) -> URL:
    try:
        return make_url(text)
    except ArgumentError:
        raise ValueError("it is not a database URL: sqlite:////path/ledger.db or postgresql+psycopg://user@host/name") from None


def _placed(value: Any, home: str) -> Any:
    if isinstance(value, str):
        return value.replace("{home}", home)
    if isinstance(value, dict):
        return {key: _placed(part, home) for key, part in value.items()}
    return [_placed(part, home) for part in value] if isinstance(value, list) else value


def _first(error: ValidationError) -> str:
    """The first few faults by key, never with the value: it may be a secret."""
    return "; ".join(f"{'.'.join(str(part) for part in fault['loc']) or 'profile'}: {fault['msg']}" for fault in error.errors()[:5])
