"""The orders that the demo plays: UCI Online Retail columns from a file, or a generator with the same mess.

    InvoiceNo    an order; `C…` is a return; other letters are bookkeeping
    StockCode    the SKU as the shop typed it: POST, DOT, M … are no goods, and 85123A is also spelled 85123a
    Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country

Not every invoice is an order: stock write-offs have negative quantities without a C, bad debt has negative prices. Nothing is
dropped without being counted.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.kit.errors import BadConfiguration

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
COUNTRIES = {
    "United Kingdom": "GB", "Germany": "DE", "France": "FR", "EIRE": "IE", "Spain": "ES", "Netherlands": "NL", "Belgium": "BE", "Switzerland": "CH",
    "Portugal": "PT", "Australia": "AU", "Cyprus": "CY", "Italy": "IT", "Finland": "FI", "Channel Islands": "JE", "Japan": "JP", "Norway": "NO",
    "Hong Kong": "HK", "Poland": "PL", "Sweden": "SE", "Austria": "AT", "Singapore": "SG", "Greece": "GR", "Iceland": "IS", "Denmark": "DK",
    "Lebanon": "LB", "Israel": "IL", "Lithuania": "LT", "Brazil": "BR", "United Arab Emirates": "AE", "USA": "US", "Bahrain": "BH",
    "Czech Republic": "CZ", "Canada": "CA", "Saudi Arabia": "SA", "Malta": "MT", "RSA": "ZA", "Nigeria": "NG", "Korea": "KR", "Thailand": "TH",
    "Bermuda": "BM", "Luxembourg": "LU", "West Indies": "",
}  # what is not here ("European Community", "Unspecified") has no country code: its order is held, not guessed
NON_STOCK = {
    "POST": "postage", "DOT": "postage", "M": "manual charge", "D": "discount", "S": "samples", "C2": "carriage", "C3": "carriage", "B": "bad debt",
    "BANK CHARGES": "bank charges", "AMAZONFEE": "marketplace fee", "CRUK": "charity commission", "ADJUST*": "adjustment", "TEST*": "test",
    "gift_*": "gift voucher", "POSTAGE": "postage", "MANUAL": "manual charge", "SAMPLES": "samples",
}
ENCODINGS = ("utf-8-sig", "cp1252")


@dataclass(frozen=True)
class DemoLine:
    """One line of an order; price is a gross unit price in pounds, to the penny."""

    sku: str
    name: str
    quantity: int
    price: Decimal


@dataclass(frozen=True)
class DemoOrder:
    """One invoice that is an order."""

    invoice: str
    placed_at: datetime
    customer: str
    country_name: str
    lines: tuple[DemoLine, ...]

    @property
    def country(self) -> str:
        """ISO 3166 alpha-2, or '' where the file does not say one."""
        return COUNTRIES.get(self.country_name, "")


@dataclass(frozen=True)
class DemoReturn:
    """One `C…` invoice: goods that a customer sent back. Quantities are positive here; the file does not say which order they are from."""

    invoice: str
    sent_at: datetime
    customer: str
    lines: tuple[DemoLine, ...]


@dataclass
class Period:
    """The orders and returns in time order, and an account of everything in the file that is neither."""

    orders: list[DemoOrder]
    counts: dict[str, int] = field(default_factory=dict)
    returns: list[DemoReturn] = field(default_factory=list)

    @property
    def sold(self) -> list[DemoOrder | DemoReturn]:
        """Whatever names an article of the shop: what comes back was sold once, before the period perhaps."""
        return [*self.orders, *self.returns]


def read_file(path: Path) -> pd.DataFrame:
    """The file's rows with the columns of UCI Online Retail, codes as text. Raises BadConfiguration that names what is missing."""
    doing = f"reading the orders file {path.name}"
    try:
        frame = pd.read_parquet(path) if path.suffix.casefold() in (".parquet", ".pq") else _read_csv(path)
    except (OSError, ValueError) as error:
        raise BadConfiguration(doing, f"{type(error).__name__}: {str(error).splitlines()[0][:120]}", "Give a CSV or Parquet file.") from None
    if missing := [name for name in COLUMNS if name not in frame]:
        raise BadConfiguration(doing, f"it has no column {', '.join(missing)}", f"It needs {', '.join(COLUMNS)}.")
    return frame[list(COLUMNS)]


def _read_csv(path: Path) -> pd.DataFrame:
    for encoding in ENCODINGS:
        try:
            return pd.read_csv(path, dtype={name: "str" for name in COLUMNS if name not in ("Quantity", "UnitPrice")}, encoding=encoding,
                               keep_default_na=False, na_values={"Quantity": [""], "UnitPrice": [""]})
        except UnicodeDecodeError:
            continue
    raise ValueError(f"neither {' nor '.join(ENCODINGS)}")


def period(frame: pd.DataFrame, days: int | None = None) -> Period:
    """The orders of the first `days` trading days (all without it). Raises BadConfiguration for dates or quantities that are none."""
    frame = frame.copy()
    try:
        frame["InvoiceDate"] = pd.to_datetime(frame["InvoiceDate"], format="mixed")
        frame["Quantity"] = pd.to_numeric(frame["Quantity"]).astype("int64")
        frame["UnitPrice"] = pd.to_numeric(frame["UnitPrice"])
    except (ValueError, TypeError) as error:
        raise BadConfiguration("reading the orders", str(error).splitlines()[0][:160], "Dates and numbers must be readable.") from None
    for column in ("InvoiceNo", "StockCode", "Description", "CustomerID", "Country"):
        frame[column] = frame[column].astype("object").where(frame[column].notna(), "").map(str)
    frame = frame.sort_values("InvoiceDate", kind="stable")
    if days is not None:
        first = sorted(frame["InvoiceDate"].dt.date.unique())[:days]
        frame = frame[frame["InvoiceDate"].dt.date.isin(first)]
    return _sorted(frame)


def _sorted(frame: pd.DataFrame) -> Period:
    invoices: dict[str, list[Any]] = {}
    for row in frame[list(COLUMNS)].itertuples(index=False):
        invoices.setdefault(row.InvoiceNo, []).append(row)
    counts = {"rows": len(frame), "invoices": len(invoices), "orders": 0, "returns": 0, "bookkeeping": 0, "lines_not_sold": 0, "prices_rounded": 0}
    orders, returns = [], []
    for invoice, rows in invoices.items():
        sold = [row for row in rows if row.Quantity > 0 and row.UnitPrice >= 0]
        if invoice.upper().startswith("C"):
            counts["returns"] += 1
            back = tuple(_line(row._replace(Quantity=-row.Quantity), counts) for row in rows if row.Quantity < 0 and row.UnitPrice >= 0)
            returns.append(DemoReturn(invoice, rows[0].InvoiceDate.to_pydatetime(), rows[0].CustomerID.removesuffix(".0"), back))
        elif not invoice.isdigit() or not sold:
            counts["bookkeeping"] += 1
        else:
            counts["orders"] += 1
            counts["lines_not_sold"] += len(rows) - len(sold)
            lines = tuple(_line(row, counts) for row in sold)
            orders.append(DemoOrder(invoice, sold[0].InvoiceDate.to_pydatetime(), sold[0].CustomerID.removesuffix(".0"), sold[0].Country, lines))
    return Period(orders, counts, returns)


def _line(row: Any, counts: dict[str, int]) -> DemoLine:
    exact = Decimal(str(row.UnitPrice))
    price = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
    counts["prices_rounded"] += price != exact
    return DemoLine(row.StockCode, row.Description[:100], row.Quantity, price)


def generated(days: int = 5, orders_a_day: int = 40, seed: int = 1) -> pd.DataFrame:
    """A shop's trading days with the same mess, the same for the same seed."""
    dice, rows, invoice, bought = random.Random(seed), [], 600_001, []
    skus = [(f"{dice.randrange(10_000, 99_999)}{dice.choice(['', '', '', 'A', 'B', 'S'])}", f"ARTICLE {n:03}", dice.randrange(29, 1999) / 100) for n in range(300)]
    for day in range(days):
        for _ in range(orders_a_day):
            at = datetime(2026, 1, 5) + timedelta(days=day, minutes=dice.randrange(8 * 60, 18 * 60))
            country = dice.choices(["United Kingdom", "Germany", "France", "EIRE", "Australia", "Unspecified"], [86, 5, 4, 2, 2, 1])[0]
            customer = str(dice.randrange(12_000, 18_300)) if dice.random() < 0.75 else ""
            kind = dice.choices(["order", "return", "write-off"], [80, 18, 2])[0]
            number = f"C{invoice}" if kind == "return" else str(invoice)
            chosen = dice.sample(skus, dice.choices([1, 2, 4, 9, 20], [25, 25, 25, 15, 10])[0])
            if kind == "return" and bought and dice.random() < 0.6:  # most of what comes back was bought here, not long ago
                customer, country, once = dice.choice(bought)
                chosen = dice.sample(once, min(len(once), 2))
            elif kind == "order" and customer:
                bought.append((customer, country, chosen))
            for sku, name, price in chosen:
                spelled = sku.lower() if dice.random() < 0.004 else sku
                quantity = dice.choices([1, 2, 6, 12, 48], [40, 25, 20, 12, 3])[0] * (1 if kind == "order" else -1)
                rows.append((number, spelled, name, quantity, at, 0.0 if kind == "write-off" else price, customer, country))
            if kind == "order" and dice.random() < 0.25:
                rows.append((number, dice.choice(["POST", "DOT", "M", "C2", "BANK CHARGES"]), "POSTAGE", 1, at, 4.95, customer, country))
            invoice += 1
    return pd.DataFrame(rows, columns=list(COLUMNS))
