"""What must be true of an order and its parcels at the moment at which the storefront is told of them."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from connectors.gxo.sandbox_files import elements_of, first_element

ASKED = ("fulfilment_request:", "fulfilment_change:")
UNSHIPPABLE = ("POST", "GHOST")


def _lacking(world: Any, row: Mapping[str, Any], lines: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Goods that had not left, of the order as our book knew it when this completion was planned: what the customer wants since, nobody could know."""
    book = next(iter(world.look("SELECT lines, modified_at FROM order_book WHERE order_id = ?", row["record"])), None)
    if book is None or world.second(book["modified_at"]) != world.planned_as_of.get(row["effect_id"]):
        return []
    shipped = {str(line_id): line["quantity_shipped"] for line_id, line in lines.items()}
    return [line["sku"] for line in json.loads(book["lines"]) if line["sku"].strip() not in UNSHIPPABLE and shipped.get(line["line_id"], line["quantity"]) < line["quantity"]]


def leaves_too_early(world: Any, row: Mapping[str, Any], kits: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, str]]:
    """4: nothing is told as shipped that has not left; and no order is called shipped while goods of it have not."""
    if row["kind"] not in ("dispatch_confirmation", "order_completion") or not row["record"].isdigit() or row["record"] in world.excused:
        return
    number = int(row["record"])
    lines = world.shop.lines_now.get(number, {})
    if row["kind"] == "order_completion":
        if lacking := _lacking(world, row, lines):
            yield "an order is called shipped when all of it is", f"order {number}: {lacking} not"
        return
    if any(unquote(word) == f"ref:{row['effect_id']}" for comments in world.shop.notes_of(number) for word in comments.split()):
        yield "what is there is not sent again", row["effect_id"]
        return
    told, left = Counter(), Counter()
    for line_id, line in lines.items():
        now = sum(one["quantity"] for one in json.loads(row["payload"])["lines"] if one["line_id"] == str(line_id))
        for sku, count in kits.get(line["sku"], {line["sku"]: 1}).items():
            told[sku] += count * (line["quantity_shipped"] + now)
    for copy in (copy for copies in world.site.orders_now.values() for copy in copies if copy.storefront_order == row["record"]):
        for line in copy.lines.values():
            left[line["sku"]] += line["shipped"]
    if more := told - left:
        yield "nothing is told before it has left", f"{row['effect_id']}: {dict(more)} more than has left"


def is_not_taken_there(world: Any, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """O11: a partner is asked for changes and cancels only where it follows them; else a person rings it up."""
    takes = {"fulfilment_change": world.partner.accepts_changes, "fulfilment_cancel": world.partner.accepts_cancels, "acknowledgement": world.partner.wants_acknowledgements}
    if not takes.get(row["kind"], True):
        yield "a partner is asked for what it takes", f"{row['effect_id']} goes to one that takes none"


def goes_elsewhere(world: Any, effect_id: str, body: bytes) -> Iterator[tuple[str, str]]:
    """3: the street in a request is the one that the order had when it was planned, or a newer one."""
    as_of = world.planned_as_of.get(effect_id)
    if as_of is None or not effect_id.startswith(ASKED) or world.was_restored:
        return
    number, street = effect_id.split("/")[1], first_element(elements_of(body), "N3", 1)
    known = world.streets.get(int(number), []) if number.isdigit() else []
    newest = max((place for place, (since, _) in enumerate(known) if since <= as_of), default=0)
    if known and street.casefold() not in [one.casefold() for _, one in known[newest:]]:
        yield "a request goes where the order goes", f"{effect_id}: {street!r}, and not to {known[newest:]}"


def refuses_without_reason(world: Any, effect_id: str) -> Iterator[tuple[str, str]]:
    """D3: a parcel is only refused before it is sent where the order was made smaller: one that nobody edited has room for it."""
    number = effect_id.split(":")[2].split("/")[0]
    if number.isdigit() and not world.edits[int(number)] and number not in world.excused:
        yield "what is refused does not fit", effect_id
