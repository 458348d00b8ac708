"""What becomes of goods that came back, unit by unit: from the site's receipt to the pieces of the ledger, and from each piece to the refund that pays it,
the person who approved it, or the word that closed it (invariant 23). What the refunds are worth is in oracle_money.py.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from deployments.demo_checks import Evidence
from deployments.demo_world import STOREFRONT
from deployments.simulation.oracle_money import effect_of, is_declined
from deployments.simulation.world import KITS, REFUND_LIMIT, WORTH

NEEDS_APPROVAL = "D"
BY_NOBODY = ("", "returns")  # who the flow itself signs as
SEEN_BY_THEN = timedelta(seconds=900)  # a refund of somebody else's that was made so long before is known to whoever plans one
NOTHING, BEFORE, REFUSED, BY_HAND = "nothing is due", "refunded before", "the return was refused", "by hand"


class Facts:
    """The ledger's rows of one world, read once. Moments are the ledger's, as text of one form, so that they compare."""

    def __init__(self, world: Any, e: Evidence) -> None:
        lines = world.look("SELECT * FROM return_line ORDER BY received_at, document_id, line")
        self.lines = [row | {"dues": json.loads(row["dues"]), "placed": json.loads(row["placed"])} for row in lines]
        self.rmas = {row["rma"]: row | {"lines": json.loads(row["lines"])} for row in world.look("SELECT * FROM rma")}
        self.effects = {row["effect_id"]: row | {"payload": json.loads(row["payload"])} for row in world.look("SELECT * FROM effect WHERE kind = 'refund'")}
        self.at_shop = {effect_of(refund): refund for refund in e.books.storefront["refunds"] if effect_of(refund) and not is_declined(refund)}
        self.declined = {effect_of(refund) for refund in e.books.storefront["refunds"] if effect_of(refund) and is_declined(refund)} - self.at_shop.keys()
        not_paid = {str(refund["id"]) for refund in e.books.storefront["refunds"] if is_declined(refund)}  # somebody's at the desk may have been taken for ours
        self.declined |= {effect_id for effect_id, row in self.effects.items() if row["remote_id"] in not_paid}
        self.pieces = [(row, piece) for row in self.lines for piece in row["dues"]]


def facts(world: Any, e: Evidence) -> Facts:
    """Made once for the verdict on a world."""
    return e.__dict__.setdefault("facts", Facts(world, e))


def returns_are_booked_as_they_came(world: Any, e: Evidence) -> Iterator[str]:
    """23, R1: every line of a receipt is in the book with its SKU, units, grade and place; and of the order that it really is of, or of none."""
    came = {(one["number"], place): (one, line) for one in e.books.warehouse["returns"] for place, line in enumerate(one["lines"], 1)}
    for row in facts(world, e).lines:
        document, line = came.get((row["document_id"], row["line"]), (None, None))
        if document is None:
            yield f"{row['document_id']} line {row['line']} never came"
        elif (row["sku"], row["quantity"], row["grade"], row["facility"]) != (line["sku"], line["quantity"], line["grade"], document["facility"]):
            booked = f"{row['quantity']} {row['sku']} {row['grade']} at {row['facility']}"
            yield f"{row['document_id']} line {row['line']}: {booked} is booked, {line} came to {document['facility']}"
        elif row["order_id"] and row["order_id"] != str(world.came_back.get(row["document_id"])):
            yield f"{row['document_id']} is of order {world.came_back.get(row['document_id'])}, and is booked for {row['order_id']}"


def each_unit_is_counted_once(world: Any, e: Evidence) -> Iterator[str]:
    """23, R2: a line's units become pieces of its own grade, one behind the other without a gap; as many as came, up to what was shipped.

    Orders without kits: what a kit is worth is in the pieces' grades, and in the check of each refund.
    """
    by_hand = {row.record for row in e.exceptions if row.type == "return_unexpected" and row.state == "resolved" and row.resolved_by not in BY_NOBODY}
    placed: dict[str, Counter[str]] = defaultdict(Counter)
    came: dict[str, Counter[str]] = defaultdict(Counter)
    for row in facts(world, e).lines:
        order_id, units = row["order_id"], sum(entry["units"] for entry in row["placed"])
        if not order_id or int(order_id) not in e.orders or any(line["sku"] in KITS for line in e.orders[int(order_id)]["lines"].values()):
            continue
        placed[order_id][row["sku"]] += units
        came[order_id][row["sku"]] += row["quantity"]
        if sum(piece["quantity"] for piece in row["dues"]) != units or any(piece["grades"] != [row["grade"]] for piece in row["dues"]):
            yield f"{row['document_id']} line {row['line']} of order {order_id}: {units} of grade {row['grade']} are counted, its pieces are {row['dues']}"
    for order_id, skus in placed.items():
        shipped: Counter[str] = Counter()
        for copy in (copy for reference in e.references_of.get(order_id, []) for copy in e.at_warehouse[reference]):
            for line in copy["lines"].values():
                shipped[line["sku"]] += line["shipped"]
        for sku, units in skus.items():
            most = min(came[order_id][sku], shipped[sku])
            if units > most or units < most and order_id not in by_hand:
                yield f"order {order_id}: {came[order_id][sku]} of {sku} came back of {shipped[sku]} that were shipped, {units} are counted"
    yield from _gaps(facts(world, e))


def _gaps(known: Facts) -> Iterator[str]:
    of_line: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for row, piece in known.pieces:
        of_line[row["order_id"], piece["line_id"]].append((piece["first"], piece["quantity"]))
    for (order_id, line_id), spans in of_line.items():
        end = 0
        for first, quantity in sorted(spans):
            if first != end:
                yield f"order {order_id} line {line_id}: pieces {sorted(spans)} leave a gap or overlap"
                break
            end = first + quantity


def each_refund_pays_its_pieces(world: Any, e: Evidence) -> Iterator[str]:
    """23: what a refund names is what its pieces are, no more and no less; and it pays no more than its cap."""
    known, wanted = facts(world, e), defaultdict(Counter)
    for _, piece in known.pieces:
        if piece["effect"]:
            wanted[piece["effect"]][piece["line_id"]] += piece["quantity"]
    for effect_id, row in known.effects.items():
        told = Counter({line["line_id"]: line["quantity"] for line in row["payload"]["lines"]})
        is_given_up = row["state"] in ("REJECTED", "WITHDRAWN") or effect_id in known.declined
        if not world.excused and told != wanted[effect_id] and (wanted[effect_id] or not is_given_up):
            yield f"order {row['record']}: {effect_id} names {dict(told)}, its pieces are {dict(wanted[effect_id])}"
        if effect_id in known.at_shop and known.at_shop[effect_id]["total_amount"] * 100 > row["payload"]["cap_minor"]:
            yield f"order {row['record']}: {effect_id} paid {known.at_shop[effect_id]['total_amount']}, its cap is {row['payload']['cap_minor']}"


def refunds_of_an_order_follow_each_other(world: Any, e: Evidence) -> Iterator[str]:
    """23: the next refund of an order is reckoned when the one before is proven, or given up."""
    of_order: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in facts(world, e).effects.values():
        of_order[row["record"]].append(row)
    for order_id, rows in of_order.items() if not world.was_restored else ():
        rows.sort(key=lambda row: row["sequence"])
        for before, after in zip(rows, rows[1:], strict=False):
            if before["verified_at"] and after["planned_at"] < before["verified_at"]:
                yield f"order {order_id}: {after['effect_id']} was planned at {after['planned_at']}, the one before was proven at {before['verified_at']}"


def approvals_come_before_the_money(world: Any, e: Evidence) -> Iterator[str]:
    """23, R4: what needs an approval is refunded after somebody gave it; what was refused, never after that."""
    known = facts(world, e)
    for row, piece in known.pieces:
        rma, effect = known.rmas.get(piece["rma"]), known.effects.get(piece["effect"])
        if effect is None:
            continue
        what = f"{row['document_id']} of order {row['order_id']}, grade {'/'.join(piece['grades'])}"
        is_decided = rma is not None and rma["decided_by"] not in BY_NOBODY and rma["decided_at"] <= effect["planned_at"]
        if NEEDS_APPROVAL in piece["grades"] and not (is_decided and rma["state"] in ("approved", "closed")):
            yield f"{what}: refunded, and its return {piece['rma'] or '(none)'} is {rma and rma['state']}, decided at {rma and rma['decided_at']}"
        if rma is not None and rma["state"] == "refused" and rma["decided_at"] < effect["planned_at"]:
            yield f"{what}: refunded at {effect['planned_at']}, its return was refused at {rma['decided_at']}"


def larger_refunds_are_approved(world: Any, e: Evidence) -> Iterator[str]:
    """23: what goes beyond the limit of an order is paid after a person said so, and not by the one who approved the return."""
    known, paid = facts(world, e), Counter()
    for effect_id, row in sorted(known.effects.items(), key=lambda item: item[1]["sequence"]):
        if effect_id not in known.at_shop or world.excused:
            continue
        paid[row["record"]] += int(known.at_shop[effect_id]["total_amount"] * 100)
        if paid[row["record"]] <= REFUND_LIMIT:
            continue
        words = [one for one in e.exceptions if one.type == "refund_over_cap" and one.record == row["record"] and one.state == "resolved"
                 and one.resolved_by not in BY_NOBODY and one.evidence.get("document") == row["payload"]["document_id"] and world.text(one.resolved_at) <= row["planned_at"]]
        approvers = {known.rmas[piece["rma"]]["decided_by"] for _, piece in known.pieces if piece["effect"] == effect_id and piece["rma"] in known.rmas}
        if not words:
            yield f"order {row['record']}: {paid[row['record']]} were refunded without a word, the limit is {REFUND_LIMIT}"
        elif {one.resolved_by for one in words} <= approvers:
            yield f"order {row['record']}: {sorted(approvers)} approved the return and its refund {effect_id}"


def no_more_comes_under_a_return_than_it_announced(world: Any, e: Evidence) -> Iterator[str]:
    """R4: what an approval is for is what was announced; the rest of a parcel is another return, or none."""
    known, came = facts(world, e), Counter()
    for _, piece in known.pieces:
        came[piece["rma"], piece["line_id"]] += piece["quantity"]
    for (number, line_id), units in came.items():
        announced = sum(line["quantity"] for line in known.rmas[number]["lines"] if line["line_id"] == line_id) if number in known.rmas else 0
        if number and units > announced:
            yield f"return {number}: {units} of line {line_id} came under it, {announced} were announced"


def what_is_closed_has_a_reason(world: Any, e: Evidence) -> Iterator[str]:
    """23: a piece without a refund is worth nothing, was paid by somebody else, refused, or closed by a person."""
    known, others = facts(world, e), refunded_by_others(e)
    before: Counter[tuple[str, str]] = Counter()
    persons = {(row.record, str(row.evidence.get("document", ""))) for row in e.exceptions if row.state == "resolved" and row.resolved_by not in BY_NOBODY}
    for row, piece in known.pieces:
        what = f"{row['document_id']} of order {row['order_id']}: {piece['quantity']} of grade {'/'.join(piece['grades'])}"
        if piece["closed"] == NOTHING and min(WORTH.get(grade, 0) for grade in piece["grades"]) and not _is_worth_nothing(e, row, piece):
            yield f"{what} are called worth nothing"
        elif piece["closed"] == BEFORE:
            before[row["order_id"], piece["line_id"]] += piece["quantity"]
        elif piece["closed"] == REFUSED and known.rmas.get(piece["rma"], {}).get("state") != "refused":
            yield f"{what} are called refused, their return {piece['rma']} is not"
        elif piece["closed"] == BY_HAND and not any(record == row["order_id"] for record, _ in persons):
            yield f"{what} are closed by hand, and nobody did"
    yield from (f"order {order_id} line {line_id}: {units} are called refunded before, {others.get((order_id, line_id), (0, []))[0]} were"
                for (order_id, line_id), units in before.items() if units > others.get((order_id, line_id), (0, []))[0])


def _is_worth_nothing(e: Evidence, row: dict[str, Any], piece: dict[str, Any]) -> bool:
    line = e.orders.get(int(row["order_id"]), {"lines": {}})["lines"].get(int(piece["line_id"]))
    return line is None or line["price"] * piece["quantity"] < 0.02 or piece["first"] >= line["quantity"]  # more left than the order holds since, and was paid for


def refunded_by_others(e: Evidence) -> dict[tuple[str, str], tuple[int, list[datetime]]]:
    """(order, line) -> units that somebody refunded at the shop, and when. Not what was taken for one of ours that never left: that one is not made then."""
    found: dict[tuple[str, str], tuple[int, list[datetime]]] = {}
    taken_for_ours = {row.remote_id for row in e.effects if row.kind == "refund"}
    for refund in e.books.storefront["refunds"]:
        for item in refund["items"] if not effect_of(refund) and not is_declined(refund) and str(refund["id"]) not in taken_for_ours else ():
            units, when = found.get((str(refund["order_id"]), str(item["item_id"])), (0, []))
            found[str(refund["order_id"]), str(item["item_id"])] = units + item["quantity"], [*when, refund["at"]]
    return found


def nothing_is_refunded_twice_by_two(world: Any, e: Evidence) -> Iterator[str]:
    """23: units that somebody refunded at the shop's own desk are set against what comes back: not refunded by us once more."""
    known = facts(world, e)
    for (order_id, line_id), (units, when) in refunded_by_others(e).items():
        pieces = [piece for row, piece in known.pieces if (row["order_id"], piece["line_id"]) == (order_id, line_id)]
        counted = [(piece["quantity"], known.effects[piece["effect"]]) for piece in pieces if piece["effect"] in known.effects and piece["effect"] not in known.declined]
        limit = world.text((max(when) + SEEN_BY_THEN).astimezone(UTC))
        after = sum(quantity for quantity, effect in counted if effect["planned_at"] > limit)
        earlier = sum(quantity for quantity, effect in counted if effect["planned_at"] <= limit)
        came = sum(piece["quantity"] for piece in pieces if piece["effect"] or piece["closed"])
        if after > max(0, came - earlier - units):
            yield f"order {order_id} line {line_id}: {came} came back, {units} were refunded at the shop, and {after} more by us after {earlier}"


def what_is_open_is_on_a_desk(world: Any, e: Evidence) -> Iterator[str]:
    """23, R5: a piece that is neither paid nor closed, a line of no order, units that no line took: each has an exception, and money an open one."""
    is_open = {row.record for row in e.exceptions if row.state == "open" and row.connection == STOREFRONT}
    unmatched = {str(row.evidence.get("document")) for row in e.exceptions if row.type == "return_unmatched" and row.state == "open"}
    strange = {(str(row.evidence.get("document")), row.evidence.get("line")) for row in e.exceptions if row.type == "return_unexpected"}
    for row in facts(world, e).lines if not world.excused else ():
        what = f"{row['document_id']} line {row['line']} of order {row['order_id'] or world.came_back.get(row['document_id'])}"
        if not row["order_id"]:
            if row["document_id"] not in unmatched:
                yield f"{what}: whose it is nobody knows, and nobody is asked"
            continue
        if any(not piece["effect"] and not piece["closed"] for piece in row["dues"]) and row["order_id"] not in is_open:
            yield f"{what}: due, neither paid nor on a desk"
        if sum(entry["units"] for entry in row["placed"]) < row["quantity"] and (row["document_id"], row["line"]) not in strange:
            yield f"{what}: {row['quantity']} came, {row['placed']} were placed, and nobody is told of the rest"


def approved_returns_are_announced_as_they_are(world: Any, e: Evidence) -> Iterator[str]:
    """R4: the warehouse knows of every approved return that is not back yet, with its goods; and no more is announced than was shipped."""
    notices, known = e.books.warehouse["notices"], facts(world, e)
    asked: Counter[tuple[str, str]] = Counter()
    for number, row in known.rmas.items():
        wanted: Counter[str] = Counter()
        for line in row["lines"]:
            asked[row["order_id"], line["line_id"]] += line["quantity"] if row["state"] != "refused" else 0
            ordered = e.orders.get(int(row["order_id"]), {"lines": {}})["lines"].get(int(line["line_id"]))
            if ordered is not None and line["sku"] != ordered["sku"]:
                yield f"return {number} says {line['sku']}, line {line['line_id']} of order {row['order_id']} is {ordered['sku']}"
            for part, count in KITS.get(ordered["sku"], {ordered["sku"]: 1}).items() if ordered else ():
                wanted[part] += count * line["quantity"]
        if row["state"] == "approved" and number not in notices and not world.excused:
            yield f"return {number} is approved and not all back, and the warehouse was not told"
        told = Counter()
        for line in notices[number]["lines"] if number in notices else ():
            told[line["sku"]] += line["quantity"]
        if number in notices and (told != wanted or notices[number]["facility"] != row["facility"]):
            yield f"return {number} is of {dict(wanted)} to {row['facility']}, the warehouse was told {dict(told)} to {notices[number]['facility']}"
    for (order_id, line_id), units in asked.items():
        line = e.orders.get(int(order_id), {"lines": {}})["lines"].get(int(line_id))
        if line is not None and units > max(line["quantity"], _most_asked(e, order_id, line_id)):
            yield f"order {order_id} line {line_id}: {units} are to come back of {line['quantity']}"


def _most_asked(e: Evidence, order_id: str, line_id: str) -> int:
    """The most that the warehouse was ever asked to ship of a line: an edit that came too late may have left less of it since."""
    return max((line["quantity"] // line["factor"] for row in e.effects if row.kind in ("fulfilment_request", "fulfilment_change") and row.record == order_id
                for line in row.payload["lines"] if line["line_id"] == line_id), default=0)


CHECKS = (returns_are_booked_as_they_came, each_unit_is_counted_once, each_refund_pays_its_pieces, refunds_of_an_order_follow_each_other,
          approvals_come_before_the_money, larger_refunds_are_approved, no_more_comes_under_a_return_than_it_announced, what_is_closed_has_a_reason,
          nothing_is_refunded_twice_by_two, what_is_open_is_on_a_desk, approved_returns_are_announced_as_they_are)
