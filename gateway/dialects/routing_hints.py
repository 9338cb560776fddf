"""Validates the body's `routing` object, strictly: a misspelt hint must not be ignored. Shared by all dialects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.completion import RoutingHints
from gateway.field_checks import invalid, mapping, number, shown, string, strings

_NAMES = partial(strings, least=1, most=64)

_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "max_cost": partial(number, low=0),
    "min_quality": partial(number, low=0, high=1),
    "providers": _NAMES,
    "models": _NAMES,
    "session_id": partial(string, empty=False),
    "baseline": partial(string, empty=False),
    "agent_id": partial(string, empty=False),
    "session_budget": partial(number, low=0),
}

_MAX_ID = 256


def routing_hints(value: object, path: str = "routing") -> RoutingHints:
    """Raises InvalidRequest for an unknown member or an invalid value; null counts as absent."""
    values: dict[str, Any] = {}
    for name, hint in mapping(value, path).items():
        if name not in _CHECKS:
            known = ", ".join(f"'{known_name}'" for known_name in _CHECKS)
            invalid(
                f"{path}.{name[:64]}",
                f"Unknown parameter in '{path}': {shown(name)}. Known are: {known}.",
                code="unknown_parameter",
            )
        if hint is None:
            continue
        checked = _CHECKS[name](hint, f"{path}.{name}")
        values[name] = tuple(checked) if isinstance(checked, list) else checked
    for name in ("max_cost", "session_budget"):
        if values.get(name) == 0:
            invalid(f"{path}.{name}", f"Invalid '{path}.{name}': expected a value above 0, in USD.")
    for name in ("session_id", "agent_id"):
        if len(values.get(name, "")) > _MAX_ID:
            invalid(f"{path}.{name}", f"Invalid '{path}.{name}': longer than {_MAX_ID} characters.")
    return RoutingHints(**values)
