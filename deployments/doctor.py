"""What is wrong, or not safe, with this installation."""

import os
import stat
from pathlib import Path

from prefect.settings import get_current_settings

from connectors.house import House, Profile, read_profile
from connectors.kit.errors import WharfingerError
from connectors.ledger.vault import new_master_key

Row = dict[str, str]


def fresh_key() -> str:
    """A new master key for the vault."""
    return new_master_key()


def examine(path: Path) -> list[Row]:
    """One row a question: what was looked at, the verdict ('fine', 'look' or 'wrong'), and what to do. Raises BadConfiguration for an unreadable profile."""
    profile = read_profile(path)
    house = House(profile)
    try:
        return [*_secrets(path), *_parts(house, profile), *_connections(house), *_prefect()]
    finally:
        house.close()


def _row(what: str, is_right: bool, remedy: str, otherwise: str = "wrong") -> Row:
    return {"what": what, "verdict": "fine" if is_right else otherwise, "what to do": "" if is_right else remedy}


def _secrets(path: Path) -> list[Row]:
    is_private = not path.stat().st_mode & (stat.S_IWOTH | stat.S_IWGRP)
    return [_row("only its owner can change the profile", is_private, f"chmod go-w {path.name}", "look")]


def _parts(house: House, profile: Profile) -> list[Row]:
    try:
        with house.ledger.transaction() as tx:
            broken = house.ledger.vault.check_log(tx)
    except WharfingerError as error:
        return [_row("the ledger opens", False, str(error))]
    key_in_home = any(one.is_file() and one.suffix == ".key" for one in profile.home.glob("*"))
    return [_row("the ledger opens", True, ""),
            _row("the access log is whole", not broken, f"lines {broken[:5]} were altered: restore a backup and find out who"),
            _row("the vault's key is kept apart from the ledger", not key_in_home, "keep it in the environment or on another disk", "look"),
            _row("the ledger is on PostgreSQL", not profile.ledger.url.startswith("sqlite"), "SQLite is right for one machine only", "look")]


def _connections(house: House) -> list[Row]:
    rows = []
    for side in ("storefront", "warehouse"):
        for name in house.names(side):
            try:
                getattr(house, side)(name)
                rows.append(_row(f"{side} {name}: its settings are sound", True, ""))
            except WharfingerError as error:
                rows.append(_row(f"{side} {name}: its settings are sound", False, str(error)))
    return rows


def _prefect() -> list[Row]:
    server = get_current_settings().server
    return [_row("Prefect's server asks for a password", server.api.auth_string is not None, "set PREFECT_SERVER_API_AUTH_STRING"),
            _row("Prefect's server listens on loopback only", server.api.host in ("127.0.0.1", "localhost"), "set PREFECT_SERVER_API_HOST=127.0.0.1, or a TLS proxy"),
            _row("Prefect protects its forms (CSRF)", server.api.csrf_protection_enabled, "set PREFECT_SERVER_CSRF_PROTECTION_ENABLED=true", "look"),
            _row("Prefect's allowed origins are named", server.api.cors_allowed_origins != "*", "set PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "look"),
            _row("Prefect's block key is outside its database", bool(os.environ.get("PREFECT_SERVER_ENCRYPTION_KEY")), "set PREFECT_SERVER_ENCRYPTION_KEY"),
            _row("Prefect sends no telemetry", not server.analytics_enabled, "set PREFECT_SERVER_ANALYTICS_ENABLED=false", "look")]
