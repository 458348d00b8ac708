"""After an older backup of the ledger was put in its place: what must be done before any flow runs on it (connectors/ledger/README.md)."""

from typing import Any

from connectors.house import House
from connectors.ledger.records import sha256
from connectors.ports import Archives


def take_up_again(opened: House, numbers: int, fences: int) -> dict[str, Any]:
    """Control numbers and fences jump ahead, what is owed goes into doubt, and what was filed away since the backup is laid ready again.

    Without the last, everything that a warehouse said between the backup and its restore would be lost: the feeds of storefronts are read again from
    their watermarks, but a file that is filed away is never looked at again. And every figure of stock is told again: what a storefront was told
    since, and sold since, nobody here knows any more. Twice is harmless.
    """
    ports = [opened.storefront(name) for name in opened.names("storefront")] + [opened.warehouse(name) for name in opened.names("warehouse")]
    quiet = max((port.quiet_seconds for port in ports), default=0.0)
    streams = sorted({port.numbers(kind) for port in ports for kind in port.kinds} - {""})
    in_doubt = opened.ledger.jump_ahead(numbers, fences, quiet, streams)
    with opened.ledger.transaction() as tx:
        figures = {name: opened.ledger.desired.owe_again(tx, name, list(opened.ledger.desired.rows(tx, name))) for name in opened.names("storefront")}
    put_back = {name: port.put_back(lambda body: _is_known(opened, body)) for name in opened.names("warehouse") if isinstance(port := opened.warehouse(name), Archives)}
    return {"in_doubt": in_doubt, "quiet_seconds": quiet, "figures": figures, "put_back": put_back}


def _is_known(opened: House, body: bytes) -> bool:
    with opened.ledger.transaction() as tx:
        return opened.ledger.inbox.has_bytes(tx, sha256(body))
