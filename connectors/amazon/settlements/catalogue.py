"""What is known of the triples (transaction-type, amount-type, amount-description): our list in `catalogue.csv`, and how a triple is looked up in it.

Compared without case, blanks, hyphens and underscores: 'Digital Services Fee' is DigitalServicesFee. A cell that ends in `*` stands for any continuation; there are
a handful, each for free text behind words that are known. What is not in the list is unknown: there is no rule that catches the rest.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from connectors.amazon.settlements.layout import V1

FILE = Path(__file__).with_name("catalogue.csv")
Triple = tuple[str, str, str]
# V1 names its kinds of column, not V2's amount-types: where the same words stand in V2
_V1_LIKE = {"ItemPrice": ("ItemPrice", "ItemWithheldTax", "Points"), "ItemFees": ("ItemFees", "ItemWithheldTax", "Shipment-Fees"), "Shipment-Fees": ("Shipment-Fees", "ItemFees"),
            "Order-Fees": ("Shipment-Fees", "ItemFees"), "Promotion": ("Promotion",), "misc-fee": ("ItemFees",), "other-fee": ("ItemFees",),
            "direct-payment": ("ItemPrice",), "other-amount": ("ItemPrice",)}
_V1_LABELLED = ("other-amount", "other-fee", "misc-fee", "ItemFees", "ItemPrice")


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue. otherwise: levels that it may fall back to when the id of `level` is not there; none: it is unexplained then."""

    triple: Triple
    category: str
    scope: str
    level: str
    otherwise: tuple[str, ...]

    @property
    def rule(self) -> str:
        """How reports name it."""
        return " / ".join(part for part in self.triple if part)


@cache
def entries() -> tuple[Entry, ...]:
    """The whole catalogue, in the file's order."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(Entry((row["transaction_type"], row["amount_type"], row["amount_description"]), row["category"], row["scope"], row["level"],
                           tuple(row["otherwise"].split())) for row in csv.DictReader(file))


def known(triple: Triple, layout: str = "") -> Entry | None:
    """The entry of a triple as a file spells it; None when nobody has said what it is."""
    for candidate in _spellings(triple, layout):
        found = _exact().get(candidate) or _by_prefix(candidate)
        if found:
            return found
    return None


def squashed(text: str) -> str:
    """What two spellings of one label have in common."""
    return re.sub(r"[\s_\-\u2010-\u2015]+", "", unicodedata.normalize("NFKC", text).casefold())


def _spellings(triple: Triple, layout: str) -> Iterator[Triple]:
    transaction, kind, description = triple
    yield _key(triple)
    if layout != V1:
        return
    for like in _V1_LIKE.get(kind, ()) if description else ():
        yield _key((transaction, like, description))
    if kind in _V1_LABELLED and squashed(description) in ("", squashed(transaction)):
        yield ("", "", squashed(transaction))


@cache
def _exact() -> dict[Triple, Entry]:
    found: dict[Triple, Entry] = {}
    for entry in entries():
        if not any(part.endswith("*") for part in entry.triple):
            found.setdefault(_key(entry.triple), entry)
    for entry in entries():  # V1 has in transaction-type what V2 says further right: ('Storage Fee', other-amount, '')
        for label in _labels(entry):
            found.setdefault(("", "", squashed(label)), entry)
    return found


def _labels(entry: Entry) -> tuple[str, ...]:
    transaction, kind, description = entry.triple
    if transaction == "other-transaction":
        return (description,) if not description.endswith("*") else ()
    return (kind,) if transaction in ("FBAFees", "AmazonFees") and description == "Base fee" and not kind.endswith("*") else ()


@cache
def _prefixes() -> tuple[tuple[Triple, Entry], ...]:
    return tuple((entry.triple, entry) for entry in entries() if any(part.endswith("*") for part in entry.triple))


def _by_prefix(key: Triple) -> Entry | None:
    if key[:2] == ("", ""):
        key = ("othertransaction", "othertransaction", key[2])
    for pattern, entry in _prefixes():
        if all(said.startswith(squashed(part[:-1])) if part.endswith("*") else said == squashed(part) for said, part in zip(key, pattern, strict=True)):
            return entry
    return None


def _key(triple: Triple) -> Triple:
    return squashed(triple[0]), squashed(triple[1]), squashed(triple[2])
