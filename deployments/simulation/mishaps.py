"""What goes wrong between people and a site on an ordinary day: an item that the site does not have on its list, an address that no 940 can hold, two lines of one
article that are picked as one, a customer who changes an order twice in one second, sites with habits of their own.

Each has dice of its own, so that a world without it is the world that it was.
"""

from deployments.simulation.world import ADDRESS, SKUS, World

UNLISTED, UNWRITABLE, TWINS, TWICE = 0.15, 0.12, 0.3, 0.4  # of the worlds
NODS, BACK_ORDERS, ONE_NUMBER, MISDATES = 0.3, 0.5, 0.2, 0.4
REGION = "The United Counties of the Far North and East"  # more than the thirty characters of N4-06


def befall(world: World, seconds: float) -> None:
    """Whatever of it befalls this world."""
    dice = world.kernel.dice("habits of sites")
    world.site.nods = dice.random() < NODS
    world.site.tells_back_orders = dice.random() < BACK_ORDERS
    world.site.dock.misdates_next = dice.random() < MISDATES
    world.site.has_one_number_each = dice.random() >= ONE_NUMBER
    if world.partner.acknowledges and (lists := world.kernel.dice("unlisted")).random() < UNLISTED:
        _is_not_listed(world, lists.choice(SKUS), lists.uniform(0, seconds * 0.3), lists.uniform(300, 900))
    if (words := world.kernel.dice("long words")).random() < UNWRITABLE:
        _lives_far_away(world, words.choice(SKUS), words.uniform(0, seconds * 0.5), words.uniform(300, 900))
    if (twins := world.kernel.dice("twins")).random() < TWINS:
        sku, first = twins.choice(SKUS), twins.randint(2, 5)
        world.kernel.later(twins.uniform(0, seconds * 0.5), lambda: _buys_twins(world, sku, first, max(1, first - twins.randint(0, 2))))
    if (hasty := world.kernel.dice("twice in a second")).random() < TWICE:
        world.kernel.later(hasty.uniform(seconds * 0.1, seconds * 0.6), lambda: _changes_it_while_it_is_read(world))


def _is_not_listed(world: World, sku: str, at: float, length: float) -> None:
    """The site refuses new orders of one item for a while; a person asks again when it has it."""
    world.kernel.later(at, lambda: world.site.unlisted.add(sku))
    world.kernel.later(at + length, world.site.unlisted.clear)


def _lives_far_away(world: World, sku: str, at: float, length: float) -> None:
    """An address that cannot be written: the request is refused before it leaves. A while later the customer shortens it."""
    def orders() -> None:
        lines = [{"sku": sku, "name": sku, "quantity": 2, "price": "3.33", "product_id": 1}]
        number = world.shop.place_order(lines, [ADDRESS | {"state": REGION}], status_id=11, currency="GBP")
        world.moves(number, ADDRESS["street_1"])
        world.kernel.tell(f"a customer who lives far away places order {number}")
        world.kernel.later(length, lambda: corrects(number))

    def corrects(number: int) -> None:
        if number not in world.cancelled:
            world.shop.edit_order(number, address={"state": ""})
            world.edits[number] += 1
            world.kernel.tell(f"the customer edits order {number}: a shorter address")

    world.kernel.later(at, orders)


def _buys_twins(world: World, sku: str, first: int, second: int) -> None:
    """Two lines of one article, which the site picks, and advises, without our numbers."""
    lines = [{"sku": sku, "name": sku, "quantity": units, "price": "2.55", "product_id": 1} for units in (first, second)]
    number = world.shop.place_order(lines, [ADDRESS], status_id=11, currency="GBP")
    world.moves(number, ADDRESS["street_1"])
    world.site.ways[str(number)] = "unnumbered"
    world.kernel.tell(f"a customer places order {number}, of {sku} twice")


def _changes_it_while_it_is_read(world: World) -> None:
    """An order is changed right before a list of orders is read, and again right after it, in the same second: the shop dates by the second."""
    def is_listed() -> None:
        orders, worker = world.shop.books()["orders"], world.kernel.current
        waiting = sorted(number for number, order in orders.items() if order["status_id"] == 11 and number not in world.cancelled | world.split)
        if world.is_closed or not waiting or worker is None or not worker.name.startswith("orders"):
            return
        number = world.kernel.dice("twice in a second").choice(waiting)
        world.shop.when_listed(None, at_once=number)
        _one_more(world, number)
        world.twice[number] = world.shop.changed_at(number)
        world.kernel.later(0, lambda: changes_again(number))

    def changes_again(number: int) -> None:
        _one_more(world, number)
        world.shop.when_listed(lambda: is_listed_again(number))  # not before: the same request may be delivered twice (F11)

    def is_listed_again(number: int) -> None:
        worker = world.kernel.current
        if worker is not None:  # from now on what it hears of this order is the second change
            world.listed_since.add(worker.name)
            world.wire.orders_heard.get(worker.name, {}).pop(number, None)

    world.shop.when_listed(is_listed)


def _one_more(world: World, number: int) -> None:
    line_id, line = min(world.shop.lines_now[number].items())
    world.shop.edit_order(number, quantities={line_id: line["quantity"] + 1})
    world.edits[number] += 1
    world.kernel.tell(f"the customer edits order {number}")
