"""What befalls goods and money beside the daily trade: the last statements of a world and what comes after them, losses that no document names,
somebody who types a figure in at the shop or gives money back at its desk.
"""

from datetime import timedelta

from connectors.gxo.sandbox_notes import Came
from deployments.simulation.world import ADDRESS, LOCATION, SKUS, World

LATE_AT_LAST = 900.0  # when the last statement but one of a facility comes, after it was true
READ_BY_ALL = 330.0  # ... and how long everybody is given to read what came in between
LOST_SHARE = 3  # no more than one in so many units of a place vanishes at once: more would not be believed
POLL = 20.0
TOO_MUCH = "30.00"
TYPED_MORE = 17
UNTRACKED_SECONDS = 700.0
BURNT_DOWN = 0.2
MARKETPLACE = "marketplace"


def trouble(world: World, seconds: float) -> None:
    """What somebody does at the shop's own desk while it trades, and a shop that quotes too much for a while."""
    dice, kernel = world.kernel.dice("trouble with goods"), world.kernel
    if world.has("returns"):
        for _ in range(2):
            kernel.later(dice.uniform(seconds * 0.35, seconds * 0.8), lambda: _given_back_at_the_desk(world))
        if dice.random() < 0.4:
            kernel.later(dice.uniform(seconds * 0.3, seconds), lambda: _quotes_too_much(world))
    if world.has("stock"):
        types = world.has("drift") and not world.has(MARKETPLACE)
        trouble_at_the_shop, (first, last) = (_types_a_figure, (0.55, 0.95)) if types else (_loses_a_write, (0.4, 0.7))
        kernel.later(dice.uniform(seconds * first, seconds * last), lambda: trouble_at_the_shop(world))
        if not types and not world.has(MARKETPLACE) and kernel.dice("lost writes").random() < 0.6:
            kernel.later(kernel.dice("lost writes").uniform(seconds * 0.6, seconds * 0.85), lambda: _loses_a_late_write(world))
        if dice.random() < 0.4 and not world.has(MARKETPLACE):
            kernel.later(dice.uniform(seconds * 0.2, seconds * 0.6), lambda: _is_not_tracked_for_a_while(world))


def _given_back_at_the_desk(world: World) -> None:
    """Somebody refunds one unit before it is back, as a favour; a while later it comes, and more of its line with it or not."""
    dice, orders = world.kernel.dice("trouble with goods"), world.shop.books()["orders"]
    left = [(reference, copy) for reference, copies in sorted(world.site.books()["orders"].items()) for copy in copies[:1]
            if copy["parcels"] and orders.get(int(copy["storefront_order"]), {}).get("status_id") == 2]
    if not left:
        return
    reference, copy = dice.choice(left)
    number = int(copy["storefront_order"])
    shipped = {line["sku"]: line["shipped"] for line in copy["lines"].values()}
    plain = [(line_id, line) for line_id, line in sorted(orders[number]["lines"].items()) if shipped.get(line["sku"], 0) >= line["quantity"] > 0]
    if not plain:
        return
    line_id, line = dice.choice(plain)
    world.shop.refund_by_hand(number, {line_id: 1}, reason="goodwill")
    world.kernel.tell(f"somebody refunds one of line {line_id} of order {number} by hand")
    units = dice.randint(1, line["quantity"])

    def comes() -> None:
        receipt = world.site.receive_return(reference, [(line["sku"], units, "A")], "", copy["facility"])
        world.came_back[receipt] = number
        world.kernel.tell(f"goods of order {number} come back as {receipt}")

    world.kernel.later(dice.uniform(60, 900), comes)


def _quotes_too_much(world: World) -> None:
    """For a quarter of an hour the shop would give back more than the goods cost: postage, say."""
    world.shop.quote_more(TOO_MUCH, world.kernel.at + timedelta(minutes=15))
    world.kernel.tell(f"the shop quotes {TOO_MUCH} too much")


def _types_a_figure(world: World) -> None:
    """Somebody who counted, or thinks he did. Only drift_watch can tell."""
    sku = world.kernel.dice("trouble with goods").choice(SKUS)
    shown = world.shop.books()["stock"][int(LOCATION)].get(sku)
    if shown is not None:
        world.shop.set_stock_by_hand(sku, shown["on_hand"] + TYPED_MORE)
        world.typed[sku] = world.kernel.at
        world.kernel.tell(f"somebody types in {shown['on_hand'] + TYPED_MORE} of {sku}")


def _is_not_tracked_for_a_while(world: World) -> None:
    """Somebody switches the tracking of one SKU off: the shop refuses a whole group for it."""
    sku = world.kernel.dice("trouble with goods").choice(SKUS)
    world.shop.track(sku, "none")
    world.kernel.tell(f"{sku} is not tracked at the shop")
    world.kernel.later(UNTRACKED_SECONDS, lambda: world.shop.track(sku, "product"))


def _loses_a_write(world: World) -> None:
    """The shop takes the next figures in, and never carries them out."""
    world.shop.lose_next_stock_write()
    world.kernel.tell("the shop will lose the next figures")


def _loses_a_late_write(world: World) -> None:
    """Goods come in, and it is lost that they are there: nothing changes that figure any more before all is at rest."""
    _loses_a_write(world)
    world.site.receive(min(world.site.books()["stock"]), [(world.kernel.dice("lost writes").choice(SKUS), 4)])


def close_stock(world: World) -> None:
    """The site states what it has, goods come, go and vanish between its last statements and after them, and the last customers order."""
    site, (first, *others) = world.site, sorted(world.site.books()["stock"])
    if not world.has(MARKETPLACE):
        world.shop.lose_next_stock_write(False)  # one that is lost from now on nobody could see in time
    site.state_stock(first, late_seconds=LATE_AT_LAST)  # true now, and it comes after all that follows: nothing mends it for a ledger that believes it
    _run(world, 70)
    _come_and_go(world, first)
    for sku in _quiet(world, first)[:1]:  # what the next statement counts, and what comes after it
        site.dock.adjust(first, {sku: 3}, late_seconds=READ_BY_ALL + 250)
    _run(world, READ_BY_ALL)
    _vanish(world, first)
    site.state_stock()
    _run(world, 70)
    is_slow = world.kernel.dice("slow statements").random() < 0.5  # a large file comes after the small ones that are newer
    for facility in others:
        _state_in_part(world, facility, READ_BY_ALL + 70 if is_slow else 0)
        if is_slow and (quiet := _quiet(world, facility)):
            _run(world, 70)
            world.site.adjust(facility, {quiet[0]: 3})
        _come_and_go(world, facility)
    if world.has("orders"):
        _last_orders(world)


def _run(world: World, seconds: float) -> None:
    world.kernel.run(world.kernel.at + timedelta(seconds=seconds))


def _quiet(world: World, facility: str) -> list[str]:
    """SKUs that no order at the site still lacks: what comes in of the others leaves again at once, and no statement would say so any more."""
    waited_for = {line["sku"] for copies in world.site.books()["orders"].values() for copy in copies if copy["state"] == "backordered"
                  for line in copy["lines"].values() if line["shipped"] < line["quantity"]}
    return sorted(world.site.books()["stock"][facility].keys() - waited_for)


def _come_and_go(world: World, facility: str) -> None:
    """Documents: a receipt, of which some is damaged, and a breakage."""
    if quiet := _quiet(world, facility):
        world.site.dock.receive(facility, [Came(quiet[-1], 7, 2)])
        world.site.adjust(facility, {quiet[-1]: -1})


def _vanish(world: World, facility: str) -> None:
    """No document: some of one SKU turns up, and of another nothing is left. A site that leaves out what it has not says so by silence.

    In one world of five nearly all is gone: nobody believes that, and a person is to hear of it, whatever older word comes after it.
    """
    book, quiet = world.site.dock.book, _quiet(world, facility)
    if not quiet:
        return
    if world.kernel.dice("last orders").random() < BURNT_DOWN:
        for sku in quiet:
            book.at(facility, sku).free = min(1, book.at(facility, sku).free)
        world.stock_witness.looks()
        return
    book.at(facility, quiet[0]).free += 5
    lying = {sku: sum(place.values()) for sku, place in book.all()[facility].items()}
    little = [sku for sku in quiet[1:] if 0 < lying[sku] == book.at(facility, sku).free <= sum(lying.values()) // LOST_SHARE]
    if little and sum(map(bool, lying.values())) > 2:  # two of four gone would not be believed
        book.at(facility, max(little, key=lying.__getitem__)).free = 0
    world.stock_witness.looks()


def _state_in_part(world: World, facility: str, late_seconds: float) -> None:
    """Two SKUs only; the others are as they were."""
    if quiet := _quiet(world, facility):
        world.site.dock.book.at(facility, quiet[0]).free += 2
        world.stock_witness.looks()
        world.site.state_stock(facility, [quiet[0], next((sku for sku in reversed(quiet[:-1])), quiet[0])], is_whole=False, late_seconds=late_seconds)


def _last_orders(world: World) -> None:
    """After the last statement: one order that the warehouse gets, one that waits for a person, and in some worlds one whose customer calls it off too late."""
    dice, (facility, *_) = world.kernel.dice("last orders"), sorted(world.site.books()["stock"])
    stock = world.site.books()["stock"][facility]
    plenty = [sku for sku in _quiet(world, facility) if stock[sku]["free"] >= 10]
    if not plenty:
        return
    asked, held, called_off = (dice.sample(plenty, 3) if len(plenty) > 2 else dice.choices(plenty, k=3))
    _order(world, {asked: 2})
    _order(world, {held: 1, "GHOST": 1})
    if dice.random() < 0.7:
        _call_off_when_it_is_there(world, _order(world, {called_off: 3}))


def _order(world: World, wanted: dict[str, int]) -> int:
    lines = [{"sku": sku, "name": sku, "quantity": units, "price": "2.55", "product_id": 1} for sku, units in wanted.items()]
    number = world.shop.place_order(lines, [ADDRESS], status_id=11, currency="GBP")
    world.kernel.tell(f"a late customer places order {number}")
    return number


def _call_off_when_it_is_there(world: World, number: int) -> None:
    """As soon as the site has it: too late, or just in time."""
    if world.shop.books()["orders"][number]["status_id"] != 11:
        return
    if any(copy["storefront_order"] == str(number) for copies in world.site.books()["orders"].values() for copy in copies):
        world.cancels(number)
        return
    world.kernel.later(POLL, lambda: _call_off_when_it_is_there(world, number))
