"""The partner profile's sections for stock and returns in X12: where things stand in an 846, a 947, a 944 and an inbound 180.

Every list of paths is tried in order. A date takes the time that stands beside it in its segment; without one, the group's time (GS05) when
it is the same day, else the beginning of that day.
"""

from typing import Literal

from pydantic import Field

from connectors.gxo.profile_types import Code2, Path, Strict


class Stock(Strict):
    """Where things stand in the 846. A quantity that a line gives several times in one unit (by lot) is added up."""

    available: list[Code2] = Field(["33"], description="QTY-01 of what may be sold")
    on_hand: list[Code2] = Field(["17"], description="QTY-01 of what is there")
    on_hold: list[Code2] = Field(["QH"], description="QTY-01 of what is there and may not be sold")
    sku_qualifiers: list[str] = Field(["SK"], description="which qualifier in the LIN names our SKU, in order")
    facility: list[Path] = Field(["N1*WH-04"], description="looked for on the line, then in the header")
    as_of: list[Path] = Field(["BIA-04"], description="when the statement was true: the version of its figures, with ISA13")
    whole_purposes: list[Code2] = Field(["00"], description="BIA-01 of a statement that names every SKU of its facility")
    whole_reports: list[Code2] = Field([], description="BIA-02 of such a statement; none: any")
    repeated: Literal["apart", "added"] = Field("apart", description="the same SKU on two lines: both stay, and that SKU is set aside; or they are lots and add up")
    hash_total: Literal["quantities", "unchecked"] = Field("quantities", description="what CTT-02 adds up, where it is given: every QTY-02")
    unit: str = Field("EA", description="when no line says it")
    ignore_segments: list[str] = Field([], description="segments the partner adds outside the 4010 map; passed over")


class Adjustments(Strict):
    """Where things stand in the 947."""

    document_id: list[Path] = ["W15-02", "W15-03"]
    occurred_at: list[Path] = ["W15-01"]
    facility: list[Path] = Field(["N1*WH-04"], description="looked for on the line, then in the header")
    reference: list[Path] = []
    sku_qualifiers: list[str] = Field(["SK"], description="which qualifier at W19-05, -07, -17 names our SKU, in order")
    minus_reasons: list[Code2] = Field([], description="W19-01 of reasons that take away although the quantity has no sign")
    unsold_reasons: list[Code2] = Field([], description="W19-01 of reasons that leave what may be sold as it is (held stock): entered as a change of 0")
    ignore_segments: list[str] = []


class Receipts(Strict):
    """Where things stand in the 944, and how it says that it is a return."""

    codes: list[str] = Field(["F", "J", "N", "P"], description="W17-01 of a receipt of stock; another one is refused (K is an exercise)")
    return_codes: list[str] = Field(["C"], description="W17-01 of goods that a customer sent back")
    document_id: list[Path] = ["W17-03"]
    received_at: list[Path] = ["W17-02"]
    facility: list[Path] = ["N1*WH-04"]
    reference: list[Path] = Field(["W17-04"], description="of a receipt: what our 943 announced it under")
    return_reference: list[Path] = Field(["N9*SO", "W17-04"], description="of a return: the order's; one that is the RMA number itself does not count")
    rma: list[Path] = Field(["N9*RZ", "N9*RMA"], description="the number of the announced return; a 944 that has one is a return")
    request_line: list[Path] = ["N9*LI"]
    tracking: list[Path] = ["N9*CN", "N9*2I"]
    grade: list[Path] = Field(["N9*ZZ", "W13-03"], description="of a returned line; a path into W13 grades the units that it sets apart")
    sku_qualifiers: list[str] = Field(["SK"], description="which qualifier at W07-04, -06, -10 names our SKU, in order")
    apart_conditions: list[Code2] = Field(["01", "04", "05", "08", "09", "10"], description="W13-03 of units that came and are not for sale; others are remarks")
    apart: Literal["beside", "within"] = Field("beside", description="whether W07-01 leaves out the units that W13 sets apart, or counts them")
    sale_grades: list[str] = Field([], description="grades of returned goods that the site puts back on sale at once; '' is: it does not say")
    total: Literal["units", "unchecked"] = Field("units", description="what W14-01 counts: every W07-01")
    ignore_segments: list[str] = []


class ReturnAdvice(Strict):
    """Where things stand in a 180 that tells of goods that came back."""

    document_id: list[Path] = ["BGN-02"]
    rma: list[Path] = ["N9*RZ", "N9*RMA", "BGN-02"]
    reference: list[Path] = ["N9*SO"]
    received_at: list[Path] = ["DTM*050", "BGN-03"]
    facility: list[Path] = ["N1*WH-04", "N1*ST-04"]
    request_line: list[Path] = ["N9*LI"]
    tracking: list[Path] = ["N9*CN", "N9*2I"]
    grade: list[Path] = ["N9*ZZ"]
    sku_qualifiers: list[str] = Field(["SK"], description="which qualifier at BLI-01, -08, -10, -12 names our SKU, in order")
    ignore_segments: list[str] = []
