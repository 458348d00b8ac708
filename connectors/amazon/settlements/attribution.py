"""What each amount is about: its category by the catalogue, and the order line, order, SKU, account or balance that it is tied to by its ids.

An amount whose triple nobody knows is `unknown`. One that is known and lacks the id of its level is unexplained: it keeps its level and says why. Neither is dropped.
"""

import pyarrow as pa
import pyarrow.compute as pc

from connectors.amazon.settlements.catalogue import Entry, known
from connectors.amazon.settlements.columns import blank, codes, one, spread
from connectors.amazon.settlements.layout import V1
from contracts.settlements import UNKNOWN

_NO_AMOUNT = "quantity"
_INBOUND = r"^FBA[0-9A-Z]{6,}$"  # an inbound shipment's number where an order's should be
_LEVELS = ("order_line", "order", "sku", "account", "balance", UNKNOWN)
_WHY = {"order_line": "no order id", "order": "no order id", "sku": "no SKU"}


def attributed(rows: pa.Table, layout: str) -> pa.Table:
    """The rows with category, level, rule and why."""
    numbers, triples = codes(one(rows, "transaction_type"), one(rows, "amount_type"), one(rows, "amount_description"))
    found = [_entry(triple, layout) for triple in triples]
    order, item, sku = (one(rows, name) for name in ("order_id", "order_item_id", "sku"))
    has_order, has_sku = pc.invert(blank(order)), pc.invert(blank(sku))
    is_inbound = pc.match_substring_regex(order, _INBOUND)
    if pc.any(is_inbound).as_py():
        has_order = pc.and_(has_order, pc.invert(is_inbound))
    has_line = pc.and_(has_order, pc.or_(pc.invert(blank(item)), has_sku))
    level, why = _tied(numbers, found, has_order, has_line, has_sku)
    rows = rows.append_column("category", spread(numbers, [entry.category if entry else "" for entry in found]))
    rows = rows.append_column("level", spread(level, _LEVELS))
    rows = rows.append_column("rule", spread(numbers, [entry.rule if entry else "" for entry in found]))
    return rows.append_column("why", spread(why, ["", *dict.fromkeys(_WHY.values())]))


def _tied(numbers: pa.Array, found: list[Entry | None], has_order: pa.Array, has_line: pa.Array, has_sku: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The level of each row, by number, and why it is not tied to it, by number. Where the level's id is missing, the entry says what stands in."""
    reasons = ["", *dict.fromkeys(_WHY.values())]
    level = pc.take(pa.array([_LEVELS.index(entry.level if entry else UNKNOWN) for entry in found], pa.int8()), numbers)
    why = pc.take(pa.array([0] * max(len(found), 1), pa.int8()), numbers)
    ids = {"order_line": has_line, "order": has_order, "sku": has_sku}
    for wanted, has_id in ids.items():
        lacking = pc.and_(pc.equal(level, _LEVELS.index(wanted)), pc.invert(has_id))
        if not pc.any(lacking).as_py():
            continue
        left = lacking
        if wanted == "order_line":  # the order is named, the line is not
            level = pc.if_else(pc.and_(left, has_order), pa.scalar(_LEVELS.index("order"), pa.int8()), level)
            left = pc.and_(left, pc.invert(has_order))
        for position in range(max((len(entry.otherwise) for entry in found if entry), default=0)):
            stand_ins = [entry.otherwise[position] if entry and entry.level == wanted and position < len(entry.otherwise) else "" for entry in found]
            for instead in {one for one in stand_ins if one}:
                is_it = pc.take(pa.array([one == instead for one in stand_ins], pa.bool_()), numbers)
                now = pc.and_(pc.and_(left, is_it), ids[instead]) if instead in ids else pc.and_(left, is_it)
                level = pc.if_else(now, pa.scalar(_LEVELS.index(instead), pa.int8()), level)
                left = pc.and_(left, pc.invert(now))
        why = pc.if_else(left, pa.scalar(reasons.index(_WHY[wanted]), pa.int8()), why)
    return level, why


def _entry(triple: tuple[str, str, str], layout: str) -> Entry | None:
    if layout == V1 and triple[0] and triple[1:] == ("", ""):
        return Entry(triple, _NO_AMOUNT, "both", "order_line", ("sku", "account"))
    return known(triple, layout)
