"""The rules on two days of a real retailer's orders: postage, manual lines, spelling variants and all."""

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from contracts.items import Items
from contracts.orders import OrderLines, Orders, ShipGroups
from tasks.rules.fulfilment import plan_orders
from tasks.rules.lookup import ItemMaster
from tests.rules.rule_cases import SHOP, group, item, line, mappings, order

REAL = Path(__file__).resolve().parents[2] / "../shared/data/online-retail-2010-12_2011-05.parquet"
NON_STOCK = ("POST", "DOT", "M", "D", "S", "C2", "B", "CRUK", "BANK CHARGES", "AMAZONFEE", "gift_*", "ADJUST*", "TEST*")
GOODS = re.compile(r"\d{5}[A-Z]{0,3}|DCGS.*|PADS", re.IGNORECASE)  # the retailer's own article numbers, told independently of the table

pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the real orders (../shared/data) are not on this machine")


@pytest.fixture(scope="module")
def sales():
    """The invoices of the first two trading days, and the first ten with a second spelling. Credit notes (C…) are not orders."""
    rows = pd.read_parquet(REAL)
    rows = rows[~rows["InvoiceNo"].str.startswith("C")]
    days = sorted(rows["InvoiceDate"].dt.date.unique())[:2]
    spelt = rows[rows["StockCode"].str.fullmatch(r"\d{5}[a-z]+")]["InvoiceNo"].unique()[:10]
    return rows[rows["InvoiceDate"].dt.date.isin(days) | rows["InvoiceNo"].isin(spelt)].reset_index(drop=True)


@pytest.fixture(scope="module")
def lines(sales):
    return [line(f"{at}", sale.StockCode, max(0, int(sale.Quantity)), order_id=sale.InvoiceNo, name=str(sale.Description),
                 unit_price_minor=int(Decimal(str(sale.UnitPrice)) * 100)) for at, sale in enumerate(sales.itertuples())]


@pytest.fixture(scope="module")
def planned(sales, lines):
    countries = {sale.InvoiceNo: "GB" if sale.Country == "United Kingdom" else "FR" for sale in sales.itertuples()}
    goods = sorted({sku.upper() for sku in sales["StockCode"] if GOODS.fullmatch(sku)})
    frames = (Orders.frame(order(number) for number in countries), OrderLines.frame(lines),
              ShipGroups.frame(group(order_id=number, country=country) for number, country in countries.items()))
    tables = mappings(non_stock=[{"connection": "*", "pattern": pattern, "what": ""} for pattern in NON_STOCK])
    return plan_orders(*frames, {(SHOP, number, "a") for number in countries}, tables, ItemMaster.of(Items.frame(map(item, goods))), {SHOP: "BC"})


def test_no_code_that_is_no_goods_reaches_a_request(planned, sales):
    asked = {entry.sku for request in planned.requests for entry in request.lines}
    assert len(asked) > 1000
    assert {sku for sku in asked if not GOODS.fullmatch(sku)} == set()
    assert len(planned.non_stock) == sum(not GOODS.fullmatch(sku) for sku in sales["StockCode"]) > 0


def test_every_real_order_is_asked_for_once_or_held_or_has_nothing_to_ship(planned, sales):
    parts = Counter([request.order_id for request in planned.requests] + [number for _, number in planned.held + planned.nothing_to_ship])
    assert parts == Counter(sales["InvoiceNo"].unique())
    assert {finding.record for finding in planned.findings} == {number for _, number in planned.held}


def test_the_units_asked_for_are_the_units_sold(planned, lines):
    asked = {entry.line_id: entry.quantity for request in planned.requests for entry in request.lines}
    sent = {request.order_id for request in planned.requests}
    goods = [sold for sold in lines if sold["order_id"] in sent and sold["quantity"] and GOODS.fullmatch(sold["sku"])]
    assert asked == {sold["line_id"]: sold["quantity"] for sold in goods}


def test_a_second_spelling_holds_its_order_and_names_the_first(planned, sales):
    goods = [sale for sale in sales.itertuples() if GOODS.fullmatch(sale.StockCode) and sale.Quantity > 0]
    spelt = {sale.InvoiceNo for sale in goods if sale.StockCode != sale.StockCode.upper()}
    found = [finding for finding in planned.findings if finding.type == "sku_spelling"]
    assert {finding.record for finding in found} == spelt != set()
    assert all(finding.evidence["did_you_mean"] == [finding.evidence["sku"].upper()] for finding in found)
