"""The invariants of a world with a marketplace, each a named function over Amazon's and the warehouse's own books and the ledger."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from deployments import demo_checks
from deployments.demo_checks import Evidence
from deployments.demo_orders import Period
from deployments.simulation import oracle, oracle_feeds, oracle_orders, oracle_split, oracle_stock
from deployments.simulation.market import MARKET
from deployments.simulation.market_people import is_asked
from deployments.simulation.world import KITS, LOCATION
from connectors.amazon.wire_feeds import PENDING
from contracts.settlements import UNKNOWN

Found = list[tuple[str, str]]
TAKEN = ("Royal Mail", "DPD", "Other", "Tuffnells Parcels Express")  # the last: a row of a table of carriers that only Amazon could know to be wrong
LOOKED_UP_LATELY = timedelta(seconds=400)  # whoever saw the listing before it changed hands may still be about to write
AT_ODDS = {"carrier_unmapped", "over_shipped", "line_unmatched", "advice_changed", "edited_after_export", "rejected_by_storefront", "tracking_not_taken", "cancel_refused",
           "rejected_by_warehouse", "blocked_effect"}
AS_THEY_HAPPEN = {
    "what Amazon fulfils never leaves": "O1, on the wire: no request of an order that Amazon fulfils, by its own book, and had from the first or that our book knows of",
    "a parcel keeps its package number": "D8, on the wire: one parcel, one number; one number, one parcel; positive, and in the ledger before",
    "a carrier is sent as it is mapped": "D3, on the wire: never a guess", "what the buyer wants cancelled stays": "10, on the wire: nothing is planned of it after that", "shipped never exceeds ordered": "4, at the marketplace, after every turn",
    "stock is merged into the merchant's channel": "2, on the wire: op merge, channel DEFAULT; no AMAZON_* channel, never replace",
    "watermarks never pass a statement that is not taken in": "27, in the ledger",
}
ASKED_OF_THE_DEMO = (
    demo_checks.each_order_at_the_warehouse_once_or_held, demo_checks.no_warehouse_order_without_an_effect, demo_checks.held_orders_are_not_sent_in_part,
    demo_checks.cancelled_orders_are_answered, demo_checks.every_request_is_acknowledged_or_chased, demo_checks.every_file_is_in_one_state,
    demo_checks.our_acknowledgements_reached_the_warehouse, demo_checks.nothing_is_left_in_doubt, demo_checks.exceptions_have_owner_due_time_and_reason)


class MarketStockWitness(oracle_stock.StockWitness):
    """The same figures of another shelf."""

    def leaves(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """And nothing while a feed of ours is under way, whoever knows of it: what it carries would come later, and be older."""
        yield from super().leaves(row)
        now = self._world.kernel.at
        pending = [one["feed_id"] for one in self._world.market.feeds.feeds.values() if one["status"] in PENDING and one["ends_at"] > now]
        yield from (("one change at a time for each key", f"{row['effect_id']} while feed {one} is under way") for one in pending)

    def _bought(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for order in self._world.orders.values():
            for item in order["items"].values():
                found.update({part: 3 * units for part, units in oracle.units(item["sku"], item["quantity"]).items()})
        return found


class MarketEvidence(Evidence):
    """Books and ledger as the checks of other worlds know them: orders that the merchant has fulfilled from the first to the last, their items as lines."""

    def __init__(self, world: Any) -> None:
        self.world = world
        ours = {order_id: order for order_id, order in world.orders.items() if order_id not in world.born_theirs and order_id not in world.changed_hands}
        self.gone = {order_id for order_id, order in ours.items() if order["status"] == "CANCELLED"}
        shown = {sku: {"on_hand": one["DEFAULT"].get("quantity", 0)} for sku, one in world.market.books()["stock"].items() if "DEFAULT" in one}
        shop = {"orders": {order_id: self._order(order_id, order) for order_id, order in ours.items() if order["status"] != "PENDING"}, "shipments": [], "refunds": [],
                "stock": {int(LOCATION): shown}}
        super().__init__(oracle_split.Ledgered(world), demo_checks.Books(shop, world.site.books()), Period([]), set())
        self.cancelled = self.gone

    def _order(self, order_id: str, order: dict[str, Any]) -> dict[str, Any]:
        book = self.world.market.orders.book
        lines = {item_id: {"sku": item["sku"], "quantity": item["quantity"] - item["cancelled"], "quantity_shipped": book.fulfilled(order_id, item_id)}
                 for item_id, item in order["items"].items()}
        return {"lines": lines, "status_id": 0 if order["status"] == "CANCELLED" else 11, "modified": int(order["updated"].timestamp())}

    def open_types(self, order_id: str) -> set[str]:
        """The types of the order's open exceptions."""
        return {row.type for row in self.exceptions if row.connection == MARKET and row.record == order_id and row.state == "open"}

    def parcels(self, order_id: str) -> list[dict[str, Any]]:
        """What left the warehouse for it."""
        return [parcel for reference in self.references_of.get(order_id, []) for copy in self.at_warehouse[reference] for parcel in copy["parcels"]]


def at_every_step(world: Any) -> Found:
    """Cheap, and asked after every turn."""
    found, world.wire.found = world.wire.found, []
    return [*found, *_new_confirmations(world), *_new_figures(world)]


def _new_confirmations(world: Any) -> Iterator[tuple[str, str]]:
    told = world.market.orders.confirmations
    for one in told[world.seen_confirmations:]:
        key, number = (one["order_id"], one["tracking_number"]), one["number"]
        others = [parcel for parcel, known in world.numbers.items() if parcel[0] == key[0] and known == number and parcel != key]
        is_another = world.numbers.setdefault(key, number) != number and not world.was_restored  # a restored ledger gives one that it forgot another; never one that was used
        if is_another or others:
            yield "a parcel keeps its package number", f"order {key[0]}: parcel {key[1]} as {number}, before as {world.numbers[key]}; others under it {others}"
        if one["carrier"] not in TAKEN:
            yield "a carrier is sent as it is mapped", f"order {key[0]}: {one['carrier']}"
        book = world.market.orders.book
        for item_id, item in world.orders[key[0]]["items"].items():
            if book.fulfilled(key[0], item_id) > item["quantity"]:
                yield "shipped never exceeds ordered", f"order {key[0]} item {item_id}: {book.fulfilled(key[0], item_id)} of {item['quantity']}"
    world.seen_confirmations = len(told)


def _new_figures(world: Any) -> Iterator[tuple[str, str]]:
    writes = world.market.shelf.writes
    for write in writes[world.seen_writes:]:
        for sku, patches in write["items"]:
            since = world.taken_over.get(sku)
            if since is not None and write["at"] - since > LOOKED_UP_LATELY:
                yield "stock is merged into the merchant's channel", f"{sku} is Amazon's since {since:%H:%M}"
            for patch in patches:
                if patch["op"] != "merge" or any(value.get("fulfillment_channel_code") != "DEFAULT" for value in patch["value"]):
                    yield "stock is merged into the merchant's channel", f"{sku}: {patch['op']} {[value.get('fulfillment_channel_code') for value in patch['value']]}"
    world.seen_writes = len(writes)


def at_the_end(world: Any) -> Found:
    """Asked once, at rest."""
    evidence, found = MarketEvidence(world), []
    for check in ASKED_OF_THE_DEMO:
        result = demo_checks.Found()
        check(evidence, result)
        found += [(check.__name__.replace("_", " "), what) for what in result.violated]
    for check in CHECKS:
        found += [(check.__name__.replace("_", " "), what) for what in check(world, evidence)]
    return [(name, what) for name, what in found if not _is_excused(world, name, what)]


def _is_excused(world: Any, name: str, what: str) -> bool:
    """After a restore, as in other worlds (oracle.py)."""
    return oracle._is_excused(world, name, what) or any(record in what for record in world.excused)


def orders_that_amazon_fulfils_are_not_at_the_warehouse(world: Any, e: MarketEvidence) -> Iterator[str]:
    """O1: none that was Amazon's all its life; and of those that changed hands, at most one copy each."""
    for order_id in world.born_theirs | set(world.changed_hands):
        copies = len(e.live(order_id))
        if copies > (order_id in world.changed_hands):
            yield f"order {order_id}: {copies} at the warehouse"
    held = {row["order_id"]: row["state"] for row in world.look("SELECT order_id, state FROM order_book")}
    for order_id in world.born_theirs - set(world.changed_hands):
        if world.orders[order_id]["status"] not in ("PENDING", "CANCELLED") and held.get(order_id) != "not_ours":
            yield f"order {order_id} is counted as {held.get(order_id)}"


def every_parcel_is_at_the_marketplace_once(world: Any, e: MarketEvidence) -> Iterator[str]:
    """5, 6, D4: each parcel under one number, with its units and its carrier; no number without its parcel; all of them in the ledger."""
    given = {(row["order_id"], str(row["number"])) for row in world.look("SELECT order_id, number FROM package_number")}
    for order_id in e.orders:
        order, parcels, odd = world.orders[order_id], e.parcels(order_id), e.open_types(order_id) & AT_ODDS
        shown = Counter(package["shape"]["trackingNumber"] for package in order["packages"].values())
        yield from (f"order {order_id}: package {number} is of no parcel" for number, package in order["packages"].items()
                    if package["shape"]["trackingNumber"] not in {parcel["tracking"] for parcel in parcels})
        if not world.was_restored:
            yield from (f"order {order_id}: package {number} has no number in the ledger" for number in order["packages"] if (order_id, number) not in given)
        has_kit = any(item["sku"] in KITS for item in order["items"].values())
        waits = has_kit and (len(parcels) > 1 or any(line["shipped"] < line["quantity"] for copy in e.live(order_id) for line in copy["lines"].values()))
        for parcel in parcels:
            times = shown[parcel["tracking"]]
            if times > 1 or times == 0 and not odd and not waits and order["status"] != "CANCELLED":
                yield f"order {order_id}: parcel {parcel['tracking']} is shown {times} times"
        if not has_kit:
            yield from _contents(order_id, order, parcels, sum(oracle.no_line_takes(e, order_id).values()))


def _contents(order_id: str, order: dict[str, Any], parcels: list[dict[str, Any]], beyond: int) -> Iterator[str]:
    """beyond: units that no item takes, as a person was told."""
    inside: dict[str, Counter[str]] = {}
    for parcel in parcels:
        inside.setdefault(parcel["tracking"], Counter()).update(parcel["content"])
    for package in order["packages"].values():
        told: Counter[str] = Counter()
        for item in package["items"]:
            told[order["items"][item["orderItemId"]]["sku"]] += item["quantity"]
        has = inside.get(package["shape"]["trackingNumber"], Counter())
        if not 0 <= sum(has.values()) - sum(told.values()) <= beyond:
            yield f"order {order_id}: parcel {package['shape']['trackingNumber']} holds {dict(has)}, {dict(told)} was told"


def units_shown_are_units_shipped(world: Any, e: MarketEvidence) -> Iterator[str]:
    """4: at rest, what the marketplace counts as shipped is what the warehouse shipped, unless somebody has been told why not."""
    for order_id, order in e.orders.items():
        if e.open_types(order_id) & AT_ODDS or order_id in e.cancelled:
            continue
        left, told = Counter(), oracle.no_line_takes(e, order_id)
        for copy in (copy for reference in e.references_of.get(order_id, []) for copy in e.at_warehouse[reference]):
            for line in copy["lines"].values():
                left[line["sku"]] += line["shipped"]
        for line in order["lines"].values():
            told.update(oracle.units(line["sku"], line["quantity_shipped"]))
        has_kit = any(line["sku"] in KITS for line in order["lines"].values())
        is_whole = all(line["quantity_shipped"] >= line["quantity"] for line in e.goods(order).values())
        if +left != +told and (is_whole or not has_kit):
            yield f"order {order_id}: the warehouse shipped {dict(left)}, the marketplace counts {dict(told)}"


def confirmations_are_there_or_told(world: Any, e: MarketEvidence) -> Iterator[str]:
    """2, D8: what the ledger calls confirmed was read back, or it is on a desk that it was dropped in silence."""
    for row in e.effects:
        if row.kind != "dispatch_confirmation" or row.state != "CONFIRMED" or row.record not in e.orders:
            continue
        package = world.orders[row.record]["packages"].get(str(row.payload["package_number"]))
        is_there = package is not None and package["shape"]["trackingNumber"] == row.payload["tracking_number"]
        was_told = {one.type for one in e.exceptions if one.connection == MARKET and one.record == row.record}
        if not is_there and not was_told & {"tracking_not_taken"}:
            yield f"{row.effect_id} is confirmed, and not there"
        if is_there and not (row.verified_at == row.verified_at and row.verified_at is not None):
            yield f"{row.effect_id} was not read back"


def every_settlement_is_in_the_ledger_once(world: Any, e: MarketEvidence) -> Iterator[str]:
    """F1, F3: each statement once, to the cent: deposit, sum, number of amounts; and one that does not add up at its source is said not to."""
    heads = {row["settlement_id"]: row for row in world.look("SELECT * FROM settlement")}
    for statement in world.statements():
        head = heads.pop(statement.settlement_id, None)
        if head is None:
            yield f"settlement {statement.settlement_id} is not in the ledger"
            continue
        rows = sum(row.minor for row, _ in statement.rows)
        if (head["deposit_minor"], head["sum_minor"], head["amounts"]) != (statement.total_minor, rows, len(statement.rows)):
            yield (f"settlement {statement.settlement_id}: {len(statement.rows)} amounts of {rows} against {statement.total_minor}; "
                   f"the ledger has {head['amounts']} of {head['sum_minor']} against {head['deposit_minor']}")
        if (head["state"] == "consistent") != (rows == statement.total_minor):
            yield f"settlement {statement.settlement_id} is called {head['state']}"
    yield from (f"settlement {settlement_id} is nobody's" for settlement_id in heads)


def settled_sums_equal_the_marketplaces_books(world: Any, e: MarketEvidence) -> Iterator[str]:
    """F2: by triple and to the cent; each kind that Amazon documents is known, and one that nobody knows is in suspense with its amount."""
    had, kept, unknown, known_by = Counter(), Counter(), Counter(), Counter()
    for statement in world.statements():
        for row, _ in statement.rows:
            had[statement.settlement_id, *row.triple] += row.minor
            if row.triple[0] == "Novelty":
                unknown[statement.settlement_id] += row.minor
    for row in world.look("SELECT * FROM settlement_sum"):
        kept[row["settlement_id"], row["transaction_type"], row["amount_type"], row["amount_description"]] += row["amount_minor"]
        if row["level"] == UNKNOWN:
            known_by[row["settlement_id"]] += row["amount_minor"]
    folded = [Counter(), Counter()]
    for place, sums in enumerate((had, kept)):
        for key, minor in sums.items():
            folded[place][tuple(part.casefold() for part in key)] += minor
    for key in sorted(set(folded[0]) | set(folded[1])):
        if folded[0][key] != folded[1][key]:
            yield f"{key}: {folded[0][key]} at the marketplace, {folded[1][key]} in the ledger"
    for settlement_id in sorted(set(unknown) | set(known_by)):
        if unknown[settlement_id] != known_by[settlement_id]:
            yield f"settlement {settlement_id}: {unknown[settlement_id]} of kinds that nobody knows, {known_by[settlement_id]} in suspense"


def what_is_wrong_with_a_settlement_is_told(world: Any, e: MarketEvidence) -> Iterator[str]:
    """F2, F3: an unknown kind and a sum that is not the deposit are on finance's desk; where neither is, nothing is."""
    told = {row.record for row in e.exceptions if row.type == "settlement_inconsistent" and row.state == "open"}
    statements = world.statements()
    wrong = {one.settlement_id for one in statements if sum(row.minor for row, _ in one.rows) != one.total_minor}
    yield from (f"settlement {settlement_id} does not add up, and nobody is told" for settlement_id in sorted(wrong - told))
    if not world.faulty:
        yield from (f"settlement {record} is told to be wrong, and is not" for record in sorted(told))
    ever = {row.record for row in e.exceptions if row.type == "settlement_inconsistent"}
    yield from (f"another statement bears the number of {settlement_id}, and nobody is told" for settlement_id in sorted(world.altered - ever))
    kinds = {row.triple for one in statements for row, _ in one.rows if row.triple[0] == "Novelty"}
    open_kinds = sum(row.type == "settlement_unknown_type" and row.state == "open" for row in e.exceptions)
    if open_kinds != len(kinds):
        yield f"{len(kinds)} kinds that nobody knows, {open_kinds} on the desk"


def what_was_given_back_is_known(world: Any, e: MarketEvidence) -> Iterator[str]:
    """R6: items of settled orders come to what Amazon charged and gave back, by order and to the cent."""
    there, here = Counter(), Counter()
    for statement in world.statements():
        for row, _ in statement.rows:
            if row.order_id in world.orders and row.triple[0] != "Novelty":
                there[row.order_id] += row.minor
    for row in world.look("SELECT order_id, net_minor FROM settlement_item"):
        here[row["order_id"]] += row["net_minor"]
    for order_id in world.orders:
        if there[order_id] != here[order_id]:
            yield f"order {order_id}: {there[order_id]} settled, {here[order_id]} in the ledger"


def asked_to_cancel_is_not_sent(world: Any, e: MarketEvidence) -> Iterator[str]:
    """10: a cancelled order has no package unless it had left before."""
    for order_id in e.cancelled:
        if is_asked(world.orders[order_id]) and world.orders[order_id]["packages"]:
            yield f"order {order_id} was cancelled and has packages"


def statements_reach_nobody_in_the_clear(world: Any, e: MarketEvidence) -> Iterator[str]:
    """30: no address in any file of the house's home, the partner's folder apart."""
    for path in sorted(world.home.rglob("*")):
        if path.is_file() and not path.is_relative_to(world.home / "partner") and any(canary in path.read_bytes() for canary in oracle.CANARIES):
            yield f"{path.name} has an address"


def what_is_told_was_taken(world: Any, e: MarketEvidence) -> Iterator[str]:
    """2: of a group of figures that counts as told, each was taken in by Amazon, one way or another, or is named as refused."""
    taken = {(sku, value.get("quantity")) for write in world.market.shelf.writes for sku, patches in write["items"] for patch in patches for value in patch["value"]}
    for row in e.effects if not world.was_restored else ():
        for item in row.payload["items"] if row.kind == "stock_update" and row.state == "CONFIRMED" else ():
            if item["sku"] not in row.evidence.get("refused", {}) and item["quantity"] and (item["sku"], item["quantity"]) not in taken:  # none is what a listing shows at first
                yield f"{row.effect_id}: {item['quantity']} of {item['sku']} is told, and Amazon never took it"


def the_shelf_shows_what_is_there(world: Any, e: MarketEvidence) -> Iterator[str]:
    """13: as in a shop; but what Amazon ships by now is Amazon's to count, and what a warehouse still owes a cancelled order that it would not cancel is on a desk."""
    listed = world.market.books()["stock"]
    owed = {line["sku"] for order_id in e.cancelled for copy in e.live(order_id) for line in copy["lines"].values() if line["shipped"] < line["quantity"]}
    for what in oracle_stock.the_shop_shows_what_is_there(world, e):
        sku = what.partition(":")[0]
        if "DEFAULT" in listed.get(sku, {}) and not owed & set(KITS.get(sku, {sku: 1})):
            yield what


CHECKS = (orders_that_amazon_fulfils_are_not_at_the_warehouse, every_parcel_is_at_the_marketplace_once, oracle.units_asked_are_units_ordered, units_shown_are_units_shipped,
          confirmations_are_there_or_told, every_settlement_is_in_the_ledger_once, settled_sums_equal_the_marketplaces_books, what_is_wrong_with_a_settlement_is_told,
          what_was_given_back_is_known, asked_to_cancel_is_not_sent, statements_reach_nobody_in_the_clear, oracle.one_warehouse_order_each,
          oracle.control_numbers_reach_the_warehouse_once, oracle.cut_off_files_are_set_aside, oracle.hostile_names_are_told, oracle.the_book_knows_every_order,
          oracle.exceptions_are_told_once, oracle.held_means_an_exception, oracle.personal_data_is_nowhere_in_the_clear, oracle_orders.all_of_a_message_or_nothing, what_is_told_was_taken, the_shelf_shows_what_is_there,
          oracle_stock.a_bad_statement_is_told, oracle_feeds.what_lost_too_much_is_set_aside)


def invariants() -> dict[str, str]:
    """By name: how each is asked."""
    return AS_THEY_HAPPEN | {check.__name__.replace("_", " "): (check.__doc__ or "").strip() for check in (*ASKED_OF_THE_DEMO, *CHECKS)}
