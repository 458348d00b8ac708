"""Before any money is reckoned: has what came back a rule, and has its return been approved where the rule asks for that?"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from connectors.house import House
from connectors.ledger.ledger import Row, Tx
from connectors.ledger.returns import ASKED, REFUSED
from contracts.exceptions import Finding
from tasks.returned import ACTOR, Order, keep_dues
from tasks.rmas import ask_for_what_came
from tasks.rules.lookup import Mappings
from tasks.rules.rmas import is_open
from tasks.rules.waits import any_of, waits_on_mapping

MISSING, NOT_APPROVED, UNEXPECTED = "return_rule_missing", "rma_not_approved", "return_unexpected"
BY_HAND = "by hand"


@dataclass(frozen=True)
class Ready:
    """A piece that a rule lets through: where it stands, and at what percent."""

    line: Row
    place: int
    percent: int

    @property
    def piece(self) -> dict[str, Any]:
        """As the return line keeps it."""
        return self.line.dues[self.place]

    @property
    def document(self) -> tuple[str, str]:
        """The (warehouse, document) that brought it."""
        return self.line.warehouse, self.line.document_id


def let_through(opened: House, tx: Tx, order: Order, lines: list[Row], rules: Mappings) -> tuple[list[Ready], list[Finding]]:
    """The open pieces of an order's return lines that may be priced, and what keeps the others. What a person closed, or a refused return, is closed here."""
    ready: list[Ready] = []
    findings: dict[tuple[str, str], Finding] = {}
    for line in lines:
        if not any(is_open(piece) for piece in line.dues):
            continue
        for place, piece in enumerate(line.dues):
            percent, finding = _judge(opened, tx, order, lines, line, piece, rules) if is_open(piece) else (None, None)
            if finding is not None and is_open(piece) and by_a_person(opened, tx, finding):
                piece["closed"] = BY_HAND
            elif finding is not None:
                findings[finding.type, finding.cause] = finding
            elif percent is not None:
                ready.append(Ready(line, place, percent))
        own = rules.return_rule(order[0], line.warehouse, line.grade)
        keep_dues(opened, tx, line, line.dues, disposition=own["disposition"] if own else line.disposition)
    return ready, list(findings.values())


def by_a_person(opened: House, tx: Tx, finding: Finding) -> bool:
    """Has somebody closed this very exception? Then his word stands: we do not ask again, and do not refund."""
    return bool(opened.ledger.returns.decided_by(tx, finding.type, finding.connection, finding.record, finding.cause, ACTOR))


def _judge(opened: House, tx: Tx, order: Order, lines: list[Row], line: Row, piece: dict[str, Any], rules: Mappings) -> tuple[int | None, Finding | None]:
    """(percent, None) or (None, what keeps the piece). A kit of mixed grades is worth what its worst part is worth."""
    terms = {grade: rules.return_rule(order[0], line.warehouse, grade) for grade in piece["grades"]}
    missing = sorted(grade for grade, rule in terms.items() if rule is None)
    if missing:
        return None, _rule_missing(order, line, missing)
    finding = _approval(opened, tx, order, lines, line, piece, any(rule["needs_rma"] == "yes" for rule in terms.values()))
    return (None, finding) if finding else (min(int(rule["refund_percent"]) for rule in terms.values()), None)


def _rule_missing(order: Order, line: Row, grades: list[str]) -> Finding:
    cause = f"{MISSING}:{line.warehouse}:{line.document_id}:{','.join(grades)}"
    return Finding(MISSING, *order, cause, {"warehouse": line.warehouse, "document": line.document_id, "grades": grades, "sku": line.sku},
                   any_of(*(waits_on_mapping("return_rules", connection=order[0], warehouse=line.warehouse, grade=grade) for grade in grades)))


def _approval(opened: House, tx: Tx, order: Order, lines: list[Row], line: Row, piece: dict[str, Any], needs_rma: bool) -> Finding | None:
    """Is the piece's return approved, or need it not be? A return that nobody announced is entered, so that it can be decided."""
    if not piece["rma"] and not needs_rma:
        return None
    if not piece["rma"]:
        _ask_about(opened, tx, order, [one for one in lines if (one.warehouse, one.document_id) == (line.warehouse, line.document_id)])
    rma = opened.ledger.returns.rma(tx, order[0], piece["rma"])
    if rma.state == REFUSED:
        piece["closed"] = "the return was refused"
        return Finding(UNEXPECTED, *order, f"{UNEXPECTED}:{line.warehouse}:{line.document_id}:{line.line}:refused",
                       {"document": line.document_id, "rma": rma.rma, "why": f"its return was refused by {rma.decided_by}; the goods came all the same"})
    if rma.state != ASKED or not needs_rma:
        return None
    return Finding(NOT_APPROVED, *order, f"{NOT_APPROVED}:{rma.rma}",
                   {"rma": rma.rma, "document": line.document_id, "warehouse": line.warehouse, "asked_by": rma.asked_by, "reason": rma.reason,
                    "lines": [{"line_id": one["line_id"], "sku": one["sku"], "quantity": one["quantity"]} for one in rma.lines]})


def _ask_about(opened: House, tx: Tx, order: Order, lines: list[Row]) -> None:
    """One return for everything that came in one document and is under none."""
    without = [(line, piece) for line in lines for piece in line.dues if is_open(piece) and not piece["rma"]]
    units: Counter = Counter()
    for _, piece in without:
        units[piece["line_id"]] += piece["quantity"]
    number = ask_for_what_came(opened, tx, order, lines[0].warehouse, lines[0].document_id, dict(units))
    for line, piece in without:
        piece["rma"] = number
        keep_dues(opened, tx, line, line.dues)
