"""The doors of a warehouse that sends files."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.gxo.mapping_csv import items_frame
from connectors.gxo.profile import Profile
from connectors.gxo.profile_stock import ReturnAdvice
from connectors.gxo.rehearsal import CSV, NAME, PARTNER, WRITTEN_AT, read_example
from connectors.gxo.warehouse import Gxo, Settings, connect
from connectors.gxo.x12 import Interchange, parse
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument
from connectors.kit.exchange import folder_parts, kind_of, shown
from connectors.kit.files import FilesSettings
from connectors.kit.rehearsal import canary_recipient
from connectors.ports import FULFILMENT_REQUEST, RECEIPT_NOTICE, RETURN_NOTICE, Effect, Inbound, Message
from tests.connectors.conformance import CONNECTORS

EXAMPLES = CONNECTORS / "gxo" / "examples"


@cache
def _port() -> Gxo:
    partner = Profile(**PARTNER, receipts={"sale_grades": ["A"]}, return_advice=ReturnAdvice(), **CSV)
    return connect(NAME, Settings(partner=partner, files=FilesSettings(kind="folder", path=".")), ManualClock())


def examples(suffix: str) -> list[Path]:
    """The example files that a partner would send us and that bring us something."""
    found = [path for path in sorted(EXAMPLES.glob(f"*{suffix}")) if path.name.count(".") == 1 and not path.match("items*")]
    return [path for path in found if read_example(path)]


def bytes_of(path: Path) -> Callable[[], list[bytes]]:
    """One example as the door's samples."""
    return lambda: [path.read_bytes()]


def files(body: bytes) -> list[Message]:
    """A file in the partner's outbound folder."""
    return _port().read(Inbound(NAME, "a-file", body))


def items(body: bytes) -> pd.DataFrame:
    """The items file: the sound rows."""
    return items_frame(NAME, body, "items.csv")[0]


def items_samples() -> list[bytes]:
    """The example."""
    return [(EXAMPLES / "items.csv").read_bytes()]


def envelope(body: bytes) -> list[Interchange]:
    """The envelopes alone."""
    return parse(body)


def envelopes() -> list[bytes]:
    """All X12 there is, ours too; and two in one file."""
    found = [path.read_bytes() for path in sorted(EXAMPLES.glob("*.edi"))]
    return [*found, found[0] + found[-1]]


def payloads() -> list[bytes]:
    """What we are to write for the partner: {kind, payload, recipient}."""
    made = []
    for path in sorted(EXAMPLES.glob("*.json")):
        given = json.loads(path.read_bytes())
        kind = FULFILMENT_REQUEST if "recipient" in given else RETURN_NOTICE if path.match("return*") else RECEIPT_NOTICE
        made.append({"kind": kind, "payload": given.get("payload", given), "recipient": given.get("recipient") or canary_recipient("bigcommerce-uk", "700", "1")})
    return [json.dumps(one).encode() for one in made]


def written(body: bytes) -> bytes:
    """The document that we would send. What our own contract does not let into the ledger is no document."""
    try:
        given = json.loads(body)
        kind, payload, recipient = given["kind"], given["payload"], given["recipient"]
        whole = {key: str(value) for key, value in recipient.items()}
        accepted = _models()[kind].model_validate(payload)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadDocument("reading a payload", type(error).__name__) from None
    lacking = canary_recipient("c", "1", "1").keys() - whole.keys()
    effect = Effect("effect", kind, NAME, "key", accepted.model_dump(), number=7, planned_at=WRITTEN_AT, recipient=whole | dict.fromkeys(lacking, ""))
    return _port().prepare(effect)


def _models() -> dict[str, Any]:
    from contracts.effects import FulfilmentRequest, ReceiptNotice, ReturnNotice
    return {FULFILMENT_REQUEST: FulfilmentRequest, RETURN_NOTICE: ReturnNotice, RECEIPT_NOTICE: ReceiptNotice}


def is_one_interchange(document: bytes) -> Iterator[str]:
    """What we write is one interchange with one set, whatever stands in the texts: no separator gets in."""
    found = parse(document)
    if len(found) != 1 or len(found[0].groups) != 1 or len(found[0].groups[0].sets) != 1:
        yield "not one interchange with one set"


def name(body: bytes) -> tuple[str, str]:
    """A file's name, as the disk gives it, and a folder's."""
    text = body.decode("utf-8", "surrogateescape")
    try:
        parts = folder_parts(text)
    except UnicodeError as error:
        raise AssertionError(f"not a house error: {error}") from None
    finally:
        shown(text)
    return text, "/".join(parts)


def names() -> list[bytes]:
    """Good ones, and the hostile."""
    return [b"945_000000001.edi", b"outbound/done", b"..;rm -rf $HOME \xe2\x80\xae.edi", b"x" * 200, b"a.tmp.7", b"\xff\xfe"]


def name_is_safe(came: tuple[str, str]) -> Iterator[str]:
    """What is let in stays where it is."""
    text, folder = came
    if kind_of(text) == "whole" and ("/" in text or text.startswith(".") or not text.isascii() or len(text) > 100):
        yield f"the name {text!r} is taken"
    if folder and (folder.startswith("/") or ".." in folder.split("/")):
        yield f"the folder {folder!r} is opened"


