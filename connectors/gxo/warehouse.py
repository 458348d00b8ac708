"""GXO as a warehouse: joins the file transport, X12 and the partner profile, and knows how a file that was put is read back."""

import hashlib
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, Field

from connectors.gxo import csv_files, mapping, mapping_order, x12
from connectors.gxo.csv_files import ItemColumns
from connectors.gxo.profile import FolderName, Profile
from connectors.gxo.x12_write import Unwritable
from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration, BadDocument, DefiniteNo, InDoubt, NotNow, Refused
from connectors.kit.exchange import MAX_FILES
from connectors.kit.files import Files, FilesSettings, FileStat, connect_files
from connectors.ports import ACKNOWLEDGEMENT, FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, Effect, Inbound, Message, Receipt
from contracts.effects import Acknowledgement, FulfilmentRequest

STATUS = {FULFILMENT_REQUEST: mapping_order.NEW, FULFILMENT_CHANGE: mapping_order.CHANGE, FULFILMENT_CANCEL: mapping_order.CANCEL}


class ItemsFile(BaseModel, extra="forbid"):
    """Where the item master lies: a file in a folder of the transport, or with folder '' a local path."""

    folder: FolderName | None = "items"
    name: str = "items.csv"
    columns: ItemColumns = ItemColumns()
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"


class Settings(BaseModel, extra="forbid"):
    """One GXO site: the partner profile, where the files are exchanged, and the item master."""

    partner: Profile
    files: FilesSettings | None = None
    items: ItemsFile = ItemsFile()
    quiet_seconds: float = Field(120.0, gt=0)


def connect(name: str, settings: Settings, clock: Clock, transport: Files | None = None) -> "Gxo":
    """The port to this partner. Nothing is opened yet. Raises BadConfiguration when no transport is given."""
    if transport is None and settings.files is None:
        raise BadConfiguration(f"connecting {name}", "the profile has no `files`", "Add kind and path, or the SFTP server, under files.")
    return Gxo(name, settings, transport or connect_files(settings.files, clock))


class Gxo:
    """The port `Warehouse`. What was put is read back by its file name, which follows from the control number."""

    def __init__(self, name: str, settings: Settings, files: Files) -> None:
        self.name, self._settings, self._profile, self._files = name, settings, settings.partner, files
        self.account = self._profile.account
        self.follows_changes, self.follows_cancels = self._profile.accepts_changes, self._profile.accepts_cancels
        self.kinds = (FULFILMENT_REQUEST, *((FULFILMENT_CHANGE,) if self.follows_changes else ()), *((FULFILMENT_CANCEL,) if self.follows_cancels else ()),
                      *((ACKNOWLEDGEMENT,) if self._profile.wants_acknowledgements else ()))
        self.quiet_seconds, self.verify_seconds = settings.quiet_seconds, self._profile.acknowledgement_seconds
        self._seen: dict[str, tuple[str, int]] = {}

    def numbers(self, kind: str) -> str:
        """One stream for all interchanges to this partner: ISA13 never repeats, whatever is inside."""
        return f"x12:{self.account}"

    def prepare(self, effect: Effect) -> bytes:
        """The interchange: ISA13 and GS06 are the effect's number, its times `planned_at`. Raises Refused naming element and reason."""
        at = effect.planned_at or effect.sent_at
        if at is None or not effect.number:
            raise BadConfiguration(f"writing {effect.business_key} for {self.name}", "the effect has no control number or no time", "This is a bug in the caller.")
        try:
            if effect.kind == ACKNOWLEDGEMENT:
                return mapping.acknowledgement_document(Acknowledgement.model_validate(effect.payload), self._profile, effect.number, at.astimezone(UTC))
            request = FulfilmentRequest.model_validate(effect.payload)
            return mapping_order.order_document(STATUS[effect.kind], request, effect.recipient, self._profile, effect.number, at.astimezone(UTC))
        except Unwritable as why:
            raise Refused(f"writing {effect.business_key} for {self.name}", str(why), "Correct the order or the partner profile, then choose resend.") from None

    def send(self, effect: Effect) -> Receipt:
        """Put the file: temporary name, size checked, renamed. Raises NotNow, NotAllowed, Refused or InDoubt as the transport sorts them."""
        body = effect.document or self.prepare(effect)
        name = self._name_of(effect)
        self._files.put(self._profile.to_partner, name, body, token=f"{effect.attempt}-{effect.fence}")
        return _receipt(effect, name, body)

    def find(self, effect: Effect) -> Receipt | None:
        """Where the file is now. None: surely not there, the same bytes may be put again. InDoubt: the partner may have taken it away."""
        body = effect.document or self.prepare(effect)
        name, doing = self._name_of(effect), f"looking for {self._name_of(effect)} at {self.name}"
        if self._seen.get(name, ("", -1))[1] == len(body):
            return _receipt(effect, name, body)
        waiting = self._look(self._profile.to_partner, name, doing)
        found = self._seen.get(name)
        is_complete = len(waiting) < MAX_FILES
        if found is None and self._profile.is_partner_archive_listable:
            # after the inbound folder, in this order: a file moves that way, and looking the other way round could miss it
            for folder in filter(None, (self._profile.partner_archive, self._profile.partner_error)):
                is_complete &= len(self._look(folder, name, doing)) < MAX_FILES
            found = self._seen.get(name)
        if found:
            if found[1] == len(body):
                return _receipt(effect, name, body)
            raise InDoubt(doing, f"a file of that name has {found[1]} bytes, ours has {len(body)}", "See whether the control number was used twice.")
        if self._profile.detects_duplicates or any(f.name.startswith(f"{name}.tmp.{effect.attempt}-") for f in waiting):
            return None
        if self._profile.is_partner_archive_listable and is_complete:
            return None
        raise InDoubt(doing, "it is gone, and the partner's archive cannot be seen in full", "Ask the partner whether it has the file before it is sent again.")

    def items(self) -> tuple[pd.DataFrame, list[dict[str, str]]]:
        """The item master. Raises NotNow, NotAllowed or BadDocument: no file is never 'no items'."""
        where = self._settings.items
        body = self._files.read(where.folder, where.name) if where.folder else _read_local(where.name)
        return csv_files.items(self.name, body, where.columns, where.name.rsplit("/", 1)[-1], where.delimiter, where.encoding)

    def inbound(self) -> Iterator[Inbound]:
        """The whole files in the partner's outbound folder, oldest first. One that is too large is offered too: `read` refuses it."""
        for file in self._files.settled(self._profile.from_partner):
            try:
                body = self._files.read(self._profile.from_partner, file.name)
            except NotNow:
                continue  # taken or changed between two looks: next time
            except BadDocument as error:
                body = f"not read: {error.got}".encode()
            yield Inbound(source=f"{self.name}:{self._profile.from_partner}", name=file.name, body=body)

    def read(self, inbound: Inbound) -> list[Message]:
        """One message a transaction set, or a shipment of a CSV file. Raises BadDocument when the file as a whole cannot be trusted."""
        if not inbound.body.lstrip(b"\r\n").startswith(b"ISA"):
            return csv_files.advice_messages(self.name, self._profile, inbound.body, inbound.name)
        messages: list[Message] = []
        for interchange in x12.parse(inbound.body, inbound.name):
            self._check_parties(interchange, inbound.name)
            messages += mapping.note_messages(self._profile, interchange)
            for group in interchange.groups:
                messages += mapping.group_messages(self.name, self._profile, interchange, group)
        return messages

    def file_away(self, inbound: Inbound) -> None:
        """Move it to our archive folder. Twice is harmless."""
        self._files.move(self._profile.from_partner, inbound.name, self._profile.archive)

    def _check_parties(self, interchange: x12.Interchange, name: str) -> None:
        profile = self._profile
        said = (interchange.sender_qualifier, interchange.sender, interchange.receiver_qualifier, interchange.receiver, interchange.usage)
        agreed = (profile.partner_qualifier, profile.partner_id, profile.our_qualifier, profile.our_id, profile.usage)
        for element, one, other in zip(("ISA05", "ISA06", "ISA07", "ISA08", "ISA15"), said, agreed, strict=True):
            if one != other:
                raise BadDocument(f"reading {name}", f"segment 1 (ISA): {element} is not {other!r}, so the file is not from this partner to us",
                                  "See who put it there.")

    def _name_of(self, effect: Effect) -> str:
        return self._profile.name_of("997" if effect.kind == ACKNOWLEDGEMENT else "940", effect.number)

    def _look(self, folder: str, name: str, doing: str) -> list[FileStat]:
        """List a folder and remember what lies there: a file once seen was delivered, whatever becomes of it."""
        try:
            listed = self._files.list(folder)
        except DefiniteNo as error:
            raise InDoubt(doing, f"the folder {folder} cannot be listed ({error.got})", "It is looked for again when the partner is back.") from error
        for file in listed:
            # an archive that already holds the name keeps ours as name.2
            plain = name if file.name.startswith(f"{name[:90]}.") and file.name[len(name[:90]) + 1:].isdigit() else file.name
            self._seen.setdefault(plain, (folder, file.size))
        return listed


def _receipt(effect: Effect, name: str, body: bytes) -> Receipt:
    return Receipt(f"{effect.number:09}", {"file": name, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)})


def _read_local(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(csv_files.MAX_BYTES + 1)
    except OSError as error:
        raise NotNow("reading the item master", f"the items file cannot be read ({error.strerror})", "Put it where the profile says.") from None
