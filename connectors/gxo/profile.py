"""The partner profile: everything that differs from one GXO site or contract to the next, and is therefore not code.

What we write (`Order`, `Notices`) and the 945 (`Advice`) are here; the sets of stock and returns in profile_stock.py, CSV in profile_csv.py.
"""

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from connectors.gxo.profile_csv import CsvAdjustments, CsvAdvice, CsvReturns, CsvStock
from connectors.gxo.profile_stock import Adjustments, Receipts, ReturnAdvice, Stock
from connectors.gxo.profile_types import FileName, FolderName, FolderOrNone, PartyId, Path, Qualifier, Strict, Zone
from connectors.gxo.x12 import Separators
from connectors.kit.exchange import kind_of

HeaderField = Literal["connection", "order_id", "ship_group", "channel", "organisation", "ship_method", "currency", "discount", "order_total",
                      "revision"]
Kind = Literal["dispatches", "acknowledgement", "stock_levels", "stock_changes", "returns"]
LineField = Literal["number", "line_id", "hs_code", "origin", "currency", "is_gift", "component_of"]


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


class Notices(Strict):
    """How we write what we announce: the 180 (a return) and the 943 (stock on its way)."""

    warehouse: Qualifier = Field("WH", description="N1-01 of the facility in the 943")
    return_to: Qualifier = Field("ST", description="N1-01 of the facility in the 180")
    order_reference: Qualifier = Field("SO", description="N9-01 of the order's reference in the 180")
    line_number: Qualifier = Field("LI", description="N9-01 of our line number")
    line_reason: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field("ZZZ", description="NTE-01 of a line's reason in the 180")
    returned: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}$")] = Field("76", description="QTY-01 in the 180: 76 returns")
    expected_date: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}$")] = Field("17", description="G62-01 of the expected arrival in the 943")
    mode: Qualifier = Field("M", description="W27-01 in the 943: M motor")
    no_carrier: Annotated[str, StringConstraints(min_length=1, max_length=35)] = Field("UNKNOWN", description="W27-03 when no carrier is known: 4010 asks for one")


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
    timezone: Zone = Field("UTC", description="of the partner's dates and times")
    file_name: FileName = "{set}_{sender}_{receiver}_{control}.edi"
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
    announces_returns: bool = Field(True, description="an approved return is announced to the partner (180)")
    announces_receipts: bool = Field(True, description="stock on its way is announced to the partner (943)")
    stock_basis: Literal["available", "on_hand"] = Field("available", description="available: the 846 has a figure less what is allocated; on_hand: it has none")
    silent_after_seconds: dict[Kind, float] = Field({}, description="how long none of these may come before the feed counts as silent; not named: never")
    order: Order = Order()
    notices: Notices = Notices()
    advice: Advice = Advice()
    stock: Stock = Stock()
    adjustments: Adjustments = Adjustments()
    receipts: Receipts = Receipts()
    return_advice: ReturnAdvice | None = Field(None, description="only where the partner sends a 180 for goods that came back")
    csv_advice: CsvAdvice | None = None
    csv_stock: CsvStock | None = None
    csv_adjustments: CsvAdjustments | None = None
    csv_returns: CsvReturns | None = None

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

    @model_validator(mode="after")
    def _csv_files_fit(self) -> "Profile":
        layouts = list(self.csv_layouts.values())
        if len({frozenset(layout.columns.values()) for layout in layouts}) < len(layouts):
            raise ValueError("two kinds of CSV file have the same columns: nothing would tell them apart")
        if self.csv_stock and self.stock_basis not in self.csv_stock.columns:
            raise ValueError(f"stock_basis is {self.stock_basis}, and csv_stock has no such column")
        return self

    @property
    def csv_layouts(self) -> dict[str, CsvAdvice | CsvStock | CsvAdjustments | CsvReturns]:
        """The kinds of CSV file that the partner sends, by their name in the profile."""
        named = {"csv_advice": self.csv_advice, "csv_stock": self.csv_stock, "csv_adjustments": self.csv_adjustments, "csv_returns": self.csv_returns}
        return {name: layout for name, layout in named.items() if layout is not None}

    @property
    def account(self) -> str:
        """What shares one stream of control numbers."""
        return f"{self.our_id}:{self.partner_id}:{self.usage}"

    def name_of(self, set_id: str, control: int) -> str:
        """The file name that this control number has, now and at every later look."""
        def safe(value: str) -> str:
            return re.sub(r"[^A-Za-z0-9-]", "-", value)
        return self.file_name.format(set=set_id, sender=safe(self.our_id), receiver=safe(self.partner_id), control=f"{control:09}")
