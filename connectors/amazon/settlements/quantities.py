"""Units, counted once: a settlement repeats the quantity of an item on every amount of it."""

import pyarrow as pa
import pyarrow.compute as pc

from connectors.amazon.settlements.columns import blank, number
from connectors.amazon.settlements.numbers import read_number


def counted_once(column: pa.Array, texts: dict[str, pa.Array]) -> tuple[pa.Array, list[str]]:
    """The quantity on the first amount of each item of an order, 0 on its others; elsewhere as it stands. And texts that are no whole number."""
    values, odd = [], []
    for text in column.dictionary.to_pylist():
        read = read_number(text) if text else None
        value = read.as_thousands if read else None
        is_whole = value is not None and value == int(value) and abs(value) < 10 ** 9
        values.append(int(value) if is_whole else 0)
        if text and not is_whole:
            odd.append(text[:20])
    stated = pc.take(pa.array(values, pa.int64()), column.indices)
    if not values or not any(values):
        return number(0, len(column)), odd
    is_item = pc.and_(pc.not_equal(stated, 0), pc.and_(pc.invert(blank(texts["order_id"])), pc.invert(blank(texts["order_item_id"]))))
    if not pc.any(is_item).as_py():
        return stated, odd
    return pc.if_else(pc.and_(is_item, pc.invert(_is_first(is_item, texts))), 0, stated), odd


def _is_first(is_item: pa.Array, texts: dict[str, pa.Array]) -> pa.Array:
    """True on one row of every (transaction, order, item, shipment). Files have an item's rows together, so only where they change is anything compared by value."""
    keys = {name: texts[name] for name in ("transaction_type", "order_id", "order_item_id", "shipment_id")}
    keys["transaction_type"] = keys["transaction_type"].indices
    changes = is_item.slice(0, 1)
    if len(is_item) > 1:
        differs = pc.invert(is_item.slice(0, len(is_item) - 1))
        for values in keys.values():
            differs = pc.or_(differs, pc.not_equal(values.slice(1), values.slice(0, len(values) - 1)))
        changes = pa.concat_arrays([changes, pc.and_(differs, is_item.slice(1))])
    places = pc.indices_nonzero(changes)
    firsts = pa.table({name: pc.take(values, places) for name, values in keys.items()} | {"place": places}).group_by(list(keys)).aggregate([("place", "min")])
    return pc.replace_with_mask(changes, changes, pc.is_in(places, value_set=firsts.column("place_min").combine_chunks()))
