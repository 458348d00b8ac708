"""A settlement's amounts: what people say of kinds that the catalogue does not know, what each kind comes to by day, and what each order got.

Frames of the contract SettlementRows in. Nothing is rounded: an amount is minor units and millionths of one, and both are added up.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import pandas as pd

from contracts.settled import ACCOUNT_OF_PART, ACCOUNTS, FULFILLED_BY, GIVEN_BACK, OTHER, PARTS, SOLD, SUSPENSE
from contracts.settlements import FINES, UNKNOWN

Row = Mapping[str, Any]
Triple = tuple[str, str, str]

TEXTS = ["transaction_type", "amount_type", "amount_description"]
SUMMED = ["posted_on", *TEXTS, "category", "account", "level", "known_by", "fulfilment", "is_explained", "currency"]
ITEM = ["order_id", "line_id", "sku", "fulfilment", "currency"]
TIED = ("order_line", "order", UNKNOWN)  # levels of which an order's number is an order's
CATALOGUE, RULE, NOBODY = "catalogue", "rule", "nobody"
ANY = "*"


class Types:
    """The mapping table settlement_types, asked by triple: the row with the fewest wildcards wins."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = sorted((_folded(row) for row in rows), key=lambda row: (sum("*" in row[name] or "?" in row[name] for name in TEXTS), row["connection"] == ANY,
                                                                             -sum(len(row[name]) for name in TEXTS), [row[name] for name in TEXTS]))

    def find(self, connection: str, triple: Triple) -> tuple[str, str] | None:
        """(category, level) of a triple (case-folded); None: nobody has said."""
        for row in self._rows:
            if row["connection"] in (ANY, connection) and all(fnmatchcase(text, row[name]) for name, text in zip(TEXTS, triple, strict=True)):
                return row["category"], row["level"]
        return None


def attributed(rows: pd.DataFrame, connection: str, types: Types) -> pd.DataFrame:
    """The rows with people's word on what the catalogue does not know, the three texts folded, and four columns more: known_by, account, share (one of `PARTS`), is_explained.

    The catalogue's own word always stands: a row of the table can only speak where it is silent.
    """
    found = rows.assign(**{name: _folded_text(rows[name]) for name in TEXTS})
    kinds = found[[*TEXTS, "category", "level"]].drop_duplicates()
    said = [_said(row, connection, types) for row in kinds.to_dict("records")]
    kinds = kinds.assign(**{name: [one[n] for one in said] for n, name in enumerate(("now_category", "now_level", "known_by", "account", "share"))})
    found = found.merge(kinds, on=[*TEXTS, "category", "level"], how="left", sort=False)
    found["category"], found["level"] = found["now_category"], found["now_level"]
    is_back = (found["adjustment_id"] != "") & found["share"].isin(["principal", "shipping", "tax", "promotion"])
    found.loc[is_back, "share"] = "refunded"
    found["account"] = found["account"].where(~is_back, ACCOUNTS[GIVEN_BACK[0]])
    lost = found["level"].isin(["order_line", "order"]) & (found["order_id"] == "")
    found["is_explained"] = (found["known_by"] != NOBODY) & ((found["why"] == "") | (found["known_by"] == RULE)) & ~lost
    found["fulfilment"] = found["fulfilment"].map({word: FULFILLED_BY.get(word.casefold(), "") for word in found["fulfilment"].unique()})
    return found.drop(columns=["now_category", "now_level"])


def _said(kind: Row, connection: str, types: Types) -> tuple[str, str, str, str, str]:
    """(category, level, known by whom, account, part of an order)."""
    category, level, known_by = kind["category"], kind["level"], CATALOGUE
    if level == UNKNOWN:
        by_people = types.find(connection, tuple(kind[name] for name in TEXTS))
        category, level, known_by = (*by_people, RULE) if by_people else ("", UNKNOWN, NOBODY)
    part = part_of(category, level, f"{kind['amount_description']} {kind['amount_type']}")
    return category, level, known_by, SUSPENSE if level == UNKNOWN else ACCOUNT_OF_PART.get(part) or ACCOUNTS.get(category, OTHER), part


def part_of(category: str, level: str, words: str) -> str:
    """Which of `PARTS` an amount is. Sales are told apart by their description: tax, postage and gift wrapping, and the price itself."""
    if level == UNKNOWN:
        return "unknown"
    if category in SOLD:
        return "tax" if "tax" in words else "shipping" if "shipping" in words or "giftwrap" in words.replace(" ", "") else "principal"
    if category in GIVEN_BACK:
        return "refunded"
    if category in ("withheld_tax", "tax_reclass"):
        return "withheld"
    if category in ("fee", "fee_reversal", "fee_correction", "shipping_label", "tax_or_fee"):
        return "fees"
    return "promotion" if category == "promotion" else "other"


def sums(rows: pd.DataFrame, connection: str, fallback: datetime) -> list[dict[str, Any]]:
    """What each kind of amount comes to, by day (`fallback`: the day of rows that have none): rows of settlement_sum."""
    posted = rows["posted_at"].fillna(fallback).dt.floor("D")
    grouped = rows.assign(posted_on=posted, count=1).groupby(["settlement_id", *SUMMED], sort=True, dropna=False)
    found = grouped[["count", "amount_minor", "amount_fine"]].sum().reset_index()
    return [{name: row[name] for name in ("settlement_id", *SUMMED)} | {"connection": connection, "posted_on": f"{row['posted_on']:%Y-%m-%d}", "rows": int(row["count"]),
            "is_explained": bool(row["is_explained"])} | _amount(row["amount_minor"], row["amount_fine"]) for row in found.to_dict("records")]


def items(rows: pd.DataFrame, connection: str, fallback: datetime) -> list[dict[str, Any]]:
    """What each item of an order got, its parts in columns that add up to `net`: rows of settlement_item. quantity: units sold, once each."""
    tied = rows[(rows["order_id"] != "") & rows["level"].isin(TIED)]
    if tied.empty:
        return []
    tied = tied.assign(line_id=tied["order_item_id"], posted_at=tied["posted_at"].fillna(fallback), units=tied["quantity"].where(tied["adjustment_id"] == "", 0))
    by = ["settlement_id", *ITEM]
    whole = tied.groupby(by, sort=True).agg(quantity=("units", "sum"), first_posted_at=("posted_at", "min"), last_posted_at=("posted_at", "max"),
                                            net_minor=("amount_minor", "sum"), net_fine=("amount_fine", "sum"))
    parts = tied.groupby([*by, "share"], sort=True)["amount_minor"].sum().unstack("share", fill_value=0).reindex(columns=list(PARTS), fill_value=0)
    back = tied[tied["share"] == "refunded"].groupby(by, sort=True)["posted_at"].max().rename("refunded_at")
    found = whole.join(parts).join(back).reset_index()
    return [{name: row[name] for name in by} | {"connection": connection, "quantity": int(row["quantity"]), **{f"{part}_minor": int(row[part]) for part in PARTS},
            **_exact(row), "first_posted_at": row["first_posted_at"].to_pydatetime(), "last_posted_at": row["last_posted_at"].to_pydatetime(),
            "refunded_at": None if pd.isna(row["refunded_at"]) else row["refunded_at"].to_pydatetime()} for row in found.to_dict("records")]


def _exact(row: Row) -> dict[str, int]:
    """The net, in minor units and what is finer: the columns hold whole minor units, and `net` what they come to."""
    return {"net_minor": int(row["net_minor"]), "net_fine": int(row["net_fine"])}


def _amount(minor: int, fine: int) -> dict[str, int]:
    """Minor units and millionths of one, with whole units carried over; both with the sign of the whole."""
    whole = int(minor) * FINES + int(fine)
    sign = -1 if whole < 0 else 1
    return {"amount_minor": sign * (abs(whole) // FINES), "amount_fine": sign * (abs(whole) % FINES)}


def _folded(row: Row) -> dict[str, str]:
    return dict(row) | {name: row[name].strip().casefold() for name in TEXTS}


def _folded_text(column: pd.Series) -> pd.Series:
    return column.map({text: text.strip().casefold() for text in column.unique()}).astype(column.dtype)
