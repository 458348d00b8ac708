"""From dispatch advice to dispatch confirmations: which order line each shipped unit belongs to, and what the storefront is told.

Units are the warehouse's until a storefront unit is whole. A case of 12 is confirmed with the package that brings the twelfth
unit, a kit with the package that brings its last component; until then the units are only counted (`advised`). What is
confirmed is always the difference between what was whole before a package and after it, counted from the first advice on, so any
number of advices adds up exactly and never to more than was ordered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from contracts.base import rows_of
from contracts.dispatches import Dispatches
from contracts.effects import ConfirmedLine, DispatchConfirmation
from contracts.exceptions import Finding
from tasks.rules.findings import Findings
from tasks.rules.lookup import Mappings
from tasks.rules.shipped_units import ShippedUnits
from tasks.rules.waits import waits_on_mapping

BACK_ORDERED = ("BK", "BO", "BP")  # X12 element 368, by common use: nothing shipped yet, but it will be

Row = dict[str, Any]
Advised = tuple[str, int, int]


@dataclass
class Placement:
    """What follows from some dispatch advice.

    confirmations: to send. held: whole, but their carrier has no mapping (each has its `carrier_unmapped` finding).
    advised: (reference, request line number, warehouse units) to add to what was advised before; held packages included, units
    beyond the order not. cancelled: references of which the warehouse shipped nothing and will ship nothing.
    incomplete: (reference, advice id, package id) of packages that made no storefront unit whole, so have nothing to confirm.
    """

    confirmations: list[DispatchConfirmation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    advised: list[Advised] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    held: list[DispatchConfirmation] = field(default_factory=list)
    incomplete: list[tuple[str, str, str]] = field(default_factory=list)


def place(dispatches: pd.DataFrame, requests: Mapping[str, dict[str, Any]], shipped: Mapping[tuple[str, int], int],
          mappings: Mappings) -> Placement:
    """Place every row of the frame (contract Dispatches) on the request that it answers.

    `requests`: payloads of FulfilmentRequest by reference. `shipped`: warehouse units advised before, by (reference, line number).
    The order of the rows does not matter. The same rows given twice are placed twice: the inbox sees to it that they are not.
    """
    placement = Placement()
    by_reference: dict[tuple[str, str], list[Row]] = {}
    for row in rows_of(dispatches):
        by_reference.setdefault((row["reference"].strip(), row["warehouse"]), []).append(row)
    for (reference, warehouse), rows in sorted(by_reference.items()):
        request = requests.get(reference)
        if request is None or request["warehouse"] != warehouse:
            placement.findings += _before_export(reference, warehouse, rows, request)
        else:
            _place_rows(rows, request, shipped, mappings, placement)
    return placement


def with_carrier(confirmation: DispatchConfirmation | Mapping[str, Any], mappings: Mappings) -> DispatchConfirmation | None:
    """The confirmation with the storefront's names for its carrier; None while no mapping has them.

    For a held one, give the `confirmation` in its finding's evidence, as it was kept.
    """
    payload = confirmation.model_dump() if isinstance(confirmation, DispatchConfirmation) else dict(confirmation)
    row = mappings.carrier(payload["warehouse"], payload["carrier"], payload["service"], payload["connection"])
    if row is None:
        return None
    number = payload["tracking_number"]
    link = row["tracking_link"].replace("{tracking_number}", _in_url(number)) if number else ""
    return DispatchConfirmation.model_validate(
        payload | {"provider": row["provider"], "tracking_carrier": row["tracking_carrier"], "tracking_link": link})


def rows_again(finding_evidence: Mapping[str, Any]) -> pd.DataFrame:
    """The advice that an `advice_before_export` finding kept, as a frame of the contract Dispatches: place it again once the order is known."""
    rows = finding_evidence["rows"]
    return Dispatches.frame(row | {"shipped_at": pd.Timestamp(row["shipped_at"]).to_pydatetime()} for row in rows)


def _in_url(text: str) -> str:
    """Percent-encoded, so that no tracking number can alter the link around it."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 or chr(byte) in "-._~" else f"%{byte:02X}" for byte in text.encode())


def _before_export(reference: str, warehouse: str, rows: list[Row], request: dict[str, Any] | None) -> list[Finding]:
    """One finding an advice, with its rows: no personal data is in them, and they are placed again when the order turns up."""
    advices: dict[str, list[Row]] = {}
    for row in sorted(rows, key=_in_order):
        advices.setdefault(row["advice_id"], []).append(row | {"shipped_at": row["shipped_at"].isoformat()})
    why = "we sent no order under this reference" if request is None else f"we sent this order to {request['warehouse']}"
    findings = []
    for advice_id, kept in advices.items():
        found = Findings(warehouse, reference or advice_id)
        evidence = {"reference": reference, "advice_id": advice_id, "why": why, "rows": kept}
        found.add("advice_before_export", f"{warehouse}:{reference}:{advice_id}", evidence)
        findings += found.listed()
    return findings


def _place_rows(rows: list[Row], request: dict[str, Any], shipped: Mapping[tuple[str, int], int], mappings: Mappings, placement: Placement) -> None:
    units = ShippedUnits(request, shipped)
    if not units.any_before and _is_cancelled(rows, request):
        placement.cancelled.append(request["reference"])
        return
    found = Findings(request["connection"], request["order_id"])
    misplaced = _Misplaced(request, units, found)
    packages: dict[tuple[str, str], list[Row]] = {}
    for row in sorted((row for row in rows if row["quantity"] > 0), key=_in_order):
        packages.setdefault((row["advice_id"], row["package_id"]), []).append(row)
    for package in packages.values():
        before = units.whole()
        for row in package:
            rest, why = units.fill(row["request_line"], row["sku"], row["unit"], row["quantity"])
            if rest:
                misplaced.add(row, rest, why)
        _confirm(package, request, units.since(before), mappings, found, placement)
    misplaced.report()
    placement.findings += found.listed()
    placement.advised += [(request["reference"], number, count) for number, count in units.now()]


def _in_order(row: Row) -> tuple:
    """By time, advice and package, then by whatever tells two rows apart, so that the order of the rows decides nothing."""
    return (row["shipped_at"], row["advice_id"], row["package_id"], row["request_line"].strip(), row["sku"], row["quantity"],
            row["tracking_number"], row["carrier"], row["service"], row["unit"])


def _is_cancelled(rows: list[Row], request: dict[str, Any]) -> bool:
    """Did the warehouse close the request without shipping anything? Zero on every line it has, and none of them back-ordered."""
    if any(row["quantity"] > 0 or row["line_status"].strip() in BACK_ORDERED for row in rows):
        return False
    numbers = {row["request_line"].strip().lstrip("0") for row in rows}
    skus = {row["sku"].strip() for row in rows}
    whole = any(not row["request_line"].strip() and not row["sku"].strip() for row in rows)
    return whole or all(str(line["number"]) in numbers or line["warehouse_sku"] in skus for line in request["lines"])


def _confirm(package: list[Row], request: dict[str, Any], lines: list[tuple[str, int]], mappings: Mappings, found: Findings,
             placement: Placement) -> None:
    first = package[0]
    if not lines:
        placement.incomplete.append((request["reference"], first["advice_id"], first["package_id"]))
        return
    bare = DispatchConfirmation(
        connection=request["connection"], order_id=request["order_id"], ship_group=request["ship_group"], warehouse=request["warehouse"],
        reference=request["reference"], advice_id=first["advice_id"], package_id=first["package_id"], carrier=first["carrier"].strip(),
        service=first["service"].strip(), provider="", tracking_carrier="", tracking_link="",
        tracking_number=next((row["tracking_number"] for row in package if row["tracking_number"]), "").strip(),
        shipped_at=first["shipped_at"].isoformat(), lines=[ConfirmedLine(line_id=line_id, quantity=quantity) for line_id, quantity in lines],
        channel=request["channel"],
    )
    ready = with_carrier(bare, mappings)
    if ready:
        placement.confirmations.append(ready)
        return
    placement.held.append(bare)
    where = {"warehouse": bare.warehouse, "carrier": bare.carrier, "service": bare.service}
    found.add("carrier_unmapped", f"{bare.warehouse}:{bare.carrier}:{bare.service}:{bare.reference}:{bare.advice_id}:{bare.package_id}",
              where | {"confirmation": bare.model_dump()}, waits_on_mapping("carriers", **where, connection=bare.connection))


class _Misplaced:
    """Units that no line of the order took, summed by package and SKU."""

    def __init__(self, request: dict[str, Any], units: ShippedUnits, found: Findings) -> None:
        self._request, self._units, self._found = request, units, found
        self._sums: dict[tuple[str, str, str, str, str], tuple[str, int]] = {}

    def add(self, row: Row, rest: int, why: str) -> None:
        sku = row["sku"].strip()
        if not self._units.asked(sku):
            sku = self._units.sku_of(row["request_line"]) if not why or not sku else sku
        type_name = "line_unmatched" if why else "over_shipped"
        key = (type_name, row["advice_id"], row["package_id"], sku, row["unit"])
        self._sums[key] = (why, self._sums.get(key, ("", 0))[1] + rest)

    def report(self) -> None:
        for (type_name, advice_id, package_id, sku, unit), (why, rest) in self._sums.items():
            evidence: dict[str, Any] = {"reference": self._request["reference"], "advice_id": advice_id, "package_id": package_id,
                                        "warehouse_sku": sku, "unit": unit}
            if type_name == "over_shipped":
                evidence |= {"ordered": self._units.asked(sku), "advised": self._units.asked(sku) + rest, "too_many": rest}
            else:
                evidence |= {"quantity": rest, "why": why}
            self._found.add(type_name, f"{self._request['reference']}:{advice_id}:{package_id}:{sku}", evidence)
