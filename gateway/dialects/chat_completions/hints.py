"""The body's `routing` object, checked strictly: a hint that is misspelt must not be ignored."""

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
}

_LONGEST_ID = 256


def routing_hints(value: object, path: str = "routing") -> RoutingHints:
    """Raises InvalidRequest for an unknown member, naming it; null members are absent."""
    wishes: dict[str, Any] = {}
    for name, wish in mapping(value, path).items():
        if name not in _CHECKS:
            known = ", ".join(f"'{each}'" for each in _CHECKS)
            invalid(
                f"{path}.{name[:64]}",
                f"Unknown parameter in '{path}': {shown(name)}. Known are: {known}.",
                code="unknown_parameter",
            )
        if wish is None:
            continue
        checked = _CHECKS[name](wish, f"{path}.{name}")
        wishes[name] = tuple(checked) if isinstance(checked, list) else checked
    if wishes.get("max_cost") == 0:
        invalid(f"{path}.max_cost", f"Invalid '{path}.max_cost': expected a value above 0, in USD.")
    for name in ("session_id", "agent_id"):
        if len(wishes.get(name, "")) > _LONGEST_ID:
            invalid(f"{path}.{name}", f"Invalid '{path}.{name}': longer than {_LONGEST_ID} characters.")
    return RoutingHints(**wishes)
