"""The port: GXO as a trading partner. Joins the file transport, the X12 and CSV mappings and the partner profile. No GXO API is claimed."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.gxo.csv_files import csv_messages
from connectors.gxo.mapping import acknowledgement_document, group_messages, note_messages
from connectors.gxo.mapping_csv import items_frame
from connectors.gxo.mapping_notice import receipt_document, return_document
from connectors.gxo.mapping_order import CANCEL, CHANGE, NEW, order_document
from connectors.gxo.profile import Profile
from connectors.gxo.x12 import Group, Interchange, parse
from connectors.gxo.x12_write import Unwritable
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, DefiniteNo, InDoubt, NotNow, Refused
from connectors.kit.exchange import MAX_FILES
from connectors.kit.files import Files, FilesSettings, FileStat, connect_files
from connectors.ports import (
    ACKNOWLEDGEMENT, FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, RECEIPT_NOTICE, RETURN_NOTICE, Effect, Inbound, Message, Receipt, Warehouse,
)
from contracts.effects import Acknowledgement, FulfilmentRequest, Payload, ReceiptNotice, ReturnNotice

WRITERS: dict[str, tuple[type[Payload], Any]] = {
    ACKNOWLEDGEMENT: (Acknowledgement, acknowledgement_document), RETURN_NOTICE: (ReturnNotice, return_document),
    RECEIPT_NOTICE: (ReceiptNotice, receipt_document)}
SET_OF = {ACKNOWLEDGEMENT: "997", RETURN_NOTICE: "180", RECEIPT_NOTICE: "943"}  # all else is a 940
STATUS = {FULFILMENT_REQUEST: NEW, FULFILMENT_CHANGE: CHANGE, FULFILMENT_CANCEL: CANCEL}


class Settings(BaseModel):
    """One trading partner: the agreed profile, and where the files lie. items_folder is '' when the items file is in the root."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partner: Profile
    files: FilesSettings
    items_folder: str = ""
    items_file: str = "items.csv"
    quiet_seconds: float = Field(120, ge=0)
    read_max: int = Field(500, ge=1, description="files taken in by one run")

    @model_validator(mode="after")
    def _limits(self) -> "Settings":
        if not self.partner.accepts_cancels and self.partner.accepts_changes:
            raise ValueError("a partner that follows changes but not cancels is not known; check accepts_changes and accepts_cancels")
        if self.partner.csv_stock and self.partner.csv_stock.bytes_max > self.files.max_bytes:
            raise ValueError(f"csv_stock.bytes_max is {self.partner.csv_stock.bytes_max}, and files.max_bytes lets only {self.files.max_bytes} through")
        return self


def connect(name: str, settings: Settings, clock: Clock, transport: Files | None = None) -> Warehouse:
    """A connection called `name`, over `transport` where one is given (tests, simulator), else over the folder or SFTP of the settings."""
    return Gxo(name, settings, transport or connect_files(settings.files, clock))


class Gxo:
    """A Warehouse (connectors.ports)."""

    def __init__(self, name: str, settings: Settings, files: Files) -> None:
        partner = settings.partner
        self.name, self.account = name, partner.account
        self.quiet_seconds, self.verify_seconds = settings.quiet_seconds, partner.acknowledgement_seconds
        self.follows_changes, self.follows_cancels, self.acknowledges = partner.accepts_changes, partner.accepts_cancels, partner.acknowledges
        self.announces_returns, self.stock_basis, self.silent_after_seconds = partner.announces_returns, partner.stock_basis, dict(partner.silent_after_seconds)
        optional = ((FULFILMENT_CHANGE, partner.accepts_changes), (FULFILMENT_CANCEL, partner.accepts_cancels),
                    (RETURN_NOTICE, partner.announces_returns), (RECEIPT_NOTICE, partner.announces_receipts),
                    (ACKNOWLEDGEMENT, partner.wants_acknowledgements))
        self.kinds = (FULFILMENT_REQUEST, *(kind for kind, is_taken in optional if is_taken))
        self._settings, self._partner, self._files = settings, partner, files

    def numbers(self, kind: str) -> str:
        """One stream for every interchange that leaves the account (ISA13 and GS06 alike)."""
        return f"gxo {self.account}"

    def prepare(self, effect: Effect) -> bytes:
        """The interchange: a 940 (new, change, cancel), 180, 943 or 997, dated when it is first sent. Raises Refused with element and reason."""
        try:
            if effect.kind in WRITERS:
                payload, write = WRITERS[effect.kind]
                return write(payload.model_validate(effect.payload), self._partner, effect.number, self._at(effect))
            request = FulfilmentRequest.model_validate(effect.payload)
            return order_document(STATUS[effect.kind], request, effect.recipient, self._partner, effect.number, self._at(effect))
        except Unwritable as why:
            raise Refused(f"writing {effect.effect_id} for {self.name}", str(why), "Correct it in the order or the notice.") from None

    def send(self, effect: Effect) -> Receipt:
        """Put the frozen bytes into the partner's inbound folder, under a temporary name first. Raises what `Files.put` raises."""
        name, body = self._name(effect), effect.document or self.prepare(effect)
        self._files.put(self._partner.to_partner, name, body, str(effect.fence), effect.lease_until)
        return self._receipt(effect, self._partner.to_partner, len(body))

    def find(self, effect: Effect) -> Receipt | None:
        """Look for the file by its name, where we put it and where the partner files it. None: it is surely not there.

        What lies half put under its name is removed first: a process that was stopped before its rename must not publish it after our look.

        When the partner's archive cannot be listed, a file that is gone may have been taken: then only a partner that refuses
        repeated control numbers may be sent the same bytes again; else InDoubt, until its 997 or a person tells.
        """
        partner, name = self._partner, self._name(effect)
        try:
            self._files.remove_parts(partner.to_partner, name)
        except DefiniteNo as error:
            raise InDoubt(f"looking for {effect.effect_id} at {self.name}", f"{partner.to_partner} cannot be tidied ({error.got})", "It is looked for again.") from error
        folders = [partner.to_partner, *(f for f in (partner.partner_archive, partner.partner_error) if f and partner.is_partner_archive_listable)]
        for folder in folders:
            listed = self._listed(folder, effect)
            found = next((file for file in listed if file.name == name), None)
            if found and self._is_ours(folder, found, effect):
                return self._receipt(effect, folder, found.size)
            if found or len(listed) >= MAX_FILES:
                why = f"{name} in {folder} holds {found.size} bytes, and not ours" if found else f"{folder} has too many files to be sure"
                raise InDoubt(f"looking for {effect.effect_id} at {self.name}", why, "Ask the partner which file it has.")
        if partner.is_partner_archive_listable or partner.detects_duplicates:
            return None
        raise InDoubt(f"looking for {effect.effect_id} at {self.name}", "the file is gone, and what the partner took cannot be listed",
                      "Ask the partner whether it has the control number.")

    def _is_ours(self, folder: str, found: FileStat, effect: Effect) -> bool:
        """Byte for byte; by size alone where the partner lets us list and not read. InDoubt when it moves the file away while we look."""
        if effect.document is None or found.size != len(effect.document):
            return effect.document is None
        try:
            return self._files.read(folder, found.name) == effect.document
        except (NotNow, BadDocument) as error:
            why = f"{found.name} in {folder} could not be read ({error.got})"
            raise InDoubt(f"looking for {effect.effect_id} at {self.name}", why, "It is looked for again.") from error
        except DefiniteNo:
            return True

    def _listed(self, folder: str, effect: Effect) -> list[FileStat]:
        """A folder that cannot be listed tells nothing: the file may be in it, so this is doubt and never absence."""
        try:
            return self._files.list(folder)
        except DefiniteNo as error:
            why = f"{folder} cannot be listed ({error.got})"
            raise InDoubt(f"looking for {effect.effect_id} at {self.name}", why, "It is looked for again.") from error

    def items(self) -> tuple[pd.DataFrame, list[dict[str, str]]]:
        """The item master from the partner's items file. A missing file is an error (NotNow), never 'no items'."""
        body = self._files.read(self._settings.items_folder, self._settings.items_file)
        sound, bad = items_frame(self.name, body, self._settings.items_file)
        if not len(sound):
            raise BadDocument(f"reading the items of {self.name}", "no row of the file is sound", "Ask the partner for a whole file.")
        return sound, bad

    def inbound(self) -> Iterator[Inbound]:
        """Whole files in the partner's outbound folder, oldest first."""
        for file in self._files.settled(self._partner.from_partner)[:self._settings.read_max]:
            try:
                body = self._files.read(self._partner.from_partner, file.name)
            except NotNow:
                continue  # another reader has filed it away since we looked
            except BadDocument as error:  # too large: `read` refuses it like any other bad file, so it does not hold up the ones behind it
                body = f"{file.name} of {file.size} bytes was not read: {error.got}".encode()
            yield Inbound(self.name, file.name, body)

    def refused_names(self) -> list[str]:
        """What lies in the partner's outbound folder and is never offered by `inbound`, for its name or because it is a link.

        Escaped to ASCII, so safe to show; a person must see it, as it may be an advice. Raises NotNow and NotAllowed.
        """
        return self._files.refused_names(self._partner.from_partner)

    def read(self, inbound: Inbound) -> list[Message]:
        """X12 when it begins like it, else the profile's CSV. Raises BadDocument: an envelope fault refuses the whole file."""
        if inbound.body.lstrip()[:3] != b"ISA":
            return csv_messages(self.name, self._partner, inbound.body, inbound.name)
        messages = []
        for interchange in parse(inbound.body, inbound.name):
            self._check_parties(interchange, inbound.name)
            messages += note_messages(self._partner, interchange)
            for group in interchange.groups:
                self._check_group(group, inbound.name)
                messages += group_messages(self.name, self._partner, interchange, group)
        return messages

    def file_away(self, inbound: Inbound) -> None:
        """Move it to our archive. Twice is harmless."""
        self._files.move(self._partner.from_partner, inbound.name, self._partner.archive)

    def put_back(self, is_known: Callable[[bytes], bool]) -> int:
        """Lay ready again what our archive holds of the partner's and the ledger does not know. Both archives may be one folder: ours stay."""
        count = 0
        for file in self._files.list(self._partner.archive):
            try:
                body = self._files.read(self._partner.archive, file.name)
            except BadDocument:
                continue  # too large to have been read: it is on a desk, and was never more than its name
            if not self._is_from_us(body) and not is_known(body):
                self._files.move(self._partner.archive, file.name, self._partner.from_partner)
                count += 1
        return count

    def _is_from_us(self, body: bytes) -> bool:
        """By the sender that the envelope names (ISA06)."""
        text = body.lstrip()
        return text[:3] == b"ISA" and text[35:50].strip() == self._partner.our_id.strip().encode()

    def forget_filed(self, before: datetime, dry_run: bool = False) -> int:
        """Remove from our archive what the partner wrote before that moment: advice may bear names. Raises NotNow, NotAllowed."""
        return self._files.remove_older(self._partner.archive, before, dry_run)

    def close(self) -> None:
        """Let go of the transport."""
        self._files.close()

    def _check_parties(self, interchange: Interchange, name: str) -> None:
        partner, at = self._partner, f"segment {interchange.start} (ISA):"
        sender, receiver = (interchange.sender_qualifier, interchange.sender), (interchange.receiver_qualifier, interchange.receiver)
        if (sender, receiver) != ((partner.partner_qualifier, partner.partner_id.strip()), (partner.our_qualifier, partner.our_id.strip())):
            parties = f"{at} it is from {'/'.join(sender)!r} to {'/'.join(receiver)!r}, not between us and the partner"
            raise BadDocument(f"reading {name}", parties, "Ask the partner.")
        if interchange.usage != partner.usage:
            usage = f"{at} it is marked {interchange.usage!r} (ISA15) and this account is {partner.usage!r}"
            raise BadDocument(f"reading {name}", usage, "Ask the partner.")

    def _check_group(self, group: Group, name: str) -> None:
        """Group ids are held against the profile where it has them; many partners put a site or a program there."""
        for element, said, agreed in ((2, group.sender, self._partner.partner_group_id), (3, group.receiver, self._partner.our_group_id)):
            if agreed and said != agreed.strip():
                why = f"segment {group.start} (GS element {element:02}): the group is not between us and the partner, by the profile's group ids"
                raise BadDocument(f"reading {name}", why, "Ask the partner.")

    def _at(self, effect: Effect) -> datetime:
        return (effect.sent_at or effect.planned_at).astimezone(UTC)

    def _name(self, effect: Effect) -> str:
        return self._partner.name_of(SET_OF.get(effect.kind, "940"), effect.number)

    def _receipt(self, effect: Effect, folder: str, size: int) -> Receipt:
        digest = {"sha256": hashlib.sha256(effect.document).hexdigest()} if effect.document is not None else {}
        return Receipt(f"{effect.number:09}", {"file": self._name(effect), "folder": folder, "bytes": size} | digest)
