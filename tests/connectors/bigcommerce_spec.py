"""Requests and responses held against an official OpenAPI description, in plain Python (jsonschema), without a server.

`Description` reads one description; `Checked` is a transport that holds every request and every answer that passes through it
against the description that has the path. The descriptions lie beside the project and are never copied into it.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

SPECS = Path(__file__).resolve().parents[2] / "../shared/specs"
ORDERS, CHANNELS, STORE, INVENTORY, LOCATIONS, MONEY, HOOKS = (SPECS / f"bigcommerce-fixed/{name}.yml" for name in (
    "orders.v2.oas2", "channels.v3", "store_information.v2", "inventory.v3", "locations.v3", "orders.v3", "webhooks.v3"))
PRODUCTS, VARIANTS = (SPECS / f"bigcommerce/catalog/{name}_catalog.v3.yml" for name in ("products", "product-variants"))
BIGCOMMERCE = (ORDERS, STORE, CHANNELS, PRODUCTS, VARIANTS, INVENTORY, LOCATIONS, MONEY, HOOKS)
MISSING = "" if all(path.exists() for path in BIGCOMMERCE) else "the vendor's descriptions are not beside the project (../shared/specs)"
LINKS = ("products_Resource", "orderConsignments_Resource", "shippingAddresses_Resource", "orderFees_Resource")


class Violation(AssertionError):
    """Something that the description does not allow."""


def telling(document: dict[str, Any]) -> None:
    """Make the orders description say what it means: a link has both its fields, and an empty list may be of either kind.

    As published, a link is an object without required fields, so that every consignment is also a link (and an embedded line
    matches both branches of its `oneOf`); what is embedded would never be looked at.
    """
    schemas = document["components"]["schemas"]
    for name in LINKS:
        schemas[name]["required"] = ["url", "resource"]
    schemas["orderConsignment_Get"]["required"] = ["pickups", "shipping", "downloads", "email"]
    for name in ("shippingConsignment_Get", "pickupConsignment_Get", "digitalConsignment_Get", "giftCertificateConsignment_Get"):
        for part in (schemas[name], *schemas[name].get("allOf", [])):
            lines = part.get("properties", {}).get("line_items", {})
            if "oneOf" in lines:
                lines["anyOf"] = lines.pop("oneOf")


def one_identity(document: dict[str, Any]) -> None:
    """An item's identity is `oneOf` three objects without required fields, so that every identity matches all three and none is allowed."""
    identity = document["components"]["schemas"]["LocationItemsSettingsRequest"]["properties"]["settings"]["items"]["properties"]["identity"]
    for way in identity["oneOf"]:
        way["required"] = list(way["properties"])


def no_hooks(document: dict[str, Any]) -> None:
    """The list of webhooks is never empty, says the description; an account that has none must answer something."""
    del document["components"]["responses"]["webhooks_Resp"]["content"]["application/json"]["schema"]["properties"]["data"]["minItems"]


MENDS = {ORDERS: telling, INVENTORY: one_identity, HOOKS: no_hooks}


@cache
def _read(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class Description:
    """One OpenAPI 3.0 document. `mend` may correct a copy of it before it is used."""

    def __init__(self, path: Path, mend: Callable[[dict[str, Any]], None] | None = None) -> None:
        document = json.loads(json.dumps(_read(path), default=str))
        if mend:
            mend(document)
        self._document = _nullable(document)
        resource = Resource.from_contents(self._document, default_specification=DRAFT4)
        self._registry = Registry().with_resource("urn:d", resource)
        self.name = path.name
        self._paths = [(re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(p))), "{" not in p, p) for p in self._document["paths"]]

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any], list[dict[str, Any]]] | None:
        """(pointer, operation, parameters) of a request, or None when the description has no such path."""
        found = sorted((not plain, text) for pattern, plain, text in self._paths if pattern.fullmatch(path))
        if not found:
            return None
        item = self._document["paths"][found[0][1]]
        if method.lower() not in item:
            raise Violation(f"{self.name}: {found[0][1]} has no {method}")
        operation = item[method.lower()]
        parameters = [self._resolved(p) for p in (*item.get("parameters", []), *operation.get("parameters", []))]
        return f"#/paths/{_pointer(found[0][1])}/{method.lower()}", operation, parameters

    def check_request(self, request: httpx.Request, path: str) -> None:
        """Query, headers and body of a request. Raises Violation."""
        pointer, operation, parameters = self.operation(request.method, path)
        query = {p["name"]: p for p in parameters if p["in"] == "query"}
        for name, value in request.url.params.multi_items():
            if name not in query:
                raise Violation(f"{request.method} {path}: the description has no parameter {name!r}")
            self._check({"schema": query[name]["schema"]}, _typed(value, query[name]["schema"]), f"{request.method} {path}: {name}")
        for parameter in parameters:
            there = parameter["name"] in (request.headers if parameter["in"] == "header" else request.url.params)
            if parameter.get("required") and parameter["in"] in ("header", "query") and not there:
                raise Violation(f"{request.method} {path}: {parameter['in']} {parameter['name']} is missing")
        if "x-auth-token" not in request.headers:
            raise Violation(f"{request.method} {path}: no X-Auth-Token")
        if "requestBody" in operation:
            self._check_ref(f"{pointer}/requestBody/content/application~1json/schema", json.loads(request.content), f"{request.method} {path}: body")
        elif request.content:
            raise Violation(f"{request.method} {path}: a body where there is none")

    def check_response(self, request: httpx.Request, path: str, response: httpx.Response) -> None:
        """Status and body of an answer. Raises Violation. A 4xx that the description does not list is not its business."""
        pointer, operation, _ = self.operation(request.method, path)
        doing, status = f"{request.method} {path} -> {response.status_code}", str(response.status_code)
        if status not in operation["responses"]:
            if response.status_code < 400:
                raise Violation(f"{doing}: the description has no such status")
            return
        pointer, answer = self._follow(f"{pointer}/responses/{status}", operation["responses"][status])
        if not answer.get("content") or (status == "204" and not response.content):  # some descriptions give a 204 a body, which HTTP forbids
            if response.content:
                raise Violation(f"{doing}: a body where there is none")
            return
        kind = response.headers.get("content-type", "").split(";")[0]
        if kind not in answer["content"]:
            raise Violation(f"{doing}: {kind or 'no content type'} instead of {', '.join(answer['content'])}")
        self._check_ref(f"{pointer}/content/{_pointer(kind)}/schema", json.loads(response.content), doing)

    def _check_ref(self, pointer: str, value: Any, doing: str) -> None:
        self._check({"ref": f"urn:d{pointer}"}, value, doing)

    def _check(self, where: dict[str, Any], value: Any, doing: str) -> None:
        schema = {"$ref": where["ref"]} if "ref" in where else where["schema"]
        errors = list(Draft4Validator(schema, registry=self._registry).iter_errors(value))
        if errors:
            raise Violation("; ".join(f"{doing}: {'.'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in errors[:3]))

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        return self._follow("", part)[1]

    def _follow(self, pointer: str, part: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        while "$ref" in part:
            pointer, part = part["$ref"], self._document
            for key in pointer[2:].split("/"):
                part = part[key.replace("~1", "/").replace("~0", "~")]
        return pointer, part


class Checked(httpx.BaseTransport):
    """A transport that holds what passes against the descriptions, and counts it. A path that none of them has is a violation.

    `root` is what stands before the described paths, as a pattern.
    """

    def __init__(self, inner: httpx.BaseTransport, descriptions: tuple[Description, ...], root: str = r"/stores/[^/]+/v[23]") -> None:
        self._inner, self._descriptions, self._root = inner, descriptions, re.compile(root)
        self.seen: dict[str, int] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = self._root.sub("", request.url.path, count=1)
        description = next((d for d in self._descriptions if d.operation(request.method, path)), None)
        if description is None:
            raise Violation(f"{request.method} {path}: no description has it")
        description.check_request(request, path)
        response = self._inner.handle_request(request)
        response.read()
        if response.headers.get("content-type") != "text/html":  # a fault's answer is no API's
            description.check_response(request, path, response)
        key = f"{request.method} {re.sub(r'[0-9]+', '{}', path)} {response.status_code}"
        self.seen[key] = self.seen.get(key, 0) + 1
        return response


def bigcommerce(mend: bool = True) -> tuple[Description, ...]:
    """The descriptions of BigCommerce that our connector touches."""
    return tuple(_description(path, mend) for path in BIGCOMMERCE)


@cache
def _description(path: Path, mended: bool) -> Description:
    return Description(path, MENDS.get(path) if mended else None)


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D").replace("+", "+")


def _typed(text: str, schema: dict[str, Any]) -> Any:
    """A query value as the type that its schema declares."""
    kind = schema.get("type")
    if kind == "array":
        return [_typed(part, schema["items"]) for part in text.split(",")]
    if kind in ("integer", "number") and re.fullmatch(r"-?\d+", text):
        return int(text)
    return text == "true" if kind == "boolean" and text in ("true", "false") else text


def _nullable(part: Any) -> Any:
    """OpenAPI 3.0's `nullable` (and Swagger's `x-nullable`, which the catalogue still uses) as JSON Schema says it."""
    if isinstance(part, list):
        return [_nullable(p) for p in part]
    if not isinstance(part, dict):
        return part
    done = {key: _nullable(value) for key, value in part.items() if key not in ("example", "examples", "x-examples")}
    if (part.get("nullable") is True or part.get("x-nullable") is True) and isinstance(part.get("type"), str):
        done["type"] = [part["type"], "null"]
    return done


