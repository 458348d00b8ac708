"""Was an order edited after the warehouse had it, and how?

Only what the storefront decides is looked at. A carrier mapping or an item's barcode that changes after the export is no edit:
else one corrected row in a table would change every order that is waiting to be picked. The totals are none either: a refunded
postage concerns no picker.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.effects import FulfilmentRequest

Request = FulfilmentRequest | Mapping[str, Any]


def content_hash(requests: Iterable[Request], address_fingerprint: str) -> str:
    """A stable hash of what the warehouse was asked for one order; the order of the requests does not matter.

    `address_fingerprint` stands for the addresses, which are not in the payloads.
    """
    asked = _asked(requests) | {"address": address_fingerprint}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def difference(old_requests: Iterable[Request], new_requests: Iterable[Request]) -> list[str]:
    """What is different, in words without personal data. Empty while the hashes differ: only the address does."""
    old, new = _asked(old_requests), _asked(new_requests)
    words = [f"{name} changed" for key, name in (("po_number", "purchase order number"), ("organisation", "organisation")) if old[key] != new[key]]
    if not old["lines"] or not new["lines"]:
        words = []  # a request without lines has no head to compare
    for group in sorted(old["groups"].keys() | new["groups"].keys()):
        words += _group_words(group, old["groups"].get(group), new["groups"].get(group))
    for line_id in [*new["lines"], *(gone for gone in old["lines"] if gone not in new["lines"])]:
        words += _line_words(line_id, old["lines"].get(line_id), new["lines"].get(line_id))
    return words


def _asked(requests: Iterable[Request]) -> dict[str, Any]:
    """The storefront's side of the requests: in its own SKUs and units, a kit as one line."""
    payloads = [one.model_dump() if isinstance(one, FulfilmentRequest) else one for one in requests]
    payloads.sort(key=lambda payload: payload["reference"])
    lines = {}
    for payload in payloads:
        for line in payload["lines"]:
            lines[line["line_id"]] = {
                "sku": line.get("component_of") or line["sku"], "quantity": line["quantity"] // line["factor"],
                "is_gift": line.get("is_gift", False), "ship_group": payload["ship_group"],
            }
    return {
        "po_number": sorted({payload.get("po_number", "") for payload in payloads}),
        "organisation": sorted({payload.get("organisation", "") for payload in payloads}),
        "groups": {payload["ship_group"]: {"country": payload["country"], "ship_method": payload["ship_method"]} for payload in payloads},
        "lines": lines,
    }


def _group_words(group: str, old: dict | None, new: dict | None) -> list[str]:
    if old is None or new is None:
        return [f"delivery address {group}: {'added' if old is None else 'removed'}"]
    names = {"ship_method": "shipping method", "country": "country"}
    return [f"delivery address {group}: {name} {old[key]!r} -> {new[key]!r}" for key, name in names.items() if old[key] != new[key]]


def _line_words(line_id: str, old: dict | None, new: dict | None) -> list[str]:
    if old is None:
        return [f"line {line_id} ({new['sku']}): added, {new['quantity']}"]
    if new is None:
        return [f"line {line_id} ({old['sku']}): removed, was {old['quantity']}"]
    words = []
    if old["sku"] != new["sku"]:
        words.append(f"line {line_id}: SKU {old['sku']} -> {new['sku']}")
    if old["quantity"] != new["quantity"]:
        words.append(f"line {line_id} ({new['sku']}): quantity {old['quantity']} -> {new['quantity']}")
    if old["ship_group"] != new["ship_group"]:
        words.append(f"line {line_id} ({new['sku']}): goes to delivery address {new['ship_group']}, was {old['ship_group']}")
    if old["is_gift"] != new["is_gift"]:
        words.append(f"line {line_id} ({new['sku']}): {'is now' if new['is_gift'] else 'is no longer'} a gift")
    return words
