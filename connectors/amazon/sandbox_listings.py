"""The stand-in's listings (listingsItems 2021-08-01): patches that are looked at now and carried out later, and stock that orders take.

What is documented, or was reported from live accounts, behaves so: a 200 that is INVALID, `replace` that wipes the lead time, a channel code of
Amazon's own that is added beside the merchant's, searches of at most a thousand listings. What is assumed is in README.md.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx

from connectors.amazon.wire_listings import AVAILABILITY, DEFAULT_CHANNEL, QUANTITY_MAX
from connectors.kit.clock import Clock

PAGE, PAGE_MAX, FOUND_MAX, IDENTIFIERS_MAX = 10, 20, 1000, 20
PARTS = ("summaries", "attributes", "issues", "offers", "fulfillmentAvailability", "procurement", "relationships", "productTypes")
SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "sku": lambda one: one["sku"], "createdDate": lambda one: (one["created_at"], one["sku"]), "lastUpdatedDate": lambda one: (one["updated_at"], one["sku"])}
OPERATIONS = ("add", "replace", "merge", "delete")
FIELDS = {"fulfillment_channel_code", "quantity", "lead_time_to_ship_max_days", "restock_date", "marketplace_id", "is_inventory_available"}
MODES = ("", "VALIDATION_PREVIEW")
Issue = dict[str, Any]


class No(Exception):
    """A refusal, as Amazon writes one: a status and a list of errors."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details

    def response(self) -> httpx.Response:
        """As it is answered."""
        return httpx.Response(self.status, json={"errors": [{"code": self.code, "message": self.message, "details": self.details}]})


def iso(moment: datetime) -> str:
    """As Amazon writes a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


class Listings:
    """Listings and their figures. `stale`: F13 strikes the request at hand. `writes`, `changes` and `oversold` are its record.

    processing_seconds: how long after it was accepted a submission is carried out.
    """

    def __init__(self, clock: Clock, seller_id: str, marketplace_ids: Iterable[str], processing_seconds: float) -> None:
        self._clock, self.seller_id, self.marketplace_ids = clock, seller_id, list(marketplace_ids)
        self._delay = timedelta(seconds=processing_seconds)
        self.stale = False
        self.listed: dict[str, dict[str, Any]] = {}
        self.writes: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.oversold: list[dict[str, Any]] = []
        self._pending: list[tuple[datetime, int, Callable[[], None]]] = []
        self._taken: dict[str, list[tuple[str, int]]] = {}
        self._refused: dict[str, tuple[str, str, tuple[str, ...]]] = {}

    def add(self, products: Iterable[dict[str, Any]]) -> None:
        """Listings: sku, and maybe name, product_type, asin, marketplaces, quantity, channel, lead_time, restock_date, is_buyable, created_at."""
        for product in products:
            number, now = len(self.listed) + 1, self._clock.now()
            channel = product.get("channel", DEFAULT_CHANNEL)
            figure = {"quantity": product.get("quantity", 0)} if channel == DEFAULT_CHANNEL else {}
            figure |= {name: product[key] for name, key in (("lead_time_to_ship_max_days", "lead_time"), ("restock_date", "restock_date")) if key in product}
            self.listed[product["sku"]] = {
                "sku": product["sku"], "name": product.get("name") or product["sku"], "product_type": product.get("product_type", "HOME"),
                "asin": product.get("asin", f"B0{number:08}"), "marketplaces": list(product.get("marketplaces", self.marketplace_ids)),
                "created_at": product.get("created_at", now + timedelta(milliseconds=number)), "updated_at": now, "is_buyable": product.get("is_buyable", True),
                "channels": {channel: figure}, "before": {channel: dict(figure)}, "issues": []}

    def settle(self) -> None:
        """Carry out what is due, in the order in which it was accepted."""
        now = self._clock.now()
        due, self._pending = [one for one in self._pending if one[0] <= now], [one for one in self._pending if one[0] > now]
        for _, _, act in sorted(due, key=lambda one: one[:2]):
            act()

    def refuse(self, sku: str, code: str = "18748", message: str = "This listing needs approval.", attributes: Iterable[str] = ("fulfillment_availability",)) -> None:
        """From now on no submission for this SKU is taken; `code` '': any is again."""
        if code:
            self._refused[sku] = (code, message, tuple(attributes))
        else:
            self._refused.pop(sku, None)

    def remove(self, sku: str) -> None:
        """Somebody deletes a listing."""
        del self.listed[sku]

    def move_to_amazon(self, sku: str, code: str = "AMAZON_NA") -> None:
        """Somebody has Amazon ship this listing from now on."""
        self.listed[sku]["channels"], self.listed[sku]["before"] = {code: {}}, {code: {}}

    def set_by_hand(self, sku: str, quantity: int) -> None:
        """A person types a figure into Seller Central."""
        self._set(sku, quantity, "by hand")

    def sell(self, order_id: str, lines: Iterable[tuple[str, int]]) -> None:
        """An order takes its goods from what the merchant ships; what was not there is noted as oversold. Twice is once."""
        if order_id in self._taken:
            return
        taken = self._taken.setdefault(order_id, [])
        for sku, quantity in lines:
            there = self._quantity(sku)
            if there is None:
                continue
            if there < quantity:
                self.oversold.append({"at": self._clock.now(), "order_id": order_id, "sku": sku, "quantity": quantity - there})
            given = min(quantity, there)
            self._set(sku, there - given, f"order {order_id}")
            taken.append((sku, given))

    def give_back(self, order_id: str) -> None:
        """The order was cancelled: its goods are for sale again."""
        for sku, quantity in self._taken.pop(order_id, []):
            if (there := self._quantity(sku)) is not None:
                self._set(sku, there + quantity, f"order {order_id} cancelled")

    def shown(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Its books: {SKU: {channel code: what it has}}."""
        return {sku: one["channels"] for sku, one in self.listed.items()}

    def get(self, request: httpx.Request, seller_id: str, sku: str) -> httpx.Response:
        """GET /listings/2021-08-01/items/{sellerId}/{sku}."""
        places = self._asked(request, seller_id)
        one = self.listed.get(sku)
        if one is None or not set(places) & set(one["marketplaces"]):
            raise No(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {', '.join(places)}")
        return httpx.Response(200, json=self._item(one, places, self._parts(request, PARTS, "summaries")))

    def search(self, request: httpx.Request, seller_id: str) -> httpx.Response:
        """GET /listings/2021-08-01/items/{sellerId}: never more than a thousand, however many there are."""
        places, given = self._asked(request, seller_id), request.url.params
        found = [one for one in self.listed.values() if set(places) & set(one["marketplaces"]) and self._matches(given, one)]
        key, order = given.get("sortBy", "lastUpdatedDate"), given.get("sortOrder", "DESC")
        size = int(given["pageSize"]) if given.get("pageSize", "1").isdigit() and "pageSize" in given else PAGE
        if key not in SORTS or order not in ("ASC", "DESC") or not 1 <= size <= PAGE_MAX or given.get("pageSize", "1") == "0":
            raise No(400, "INVALID_INPUT", "Invalid input", "pageSize, sortBy or sortOrder")
        found.sort(key=SORTS[key], reverse=order == "DESC")
        start, parts = _position(given.get("pageToken", "")), self._parts(request, PARTS, "summaries")
        shown = found[:FOUND_MAX][start:start + size]
        tokens = {"nextToken": _token(start + size)} if start + size < min(len(found), FOUND_MAX) else {}
        tokens |= {"previousToken": _token(max(0, start - size))} if start else {}
        return httpx.Response(200, json={"numberOfResults": len(found), **({"pagination": tokens} if tokens else {}),
                                         "items": [self._item(one, places, parts) for one in shown]})

    def patch(self, request: httpx.Request, seller_id: str, sku: str) -> httpx.Response:
        """PATCH /listings/2021-08-01/items/{sellerId}/{sku}: 200 even for what is not taken."""
        places, body, mode = self._asked(request, seller_id), _object(request), request.url.params.get("mode", "")
        parts = self._parts(request, ("identifiers", "issues"), "issues")
        if mode not in MODES or not isinstance(body.get("productType"), str) or not isinstance(body.get("patches"), list) or not body["patches"]:
            raise No(400, "InvalidInput", "Request has missing or invalid parameters and cannot be parsed.")
        if sku not in self.listed:
            raise No(400, "BAD_REQUEST", "Invalid input", "Invalid input")
        issues = self.problems(sku, places, body["patches"])
        status = "INVALID" if issues else "VALID" if mode else "ACCEPTED"
        if status == "ACCEPTED":
            self.accept([(sku, places, body["patches"])], "patch", self._delay)
        answer = {"sku": sku, "status": status, "submissionId": f"{len(self.writes):08x}-75dd-11ea-bc55-0242ac130003"}
        if "issues" in parts:
            answer["issues"] = issues
        if "identifiers" in parts:
            answer["identifiers"] = [{"marketplaceId": place, "asin": self.listed[sku]["asin"]} for place in places if place in self.listed[sku]["marketplaces"]]
        return httpx.Response(200, json=answer)

    def problems(self, sku: str, places: list[str], patches: list[Any]) -> list[Issue]:
        """Why these patches are not taken; [] when they are."""
        if sku in self._refused:
            code, message, attributes = self._refused[sku]
            return [_issue(code, message, attributes)]
        if not set(places) & set(self.listed[sku]["marketplaces"]):
            return [_issue("13013", "This SKU does not exist in the marketplace.", ["fulfillment_availability"])]
        return [issue for patch in patches for issue in _wrong(patch)]

    def accept(self, submissions: list[tuple[str, list[str], list[dict[str, Any]]]], by: str, delay: timedelta) -> None:
        """Taken: carried out after the delay. Each is kept as (SKU, marketplaces, patches)."""
        write = {"at": self._clock.now(), "by": by, "items": [(sku, places, json.loads(json.dumps(patches))) for sku, places, patches in submissions], "applied_at": None}
        self.writes.append(write)

        def apply() -> None:
            write["applied_at"] = self._clock.now()
            for sku, _, patches in write["items"]:
                for patch in patches if sku in self.listed else ():
                    self._carry_out(sku, patch, by)
        self._pending.append((self._clock.now() + delay, len(self.writes), apply))

    def _carry_out(self, sku: str, patch: dict[str, Any], by: str) -> None:
        """The channel code is the selector: one entry a code, and another code is another entry."""
        one = self.listed[sku]
        before = {code: dict(figure) for code, figure in one["channels"].items()}
        for value in patch.get("value", []):
            code, given = value["fulfillment_channel_code"], {name: part for name, part in value.items() if name not in ("fulfillment_channel_code", "marketplace_id")}
            if patch["op"] == "delete":
                one["channels"].pop(code, None)
            else:
                one["channels"][code] = {**(one["channels"].get(code, {}) if patch["op"] == "merge" else {}), **given}
        self._changed(sku, before, by)

    def _set(self, sku: str, quantity: int, by: str) -> None:
        one = self.listed[sku]
        before = {code: dict(figure) for code, figure in one["channels"].items()}
        one["channels"].setdefault(DEFAULT_CHANNEL, {})["quantity"] = quantity
        self._changed(sku, before, by)

    def _changed(self, sku: str, before: dict[str, dict[str, Any]], by: str) -> None:
        one, now = self.listed[sku], self._clock.now()
        if before == one["channels"]:
            return
        one["before"], one["updated_at"] = before, now
        self.changes.append({"at": now, "sku": sku, "before": before, "after": {code: dict(figure) for code, figure in one["channels"].items()}, "by": by})

    def _quantity(self, sku: str) -> int | None:
        """What the merchant has of it; None where Amazon ships it, or nobody lists it."""
        one = self.listed.get(sku)
        return None if one is None or DEFAULT_CHANNEL not in one["channels"] else one["channels"][DEFAULT_CHANNEL].get("quantity", 0)

    def _asked(self, request: httpx.Request, seller_id: str) -> list[str]:
        """The marketplaces that a request is about."""
        if seller_id != self.seller_id:
            raise No(403, "Unauthorized", "Access to requested resource is denied.", "sellerId")
        places = [place for place in request.url.params.get("marketplaceIds", "").split(",") if place]
        if not places or not set(places) <= set(self.marketplace_ids):
            raise No(400, "InvalidInput", "Invalid input", "marketplaceIds")
        return places

    def _parts(self, request: httpx.Request, known: tuple[str, ...], default: str) -> list[str]:
        parts = request.url.params.get("includedData", default).split(",")
        if not set(parts) <= set(known):
            raise No(400, "InvalidInput", "Invalid input", "includedData")
        return parts

    def _matches(self, given: httpx.QueryParams, one: dict[str, Any]) -> bool:
        wanted, kind = given.get("identifiers"), given.get("identifiersType")
        if (wanted is None) != (kind is None) or wanted is not None and (kind not in ("SKU", "ASIN") or len(wanted.split(",")) > IDENTIFIERS_MAX):
            raise No(400, "InvalidInput", "Invalid input", "identifiers")
        if wanted is not None and one["sku" if kind == "SKU" else "asin"] not in wanted.split(","):
            return False
        for name, key in (("created", "created_at"), ("lastUpdated", "updated_at")):
            at = iso(one[key])
            after, before = given.get(f"{name}After"), given.get(f"{name}Before")
            if after and at < iso(_moment(after)) or before and at > iso(_moment(before)):
                return False
        statuses = set(_statuses(one))
        return (not given.get("withStatus") or bool(statuses & set(given["withStatus"].split(",")))) and \
            not (given.get("withoutStatus") and statuses & set(given["withoutStatus"].split(",")))

    def _item(self, one: dict[str, Any], places: list[str], parts: list[str]) -> dict[str, Any]:
        here = [place for place in places if place in one["marketplaces"]]
        channels = one["before"] if self.stale else one["channels"]
        made = {
            "summaries": [{"marketplaceId": place, "asin": one["asin"], "productType": one["product_type"], "conditionType": "new_new", "status": _statuses(one),
                           "itemName": one["name"], "createdDate": iso(one["created_at"]), "lastUpdatedDate": iso(one["updated_at"])} for place in here],
            "attributes": {"fulfillment_availability": [{"fulfillment_channel_code": code, **figure, "marketplace_id": place}
                                                        for place in here for code, figure in channels.items()]},
            "issues": one["issues"], "offers": [], "procurement": [], "relationships": [],
            "fulfillmentAvailability": [{"fulfillmentChannelCode": code, **({"quantity": figure["quantity"]} if "quantity" in figure else {})}
                                        for code, figure in channels.items()],
            "productTypes": [{"marketplaceId": place, "productType": one["product_type"]} for place in here]}
        return {"sku": one["sku"], **{part: made[part] for part in parts}}


def sku_of(request: httpx.Request) -> str:
    """The SKU in a listing's path, whatever letters it has: an encoded slash in it separates nothing."""
    raw = request.url.raw_path.decode("ascii").partition("?")[0]
    return unquote(raw.rpartition("/")[2])


def _statuses(one: dict[str, Any]) -> list[str]:
    return ["BUYABLE", "DISCOVERABLE"] if one["is_buyable"] else ["DISCOVERABLE"]


def _issue(code: str, message: str, attributes: Iterable[str] = ()) -> Issue:
    return {"code": code, "message": message, "severity": "ERROR", "attributeNames": list(attributes), "categories": ["INVALID_ATTRIBUTE"]}


def _wrong(patch: Any) -> list[Issue]:
    """Top-level attributes only, spelled with underscores; the selector must be there."""
    path = patch.get("path") if isinstance(patch, dict) else None
    if not isinstance(path, str) or patch.get("op") not in OPERATIONS:
        return [_issue("4000001", "The patch operation is invalid.")]
    name = path.removeprefix("/attributes/")
    if path != AVAILABILITY:
        return [_issue("90000900", "The attributes are invalid.", [name])] if not re.fullmatch(r"[a-z][a-z0-9_]*", name) else []
    found = []
    for value in patch.get("value") or [{}]:
        quantity = value.get("quantity", 0)
        if not value.get("fulfillment_channel_code"):
            found.append(_issue("99022", "The selector fulfillment_channel_code of fulfillment_availability is missing.", ["fulfillment_availability.fulfillment_channel_code"]))
        elif set(value) - FIELDS:
            found.append(_issue("90000900", "The attributes are invalid.", sorted(set(value) - FIELDS)))
        elif type(quantity) is not int or not 0 <= quantity <= QUANTITY_MAX:
            found.append(_issue("90117", "The quantity is not a whole number of a possible size.", ["fulfillment_availability.quantity"]))
    return found


def _object(request: httpx.Request) -> dict[str, Any]:
    try:
        body = json.loads(request.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise No(400, "InvalidInput", "Request has missing or invalid parameters and cannot be parsed.")
    return body


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise No(400, "InvalidInput", "Invalid input", "a date") from None


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(f"page:{position}".encode()).decode()


def _position(token: str) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("page:"))
    except ValueError:
        raise No(400, "InvalidInput", "Invalid input", "pageToken") from None
