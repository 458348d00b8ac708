"""The people of a world: customers who order, change their minds and send goods back; a site that counts, receives and states its stock; and the
operator, who adds what was forgotten and works through the desk as the form does.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from contracts.exceptions import APPROVE_RETURN, CHOOSE_ORDER, DONE, REFUND_IT, REFUSE_RETURN, RESEND
from deployments.demo_world import EU_FACILITY, FORGOTTEN_METHOD, STOREFRONT, UK_FACILITY, WAREHOUSE, tables
from deployments.simulation import goods, mishaps, nights
from deployments.simulation.kernel import BEGIN, Worker
from deployments.simulation.world import ADDRESS, KITS, RULES, SKUS, World
from tasks import desk, mappings, rmas

PRICES = ("2.55", "0.99", "3.33", "10.00", "7.77", "1.01")
FORGOTTEN_RULE = f"{STOREFRONT},{WAREHOUSE},U,50,keep apart,no\n"
REMEDIES = {"return_unmatched": CHOOSE_ORDER, "rma_not_approved": APPROVE_RETURN, "refund_declined": REFUND_IT, "refund_over_cap": REFUND_IT, "rejected_by_storefront": RESEND,
            "return_unexpected": DONE, "document_malformed": DONE, "over_shipped": DONE, "line_unmatched": DONE}
OTHER_METHOD = "DPD Next Day"
NEW_ITEMS = 0.5  # of the worlds
SLIPS = 0.3  # of the worlds: a partner that corrects an advice, and one that begins its numbers anew
REFUSED = "rejected_by_warehouse"
FOR_GOOD = ("left to ship", "the order's status is")  # refused so: nobody here sets such an order back, it stays with whoever talks to the customer


def populate(world: World, orders_max: int, trading: timedelta) -> None:
    """Everybody has something to do until the end of trading."""
    dice, kernel, seconds = world.kernel.dice("customers"), world.kernel, trading.total_seconds()
    for _ in range(dice.randint(2, orders_max)):
        lines, head = _basket(world), _head(world)
        method = FORGOTTEN_METHOD if kernel.dice("methods").random() < 0.12 else ADDRESS["shipping_method"]
        kernel.later(dice.uniform(0, seconds / 2), lambda lines=lines, head=head, method=method: _order(world, lines, head, method))
    for _ in range(6 if world.has("minds") else 2):
        kernel.later(dice.uniform(0, seconds), lambda: _change_mind(world))
    if not world.has("stock") and not world.has("returns"):  # what is judged of those knows orders of one address
        _orders_to_several(world, seconds)
    if not world.has("stock") and (news := kernel.dice("new items")).random() < NEW_ITEMS:  # sold before the site has it on its list
        world.publish_items(without=news.choice(SKUS))
        kernel.later(news.uniform(seconds * 0.3, seconds * 0.9), world.publish_items)
    if world.has("minds"):
        _watch_the_packing(world, set())
    strays = kernel.dice("strays")
    if strays.random() < 0.25:  # somebody keyed an order in at the site itself
        kernel.later(strays.uniform(60, seconds), lambda: world.site.ship_stray(f"DESK{strays.randint(10, 99)}", UK_FACILITY, strays.choice(SKUS), strays.randint(1, 3)))
        kernel.later(seconds, world.site.correct_stray)
    if kernel.dice("slips").random() < SLIPS:
        kernel.later(kernel.dice("slips").uniform(seconds / 2, seconds), lambda: world.site.use_number_again("SLIP1", UK_FACILITY, SKUS[0]))
    if world.has("returns"):
        for _ in range(dice.randint(2, 5)):
            kernel.later(dice.uniform(seconds * 0.35, seconds), lambda: _send_back(world))
        kernel.later(dice.uniform(seconds * 0.3, seconds), lambda: _refund_trouble(world))
    if world.has("stock"):
        kernel.later(5, world.site.state_stock)
        for _ in range(dice.randint(4, 9)):
            kernel.later(dice.uniform(200, seconds), lambda: _site_life(world))
    goods.trouble(world, seconds)
    mishaps.befall(world, seconds)


def _basket(world: World) -> list[dict[str, Any]]:
    dice = world.kernel.dice("customers")
    many = (1, 2, 3, 4, 4) if world.has("parcels") else (1, 2, 3, 4, 5)  # even ones make two boxes of the same content
    lines = [{"sku": sku, "name": sku, "quantity": dice.choice(many), "price": dice.choice(PRICES), "product_id": 1}
             for sku in dice.sample((*SKUS, *KITS), dice.randint(1, 3))]
    if dice.random() < (0.3 if world.has("parcels") else 0.15):  # the same article twice: several lines of one SKU are filled in order
        lines.append({**lines[0], "quantity": dice.randint(1, 3)})
    if dice.random() < 0.3:
        lines.append({"sku": "POST", "name": "Postage", "quantity": 1, "price": "4.95", "product_id": 1})
    if dice.random() < 0.12:
        lines.append({"sku": "GHOST", "name": "Ghost", "quantity": 1, "price": "1.00", "product_id": 1})
    return lines


def _head(world: World) -> dict[str, str]:
    dice = world.kernel.dice("customers")
    return {"shipping_cost": dice.choice(("0", "0", "3.99")), "discount": dice.choice(("0", "0", "0", "0.50"))}


def _order(world: World, lines: list[dict[str, Any]], head: dict[str, str], method: str) -> None:
    number = world.shop.place_order(lines, [ADDRESS | {"shipping_method": method}], status_id=11, currency="GBP", **head)
    world.discounts[number] = head["discount"]
    world.moves(number, ADDRESS["street_1"])
    world.kernel.tell(f"a customer places order {number}")


def _orders_to_several(world: World, seconds: float) -> None:
    """Presents: one order, several addresses. Some are called off, and of some a line grows."""
    dice = world.kernel.dice("several addresses")
    for _ in range(dice.randint(1, 2)):
        at, how = dice.uniform(0, seconds / 2), dice.random()
        lines = [{"sku": sku, "name": sku, "quantity": dice.randint(1, 4), "price": dice.choice(PRICES), "product_id": 1, "address": place}
                 for place, sku in enumerate(dice.sample(SKUS, dice.choice((2, 2, 3))))]
        if dice.random() < 0.4:
            lines.append({**lines[0], "quantity": dice.randint(1, 3), "address": 1})
        world.kernel.later(at, lambda lines=lines, how=how, later=dice.uniform(60, seconds / 2): _order_to_several(world, lines, how, later))


def _order_to_several(world: World, lines: list[dict[str, Any]], how: float, later: float) -> None:
    places = [ADDRESS | {"street_1": f"{place + 20} Canary Row"} for place in range(1 + max(line["address"] for line in lines))]
    number = world.shop.place_order(lines, places, status_id=11, currency="GBP")
    world.split.add(number)
    world.kernel.tell(f"a customer places order {number} for {len(places)} addresses")

    def changes_his_mind() -> None:
        order = world.shop.books()["orders"][number]
        if order["status_id"] == 11 and how < 0.4:
            world.cancels(number)
        elif order["status_id"] == 11 and how < 0.6:
            line_id, line = max(order["lines"].items())
            world.shop.edit_order(number, quantities={line_id: line["quantity"] + 1})
            world.edits[number] += 1
            world.touched.add(number)
            world.kernel.tell(f"the customer edits order {number}")

    world.kernel.later(later, changes_his_mind)


def _change_mind(world: World) -> None:
    dice, known = world.kernel.dice("customers"), world.shop.books()["orders"]
    waiting = [number for number, order in known.items() if order["status_id"] == 11 and number not in world.cancelled | world.split]
    if not waiting or dice.random() < 0.3:
        return
    asked = [number for number in waiting if any(copies[0]["storefront_order"] == str(number) for copies in world.site.books()["orders"].values())]
    number = dice.choice(asked if asked and dice.random() < 0.7 else waiting)  # a mind that changes too late is the hard one
    if dice.random() < 0.4:
        world.cancels(number)
        return
    line_id, line = dice.choice(sorted(known[number]["lines"].items()))
    how = dice.random()
    if how < 0.4:
        world.shop.edit_order(number, quantities={line_id: line["quantity"] + 1})
    elif how < 0.55 and line["quantity"] > 1:
        world.shop.edit_order(number, quantities={line_id: line["quantity"] - 1})
    elif how < 0.7:
        world.shop.edit_order(number, add=[{"sku": dice.choice(SKUS), "quantity": dice.randint(1, 2), "price": dice.choice(PRICES), "product_id": 1}])
    elif how < 0.92 and world.kernel.dice("other methods").random() < 0.5:
        world.shop.edit_order(number, address={"shipping_method": OTHER_METHOD})
        world.methods_changed.setdefault(number, world.shop.changed_at(number))
    elif how < 0.92:
        street = f"{dice.randint(2, 9)} Canary Row"
        world.shop.edit_order(number, address={"street_1": street})
        world.moves(number, street)
    else:  # the shop's staff gives the order to an account: no edit that would concern a picker
        world.shop.edit_order(number, customer_id=dice.randint(1, 99))
        world.touched.add(number)
        return
    world.edits[number] += 1
    world.kernel.tell(f"the customer edits order {number}")


def _watch_the_packing(world: World, seen: set[str]) -> None:
    """The hardest moment to change one's mind: the parcel has left, and the shop does not know yet."""
    dice, orders = world.kernel.dice("late minds"), world.shop.lines_now
    for reference, copies in sorted(world.site.orders_now.items()):
        if reference in seen or not copies[0].parcels:
            continue
        seen.add(reference)
        number, roll = int(copies[0].storefront_order), dice.random()
        if roll > 0.7 or number in world.cancelled | world.split or world.shop.books()["orders"][number]["status_id"] != 11:
            continue
        if roll < 0.35:
            world.cancels(number)
        else:
            line_id, line = min(orders[number].items())
            fewer = roll > 0.55 and line["quantity"] > 1  # than has left: the shop will not have the parcel
            world.shop.edit_order(number, quantities={line_id: line["quantity"] + (-1 if fewer else 1)})
            world.edits[number] += 1
            world.kernel.tell(f"the customer edits order {number}")
    if not world.is_closed:
        world.kernel.later(20, lambda: _watch_the_packing(world, seen))


def _send_back(world: World) -> None:
    """A parcel comes back of an order that has left: a part or all, sound or not, now and then too much, or without a word whose it is."""
    dice = world.kernel.dice("returns")
    shipped = [(reference, copy) for reference, copies in sorted(world.site.books()["orders"].items()) for copy in copies[:1] if copy["parcels"]]
    if not shipped:
        return
    reference, copy = dice.choice(shipped)
    left = {}
    for line in copy["lines"].values():
        left[line["sku"]] = left.get(line["sku"], 0) + line["shipped"]
    lines = []
    for sku in dice.sample(sorted(left), dice.randint(1, len(left))):
        units = left[sku] + dice.randint(1, 2) if dice.random() < 0.1 else dice.randint(1, max(1, left[sku]))
        lines.append((sku, units, dice.choice("AAAABBCDDU")))
    strange = sorted(set(SKUS) - left.keys())
    if strange and dice.random() < 0.15:  # somebody else's, or a present
        lines.append((dice.choice(strange), 1, "A"))
    order, rma = int(copy["storefront_order"]), ""
    announced = [name for name, notice in world.site.dock.notices.items() if notice["order"] == reference and notice["state"] == "announced"]
    if announced and dice.random() < 0.7:
        rma = dice.choice(sorted(announced))
    named = "" if dice.random() < 0.12 else reference
    number = world.site.receive_return(named, lines, rma, copy["facility"])
    world.came_back[number] = order
    world.kernel.tell(f"goods of order {order} come back as {number}")


def _refund_trouble(world: World) -> None:
    """A payment provider that will decline the next refund; or somebody at the shop's own desk who refunds by hand."""
    dice, orders = world.kernel.dice("refund trouble"), world.shop.books()["orders"]
    if dice.random() < 0.4:
        world.shop.decline_next_refund(0, dice.choice(("at once", "later")))
    elif (left := sorted(number for number, order in orders.items() if order["status_id"] == 2)) and dice.random() < 0.4:
        number = dice.choice(left)
        line_id = min(orders[number]["lines"])
        world.shop.refund_by_hand(number, {line_id: 1}, reason="goodwill")
        world.kernel.tell(f"somebody refunds one of order {number} by hand")


def _site_life(world: World) -> None:
    """What the site says between two statements, and how it states."""
    dice, facility = world.kernel.dice("site"), world.kernel.dice("site").choice((UK_FACILITY, EU_FACILITY))
    sku, what = dice.choice(SKUS), dice.random()
    late = dice.choice((400, 900))
    if what < 0.2:
        world.site.adjust(facility, {sku: dice.choice((-2, -1, 1, 3))} if world.site.books()["stock"][facility][sku]["free"] > 2 else {sku: 2})
    elif what < 0.4:
        world.site.receive(facility, [(sku, dice.randint(1, 12))])
    elif what < 0.6:
        world.site.state_stock(facility)
    elif what < 0.72:
        world.site.state_stock(facility, dice.sample(SKUS, 2), is_whole=False)
    elif what < 0.92:  # what was true before comes after what is true now
        world.site.state_stock(facility, late_seconds=late)
        world.site.receive(facility, [(sku, dice.randint(2, 6))])
        world.site.state_stock(facility)
    elif world.site.statement_files():  # one that fell silent (F30) was made, and never published
        world.site.repeat_statement()


def operates(world: World, trading: timedelta) -> Callable[[House, Worker], None]:
    """What the operator does whenever he looks: from the last fifth of trading on he adds the mappings that were forgotten; asks for returns; clears the desk."""
    dice = world.kernel.dice("operator")

    def operate(house: House, me: Worker) -> None:
        if world.is_closed:
            return
        is_late = world.kernel.at >= BEGIN + trading * (0.6 if world.has("returns") else 0.8)
        if is_late and not world.look("SELECT 1 FROM mapping WHERE actor = 'operator' AND table_name = 'carriers'"):
            mended = tables(mended=True)
            for table, csv in (("return_rules", RULES + FORGOTTEN_RULE), ("ship_methods", mended["ship_methods"]), ("carriers", mended["carriers"])):
                mappings.change_mapping(house, table, csv, "operator")
        if world.has("returns") and not world.weather.is_calm:
            _announce(world, house, dice)
        if is_late:
            _clear(world, house, dice)

    return operate


def _announce(world: World, house: House, dice: Any) -> None:
    """A customer rings up: one or two of something that has left are to come back."""
    with house.ledger.transaction() as tx:
        known = [row for row in world.look("SELECT DISTINCT connection, order_id FROM request WHERE state IN ('shipped', 'partly_shipped') ORDER BY order_id")]
        entries = {row["order_id"]: house.ledger.books.order(tx, STOREFRONT, row["order_id"]) for row in known}
    if not entries or dice.random() < 0.15:
        return
    order_id = dice.choice(sorted(entries))
    line = dice.choice([line for line in entries[order_id].lines if line["sku"] != "POST"])
    try:
        for number in rmas.ask_return(house, STOREFRONT, order_id, f"sku,quantity\n{line['sku']},{dice.randint(1, line['quantity'])}\n", "unwanted", "carla", approve=dice.random() < 0.6):
            if dice.random() < 0.3 and world.look("SELECT 1 FROM rma WHERE rma = ? AND state = 'asked'", number):
                rmas.decide_rma(house, STOREFRONT, number, False, "carla", "it was worn")
    except BadConfiguration as no:
        world.kernel.tell(f"no return of order {order_id}: {no.got[:60]}")


def _approvers(world: World, document: str) -> list[str]:
    """Who says that a large refund is right: first whoever approved the return, and may not; then somebody else."""
    rmas_of = {piece["rma"] for row in world.look("SELECT dues FROM return_line WHERE document_id = ?", document) for piece in json.loads(row["dues"])}
    decided = world.look("SELECT rma, decided_by FROM rma WHERE decided_by <> '' ORDER BY rma")
    return list(dict.fromkeys([*(row["decided_by"] for row in decided if row["rma"] in rmas_of), "fiona"]))


def _clear(world: World, house: House, dice: Any) -> None:
    """One by one: each remedy is what the form would do. What is refused stays on the desk."""
    for row in house.ledger.exceptions.listed():
        remedy = nights.looked_up(world, row.evidence["effect"]) if row.type == "blocked_effect" else _of_refused(world, row) if row.type == REFUSED else REMEDIES.get(row.type)
        if remedy is None or dice.random() < 0.25 and not world.weather.is_calm:
            continue
        if row.type == "refund_declined" and "effect" not in row.evidence:
            continue
        if row.type == "rejected_by_storefront" and any(said in str(row.evidence.get("said")) for said in FOR_GOOD):
            continue
        order = f"{STOREFRONT} {world.came_back.get(row.evidence.get('document'), '')}" if remedy == CHOOSE_ORDER else ""
        if remedy == APPROVE_RETURN and dice.random() < 0.3:
            remedy = REFUSE_RETURN
        for actor in _approvers(world, str(row.evidence.get("document"))) if row.type == "refund_over_cap" else ["dora"]:
            try:
                desk.resolve(house, [row.exception_id], remedy, actor, "as the simulated person decides", order=order)
                world.asked_again.update([int(row.record)] if row.type == REFUSED and remedy == RESEND else [])
            except BadConfiguration as no:
                world.kernel.tell(f"{row.type} of {row.record} stays: {no.got[:60]}")


def _of_refused(world: World, row: Any) -> str | None:
    """A request that the site refused: asked again once it has the item; one that could not be written is done with when it has the order after all."""
    if not str(row.evidence.get("effect")).startswith("fulfilment_request") or int(row.record) in world.cancelled:
        return None
    if "accepted" in row.evidence:
        return None if world.site.unlisted else RESEND
    copies = [copy for many in world.site.orders_now.values() for copy in many if copy.storefront_order == row.record and copy.state != "refused"]
    return DONE if copies else None
