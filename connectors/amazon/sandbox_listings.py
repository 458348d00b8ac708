"""The stand-in's listings (listingsItems 2021-08-01): what is asked for, looked at and answered. What they hold is sandbox_shelf's.

What is documented, or was reported from live accounts, behaves so: a 200 that is INVALID, `replace` that wipes the lead time, a channel code of
Amazon's own that is added beside the merchant's, searches of at most a thousand listings. What is assumed is in README.md.
"""

import base64
from collections.abc import Callable
from typing import Any

import httpx

from connectors.amazon.sandbox_answers import No, Route, Struck, body_of, invalid, listed, moment_of, whole_number
from connectors.amazon.sandbox_shelf import Shelf, iso, problems, statuses

PAGE, PAGE_MAX, FOUND_MAX, IDENTIFIERS_MAX = 10, 20, 1000, 20
PARTS = ("summaries", "attributes", "issues", "offers", "fulfillmentAvailability", "procurement", "relationships", "productTypes")
SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "sku": lambda one: one["sku"], "createdDate": lambda one: (one["created_at"], one["sku"]), "lastUpdatedDate": lambda one: (one["updated_at"], one["sku"])}
MODES = ("", "VALIDATION_PREVIEW")
SELLER = "/listings/2021-08-01/items/([^/]+)"


class ListingsApi:
    """A part (sandbox_answers.Part). found_max: how many listings can be paged through, however many a search finds."""

    found_max = FOUND_MAX

    def __init__(self, shelf: Shelf, seller_id: str, marketplaces: tuple[str, ...], struck: Struck) -> None:
        self.shelf, self._seller, self._marketplaces, self._struck = shelf, seller_id, marketplaces, struck

    def routes(self) -> list[Route]:
        """listingsItems 2021-08-01, as far as we use it."""
        return [Route("GET", SELLER, "searchListingsItems", self.search), Route("GET", f"{SELLER}/([^/]+)", "getListingsItem", self.get),
                Route("PATCH", f"{SELLER}/([^/]+)", "patchListingsItem", self.patch)]

    def step(self) -> None:
        """Carry out what was accepted and is due."""
        self.shelf.settle()

    def books(self) -> dict[str, Any]:
        """stock: {SKU: {channel code: what it has}}; stock_writes: every submission that was accepted, with when it was carried out; stock_changes: every figure
        that changed, from what to what and by whom; oversold: what was sold and was not there.
        """
        shelf = self.shelf
        shelf.settle()
        return {"stock": {sku: one["channels"] for sku, one in shelf.listed.items()}, "stock_writes": shelf.writes, "stock_changes": shelf.changes,
                "oversold": shelf.oversold}

    def get(self, request: httpx.Request, seller: str, sku: str) -> httpx.Response:
        """One listing."""
        places, one = self._asked(request, seller), self.shelf.listed.get(sku)
        if one is None or not set(places) & set(one["marketplaces"]):
            raise No(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {', '.join(places)}")
        return httpx.Response(200, json=self._item(one, places, _parts(request, PARTS, "summaries")))

    def search(self, request: httpx.Request, seller: str) -> httpx.Response:
        """A page of listings: never more than a thousand can be paged through, however many there are."""
        places, given = self._asked(request, seller), request.url.params
        key, order, size = given.get("sortBy", "lastUpdatedDate"), given.get("sortOrder", "DESC"), whole_number(given, "pageSize", PAGE, 1, PAGE_MAX)
        if key not in SORTS or order not in ("ASC", "DESC"):
            raise invalid("sortBy or sortOrder is not one of those that there are.")
        found = [one for one in self.shelf.listed.values() if set(places) & set(one["marketplaces"]) and _matches(given, one)]
        found.sort(key=SORTS[key], reverse=order == "DESC")
        start, parts = _position(given.get("pageToken", "")), _parts(request, PARTS, "summaries")
        tokens = {"nextToken": _token(start + size)} if start + size < min(len(found), self.found_max) else {}
        tokens |= {"previousToken": _token(max(0, start - size))} if start else {}
        items = [self._item(one, places, parts) for one in found[:self.found_max][start:start + size]]
        if self._struck.shifts and items:
            self.shelf.touch(items[-1]["sku"])
        return httpx.Response(200, json={"numberOfResults": len(found), **({"pagination": tokens} if tokens else {}), "items": items})

    def patch(self, request: httpx.Request, seller: str, sku: str) -> httpx.Response:
        """200 even for what is not taken."""
        places, body, mode = self._asked(request, seller), body_of(request), request.url.params.get("mode", "")
        parts = _parts(request, ("identifiers", "issues"), "issues")
        if mode not in MODES or not isinstance(body.get("productType"), str) or not isinstance(body.get("patches"), list) or not body["patches"]:
            raise invalid("Request has missing or invalid parameters and cannot be parsed.")
        if sku not in self.shelf.listed:
            raise No(400, "BAD_REQUEST", "Invalid input", "Invalid input")
        issues = problems(self.shelf, sku, places, body["patches"])
        status = "INVALID" if issues else "VALID" if mode else "ACCEPTED"
        if status == "ACCEPTED":
            self.shelf.accept([(sku, body["patches"])], "patch")
        here = [place for place in places if place in self.shelf.listed[sku]["marketplaces"]]
        made = {"issues": issues, "identifiers": [{"marketplaceId": place, "asin": self.shelf.listed[sku]["asin"]} for place in here]}
        return httpx.Response(200, json={"sku": sku, "status": status, "submissionId": f"{len(self.shelf.writes):08x}-75dd-11ea-bc55-0242ac130003",
                                         **{part: made[part] for part in parts}})

    def _asked(self, request: httpx.Request, seller: str) -> list[str]:
        """The marketplaces that a request is about."""
        if seller != self._seller:
            raise No(403, "Unauthorized", "Access to requested resource is denied.")
        places = listed(request.url.params, "marketplaceIds")
        if not places or not set(places) <= set(self._marketplaces):
            raise invalid("Invalid input", "marketplaceIds")
        return places

    def _item(self, one: dict[str, Any], places: list[str], parts: list[str]) -> dict[str, Any]:
        here = [place for place in places if place in one["marketplaces"]]
        channels = one["before"] if self._struck.stale else one["channels"]
        made = {
            "summaries": [{"marketplaceId": place, "asin": one["asin"], "productType": one["product_type"], "conditionType": "new_new", "status": statuses(one),
                           "itemName": one["name"], "createdDate": iso(one["created_at"]), "lastUpdatedDate": iso(one["updated_at"])} for place in here],
            "attributes": {"fulfillment_availability": [{"fulfillment_channel_code": code, **figure, "marketplace_id": place}
                                                        for place in here for code, figure in channels.items()]},
            "issues": [], "offers": [], "procurement": [], "relationships": [],
            "fulfillmentAvailability": [{"fulfillmentChannelCode": code, **({"quantity": figure["quantity"]} if "quantity" in figure else {})}
                                        for code, figure in channels.items()],
            "productTypes": [{"marketplaceId": place, "productType": one["product_type"]} for place in here]}
        return {"sku": one["sku"], **{part: made[part] for part in parts}}


def _parts(request: httpx.Request, known: tuple[str, ...], default: str) -> list[str]:
    parts = listed(request.url.params, "includedData") or [default]
    if not set(parts) <= set(known):
        raise invalid("Invalid input", "includedData")
    return parts


def _matches(given: httpx.QueryParams, one: dict[str, Any]) -> bool:
    wanted, kind = listed(given, "identifiers"), given.get("identifiersType")
    if bool(wanted) != bool(kind) or wanted and (kind not in ("SKU", "ASIN") or len(wanted) > IDENTIFIERS_MAX):
        raise invalid("Invalid input", "identifiers")
    if wanted and one["sku" if kind == "SKU" else "asin"] not in wanted:
        return False
    for name, key in (("created", "created_at"), ("lastUpdated", "updated_at")):
        after, before = moment_of(given, f"{name}After"), moment_of(given, f"{name}Before")
        if after and iso(one[key]) < iso(after) or before and iso(one[key]) > iso(before):
            return False
    has, lacks = listed(given, "withStatus"), listed(given, "withoutStatus")
    return (not has or bool(set(statuses(one)) & set(has))) and not set(statuses(one)) & set(lacks)


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(f"page:{position}".encode()).decode()


def _position(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("page:")) if token else 0
    except ValueError:
        raise invalid("Invalid input", "pageToken") from None
