"""The house, opened from a profile: the ledger, the snapshots and every connection by name.

A profile is a TOML file. It names no secret, only where each is ('env:NAME', 'file:path'). `{home}` stands for the profile's
home folder. A wrong key is refused with its name.
"""

import importlib
import importlib.util
import os
import tomllib
from datetime import time
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.kit.clock import Clock, SystemClock
from connectors.kit.errors import BadConfiguration
from connectors.kit.secret import Secret
from connectors.ledger.ledger import Ledger
from connectors.ports import Storefront, Warehouse
from connectors.snapshots.snapshots import Snapshots

PROFILE = "WHARFINGER_PROFILE"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerSettings(_Part):
    """Where the ledger is, and how long a worker may hold an effect."""

    url: str = "sqlite:///{home}/ledger.db"
    lease_seconds: float = Field(120, gt=0)


class VaultSettings(_Part):
    """Where the master key is. Never in the database, never in the profile."""

    key: Secret


class ConnectionSettings(BaseModel):
    """One account of a system. `options` are the system's own settings."""

    model_config = ConfigDict(extra="allow", frozen=True)

    system: str = Field(pattern=r"^[a-z_]+$")
    reference_prefix: str = Field("", pattern=r"^[A-Z0-9]{0,6}$")
    overlap_seconds: float = Field(300, ge=0)
    first_days: float = Field(30, gt=0)

    @property
    def options(self) -> dict[str, Any]:
        """What belongs to the system, not to the house."""
        return dict(self.model_extra or {})


class Profile(_Part):
    """Everything a house needs to know."""

    home: Path
    cut_off: time = time(15, 0)
    ledger: LedgerSettings = LedgerSettings()
    vault: VaultSettings
    connections: dict[str, ConnectionSettings] = {}


def read_profile(path: Path) -> Profile:
    """Read and check a profile. Raises BadConfiguration that names the file and the key."""
    doing = f"reading the profile {path.name}"
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as error:
        raise BadConfiguration(doing, error.strerror or "it cannot be read", f"Set {PROFILE} to a profile file.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfiguration(doing, f"it is not TOML ({error})") from None
    home = Path(os.environ.get("WHARFINGER_HOME") or raw.get("home") or ".wharfinger").absolute()
    try:
        return Profile.model_validate(_placed(raw | {"home": str(home)}, str(home)))
    except ValidationError as error:
        raise BadConfiguration(doing, _first(error), "Correct that key.") from None


class House:
    """Opens each part when it is first asked for, and closes them all. `transports` replaces a connection's way out (tests, simulator)."""

    def __init__(self, profile: Profile, clock: Clock | None = None, transports: dict[str, Any] | None = None, make_id: Any = None) -> None:
        self.profile, self.clock = profile, clock or SystemClock()
        self._transports, self._make_id, self._open = transports or {}, make_id, {}

    @cached_property
    def ledger(self) -> Ledger:
        """The effect ledger."""
        self.profile.home.mkdir(parents=True, exist_ok=True)
        more = {"make_id": self._make_id} if self._make_id else {}
        return Ledger(self.profile.ledger.url, self.clock, self.profile.vault.key, self.profile.ledger.lease_seconds, **more)

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
        return sorted(name for name, settings in self.profile.connections.items() if importlib.util.find_spec(f"connectors.{settings.system}.{side}"))

    def close(self) -> None:
        """Close what was opened."""
        for port in self._open.values():
            getattr(port, "close", lambda: None)()
        if "ledger" in self.__dict__:
            self.ledger.close()

    def _connection(self, name: str, side: str) -> Any:
        if name not in self._open:
            settings = self.settings(name)
            doing = f"opening the connection {name!r}"
            try:
                module = importlib.import_module(f"connectors.{settings.system}.{side}")
            except ModuleNotFoundError:
                raise BadConfiguration(doing, f"there is no system {settings.system!r} that is a {side}") from None
            try:
                options = module.Settings.model_validate(settings.options)
            except ValidationError as error:
                raise BadConfiguration(doing, _first(error), "Correct that key in the profile.") from None
            self._open[name] = module.connect(name, options, self.clock, self._transports.get(name))
        return self._open[name]


def _placed(value: Any, home: str) -> Any:
    if isinstance(value, str):
        return value.replace("{home}", home)
    if isinstance(value, dict):
        return {key: _placed(part, home) for key, part in value.items()}
    return [_placed(part, home) for part in value] if isinstance(value, list) else value


def _first(error: ValidationError) -> str:
    """The first few faults by key, never with the value: it may be a secret."""
    return "; ".join(f"{'.'.join(str(part) for part in fault['loc']) or 'profile'}: {fault['msg']}" for fault in error.errors()[:5])
