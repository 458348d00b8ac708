"""What the catalogue of triples knows, and that it knows nothing by accident."""

import csv
from pathlib import Path

import pytest

from connectors.amazon.settlements.across import read_together
from connectors.amazon.settlements.catalogue import entries, known, squashed
from contracts.settlements import LEVELS, UNKNOWN
from tests.settlement_files.written import V1_36

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "settlement_catalogue.csv"
V1_KIND = {"(V1 other-amount)": "other-amount", "(V1 item-related-fee-type)": "ItemFees", "(V1 other-fee)": "other-fee"}
WITH_FREE_TEXT = 15  # lines with a `*`: look twice before there are more


def test_every_line_names_a_level_a_category_and_is_there_once():
    keys = [tuple(map(squashed, entry.triple)) for entry in entries()]
    assert len(keys) == len(set(keys)) > 268
    assert {entry.level for entry in entries()} == {*LEVELS} - {UNKNOWN} and all(entry.category and entry.triple[0] for entry in entries())
    assert {level for entry in entries() for level in entry.otherwise} <= {*LEVELS} - {UNKNOWN}


def test_free_text_is_only_where_two_parts_are_exact_and_never_the_type():
    free = [entry.triple for entry in entries() if any("*" in part for part in entry.triple)]
    assert len(free) == WITH_FREE_TEXT
    assert all("*" not in triple[0] and sum("*" in part for part in triple) == 1 and all(part.find("*") in (-1, len(part) - 1) for part in triple) for triple in free)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared catalogue of facts does not lie beside this tree")
def test_every_triple_of_the_shared_catalogue_is_known_at_its_level():
    wrong = []
    for row in csv.DictReader(SHARED.open(encoding="utf-8")):
        layout = "V1" if row["amount_type"] in V1_KIND else "V2"
        free = {"<CC list>": "BE, FR", "(any)": "whatever", "(any: coupon id text)": "C-1", "<reason text>": "no", "<CC>": "GB", "<category>": "Packaging"}
        triple = (row["transaction_type"], V1_KIND.get(row["amount_type"], row["amount_type"]), row["amount_description"])
        for mark, text in free.items():
            triple = tuple(part.replace(mark, text) for part in triple)
        found = known(triple, layout)
        if found is None or (layout == "V2" and found.level != row["attribution_level"]):
            wrong.append(triple)
    assert wrong == []


@pytest.mark.parametrize(("triple", "level"), [
    (("Current Reserve Amount", "other-amount", ""), "balance"), (("Storage Fee - Reversal", "other-amount", ""), "account"), (("FBA Removal Order: Return Fee", "other-amount", ""), "account"),
    (("Inbound Defect Fee - Barcode cannot be scanned", "other-amount", ""), "account"), (("Amazon Easy Ship Charges", "ItemFees", "Amazon Easy Ship Charges"), "order"),
    (("SAFE-T Reimbursement", "other-amount", "SAFE-T Reimbursement"), "order"), (("Fee Adjustment", "ItemFees", "FBA Pick & Pack Fee"), "order"),
    (("Order", "ItemFees", "PointsGranted"), "order_line"), (("ServiceFee", "ItemFees", "Cost of Advertising"), "account"), (("Transfer of funds unsuccessful: no", "other-amount", ""), "balance"),
    (("Order", "direct-payment", "CollectOnDeliveryRevenue"), "order"), (("Order_Retrocharge", "ItemPrice", "Tax"), "order_line"), (("Subscription Fee", "other-fee", ""), "account")])
def test_what_v1_says_in_its_own_places_is_known(triple, level):
    assert known(triple, "V1").level == level


@pytest.mark.parametrize("triple", [("Mystery Fee", "other-amount", ""), ("Order", "Promotion", "Commission"), ("Order", "other-amount", ""), ("Principal", "other-amount", ""),
                                    ("Order", "ItemPrice", "Storage Fee"), ("Base fee", "other-amount", "")])
def test_what_v1_says_and_nobody_knows_is_unknown(triple):
    assert known(triple, "V1") is None


def test_v1_labels_are_no_v2_triples():
    assert known(("Storage Fee", "other-amount", "Storage"), "V2") is None and known(("Storage Fee", "ItemFees", ""), "V2") is None


def test_a_reversal_is_about_what_it_takes_back_and_nothing_else_is():
    assert known(("other-transaction - Reversal", "other-transaction", "Storage Fee")).level == "account"
    assert known(("other-transaction - Something", "other-transaction", "Storage Fee")) is None and known(("Reversal", "other-transaction", "Storage Fee")) is None


def test_a_v1_reimbursement_is_tied_by_what_its_line_says_in_price_type():
    cells = {"settlement-id": "1", "transaction-type": "Other", "order-id": "O4", "sku": "D", "price-type": "SAFE-T Reimbursement", "other-amount": "634.00"}
    head = {"settlement-id": "1", "total-amount": "634.00", "currency": "JPY"}
    body = "\n".join(["\t".join(V1_36), *("\t".join(row.get(name, "") for name in V1_36) for row in (head, cells))])
    found = read_together([("v1", body.encode())])
    assert found.is_clean and found.levels["order", "JPY"] == (1, 634_000_000)
