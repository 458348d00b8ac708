"""Requests and responses held against Amazon's official descriptions (Swagger 2.0), in plain Python (jsonschema), without a server.

The descriptions and the official cases lie beside the project and are never copied into it.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft4Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from connectors.amazon.wire import read_moment

SPECS = Path(__file__).resolve().parents[2] / "../shared/specs"
MODELS = tuple(SPECS / f"amazon/models/{name}.json" for name in (
    "orders_2026-01-01", "ordersV0", "sellers", "listingsItems_2021-08-01", "feeds_2021-06-30", "reports_2021-06-30", "finances_2024-06-19"))
CASES = SPECS / "conformance/amazon_core_cases.json"
MISSING = "" if all(path.exists() for path in (*MODELS, CASES)) else "Amazon's descriptions are not beside the project (../shared/specs)"
OUTSIDE = ("/auth/", "/documents/")  # Login with Amazon and presigned documents: no model describes them
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: Any) -> bool:
    return not isinstance(value, str) or bool(read_moment(value))


class Violation(AssertionError):
    """Something that the description does not allow."""


def cases(*operations: str) -> list[dict[str, Any]]:
    """The official cases of these operations, those of the deprecated v0 reads left out; none where they are not beside the project."""
    if MISSING:
        return []
    return [case for case in json.loads(CASES.read_text()) if case["operationId"] in operations and not case["deprecated"]]


class Model:
    """One Swagger 2.0 document."""

    def __init__(self, path: Path) -> None:
        self._document = json.loads(path.read_text())
        self._registry = Registry().with_resource("urn:m", Resource.from_contents(self._document, default_specification=DRAFT4))
        self.name = path.name
        self._paths = [(re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(p))), p) for p in self._document["paths"]]

    def operation(self, request: httpx.Request, path: str) -> dict[str, Any] | None:
        """What the model says of this request; None when it has no such path. A deprecated operation is a violation: we call none."""
        found = next((text for pattern, text in sorted(self._paths, key=lambda one: "{" in one[1]) if pattern.fullmatch(path)), None)
        operation = self._document["paths"][found].get(request.method.lower()) if found else None
        if operation and operation.get("deprecated"):
            raise Violation(f"{request.method} {path} is deprecated")
        return operation

    def check_request(self, operation: dict[str, Any], request: httpx.Request, path: str) -> None:
        """Query and body of a request. Raises Violation."""
        parameters = operation.get("parameters", [])
        query = {p["name"]: p for p in parameters if p["in"] == "query"}
        for name, value in request.url.params.multi_items():
            if name not in query:
                raise Violation(f"{request.method} {path}: the model has no parameter {name!r}")
            self._check(query[name], _typed(value, query[name]), f"{request.method} {path}: {name}")
        missing = [name for name, p in query.items() if p.get("required") and name not in request.url.params]
        if missing or "x-amz-access-token" not in request.headers:
            raise Violation(f"{request.method} {path}: {missing or 'the access token'} is missing")
        body = next((p for p in parameters if p["in"] == "body"), None)
        if body:
            self._check(body["schema"], json.loads(request.content), f"{request.method} {path}: body")
        elif request.content:
            raise Violation(f"{request.method} {path}: a body where there is none")

    def check_response(self, operation: dict[str, Any], doing: str, status: int, body: Any) -> None:
        """Status and body of an answer. Raises Violation. 404 and 405 of a path that is not there are not the operation's."""
        answer = operation["responses"].get(str(status))
        if answer is None:
            if status < 400:
                raise Violation(f"{doing}: the model has no status {status}")
            return
        if status == 204:
            if body is not None:
                raise Violation(f"{doing}: a body with a 204")
            return
        if "schema" in answer:
            self._check(answer["schema"], body, f"{doing} -> {status}")

    def _check(self, schema: dict[str, Any], value: Any, doing: str) -> None:
        given = {key: part for key, part in schema.items() if key not in ("name", "in", "required", "description", "collectionFormat")} \
            if "in" in schema else {"$ref": f"urn:m{schema['$ref']}"} if "$ref" in schema else schema
        errors = list(Draft4Validator(given, registry=self._registry, format_checker=FORMATS).iter_errors(value))
        if errors:
            raise Violation("; ".join(f"{doing}: {'.'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in errors[:3]))


class Checked(httpx.BaseTransport):
    """A transport that holds what passes against the models, and counts it by operation and status. A path that no model has is a violation."""

    def __init__(self, inner: httpx.BaseTransport, root: str = "") -> None:
        self._inner, self._root = inner, root
        self.seen: dict[str, int] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.split(b"?")[0].decode().removeprefix(self._root)
        if path.startswith(OUTSIDE):
            return self._inner.handle_request(request)
        model, operation = next(((one, found) for one in models() if (found := one.operation(request, path))), (None, None))
        if model is None or operation is None:
            raise Violation(f"{request.method} {path}: no model has it")
        model.check_request(operation, request, path)
        response = self._inner.handle_request(request)
        response.read()
        if "x-amzn-requestid" in response.headers:  # without one it is a fault's answer, and no API's
            model.check_response(operation, f"{request.method} {path}", response.status_code, json.loads(response.content) if response.content else None)
        key = f"{operation['operationId']} {response.status_code}"
        self.seen[key] = self.seen.get(key, 0) + 1
        return response


@cache
def models() -> tuple[Model, ...]:
    """Every model that the connector touches."""
    return tuple(Model(path) for path in MODELS)


def _typed(text: str, schema: dict[str, Any]) -> Any:
    """A query value as the type that its parameter declares."""
    kind = schema.get("type")
    if kind == "array":
        return [_typed(part, schema["items"]) for part in text.split(",")]
    if kind in ("integer", "number") and re.fullmatch(r"-?\d+", text):
        return int(text)
    return text == "true" if kind == "boolean" and text in ("true", "false") else text
