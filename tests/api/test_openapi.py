"""The description of the routes is of the routes that are served, and of the rules that are checked."""

from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import orjson
import pytest
from starlette.routing import Route

from gateway.api.auth import Role
from gateway.api.openapi import description
from gateway.api.openapi.chat import HINTS, MEMBERS
from gateway.api.openapi.operations import OPERATIONS, SCHEMAS
from gateway.dialects import routing_hints
from gateway.dialects.chat_completions import parameters, parse_chat_request
from gateway.errors import InvalidRequest
from tests.conftest import MakeGateway

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "2+2?"}]}


@pytest.fixture
def document(make_gateway: MakeGateway) -> dict[str, Any]:
    found: dict[str, Any] = make_gateway().client.get("/openapi.json").json()
    return found


def test_every_route_and_no_other(make_gateway: MakeGateway) -> None:
    """Each served route is described by its method and path but for the pages for people and the probes, and nothing that is not served."""
    gateway = make_gateway()
    document = gateway.client.get("/openapi.json").json()
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    served = {
        (next(iter((route.methods or {"POST"}) - {"HEAD"}), "HEAD"), route.path.replace(":path}", "}"))
        for route in gateway.app.routes
        if isinstance(route, Route)
    }
    probes = {("HEAD", "/"), ("HEAD", "/api/hello")}
    for_people = {(method, path) for method, path in served if path.startswith("/dashboard/")}
    assert served - told == {("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/sign-out"), *probes, *for_people}
    assert told - served == set()
    assert {f"{method} {path}" for method, path in told} == OPERATIONS.keys()
    assert document["openapi"].startswith("3.1.")


def test_a_route_without_words_is_a_mistake() -> None:
    """A route that nobody described does not slip through."""
    with pytest.raises(KeyError):
        description([("GET", "/v1/new", Role.CLIENT)])


def test_keys_are_those_of_the_route(document: dict[str, Any]) -> None:
    """Open routes ask for no key, client routes for one in any header, admin routes take a browser's password as well."""
    ways = {
        path: {name for way in operation["security"] for name in way}
        for path, methods in document["paths"].items()
        for operation in methods.values()
    }
    client = {"bearer", "x-api-key", "api-key", "x-goog-api-key"}
    assert ways["/healthz"] == set()
    assert ways["/v1/chat/completions"] == client
    assert ways["/v1/routing/summary"] == client | {"basic"}
    assert set(document["components"]["securitySchemes"]) == client | {"basic"}


def test_chat_members_are_those_that_are_checked() -> None:
    """The members of a chat request and of its hints are told with the rules that there are, and no others."""
    assert MEMBERS.keys() == parameters._CHECKS.keys() - {"model", "messages"} | {"routing"}
    assert HINTS.keys() == routing_hints._CHECKS.keys()


TOOL = {"type": "function", "function": {"name": "add"}}
TAKEN: list[dict[str, Any]] = [
    {},
    {"stop": None, "temperature": 2, "n": 128, "seed": -5},
    {"stop": ["a"] * 16, "metadata": {"team": "x"}, "logit_bias": {"5": -100}},
    {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "add"}}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
    {"routing": {"max_cost": 0.5, "providers": ["claude"], "session_id": "s"}},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/"}}]}]},
    {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "a", "input": ""}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
]  # fmt: skip
REFUSED: list[dict[str, Any]] = [
    {"model": ""},
    {"messages": []},
    {"temperature": 2.1},
    {"n": 0},
    {"n": 1.5},
    {"stop": ["a"] * 17},
    {"metadata": {"__proto__": "x"}},
    {"metadata": {"a": 5}},
    {"metadata": {f"k{i}": "" for i in range(17)}},
    {"logit_bias": {"5": 101}},
    {"tools": [{"type": "function", "function": {"name": "a b"}}]},
    {"tool_choice": "any"},
    {"response_format": {"type": "json_schema"}},
    {"routing": {"max_costs": 1}},
    {"routing": {"max_cost": 0}},
    {"routing": {"session_id": "s" * 257}},
    {"messages": [{"role": "nobody", "content": "x"}]},
    {"messages": [{"role": "user", "content": None}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]},
    {"messages": [{"role": "tool", "content": "x"}]},
]


def valid(body: dict[str, Any]) -> bool:
    validator = jsonschema.Draft202012Validator({**SCHEMAS["ChatRequest"], "components": {"schemas": SCHEMAS}})
    return bool(validator.is_valid(body))


@pytest.mark.parametrize("members", TAKEN, ids=str)
def test_what_is_taken_is_described(members: dict[str, Any]) -> None:
    """A body that the gateway takes fits the description."""
    parse_chat_request(orjson.dumps(CHAT | members))
    assert valid(CHAT | members)


@pytest.mark.parametrize("members", REFUSED, ids=lambda members: str(members)[:60])
def test_what_is_refused_is_not_described(members: dict[str, Any]) -> None:
    """A body that the gateway refuses for one of its members does not fit the description."""
    with pytest.raises(InvalidRequest):
        parse_chat_request(orjson.dumps(CHAT | members))
    assert not valid(CHAT | members)
