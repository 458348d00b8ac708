"""What stock must be: worked out anew from the site's own book, not with the flows' rules (invariants 11 to 14)."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Any

from connectors.kit.sandbox import FEED_SILENT, ROWS_LOST
from deployments.demo_checks import Evidence
from deployments.demo_world import STOREFRONT
from deployments.simulation.world import KITS, LOCATION, SKUS

PLACES = 2
CALLED_OFF = (4, 5, 6)  # refunded, cancelled
OWN_STEPS = 390.0  # seconds: how often we look, what we do, how long the shop takes
LOST_PERCENT = 40  # a statement that loses more of a place's SKUs or units than this may be refused
SHOWN_BY_THEN = timedelta(seconds=310)  # what was told so long ago shows, or is lost
ABOUT_THEN = timedelta(seconds=400)  # an order of so long before may explain a figure: the shop's clock may be off
LOOKED_BEFORE = timedelta(seconds=60)  # what was seen lost before he typed is told so soon after it: nobody could know (2156257)
AT_MOST_APART = 12  # units that may have come or gone at a site between two looks at it: a receipt


class StockWitness:
    """The site's free and lying units over time, and the versions that left for the shop."""

    def __init__(self, world: Any) -> None:
        self._world, self._last, self.most, self.least = world, {}, {}, {}
        self.least_at: dict[tuple[str, str], int] = {}  # by facility

    def looks(self) -> None:
        """After every step of the site, and of whoever moves goods there."""
        held = self._world.site.dock.book.all()
        for sku in SKUS:
            lying = free = 0
            for facility, skus in held.items():
                lying, free = lying + skus[sku]["free"] + skus[sku]["allocated"], free + skus[sku]["free"]
                self.least_at[facility, sku] = min(self.least_at.get((facility, sku), skus[sku]["free"]), skus[sku]["free"])
            self.most[sku] = max(self.most.get(sku, 0), lying)
            self.least[sku] = min(self.least.get(sku, free), free)

    def leaves(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """11, 13, 14: a figure on the wire is no older than the last of its SKU, and could be true."""
        payload = json.loads(row["payload"])
        yield from self._outdated(row, {item["sku"]: item["quantity"] for item in payload["items"]})
        bought = self._bought()
        for item in payload["items"]:
            sku, version = item["sku"], (item["as_of"], item["sequence"])
            if version < self._last.get(sku, version):
                yield "older stock never wins", f"{sku}: {version} after {self._last[sku]}"
            self._last[sku] = version
            parts = KITS.get(sku, {sku: 1})
            if any(part not in self.most for part in parts):
                continue
            most = min(self.most[part] // count for part, count in parts.items())
            least = self.fewest(sku, bought)
            least -= kept_back(self._world, sku, least) + AT_MOST_APART
            knows_all = self._is_known_everywhere(sku)
            if item["quantity"] > most + AT_MOST_APART or knows_all and item["quantity"] < least:
                yield "published stock is what could be there", f"{sku}: {item['quantity']} told, there were never less than {least} nor more than {most}"

    def _outdated(self, row: dict[str, Any], told: dict[str, int]) -> Iterator[tuple[str, str]]:
        """A figure that was decided otherwise before its sender began to send is not told any more. (Where one process sends: two may cross.)"""
        since = self._world.sends_since.get(row["holder"])
        if since is None or sum(worker.name.startswith("stock") for worker in self._world.kernel.workers) > 1:
            return
        for now in self._world.look("SELECT sku, quantity, withheld FROM stock_desired WHERE effect_id = ? AND decided_at < ?", row["effect_id"], self._world.text(since)):
            if now["withheld"] or now["quantity"] != told.get(now["sku"], now["quantity"]):
                yield "what has moved on is not told", f"{row['effect_id']}: {told.get(now['sku'])} of {now['sku']}, {now['quantity']} is decided {now['withheld']}"

    def fewest(self, sku: str, bought: Counter[str]) -> int:
        """The fewest that could ever be sold of it. The parts of a kit come from one facility: what lies at the other makes none whole."""
        share = min(self._world.shares)
        if sku not in KITS:
            return max(0, self.least.get(sku, 0) - bought[sku]) * share // 100
        places = {facility for facility, _ in self.least_at}
        return sum(min(max(0, self.least_at[place, part] - bought[part]) * share // 100 // count for part, count in KITS[sku].items()) for place in places)

    def _is_known_everywhere(self, sku: str) -> bool:
        """Was the figure made of statements of every place? Of one that never named the SKU, nothing is known, and that is no zero."""
        first = {one["facility"]: one["fault"] for one in reversed(self._world.site.dock.statements) if one["fault"] != FEED_SILENT}
        if ROWS_LOST in first.values():  # nobody can tell that the first statement of all is a half one
            return False
        named = {(one["facility"], part) for one in self._taken_in() for part in one["figures"]}
        if any((place, part) not in named for place, _ in self.least_at for part in KITS.get(sku, {sku: 1})):
            return False  # of a place that has only told what came in, the rest is not known
        rows = self._world.look("SELECT parts FROM stock_desired WHERE location = ? AND sku = ?", self._world.location, sku)
        at = json.loads(rows[0]["parts"])["at"] if rows else []
        return len({part["facility"] for part in at}) == PLACES and not any(part["stated"] == 0 and (part["facility"], part["sku"]) in self._left_out() for part in at)

    def _taken_in(self) -> list[dict[str, Any]]:
        """Statements that our book has: one that lies unread yet, or was set aside as one that lost too much, has told it nothing."""
        written = [one for one in self._world.site.dock.statements if one["fault"] != FEED_SILENT and one["figures"]]
        ours = {row["key"].split("|")[1] for row in self._world.look("SELECT key FROM inbox WHERE kind = 'stock_levels' AND state <> 'quarantined'")}
        return [one for (name, _), one in zip(self._world.site.statement_files(), written, strict=True) if name[4:13] in ours]

    def _left_out(self) -> set[tuple[str, str]]:
        """(facility, SKU) that a whole statement left out by mistake: that says zero, and where little else is gone it is believed."""
        return {(one["facility"], sku) for one in self._world.site.dock.statements if one["is_whole"] for sku in one["left_out"]}

    def forgets(self) -> Iterator[tuple[str, str]]:
        """A backup was restored: what was told since is not known any more. So each figure that the shop was told otherwise since is owed to it again."""
        self._last = {}
        told = {item["sku"]: item["quantity"] for write in self._world.shop.books().get("stock_writes", ()) for item in _by_sku(self._world, write)}
        for row in self._world.look("SELECT sku, sent_quantity FROM stock_desired WHERE connection = ? AND NOT is_owed AND withheld = '' AND effect_id = ''", STOREFRONT):
            if told.get(row["sku"], row["sent_quantity"]) != row["sent_quantity"]:
                yield "what was told since a backup is owed again", f"{row['sku']}: {told[row['sku']]} was told last, the backup says {row['sent_quantity']}"

    def _bought(self) -> Counter[str]:
        """Every unit that anybody ever ordered: what may still have to leave."""
        found: Counter[str] = Counter()
        for lines in self._world.shop.lines_now.values():
            for line in lines.values():
                for part, count in KITS.get(line["sku"], {line["sku"]: 1}).items():
                    found[part] += 3 * count * line["quantity"]  # edited, unseen and unasked at once: each is taken off before it is known
        return found


def kept_back(world: Any, sku: str, units: int) -> int:
    """What this world's rules keep back of so many: the row of the SKU, else the one for all."""
    rules = {one: (rule, int(value)) for one, rule, value in world.variant.kept_back if rule != "velocity" or world.storefront == STOREFRONT}
    rule, value = rules.get(sku) or rules.get("*") or ("fixed", 0)
    return value if rule == "fixed" else -(-units * value // 100) if rule == "percent" else _sold_meanwhile(world, sku, value / 1000)


def _sold_meanwhile(world: Any, sku: str, risk: float) -> int:
    """The fewest units of which no more are sold in the sync window, with this risk: all sales fell on one of seven days, and the peak is four times the mean."""
    orders = [order for order in world.shop.books()["orders"].values() if order["status_id"] not in CALLED_OFF]
    sold = sum(line["quantity"] for order in orders for line in order["lines"].values() if line["sku"] == sku)
    feeds = world.look("SELECT received_at, as_of FROM stock_feed")
    ages = [(datetime.fromisoformat(row["received_at"]) - datetime.fromisoformat(row["as_of"])).total_seconds() for row in feeds]
    window = min(86400.0, max([0.0, *ages])) + OWN_STEPS + world.quiet_seconds * 0.01
    mean, dispersion = sold / 7 * 4 * window / 86400, sold * 6 / 7
    if not mean:
        return 0
    is_wide = dispersion > 1.3
    size = mean / (dispersion - 1) if is_wide else 0.0
    chance = dispersion ** -size if is_wide else exp(-mean)
    found, reached = 0, chance
    while reached < 1 - risk:
        chance *= ((found + size) / (found + 1) * (1 - 1 / dispersion)) if is_wide else mean / (found + 1)
        found, reached = found + 1, reached + chance
    return found


def the_shop_shows_what_is_there(world: Any, e: Evidence) -> Iterator[str]:
    """13: free units of both facilities, less what was bought and the site does not know of, less what is kept back; never below zero."""
    if not world.has("stock"):
        return
    shown, withheld = e.books.storefront["stock"].get(int(LOCATION), {}), _withheld(e) | _of_forgotten_orders(world, e)
    free: dict[str, list[int]] = {}
    for facility in sorted(e.books.warehouse["stock"]):
        for sku in SKUS:
            free.setdefault(sku, []).append(e.books.warehouse["stock"][facility][sku]["free"])
    promised, decided = _promised(e), {row["sku"]: row["quantity"] for row in world.look("SELECT sku, quantity FROM stock_desired WHERE location = ?", world.location)}
    for sku in (*SKUS, *KITS):
        if sku in withheld:
            continue
        parts = KITS.get(sku, {sku: 1})
        sellable = sum(min(max(0, free[part][place] - promised[place][part]) * share // 100 // count for part, count in parts.items())
                       for place, share in enumerate(world.shares))
        should = max(0, sellable - kept_back(world, sku, sellable))
        has, made_of = shown.get(sku, {"on_hand": 0})["on_hand"], f"(free {[free[part] for part in parts]}, promised {[dict(one) for one in promised]})"
        if has != should and not 0 < _taken_since(world, e, sku, should) == should - has:
            yield f"{sku}: the shop shows {has}, it should show {should} {made_of}"
        elif decided.get(sku, should) != should:
            yield f"{sku}: {decided[sku]} is decided on, it should be {should} {made_of}"


def _taken_since(world: Any, e: Evidence, sku: str, told: int) -> int:
    """How many units orders have taken off the shop's own figure since it carried out ours, where that was the right one: it shows so many fewer until
    ours changes, as where goods that came in meanwhile make up for them."""
    writes = [(write, item["quantity"]) for write in e.books.storefront.get("stock_writes", ()) if write["applied_at"] for item in write["items"] if world.shop.sku_of(item) == sku]
    if not writes:
        return 0
    last, quantity = max(writes, key=lambda one: one[0]["applied_at"])
    moves = 0
    for change in reversed([one for one in e.books.storefront["stock_changes"] if one["sku"] == sku and one["at"] >= last["applied_at"]]):
        if not str(change["by"]).startswith("order"):
            break
        moves += change["before"] - change["after"]
    return moves if quantity == told else 0


def _promised(e: Evidence) -> list[Counter[str]]:
    """By facility (the second, then the first of the alphabet: DAVENTRY, VENRAY): goods that were bought and the site was not asked for: orders that wait
    for a person, and what was added to one after it had left. All of them are British."""
    found: list[Counter[str]] = [Counter(), Counter()]
    for number, order in e.orders.items():
        asked = Counter({line["line_id"]: line["quantity"] // line["factor"] for row in e.requests.values() if row.order_id == str(number)
                         and row.state not in ("withdrawn", "cancelled", "rejected") for line in row.payload["lines"]})
        for line_id, line in e.goods(order).items() if order["status_id"] in (11, 3, 14) else ():
            for part, count in KITS.get(line["sku"], {line["sku"]: 1}).items():
                found[0][part] += count * max(0, line["quantity"] - max(asked[str(line_id)], line["quantity_shipped"]))
    return found


def _of_forgotten_orders(world: Any, e: Evidence) -> set[str]:
    """SKUs of orders of which the warehouse was told between a backup and its restore: what it was asked nobody here knows."""
    parts = {part for row in world.forgotten.values() if row["target"] != STOREFRONT and row["record"].isdigit() for line in e.orders[int(row["record"])]["lines"].values()
             for part in KITS.get(line["sku"], {line["sku"]: 1})}
    return parts | {kit for kit, of in KITS.items() if parts & set(of)}


def _withheld(e: Evidence) -> set[str]:
    """SKUs of which nothing is told, or of which a person has the word: each with an open exception."""
    odd = {row.record.split(" ")[-1] for row in e.exceptions if row.state == "open" and row.type in ("stock_absurd", "stock_sku_unknown", "stock_drift", "rejected_by_storefront")}
    if any(row.state == "open" and row.type == "feed_shrank" for row in e.exceptions):
        return {*SKUS, *KITS}
    return odd | {kit for kit, parts in KITS.items() if odd & set(parts)}


def stock_writes_are_ours(world: Any, e: Evidence) -> Iterator[str]:
    """2: what the shop took in as adjustments was each intended by an effect."""
    if world.has("stock"):
        known = {row.effect_id for row in e.effects if row.kind == "stock_update"} | world.forgotten.keys()
        for write in e.books.storefront["stock_writes"]:
            reason = write["reason"].removeprefix("ref:")
            if not any(effect_id.startswith(reason) for effect_id in known):
                yield f"adjustment {write['transaction_id']} names no effect of ours"


def a_bad_statement_is_told(world: Any, e: Evidence) -> Iterator[str]:
    """14, 20: figures that nobody can believe changed nothing and are, or were, somebody's to look at. (One that a newer one overtook says nothing.)"""
    last = {statement["facility"]: statement["number"] for statement in e.books.warehouse["statements"]}
    for statement in e.books.warehouse["statements"] if world.has("stock") else ():
        if statement["fault"] == "F28" and last[statement["facility"]] == statement["number"] and not any(row.type in ("stock_absurd", "feed_shrank", "document_malformed") for row in e.exceptions):
            yield f"statement {statement['number']} had absurd figures, and nobody was told"


def silence_is_no_zero(world: Any, e: Evidence) -> Iterator[str]:
    """14: what was never out of stock at the site was never shown as sold out by us."""
    if not world.has("stock") or not world.stock_witness._is_known_everywhere("HEART"):
        return
    told = [(item["sku"], item["quantity"]) for row in e.effects if row.kind == "stock_update" and row.connection == STOREFRONT for item in row.payload["items"]]
    bought = world.stock_witness._bought()
    for sku, quantity in told:
        parts = KITS.get(sku, {sku: 1})
        if any(part == left_out for part in parts for _, left_out in world.stock_witness._left_out()):
            continue
        if quantity == 0 and world.stock_witness.fewest(sku, bought) - kept_back(world, sku, 60) > AT_MOST_APART:
            yield f"{sku} was told as sold out, and never was"


def a_sound_statement_is_believed(world: Any, e: Evidence) -> Iterator[str]:
    """14: what is refused as a feed that lost too much is one that the site spoiled, or one in which as much may be gone as the profile calls too much."""
    if not world.has("stock"):
        return
    written = [one for one in e.books.warehouse["statements"] if one["fault"] != FEED_SILENT]
    by_file = dict(zip((name for name, _ in world.site.statement_files()), written, strict=True))
    for row in e.exceptions:
        statement = by_file.get(str(row.evidence.get("file")))
        if row.type == "feed_shrank" and statement is not None and not statement["fault"] and not _may_have_shrunk(statement, written):
            yield f"{row.record} of {statement['facility']} is sound, and is refused"
    faults = {by_file[name]["fault"] for row in e.exceptions if row.type == "feed_shrank" and row.state == "open" and (name := str(row.evidence.get("file"))) in by_file}
    if faults == {ROWS_LOST}:
        yield "a statement is refused to the end, though whole ones followed"


def _may_have_shrunk(statement: dict[str, Any], written: list[dict[str, Any]]) -> bool:
    """Against the most that was ever stated there of each SKU, and against each statement as it was read: without the rows that it left out or got wrong, and with
    the SKU that nobody knows, which is one of few that are gone."""
    others = [one for one in written if one["facility"] == statement["facility"] and one is not statement]
    figures = {sku: [one["figures"][sku]["on_hand"] for one in others if sku in one["figures"]] for sku in SKUS}
    now = {sku: statement["figures"][sku]["on_hand"] if sku in statement["figures"] else 0 if statement["is_whole"] else min(figures[sku], default=0) for sku in SKUS}
    as_read, merged = [], {}
    for one in others:
        read = {sku: row["on_hand"] for sku, row in one["as_it_is"].items()}
        merged = merged | read
        as_read += [merged, read] if one["is_whole"] else [merged]
    return any(_is_too_much_gone(before, now) for before in ({sku: max(figures[sku], default=0) for sku in SKUS}, *as_read))


def _is_too_much_gone(before: dict[str, int], now: dict[str, int]) -> bool:
    gone = sum(units > 0 and now.get(sku, 0) <= 0 for sku, units in before.items())
    return 100 * gone > LOST_PERCENT * sum(units > 0 for units in before.values()) or 100 * sum(now.values()) < (100 - LOST_PERCENT) * sum(before.values())


def _by_sku(world: Any, write: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a write with their SKUs, however they are addressed."""
    return [item | {"sku": item.get("sku", world.shop.sku_of(item))} for item in write["items"]]


def lost_writes_are_told_again(world: Any) -> Iterator[tuple[str, str]]:
    """2, at the first rest: figures that the shop took in and never carried out are told again, or other ones are, once somebody had the time to see it.

    Not where customers moved the shop's figure about then: what they bought explains what it shows. Nor while a person has the word.
    """
    if not world.has("stock") or world.was_restored or world.swept_at is None:
        return
    books, rows = world.shop.books(), {row["sku"]: row for row in world.look("SELECT * FROM stock_desired WHERE connection = ?", STOREFRONT)}
    on_desk = {row["record"].split(" ")[-1] for row in world.look("SELECT record FROM exception WHERE state = 'open' AND type IN ('stock_drift', 'rejected_by_storefront')")}
    writes = books["stock_writes"]
    for place, write in enumerate(writes):
        for item in _by_sku(world, write) if write["applied_at"] is None else ():
            sku, row = item["sku"], rows.get(item["sku"])
            is_over = any(sku == one["sku"] for later in writes[place + 1:] for one in _by_sku(world, later))
            if is_over or row is None or row["withheld"] or row["effect_id"] or sku in on_desk or row["sent_at"] is None:
                continue
            told_at = datetime.fromisoformat(row["sent_at"]).replace(tzinfo=UTC)
            moves = [(one["at"], int(str(one["by"]).split()[1])) for one in books["stock_changes"] if one["sku"] == sku and str(one["by"]).startswith("order ")]
            carried_out = max((one["applied_at"] for one in writes if one["applied_at"] and any(sku == other["sku"] for other in _by_sku(world, one))), default=told_at)
            is_moved = any(at >= told_at - ABOUT_THEN or at >= carried_out and world.edits[number] for at, number in moves)  # an edit is no sale to the drift watch
            shown = books["stock"][int(LOCATION)].get(sku, {"on_hand": 0})["on_hand"]
            if not is_moved and shown != item["quantity"] and world.swept_at > told_at + SHOWN_BY_THEN:
                yield "a lost write is told again", f"{sku}: {item['quantity']} was told at {write['at']:%H:%M:%S} and lost, {shown} is shown still, seen at {world.swept_at:%H:%M:%S}"


def a_typed_figure_is_told(world: Any, e: Evidence) -> Iterator[str]:
    """D: what a person typed in at the shop is not overwritten by the figure that he overwrote, whoever was told of it; by another one it is."""
    effects = {row.effect_id: row for row in e.effects if row.kind == "stock_update"}
    for sku, at in world.typed.items() if not (world.was_restored or world.cancelled or world.excused) else ():
        writes = [(write["at"], item["quantity"], _carrier(effects, write)) for write in e.books.storefront["stock_writes"] for item in write["items"]
                  if item.get("sku", world.shop.sku_of(item)) == sku]
        before, after = [one for one in writes if one[0] <= at], [one for one in writes if one[0] > at]
        if not before or not after or before[-1][2] is None or after[0][2] is None or before[-1][2] is after[0][2]:
            continue
        last, again = before[-1][2], after[0][2]
        is_sure = last.state == "CONFIRMED" and last.confirmed_at.to_pydatetime() < at
        if is_sure and after[0][0] - at > LOOKED_BEFORE and after[0][1] == before[-1][1] and not _moved_between(effects, sku, last, again):
            yield f"{sku}: somebody typed a figure in at {at:%H:%M:%S}, {after[0][1]} was told again at {after[0][0]:%H:%M:%S}"


def _moved_between(effects: dict[str, Any], sku: str, last: Any, again: Any) -> bool:
    """Was another figure of it on its way between these two, though it never came to the shop?"""
    return any(row.effect_id != again.effect_id and last.planned_at < row.planned_at <= again.planned_at and any(item["sku"] == sku for item in row.payload["items"])
               for row in effects.values())


def what_is_confirmed_was_shown(world: Any, e: Evidence) -> Iterator[str]:
    """2: a group that counts as told was carried to the shop, or the shop showed its very figures when somebody looked."""
    if not world.has("stock") or world.was_restored:
        return
    effects = {row.effect_id: row for row in e.effects if row.kind == "stock_update"}
    carried = {row.effect_id for write in e.books.storefront["stock_writes"] if (row := _carrier(effects, write)) is not None}
    for row in effects.values():
        if row.state == "CONFIRMED" and row.effect_id not in carried:
            for item in row.payload["items"]:
                changes = [one for one in e.books.storefront["stock_changes"] if one["sku"] == item["sku"] and one["at"] <= row.confirmed_at.to_pydatetime()]
                before = [one for one in changes if one["at"] < row.sent_at.to_pydatetime()][-2:]  # a stale list shows what was before
                seen = {one[side] for one in (*before, *changes) if one in before or one["at"] >= row.sent_at.to_pydatetime() for side in ("before", "after")}
                if item["quantity"] not in (seen or {0}):
                    yield f"{row.effect_id} is confirmed; it never arrived, and {item['sku']} never showed {item['quantity']}"


def _carrier(effects: dict[str, Any], write: dict[str, Any]) -> Any:
    reason = write["reason"].removeprefix("ref:")
    return next((row for effect_id, row in effects.items() if effect_id.startswith(reason)), None)


CHECKS = (the_shop_shows_what_is_there, stock_writes_are_ours, a_bad_statement_is_told, silence_is_no_zero, a_sound_statement_is_believed, a_typed_figure_is_told,
          what_is_confirmed_was_shown)
