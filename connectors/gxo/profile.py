"""The partner profile: everything that differs from one GXO site or contract to the next, and is therefore not code.

A *path* says where a value stands in a set: `W06-02` is element 2 of W06; `MAN*CP` is the value that MAN qualifies with CP;
`N1*WH-04` is element 4 of the N1 whose first element is WH.
"""

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connectors.gxo.x12 import Separators
from connectors.kit.errors import BadConfiguration
from connectors.kit.exchange import folder_parts, kind_of

_PATH = re.compile(r"([A-Z][A-Z0-9]{1,2})(?:\*([A-Z0-9]{1,3}))?(?:-([0-9]{2}))?")
_FILE_NAME = re.compile(r"(?!\.)(?:[A-Za-z0-9._-]|\{(?:set|sender|receiver|control)\})+")
HeaderField = Literal["connection", "order_id", "ship_group", "channel", "organisation", "ship_method", "currency", "discount", "order_total",
                      "revision"]
LineField = Literal["number", "line_id", "hs_code", "origin", "currency", "is_gift", "component_of"]
AdviceField = Literal["advice_id", "reference", "package_id", "carrier", "service", "tracking_number", "request_line", "sku", "quantity", "unit",
                      "line_status", "facility", "shipped_at"]


def path_parts(path: str) -> tuple[str, str, int]:
    """'N1*WH-04' -> ('N1', 'WH', 4); without an element the value stands right after its qualifier (0)."""
    found = _PATH.fullmatch(path)
    if not found or not (found[2] or found[3]):
        raise ValueError("a path is SEG-NN, SEG*QUALIFIER or SEG*QUALIFIER-NN, as in W06-02, MAN*CP, N1*WH-04")
    return found[1], found[2] or "", int(found[3] or 0)


def _path(value: str) -> str:
    path_parts(value)
    return value


def _folder(value: str) -> str:
    if not value:
        raise ValueError("a folder needs a name")
    return _folder_or_none(value)


def _folder_or_none(value: str) -> str:
    try:
        folder_parts(value)
    except BadConfiguration as error:
        raise ValueError(error.got) from None
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError):
        raise ValueError("no such time zone; it is named like Europe/London") from None
    return value


def _file_name(value: str) -> str:
    if not _FILE_NAME.fullmatch(value) or "{control}" not in value or "{set}" not in value:
        raise ValueError("a file name pattern holds {set} and {control}, and else letters, digits, '.', '_', '-', {sender}, {receiver}")
    return value


Path = Annotated[str, AfterValidator(_path)]
FolderName = Annotated[str, AfterValidator(_folder)]
FolderOrNone = Annotated[str, AfterValidator(_folder_or_none)]
Qualifier = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
PartyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 ._&/-]{1,15}$", strip_whitespace=True)]


class Strict(BaseModel):
    """A wrong key in a profile is an error, not a shrug."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reference(Strict):
    """One N9 we write: qualifier (N9-01), which field of ours, and a label for N9-03 where the qualifier alone says too little."""

    qualifier: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,3}$")]
    field: HeaderField
    label: Annotated[str, StringConstraints(max_length=45)] = ""


class LineMark(Strict):
    """The same on a line."""

    qualifier: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,3}$")]
    field: LineField
    label: Annotated[str, StringConstraints(max_length=45)] = ""


class Delimiters(Strict):
    """What we write with. What we read with comes from the partner's ISA."""

    element: str = "*"
    component: str = ">"
    terminator: str = "~"
    line_end: Literal["", "\n", "\r\n"] = "\n"

    @model_validator(mode="after")
    def _are_told_apart(self) -> "Delimiters":
        three = (self.element, self.component, self.terminator)
        if len(set(three)) < 3 or any(len(c) != 1 or c.isalnum() or not c.isascii() or not c.isprintable() or c in " -.@" for c in three):
            raise ValueError("delimiters are three different single signs, and none that names or numbers need")
        return self

    @property
    def separators(self) -> Separators:
        return Separators(self.element, self.component, self.terminator)


class Order(Strict):
    """How we write the 940."""

    references: list[Reference] = [Reference(qualifier="ST", field="connection"), Reference(qualifier="SO", field="order_id"),
                                   Reference(qualifier="ZZ", field="ship_group", label="SHIP GROUP"),
                                   Reference(qualifier="ZZ", field="currency", label="CURRENCY"),
                                   Reference(qualifier="ZZ", field="order_total", label="ORDER TOTAL"),
                                   Reference(qualifier="ZZ", field="discount", label="DISCOUNT")]
    line_marks: list[LineMark] = [LineMark(qualifier="LI", field="number"), LineMark(qualifier="ZZ", field="hs_code", label="HS CODE"),
                                  LineMark(qualifier="ZZ", field="origin", label="ORIGIN"), LineMark(qualifier="ZZ", field="is_gift", label="GIFT"),
                                  LineMark(qualifier="ZZ", field="component_of", label="KIT")]
    buyer: Qualifier = Field("BY", description="N1-01 of the customer's organisation")
    ship_to: Qualifier = "ST"
    warehouse: Qualifier = "WH"
    warehouse_id_qualifier: Qualifier = Field("92", description="N1-03 of the facility: 92 assigned by the buyer, 91 by the seller")
    placed_date: Annotated[str, StringConstraints(pattern=r"^([A-Z0-9]{2})?$")] = "04"
    ship_date: Annotated[str, StringConstraints(pattern=r"^([A-Z0-9]{2})?$")] = "10"
    order_note: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field("WHI", description="NTE-01 of the order note")
    gift_note: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field("ZZZ", description="NTE-01 of the gift note (mutually defined)")
    payment: Qualifier = Field("PP", description="W66-01: PP prepaid by the seller")
    mode: Qualifier = Field("M", description="W66-02: M motor")
    sku_qualifier: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}$")] = "SK"
    barcode_qualifiers: dict[int, str] = Field({12: "UP", 13: "EN", 14: "UK"}, description="by the barcode's length")
    value_code: Qualifier = Field("DV", description="AMT-01 of a line's declared value")


class Advice(Strict):
    """Where things stand in the 945. Every list is tried in order; of line, LX and header the nearest that has one wins."""

    reference: list[Path] = ["W06-02"]
    advice_id: list[Path] = ["W06-04"]
    tracking: list[Path] = ["MAN*CP", "N9*CN", "N9*2I"]
    package_id: list[Path] = ["MAN*GM"]
    carrier: list[Path] = ["W27-02"]
    service: list[Path] = ["W27-03"]
    facility: list[Path] = ["N1*WH-04"]
    request_line: list[Path] = Field(["N9*LI"], description="looked for on the line only")
    shipped_at: list[Path] = ["G62*11", "W06-03"]
    sku_qualifiers: list[str] = Field(["SK"], description="which qualifier at W12-07, -17, -21 names our SKU, in order")
    total: Literal["units", "packages", "unchecked"] = Field("units", description="what W03-01 counts")
    ignore_segments: list[str] = Field([], description="segments the partner adds outside the 4010 map; passed over")


class CsvAdvice(Strict):
    """Advice files as CSV: which column is which of our fields."""

    columns: dict[AdviceField, str]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    encoding: Literal["utf-8-sig", "cp1252", "latin-1"] = "utf-8-sig"
    date_format: str = Field("%Y-%m-%d", description="strptime; without a zone the profile's timezone is taken")
    decimal_mark: Literal["", ".", ","] = Field("", description="what stands before the zeros of '2,000' when it means two; '' when there are none")
    trailer: str = Field("", description="first cell of a last row whose second cell counts the rows; '' when the partner has none")
    unit: str = Field("EA", description="when no column says it")

    @model_validator(mode="after")
    def _has_what_counts(self) -> "CsvAdvice":
        lacking = {"advice_id", "reference", "sku", "quantity", "carrier", "tracking_number", "shipped_at"} - set(self.columns)
        if lacking:
            raise ValueError(f"columns lacks {', '.join(sorted(lacking))}")
        if len(set(self.columns.values())) < len(self.columns):
            raise ValueError("columns uses one column twice")
        return self


class Profile(Strict):
    """One trading partner, as agreed with it."""

    our_qualifier: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}$")] = "ZZ"
    our_id: PartyId
    partner_qualifier: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}$")] = "ZZ"
    partner_id: PartyId
    our_group_id: PartyId | None = Field(None, description="GS02 of what we send (our_id when not given); GS03 of what we get, if given")
    partner_group_id: PartyId | None = Field(None, description="the same of the partner: GS03 of what we send, GS02 of what we get, if given")
    usage: Literal["T", "P"] = Field(description="ISA15: a test file never reaches production, nor the other way round")
    version: Literal["004010"] = "004010"
    delimiters: Delimiters = Delimiters()
    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="of the partner's dates and times")
    file_name: Annotated[str, AfterValidator(_file_name)] = "{set}_{sender}_{receiver}_{control}.edi"
    to_partner: FolderName = Field("inbound", description="the partner's inbound folder: we put files here")
    from_partner: FolderName = Field("outbound", description="the partner's outbound folder: we take files from here")
    archive: FolderName = Field("archive", description="where we move what we have taken")
    partner_archive: FolderOrNone = Field("archive", description="where the partner moves what it has taken")
    partner_error: FolderOrNone = Field("error", description="where the partner moves what it could not read")
    is_partner_archive_listable: bool = True
    detects_duplicates: bool = Field(False, description="the partner refuses an ISA13 that it has seen: sending again is harmless")
    accepts_changes: bool = True
    accepts_cancels: bool = True
    acknowledges: bool = Field(True, description="the partner sends a 997 for each group")
    acknowledgement_seconds: float = Field(4 * 3600, gt=0, description="how long the partner may take for it")
    wants_acknowledgements: bool = Field(True, description="we owe a 997 for each group")
    order: Order = Order()
    advice: Advice = Advice()
    csv_advice: CsvAdvice | None = None

    @model_validator(mode="after")
    def _folders_differ(self) -> "Profile":
        if len({self.to_partner, self.from_partner, self.archive}) < 3 or self.to_partner in (self.partner_archive, self.partner_error):
            raise ValueError("to_partner, from_partner and the archives must be different folders")
        if self.is_partner_archive_listable and not self.partner_archive:
            raise ValueError("a listable archive needs partner_archive")
        return self

    @model_validator(mode="after")
    def _names_can_be_put(self) -> "Profile":
        if kind_of(self.name_of("940", 999_999_999)) != "whole":
            raise ValueError("file_name gives names of more than 100 characters, or ones that look unfinished (.tmp, .part, .filepart)")
        return self

    @property
    def account(self) -> str:
        """What shares one stream of control numbers."""
        return f"{self.our_id}:{self.partner_id}:{self.usage}"

    def name_of(self, set_id: str, control: int) -> str:
        """The file name that this control number has, now and at every later look."""
        def safe(value: str) -> str:
            return re.sub(r"[^A-Za-z0-9-]", "-", value)
        return self.file_name.format(set=set_id, sender=safe(self.our_id), receiver=safe(self.partner_id), control=f"{control:09}")
