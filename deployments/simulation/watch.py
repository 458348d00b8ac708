"""Who watches the ledger: triggers that the product does not know of write down every change of a state, a fence, a number, a watermark.

They are temporary and on the world's own connection, so they are rolled back with the transaction they saw. What they wrote is judged at each
commit, in the name of the process that commits.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from deployments.simulation.wire import READ_BACK, holder_of

EDGES = {
    ("PLANNED", "IN_FLIGHT"), ("PLANNED", "WITHDRAWN"), ("IN_FLIGHT", "CONFIRMED"), ("IN_FLIGHT", "UNKNOWN"), ("IN_FLIGHT", "REJECTED"), ("IN_FLIGHT", "PLANNED"),
    ("IN_FLIGHT", "BLOCKED"), ("UNKNOWN", "CONFIRMED"), ("UNKNOWN", "PLANNED"), ("UNKNOWN", "BLOCKED"), ("BLOCKED", "CONFIRMED"), ("BLOCKED", "PLANNED"),
    ("BLOCKED", "WITHDRAWN"),
}
FOR_HOURS = timedelta(hours=4, minutes=20)  # as the product says, and clocks that are off by ten minutes
OPEN_ENDED = ("IN_FLIGHT", "UNKNOWN")
_EARLIER = ("SELECT o.effect_id FROM effect f JOIN effect o ON o.ordering_key = f.ordering_key AND o.target = f.target AND o.sequence < f.sequence "
            "AND o.state = 'PLANNED' WHERE f.effect_id = ?")
_STILL_BLOCKED = ("SELECT e.effect_id FROM exception x JOIN effect e ON x.cause = 'blocked_effect:' || e.effect_id WHERE x.exception_id = ? AND e.state = 'BLOCKED'")
_UNSENT = ("SELECT e.effect_id FROM request r JOIN effect e ON e.effect_id = r.effect_id WHERE r.order_id = ? AND e.state = 'PLANNED' AND e.evidence NOT LIKE '%was_in_doubt%' "
           "AND e.kind = 'fulfilment_request' AND ? = 'cancel_refused:' || r.reference")
TOLD_BY = '"told by"'  # the evidence of whoever was told by the far side itself, and needs no claim
_LOG = "CREATE TEMP TABLE IF NOT EXISTS seen_by_the_witness (n INTEGER PRIMARY KEY, what TEXT, id TEXT, a, b, c, d, e, f, g, h, i)"
_WATCHED = {  # name -> (when, what is written down)
    "effect_changes": ("UPDATE ON main.effect WHEN old.state <> new.state OR old.fence <> new.fence OR old.number <> new.number OR old.not_before <> new.not_before",
                       "'effect', new.effect_id, old.state, new.state, old.fence, new.fence, old.number, new.number, new.holder, new.kind, new.evidence"),
    "effect_is_lost": ("UPDATE ON main.effect WHEN old.state = 'IN_FLIGHT' AND new.state = 'UNKNOWN' AND new.fence <> old.fence",
                       "'effect lost', new.effect_id, old.lease_until, new.not_before, '', '', '', '', '', '', ''"),
    "order_is_open": ("UPDATE ON main.order_book WHEN json_extract(new.\"order\", '$.status') = 'awaiting_fulfilment' AND NOT new.replan",
                      "'order open', new.order_id, new.modified_at, '', '', '', '', '', '', '', ''"),
    "request_moves": ("UPDATE ON main.request WHEN old.state <> new.state", "'request', new.reference, old.state, new.state, '', '', '', '', '', '', ''"),
    "effect_alters": ("UPDATE ON main.effect WHEN old.payload <> new.payload OR old.payload_hash <> new.payload_hash OR old.business_key <> new.business_key",
                      "'effect alters', new.effect_id, '', '', '', '', '', '', '', '', ''"),
    "effect_begins": ("INSERT ON main.effect", "'effect begins', new.effect_id, new.state, new.fence, new.number, '', '', '', '', '', ''"),
    "too_late": ("INSERT ON main.exception WHEN new.type = 'cancel_refused'", "'called off', new.record, new.cause, '', '', '', '', '', '', '', ''"),
    "cancel_begins": ("INSERT ON main.effect WHEN new.kind = 'fulfilment_cancel'", "'called off', new.record, 'cancel_refused:' || json_extract(new.payload, '$.reference'), '', '', '', '', '', '', '', ''"),
    "effect_goes": ("DELETE ON main.effect", "'gone', old.effect_id, '', '', '', '', '', '', '', '', ''"),
    "exception_goes": ("DELETE ON main.exception", "'gone', old.exception_id, '', '', '', '', '', '', '', '', ''"),
    "exception_changes": ("UPDATE ON main.exception WHEN old.state <> new.state OR old.count <> new.count",
                          "'exception', new.exception_id, old.state, new.state, new.resolved_by, new.reason, new.resolved_at, new.type, old.count > new.count, '', ''"),
    "watermark_moves": ("UPDATE ON main.watermark WHEN old.reached_at <> new.reached_at", "'watermark', new.feed, old.reached_at, new.reached_at, '', '', '', '', '', '', ''"),
    "watermark_begins": ("INSERT ON main.watermark", "'watermark', new.feed, '', new.reached_at, '', '', '', '', '', '', ''"),
    "feed_moves": ("UPDATE ON main.stock_feed", "'stock feed', new.facility, old.as_of, new.as_of, old.sequence, new.sequence, '', '', '', '', ''"),
    "told_moves": ("UPDATE ON main.stock_desired WHEN new.sent_as_of IS NOT NULL AND old.sent_as_of IS NOT NULL",
                   "'stock told', new.location || ' ' || new.sku, old.sent_as_of, new.sent_as_of, old.sent_sequence, new.sent_sequence, new.quantity, '', '', '', ''"),
    "figure_is_left": ("UPDATE ON main.stock_desired WHEN new.withheld = '' AND new.effect_id = '' AND NOT new.is_owed AND new.sent_quantity IS NOT new.quantity",
                       "'figure left', new.location, new.sku, new.connection, '', '', '', '', '', '', ''"),
    "number_drawn": ("UPDATE ON main.control_number WHEN new.last <= old.last", "'number', new.stream, old.last, new.last, '', '', '', '', '', '', ''"),
}


def begin(connection: Any) -> None:
    """Watch this connection's database."""
    connection.execute(_LOG)
    for name, (when, what) in _WATCHED.items():
        connection.execute(f"CREATE TEMP TRIGGER seen_{name} AFTER {when} BEGIN "
                           f"INSERT INTO seen_by_the_witness (what, id, a, b, c, d, e, f, g, h, i) VALUES ({what}); END")


def end(connection: Any) -> None:
    """Before the database is replaced: SQLite does not survive a trigger whose table is gone."""
    for name in _WATCHED:
        connection.execute(f"DROP TRIGGER IF EXISTS temp.seen_{name}")


def judge(world: Any, connection: Any) -> list[tuple[str, str]]:
    """What this transaction did that it must not: asked just before it is committed."""
    rows = connection.execute("SELECT what, id, a, b, c, d, e, f, g, h, i FROM seen_by_the_witness ORDER BY n").fetchall()
    if not rows:
        return []
    connection.execute("DELETE FROM seen_by_the_witness")
    found: list[tuple[str, str]] = []
    for what, *row in rows:
        if check := _CHECKS.get(what):
            found += [one for one in check(world, *row) if one]
    return found


def _effect(world: Any, effect_id: str, old: str, new: str, fence_was: int, fence: int, number_was: int, number: int, holder: str, kind: str,
            evidence: str) -> list[tuple[str, str]]:
    worker, outcomes = world.kernel.current, world.wire.outcomes
    found = []
    if old != new and (old, new) not in EDGES:
        found.append(("states move along their edges", f"{effect_id}: {old} to {new}"))
    if (old, new) == ("BLOCKED", "PLANNED"):
        world.wire.forgets([effect_id])  # a person's word: it is not there
    if fence < fence_was:
        found.append(("fences never go back", f"{effect_id}: {fence_was} to {fence}"))
    if number_was and number != number_was:
        found.append(("control numbers are used once", f"{effect_id}: {number_was} becomes {number}"))
    if new == "UNKNOWN" != old:
        world.doubted[effect_id] = world.kernel.at  # also when a restored backup puts it there: what was in doubt before it is another doubt
    if worker is None:
        return found
    found += _in_doubt(world, effect_id, old, new, fence == fence_was)
    if (old, new) == ("UNKNOWN", "PLANNED") and kind in READ_BACK and effect_id in world.doubted and world.wire.has_left(effect_id) and not world.wire.looked_since(kind, effect_id, world.doubted[effect_id]):
        found.append(("a doubt is read back before it is sent again", f"{effect_id} is called absent, and nobody was told that it is"))
    me = holder_of(worker)
    if new == "IN_FLIGHT" and old == "PLANNED" and fence <= fence_was:
        found.append(("every claim has a fence of its own", f"{effect_id}: still {fence}"))
    if (old, new) == ("PLANNED", "IN_FLIGHT"):
        found += [("what is planned first is sent first", f"{effect_id} before {row['effect_id']}") for row in world.look(_EARLIER, effect_id)]
    if fence > fence_was and holder == me and (old, new) in (("PLANNED", "IN_FLIGHT"), ("UNKNOWN", "UNKNOWN")):
        outcomes.claims_now(me, effect_id, fence, kind if old == "PLANNED" else "")
    elif fence == fence_was and old in OPEN_ENDED and TOLD_BY not in evidence:
        if outcomes.is_stale(me, effect_id, fence):
            found.append(("a stale fence changes nothing", f"{worker.name} ends the claim {fence} of {holder} on {effect_id}: {new}"))
        elif old == "IN_FLIGHT" != new:
            found += outcomes.judge(world, me, effect_id, kind, fence, new)
    return found


def _in_doubt(world: Any, effect_id: str, old: str, new: str, is_same_claim: bool) -> list[tuple[str, str]]:
    """28: a look that tells nothing, hours after the doubt began, leaves it to a person."""
    now = world.kernel.at
    is_over = now - world.doubted.get(effect_id, now) > FOR_HOURS
    return [("what is in doubt for hours is a person's", f"{effect_id}: since {world.doubted[effect_id]:%H:%M}")] if old == new == "UNKNOWN" and is_same_claim and is_over else []


def _alters(world: Any, effect_id: str, *_: Any) -> list[tuple[str, str]]:
    return [("an effect says the same for ever", effect_id)]


def _lost(world: Any, effect_id: str, lease_until: str, not_before: str, *_: Any) -> list[tuple[str, str]]:
    """28: whoever was stopped may have sent it as late as his lease ended, and it may come as late as the quiet period after that."""
    left_alone = (datetime.fromisoformat(not_before) - datetime.fromisoformat(lease_until)).total_seconds() if lease_until else world.quiet_seconds
    return [("what is lost is left alone for a while", f"{effect_id}: looked for {left_alone:.0f} s after its lease")] if left_alone < world.quiet_seconds - 1 else []


def _open(world: Any, order_id: str, modified_at: str, *_: Any) -> list[tuple[str, str]]:
    """Noted: as of which change this order was planned while it was open. (What is taken in, and not planned before a parcel is shown, is late: docs/proof.md.)"""
    world.known_open[order_id] = world.second(modified_at)
    return []


def _request(world: Any, reference: str, old: str, new: str, *_: Any) -> list[tuple[str, str]]:
    """9, D1: a request is called shipped when the site has shipped all of it, and is never anything else after that. (A restored book asks once more.)"""
    if world.was_restored:
        return []
    if old == "shipped":
        return [("states move along their edges", f"{reference}: {old} to {new}")]
    copies = [copy for copy in world.site.orders_now.get(reference, []) if copy.state not in ("cancelled", "refused")]
    if new == "cancelled" and copies:
        return [("an order is called closed when it is", f"{reference}: {copies[0].state} at the warehouse")]
    left = [line["sku"] for copy in copies for line in copy.lines.values() if line["shipped"] < line["quantity"]]
    return [("an order is called shipped when all of it is", f"{reference}: {left} not")] if new == "shipped" and left else []


def _begins(world: Any, effect_id: str, state: str, fence: int, number: int, *_: Any) -> list[tuple[str, str]]:
    world.wire.begins(effect_id)
    return [("states move along their edges", f"{effect_id} begins as {state}")] if (state, fence, number) != ("PLANNED", 0, 0) else []


def _called_off(world: Any, order_id: str, cause: str, *_: Any) -> list[tuple[str, str]]:
    """O10: what certainly has not left is taken back, and neither called too late nor sent with a cancel behind it."""
    return [("what has not left is taken back", f"{row['effect_id']} is still to be sent") for row in world.look(_UNSENT, order_id, cause)]


def _gone(world: Any, what: str, *_: Any) -> list[tuple[str, str]]:
    return [("nothing is deleted from the ledger's books", what)]


def _exception(world: Any, exception_id: str, old: str, new: str, actor: str, reason: str, at: Any, type_name: str, is_fewer: int, *_: Any) -> list[tuple[str, str]]:
    found = []
    if new == "resolved" and not (actor and reason and at):
        found.append(("closed exceptions say who, when and why", f"{type_name} {exception_id}"))
    if is_fewer:
        found.append(("the same cause counts up", f"{type_name} {exception_id}"))
    if new == "resolved" and type_name == "blocked_effect":
        found += [("what is blocked is on a desk", f"{row['effect_id']}: {reason}") for row in world.look(_STILL_BLOCKED, exception_id)]
    if old == "resolved":
        found.append(("what is resolved stays as it is", f"{type_name} {exception_id} is touched again: {new}"))
    return found


def _watermark(world: Any, feed: str, old: str, new: str, *_: Any) -> list[tuple[str, str]]:
    """27: never back, and never past a record that was not taken in."""
    found = [("watermarks never go back", f"{feed}: {old} to {new}")] if old and new < old else []
    worker = world.kernel.current
    if worker is not None and feed == world.orders_feed:
        known = world.known_orders()
        reached = world.second(new)
        late = [number for number, changed in world.wire.orders_heard.get(worker.name, {}).items() if changed <= reached and known.get(number, -1) < changed]
        now = world.changes_now() if late else {}  # one that has changed again since will be listed again
        found += [("watermarks never pass a record that is not taken in", f"order {number}") for number in late if now[number] <= reached]
        found += _out_of_sight(world, known, reached)
        found += [("the book knows every order", f"order {number}: its second change of one second was listed, and is not in the book") for number, second in world.twice.items()
                  if worker.name in world.listed_since and _lacks_a_change(world, number, second, world.wire.orders_heard.get(worker.name, {}).get(number), known.get(number))]
        if reached > (newest := max(world.changes_now().values(), default=0)):
            found.append(("watermarks never pass a record that is not taken in", f"{feed}: {new} is {reached - newest} s after all that ever changed there: what changes next may be behind it"))
    elif worker is not None:
        found += world.passes_a_watermark(feed, new)
    return found


def _lacks_a_change(world: Any, number: int, second: int, heard: int | None, known: int | None) -> bool:
    """27: what a list showed is taken in, though it is dated as what the book has."""
    if not heard == known == second == world.shop.changed_at(number):
        return False
    row = world.look("SELECT lines FROM order_book WHERE order_id = ?", str(number))[0]
    return {line["line_id"]: line["quantity"] for line in json.loads(row["lines"])} != {str(line_id): line["quantity"] for line_id, line in world.shop.lines_now[number].items()}


def _out_of_sight(world: Any, known: dict[Any, int], reached: int) -> list[tuple[str, str]]:
    """27: whoever heard of it or not: what changed before the next list begins (the watermark, less the overlap) is in the book, or is never listed again."""
    begins = reached - world.overlap_seconds
    return [("watermarks never pass a record that is not taken in", f"order {number}, which no list will show again")
            for number, changed in world.changes_now().items() if changed < begins and known.get(number, -1) < changed]


def _feed(world: Any, facility: str, as_of_was: str, as_of: str, sequence_was: int, sequence: int, *_: Any) -> list[tuple[str, str]]:
    return [("older stock never wins", f"{facility}: {as_of_was} {sequence_was}, then {as_of} {sequence}")] if (as_of, sequence) < (as_of_was, sequence_was) else []


def _told(world: Any, key: str, as_of_was: str, as_of: str, sequence_was: int, sequence: int, quantity: int, *_: Any) -> list[tuple[str, str]]:
    found = [("older stock never wins", f"{key}: {as_of_was} {sequence_was}, then {as_of} {sequence}")] if (as_of, sequence) < (as_of_was, sequence_was) else []
    return found + ([("published stock is never negative", f"{key}: {quantity}")] if quantity < 0 else [])


def _left(world: Any, location: str, sku: str, connection: str, *_: Any) -> list[tuple[str, str]]:
    """A figure that was told otherwise, is owed to nobody and under way nowhere, would never be told. (A step later in this transaction may mend it.)"""
    rows = world.look("SELECT quantity, sent_quantity FROM stock_desired WHERE connection = ? AND location = ? AND sku = ? AND withheld = '' AND effect_id = '' AND NOT is_owed "
                      "AND sent_quantity IS NOT quantity", connection, location, sku)
    return [("what moved on is owed", f"{sku}: {row['quantity']} is decided, {row['sent_quantity']} was told, and nothing is owed") for row in rows]


def _number(world: Any, stream: str, old: int, new: int, *_: Any) -> list[tuple[str, str]]:
    return [("control numbers only rise", f"{stream}: {old} to {new}")]


_CHECKS = {"effect": _effect, "effect lost": _lost, "effect alters": _alters, "effect begins": _begins, "request": _request, "called off": _called_off, "order open": _open, "gone": _gone, "exception": _exception,
           "watermark": _watermark, "stock feed": _feed, "stock told": _told, "figure left": _left, "number": _number}
