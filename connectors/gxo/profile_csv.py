"""The partner profile's sections for CSV: which column is which of our fields. A file is known by its header."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from connectors.gxo.profile_types import Strict
from connectors.kit.exchange import MAX_BYTES
from contracts.stock import CHANGE_KINDS

AdviceField = Literal["advice_id", "reference", "package_id", "carrier", "service", "tracking_number", "request_line", "sku", "quantity", "unit",
                      "line_status", "facility", "shipped_at"]
StockField = Literal["facility", "sku", "unit", "available", "on_hand", "on_hold", "as_of", "sequence"]
ChangeField = Literal["document_id", "kind", "facility", "sku", "unit", "change", "reason", "reference", "occurred_at", "sequence"]
ReturnField = Literal["document_id", "reference", "rma", "request_line", "sku", "quantity", "unit", "grade", "tracking_number", "facility", "received_at"]


def _name_pattern(value: str) -> str:
    try:
        groups = set(re.compile(value).groupindex)
    except re.error:
        raise ValueError("not a regular expression") from None
    if value and not groups or groups - {"as_of", "sequence"} or len(value) > 200:
        raise ValueError("a pattern of file names has (?P<as_of>...), (?P<sequence>[0-9]+) or both, and no other group")
    return value


class CsvLayout(Strict):
    """What every kind of CSV file has."""

    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    encoding: Literal["utf-8-sig", "cp1252", "latin-1"] = "utf-8-sig"
    date_format: str = Field("%Y-%m-%d", description="strptime; without a zone the profile's timezone is taken")
    decimal_mark: Literal["", ".", ","] = Field("", description="what stands before the zeros of '2,000' when it means two; '' when there are none")
    trailer: str = Field("", description="first cell of a last row whose second cell counts the rows; '' when the partner has none")
    unit: str = Field("EA", description="when no column says it")


def _checked(columns: dict[str, str], needed: set[str]) -> None:
    if needed - set(columns):
        raise ValueError(f"columns lacks {', '.join(sorted(needed - set(columns)))}")
    if len(set(columns.values())) < len(columns):
        raise ValueError("columns uses one column twice")


class CsvAdvice(CsvLayout):
    """Advice files as CSV."""

    columns: dict[AdviceField, str]

    @model_validator(mode="after")
    def _has_what_counts(self) -> "CsvAdvice":
        _checked(self.columns, {"advice_id", "reference", "sku", "quantity", "carrier", "tracking_number", "shipped_at"})
        return self


class CsvStock(CsvLayout):
    """Stock statements as CSV: one row a SKU in a facility. Version: as_of and sequence, by column or out of the file's name."""

    columns: dict[StockField, str]
    facility: str = Field("", description="of all rows, when no column says it")
    name_pattern: Annotated[str, AfterValidator(_name_pattern)] = Field(
        "", description="where the file's name says them: r'stock_(?P<as_of>[0-9]{14})_(?P<sequence>[0-9]+)'")
    is_whole: bool = Field(False, description="it names every SKU of its facilities: one left out is out of stock. Needs a trailer")
    repeated: Literal["apart", "added"] = Field("apart", description="the same SKU on two rows: both stay, and that SKU is set aside; or they are lots and add up")
    rows_max: int = Field(200_000, gt=0, le=5_000_000)
    bytes_max: int = Field(MAX_BYTES, gt=0, le=200_000_000, description="files.max_bytes must be as large")

    @model_validator(mode="after")
    def _has_what_counts(self) -> "CsvStock":
        _checked(self.columns, {"sku"})
        if not {"available", "on_hand"} & set(self.columns):
            raise ValueError("columns lacks available or on_hand")
        if "facility" not in self.columns and not self.facility:
            raise ValueError("no column and no facility says where the stock is")
        if "as_of" not in self.columns and "(?P<as_of>" not in self.name_pattern:
            raise ValueError("no column and no file name says when the statement was true")
        if self.is_whole and not self.trailer:
            raise ValueError("a statement counts as whole only with a trailer: one that was cut off would set the rest to zero")
        return self


class CsvAdjustments(CsvLayout):
    """Adjustments (and receipts of stock, by `kinds`) as CSV: one row a line of a document."""

    columns: dict[ChangeField, str]
    facility: str = ""
    kinds: dict[str, Literal[CHANGE_KINDS]] = Field({}, description="what stands in the kind column -> what it is; without that column all are adjustments")

    @model_validator(mode="after")
    def _has_what_counts(self) -> "CsvAdjustments":
        _checked(self.columns, {"document_id", "sku", "change", "occurred_at"})
        if "facility" not in self.columns and not self.facility:
            raise ValueError("no column and no facility says where the stock is")
        if ("kind" in self.columns) != bool(self.kinds):
            raise ValueError("a kind column and kinds go together")
        return self


class CsvReturns(CsvLayout):
    """Returns as CSV: one row a SKU that came back, in one condition."""

    columns: dict[ReturnField, str]
    facility: str = ""
    sale_grades: list[str] = Field([], description="grades that the site puts back on sale at once; '' is: it does not say")

    @model_validator(mode="after")
    def _has_what_counts(self) -> "CsvReturns":
        _checked(self.columns, {"document_id", "sku", "quantity", "received_at"})
        if "facility" not in self.columns and not self.facility:
            raise ValueError("no column and no facility says where they are")
        return self
