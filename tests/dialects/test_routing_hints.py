"""The `routing` object."""

from __future__ import annotations

import pytest

from gateway.completion import RoutingHints
from gateway.dialects.routing_hints import routing_hints
from gateway.errors import InvalidRequest


def test_every_hint_is_read_and_null_is_none() -> None:
    """Every hint is read, lists as tuples; null is no hint."""
    given = {
        "max_cost": 0.01,
        "min_quality": 1,
        "providers": ["gemini"],
        "models": ["a", "b"],
        "session_id": "s",
        "baseline": None,
        "agent_id": "a",
        "tags": {"project": "acme"},
    }
    expected = RoutingHints(0.01, 1, ("gemini",), ("a", "b"), "s", agent_id="a", tags={"project": "acme"})
    assert routing_hints(given) == expected
    assert routing_hints({}) == RoutingHints()


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("cheap", "routing"),
        ({"max_cots": 1}, "routing.max_cots"),
        ({"api_base": "https://evil"}, "routing.api_base"),
        ({"max_cost": 0}, "routing.max_cost"),
        ({"max_cost": -1}, "routing.max_cost"),
        ({"max_cost": True}, "routing.max_cost"),
        ({"min_quality": 1.1}, "routing.min_quality"),
        ({"providers": []}, "routing.providers"),
        ({"providers": "gemini"}, "routing.providers"),
        ({"models": ["a", 7]}, "routing.models[1]"),
        ({"session_id": ""}, "routing.session_id"),
        ({"session_id": "s" * 257}, "routing.session_id"),
        ({"agent_id": "a" * 257}, "routing.agent_id"),
        ({"agent_id": ""}, "routing.agent_id"),
        ({"baseline": ["a"]}, "routing.baseline"),
        ({"tags": ["a"]}, "routing.tags"),
        ({"tags": {str(number): "x" for number in range(17)}}, "routing.tags"),
        ({"tags": {"": "x"}}, "routing.tags"),
        ({"tags": {"n" * 65: "x"}}, "routing.tags"),
        ({"tags": {'quoted"': "x"}}, "routing.tags"),
        ({"tags": {"__proto__": "x"}}, "routing.tags"),
        ({"tags": {"project": 7}}, "routing.tags.project"),
        ({"tags": {"project": ""}}, "routing.tags.project"),
        ({"tags": {"project": "x" * 257}}, "routing.tags.project"),
    ],
)
def test_misspelt_or_senseless_hint_is_refused_by_name(value: object, param: str) -> None:
    """A hint that is misspelt or makes no sense is refused by name instead of ignored."""
    with pytest.raises(InvalidRequest) as refused:
        routing_hints(value)
    assert refused.value.param == param
