"""Requests and responses held against Amazon's official descriptions (Swagger 2.0), in plain Python (jsonschema), without a server.

The descriptions lie beside the project and are never copied into it.
"""

import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft4Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

SPECS = Path(__file__).resolve().parents[2] / "../shared/specs"
MODELS = tuple(SPECS / f"amazon/models/{name}.json" for name in (
    "orders_2026-01-01", "ordersV0", "listingsItems_2021-08-01", "feeds_2021-06-30", "reports_2021-06-30", "finances_2024-06-19", "sellers"))
CASES = SPECS / "conformance/amazon_core_cases.json"
MISSING = "" if all(path.exists() for path in (*MODELS, CASES)) else "the vendor's descriptions are not beside the project (../shared/specs)"
FORMATS = FormatChecker(formats=())


class Violation(AssertionError):
    """Something that the description does not allow."""


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


class Description:
    """One model."""

    def __init__(self, path: Path) -> None:
        self.name, self._document = path.name, json.loads(path.read_text())
        self._registry = Registry().with_resource("urn:d", Resource.from_contents(self._document, default_specification=DRAFT4))
        self.operations = [(method.upper(), re.compile(re.sub(r"\\{[^}]*\\}", "([^/]+)", re.escape(template))), [*item.get("parameters", []), *operation.get("parameters", [])],
                            operation["responses"]) for template, item in self._document["paths"].items() for method, operation in item.items() if method != "parameters"]

    def wrong(self, schema: dict[str, Any], value: Any) -> list[str]:
        """What of a value is not as described."""
        told = {"$ref": "urn:d" + schema["$ref"]} if set(schema) == {"$ref"} else {**schema, "definitions": self._document["definitions"]}
        return [f"{list(error.absolute_path)}: {error.message[:150]}" for error in Draft4Validator(told, registry=self._registry, format_checker=FORMATS).iter_errors(value)]

    def find(self, method: str, path: str) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
        """(parameters, responses) of the operation that has this path."""
        return next(((parameters, responses) for verb, pattern, parameters, responses in self.operations if verb == method and pattern.fullmatch(path)), None)

    def request(self, request: httpx.Request, parameters: list[dict[str, Any]]) -> list[str]:
        """What of a request is not as described."""
        resolved = [self._document["parameters"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in parameters]
        query = {one["name"]: one for one in resolved if one["in"] == "query"}
        given = dict(request.url.params.multi_items())
        found = [f"unknown parameter {name}" for name in set(given) - set(query)]
        found += [f"parameter {name} is missing" for name, one in query.items() if one.get("required") and name not in given]
        found += [f"{name}: {wrong}" for name, value in given.items() if name in query for wrong in self.wrong(_plain(query[name]), _typed(query[name], value))]
        body = next((one for one in resolved if one["in"] == "body"), None)
        return found + (self.wrong(body["schema"], json.loads(request.content)) if body else ["a body that is not described"] if request.content else [])

    def response(self, response: httpx.Response, responses: dict[str, Any]) -> list[str]:
        """What of an answer is not as described."""
        told = responses.get(str(response.status_code))
        if told is None:
            return [f"status {response.status_code} is not described"]
        return self.wrong(told["schema"], json.loads(response.content)) if "schema" in told and response.content else []


def _plain(parameter: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameter.items() if name not in ("name", "in", "description", "required", "collectionFormat", "default")}


def _typed(parameter: dict[str, Any], value: str) -> Any:
    if parameter.get("type") == "array":
        return value.split(",")
    return int(value) if parameter.get("type") == "integer" and value.isdigit() else {"true": True, "false": False}.get(value, value) if parameter.get("type") == "boolean" else value


@cache
def amazon() -> tuple[Description, ...]:
    """Every model that we use."""
    return tuple(Description(path) for path in MODELS)


def cases(*operations: str) -> list[dict[str, Any]]:
    """The official sandbox cases of these operations; money as Decimal is the reader's business."""
    return [one for one in json.loads(CASES.read_text()) if one["operationId"] in operations]


class Checked(httpx.BaseTransport):
    """Lets everything through, and holds it against the descriptions: raises Violation. `seen`: 'METHOD path' of what was held against one.

    An answer that bears no request id of Amazon's comes from a proxy in between (the kit's faults), and is nobody's to describe.
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner, self.seen = inner, []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        path = request.url.raw_path.split(b"?")[0].decode()
        description, found = next(((one, found) for one in amazon() if (found := one.find(request.method, path))), (None, None))
        response = self._inner.handle_request(request)
        if description is None:
            return response
        self.seen.append(f"{request.method} {path}")
        is_json = "x-amzn-requestid" in response.headers
        wrong = [] if response.status_code >= 400 else description.request(request, found[0])
        wrong += description.response(response, found[1]) if is_json else []
        if wrong:
            raise Violation(f"{description.name}: {request.method} {path} -> {response.status_code}: {'; '.join(wrong[:5])}")
        return response
