"""Orders 2026-01-01: the search, one order, and the rows that they become."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from connectors.amazon import mapping
from connectors.amazon.checked import order_id, read, why
from connectors.amazon.client import Client
from connectors.amazon.feed import walk
from connectors.amazon.wire import in_path, write_moment
from connectors.amazon.wire_orders import Order, OrderAnswer, OrdersAnswer
from connectors.kit.clock import Clock
from connectors.kit.errors import Refused
from connectors.kit.http import ReadFailed
from connectors.ports import OrderPage, Window
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups

SEARCH = "/orders/2026-01-01/orders"
INCLUDED = "BUYER,RECIPIENT,PROCEEDS,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES"


class OrderDesk:
    """What the port reads of orders. An order of which Amazon says that it fulfils it itself is read like any other, and marked."""

    def __init__(self, name: str, client: Client, clock: Clock, marketplaces: tuple[str, ...], page_size: int, reading: mapping.Reading) -> None:
        self._name, self._client, self._clock = name, client, clock
        self._marketplaces, self._page_size, self._reading = marketplaces, page_size, reading

    def changed(self, window: Window) -> Iterator[OrderPage]:
        """Every merchant-fulfilled order modified in the window. Raises ReadFailed, NotNow, NotAllowed; what was yielded stands."""
        for listed in walk(self._search, window, self._clock.now()):
            yield self._page(listed.rows, listed.reached)

    def one(self, order: str) -> OrderPage:
        """One order as it stands now. Raises Refused when there is none."""
        page = self._page([self.row(order)], self._clock.now())
        moments = page.orders["modified_at"]
        return page if moments.empty else OrderPage(page.orders, page.lines, page.ship_groups, page.recipients, moments[0].to_pydatetime())

    def row(self, order: str) -> dict[str, Any]:
        """getOrder, as it came."""
        path = f"{SEARCH}/{in_path(order_id(order, f'{self._name}: reading an order'))}"
        return read(OrderAnswer, self._client.read("getOrder", path, {"includedData": INCLUDED}), "getOrder").order

    def line_ids(self, order: str) -> dict[str, list[str]]:
        """SKU -> order item ids of one order. Raises Refused when there is none."""
        found: dict[str, list[str]] = {}
        for item in read(Order, self.row(order), "getOrder").orderItems:
            found.setdefault(item.product.sellerSku, []).append(item.orderItemId)
        return found

    def _search(self, since: datetime, until: datetime, token: str) -> OrdersAnswer:
        """One page. A 400 to a query that is always made like this says nothing about orders (selling-partner-api-models#5365)."""
        params = {"lastUpdatedAfter": write_moment(since), "lastUpdatedBefore": write_moment(until), "marketplaceIds": ",".join(self._marketplaces),
                  "fulfilledBy": "MERCHANT", "maxResultsPerPage": self._page_size, "includedData": INCLUDED, **({"paginationToken": token} if token else {})}
        try:
            return read(OrdersAnswer, self._client.read("searchOrders", SEARCH, params), "searchOrders")
        except Refused as error:
            raise ReadFailed(error.doing, f"{error.got}, to a query that is good", "If it goes on, tell Amazon's developer support.") from None

    def _page(self, rows: list[dict[str, Any]], reached: datetime) -> OrderPage:
        orders, lines, groups, recipients, unreadable = [], [], [], [], []
        for row in rows:
            try:
                order = Order.model_validate(row)
                found = (mapping.order_row(order, self._reading), mapping.line_rows(order, self._reading), mapping.ship_group_rows(order, self._reading),
                         mapping.recipient_rows(order, self._reading))
            except ValueError as error:  # NotMoney, Unmappable and ValidationError are ValueErrors
                unreadable.append({"record": str(row.get("orderId", ""))[:64], "why": why(error)})
                continue
            orders.append(found[0])
            for rows_of, more in zip((lines, groups, recipients), found[1:], strict=True):
                rows_of += more
        return OrderPage(Orders.frame(orders), OrderLines.frame(lines), ShipGroups.frame(groups), Recipients.frame(recipients), reached, unreadable)
