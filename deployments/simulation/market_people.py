"""The people of a world with a marketplace: buyers, Amazon's own warehouse and its book-keepers, and the operator of our house."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from connectors.house import House
from contracts.exceptions import DONE, RESEND
from deployments.demo_world import WAREHOUSE
from deployments.simulation import people
from deployments.simulation.kernel import BEGIN, Worker
from deployments.simulation.market import HOME, MARKET, OF_THE_OTHER_CARRIER, PLACE, MarketWorld
from deployments.simulation.world import KITS, SKUS
from connectors.kit.errors import BadConfiguration
from tasks import desk, mappings, refunds_seen, settlements

PRICES = ("2.55", "0.99", "3.33", "10.00", "7.77", "1.01")
REMEDIES = {"tracking_not_taken": RESEND, "rejected_by_storefront": RESEND, "document_malformed": DONE, "over_shipped": DONE, "line_unmatched": DONE}
THEIRS = 0.25  # of the orders
SETTLE_EVERY = 560.0
NOT_MADE, ALTERED, SWALLOWED = 0.3, 0.3, 0.4  # of the worlds


def populate(world: MarketWorld, orders_max: int, trading: timedelta) -> None:
    """Everybody has something to do until the end of trading."""
    dice, kernel, seconds = world.kernel.dice("buyers"), world.kernel, trading.total_seconds()
    for _ in range(dice.randint(3, orders_max + 2)):
        kernel.later(dice.uniform(0, seconds / 2), lambda lines=_basket(world): _order(world, lines))
    for _ in range(6 if world.has("minds") else 2):
        kernel.later(dice.uniform(0, seconds), lambda: _change_mind(world))
    for _ in range(2):
        kernel.later(dice.uniform(seconds * 0.4, seconds), lambda: _give_back(world))
    for _ in range(dice.randint(1, 3)):
        kernel.later(dice.uniform(seconds * 0.4, seconds), lambda: _close(world, dice.choice(("", "", "", "", "row", "total"))))
    kernel.later(dice.uniform(seconds * 0.3, seconds), lambda: _charge(world))
    if (odd := kernel.dice("odd statements")).random() < NOT_MADE:
        kernel.later(odd.uniform(seconds * 0.2, seconds * 0.4), lambda: _cannot_be_made(world, odd.uniform(750, 950)))
    if odd.random() < ALTERED:
        kernel.later(odd.uniform(seconds * 0.7, seconds), lambda: _is_altered(world))
    if world.has("stock"):
        world.market.feeds.swallows = int(kernel.dice("swallowed").random() < SWALLOWED)
        kernel.later(5, world.site.state_stock)
        for _ in range(dice.randint(4, 9)):
            kernel.later(dice.uniform(200, seconds), lambda: people._site_life(world))
        if dice.random() < 0.3:
            kernel.later(dice.uniform(0, seconds), lambda: _take_over(world))
        if kernel.dice("refused listings").random() < 0.5:
            kernel.later(kernel.dice("refused listings").uniform(0, seconds * 0.8), lambda: _will_not_take(world))


def close_the_books(world: MarketWorld) -> None:
    """At the end: what is left is given back or not, and two more statements are made, the second of little."""
    for _ in range(2):
        _give_back(world)
    for _ in range(2):
        _close(world, "")
        world.kernel.run(world.kernel.at + timedelta(seconds=60))
        _charge(world)
    _close(world, "")


def flows(world: MarketWorld) -> list[tuple[str, Callable[[House, Worker], None], float]]:
    """What only such a world runs."""
    return [("settlements", settle, 200)]


def settle(house: House, me: Worker) -> None:
    """flows/settlement_reconciliation.py, its part about the marketplace."""
    settlements.take_in_settlements(house, MARKET)
    refunds_seen.see_refunds(house, MARKET)


def operates(world: MarketWorld, trading: timedelta) -> Callable[[House, Worker], None]:
    """From the last fifth of trading on: mends the table of carriers, and clears the desk."""
    dice = world.kernel.dice("operator")

    def operate(house: House, me: Worker) -> None:
        if world.is_closed or world.kernel.at < BEGIN + trading * 0.8:
            return
        row, right = OF_THE_OTHER_CARRIER[world.other_carrier], OF_THE_OTHER_CARRIER["right"]
        csv = mappings.current_csv(house, "carriers")
        if f",{MARKET},{right}" not in csv:
            kept = "".join(f"{line}\n" for line in csv.splitlines() if not (row and line.endswith(f",{MARKET},{row}")))
            mappings.change_mapping(house, "carriers", f"{kept}{WAREHOUSE},TUFF,*,{MARKET},{right}\n", "operator")
        for one in house.ledger.exceptions.listed():
            remedy = REMEDIES.get(one.type)
            if remedy is None or one.connection == MARKET and one.record.startswith("stock of") or dice.random() < 0.25 and not world.weather.is_calm:
                continue
            try:
                desk.resolve(house, [one.exception_id], remedy, "dora", "as the simulated person decides")
            except BadConfiguration as no:
                world.kernel.tell(f"{one.type} of {one.record} stays: {no.got[:60]}")

    return operate


def _basket(world: MarketWorld) -> list[dict[str, Any]]:
    dice = world.kernel.dice("buyers")
    lines = [{"sku": sku, "quantity": dice.randint(1, 5), "price": dice.choice(PRICES), "tax": dice.choice(("0", "0.51"))}
             for sku in dice.sample((*SKUS, *KITS), dice.randint(1, 3))]
    if dice.random() < 0.15:
        lines.append({**lines[0], "quantity": dice.randint(1, 3)})
    if dice.random() < 0.1:
        lines.append({"sku": "GHOST", "quantity": 1, "price": "1.00"})
    return lines


def _order(world: MarketWorld, lines: list[dict[str, Any]]) -> None:
    dice = world.kernel.dice("buyers")
    by, is_pending = "AMAZON" if dice.random() < THEIRS else "MERCHANT", dice.random() < 0.15
    order_id = world.market.place_order(lines, HOME, fulfilled_by=by, status="PENDING" if is_pending else "UNSHIPPED", shipping=dice.choice(("0", "3.99")),
                                        service_level=dice.choice(("STANDARD", "STANDARD", "NEXT_DAY")))
    world.kernel.tell(f"a buyer places order {order_id}, which {by} fulfils")
    if is_pending:
        world.kernel.later(dice.uniform(60, 600), lambda: _is_paid(world, order_id))
    hasty = world.kernel.dice("second thoughts")
    if hasty.random() < 0.25 and by == "MERCHANT" and not is_pending:
        world.kernel.later(hasty.uniform(20, 120), lambda: _thinks_better(world, order_id))
    if by == "AMAZON":
        world.born_theirs.add(order_id)
        world.kernel.later(dice.uniform(300, 1500), lambda: _amazon_ships(world, order_id))


def _is_paid(world: MarketWorld, order_id: str) -> None:
    if world.orders[order_id]["status"] == "PENDING":
        world.market.orders.edit(order_id, status="UNSHIPPED")


def _amazon_ships(world: MarketWorld, order_id: str) -> None:
    order = world.orders[order_id]
    if order["fulfilled_by"] == "AMAZON" and order["status"] == "UNSHIPPED":
        world.market.ship_by_amazon(order_id)


def _change_mind(world: MarketWorld) -> None:
    dice = world.kernel.dice("buyers")
    waiting = sorted(order_id for order_id, order in world.orders.items() if order["status"] == "UNSHIPPED" and order_id not in world.changed_hands and not is_asked(order))
    if not waiting or dice.random() < 0.3:
        return
    at_the_site = [order_id for order_id in waiting if order_id in world.site.books()["orders"]]
    order_id, how = dice.choice(at_the_site if at_the_site and dice.random() < 0.6 else waiting), dice.random()
    order = world.orders[order_id]
    if how < 0.35:
        _cancel(world, order_id)
    elif how < 0.6 or world.has("stock"):  # what becomes of a shelf when an order changes hands is told nowhere
        _thinks_better(world, order_id)
    elif how < 0.75 and order["fulfilled_by"] == "MERCHANT":
        item_id = dice.choice(sorted(order["items"]))
        world.market.orders.cancel_item(order_id, item_id, dice.randint(1, order["items"][item_id]["quantity"]))
        world.kernel.tell(f"some of order {order_id} is cancelled")
    else:
        by = "AMAZON" if order["fulfilled_by"] == "MERCHANT" else "MERCHANT"
        world.changed_hands[order_id] = world.kernel.at
        world.market.orders.edit(order_id, fulfilled_by=by)
        world.kernel.tell(f"order {order_id} is now fulfilled by {by}")


def _thinks_better(world: MarketWorld, order_id: str) -> None:
    """Its buyer asks for a cancel; a while later Amazon carries it out, unless it has left. (Of a line that was cancelled in part nobody could tell the request from that.)"""
    if any(item["cancelled"] for item in world.orders[order_id]["items"].values()):
        return
    if world.orders[order_id]["status"] == "UNSHIPPED" and order_id not in world.changed_hands:
        world.market.orders.ask_to_cancel(order_id)
        world.wants_cancelled[order_id] = int(world.kernel.at.timestamp())
        world.kernel.tell(f"the buyer asks to cancel order {order_id}")
        world.kernel.later(world.kernel.dice("buyers").uniform(60, 900), lambda: _cancel(world, order_id))


def is_asked(order: dict[str, Any]) -> bool:
    """Does the buyer want it cancelled?"""
    return any(item["asked_to_cancel"] for item in order["items"].values())


def _cancel(world: MarketWorld, order_id: str) -> None:
    if world.orders[order_id]["status"] in ("UNSHIPPED", "PENDING"):
        world.market.cancel_order(order_id)
        world.kernel.tell(f"order {order_id} is cancelled")


def _give_back(world: MarketWorld) -> None:
    dice = world.kernel.dice("refunds there")
    charged = sorted({order_id for order_id, _ in world.market.till._charged} - world.refunded)
    if not charged:
        return
    order_id = dice.choice(charged)
    units = {item_id: dice.randint(1, count) for (order, item_id), count in sorted(world.market.till._charged.items()) if order == order_id}
    one = {min(units): units[min(units)]} if dice.random() < 0.5 else units
    world.refunded.add(order_id)
    world.market.refund(order_id, one, kind=dice.choice(("Refund", "Refund", "Refund", "Chargeback", "GuaranteeClaim")))
    world.kernel.tell(f"Amazon refunds order {order_id}")


def _charge(world: MarketWorld) -> None:
    """Advertising and storage; now and then of a kind that nobody has ever seen."""
    dice, money = world.kernel.dice("charges"), world.market.money
    money.charge(PLACE, -dice.randint(50, 900))
    if dice.random() < 0.3:
        money.fulfil_elsewhere(PLACE, "FBA15SIM")
    if dice.random() < 0.4:
        event = money.charge(PLACE, -dice.randint(1, 99), "Novelty", "Charge", f"Kind {dice.randint(1, 3)}")
        world.kernel.tell(f"a charge of a kind that nobody knows: {event.rows[0].minor}")


def _close(world: MarketWorld, faulty: str) -> None:
    made = world.market.close_settlement(faulty=faulty)
    if faulty:
        world.faulty[made.settlement_id] = faulty
    world.kernel.tell(f"settlement {made.settlement_id} is closed with {len(made.rows)} amounts{f', its {faulty} wrong' if faulty else ''}")
    if world.kernel.dice("statements").random() < 0.2:
        world.market.reports.publish_again(max(world.market.reports._reports))


def _cannot_be_made(world: MarketWorld, length: float) -> None:
    """A settlement is closed, and Amazon cannot make its statement; a quarter of an hour later it can."""
    _close(world, "")
    report_id = max(world.market.reports._reports)
    document = world.market.reports.could_not_be_made(report_id)
    world.kernel.tell("its statement cannot be made")
    world.kernel.later(length, lambda: world.market.reports.is_made_after_all(report_id, document))


def _is_altered(world: MarketWorld) -> None:
    """A statement that is known comes once more, and says something else."""
    known = {row["settlement_id"] for row in world.look("SELECT settlement_id FROM settlement")}
    for report_id, made in sorted(world.market.reports._reports.items()):
        number = next((one.settlement_id for one in world.statements() if (one.since, one.until) == (made.since, made.until)), "")
        if number in known and number not in world.faulty and world.market.reports.publish_altered(report_id, b"Principal", b"Shipping"):
            world.altered.add(number)
            world.faulty[number] = "altered"
            world.kernel.tell(f"another statement under the number of {number}")
            return


def _take_over(world: MarketWorld) -> None:
    sku = world.kernel.dice("buyers").choice(SKUS)
    world.market.shelf.move_to_amazon(sku)
    world.taken_over[sku] = world.kernel.at
    world.kernel.tell(f"Amazon ships {sku} from now on")


def _will_not_take(world: MarketWorld) -> None:
    """Something is missing in a listing, and Amazon takes no figure of it: with a 200 that says so."""
    sku = world.kernel.dice("refused listings").choice(SKUS)
    world.market.shelf.refused[sku] = ("90220", "an attribute is required", ("brand",))
    world.kernel.tell(f"Amazon takes no figure of {sku}")
