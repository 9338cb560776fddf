"""Validates the body's `routing` object, strictly: a misspelt hint must not be ignored. Shared by all dialects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_args

from gateway.completion import Cascading, RoutingHints
from gateway.field_checks import choice, invalid, mapping, number, shown, string, strings

MAX_TAGS = 16
MAX_TAG_VALUE = 256  # characters
# The rule of OpenAI's `metadata` keys, so that each of them can become a tag.
TAG_NAME = re.compile(r"(?!__)[A-Za-z0-9._:/ -]{1,64}")

_NAMES = partial(strings, least=1, most=64)


def _tags(value: object, path: str) -> dict[str, str]:
    tags = mapping(value, path)
    if len(tags) > MAX_TAGS:
        invalid(path, f"Invalid '{path}': {len(tags)} tags are too many. Expected at most {MAX_TAGS}.")
    for name, text in tags.items():
        if not TAG_NAME.fullmatch(name):
            invalid(
                path,
                f"Invalid '{path}': {shown(name)} is no name of a tag. It has 1 to 64 letters, digits, spaces and any of "
                ". _ : / - in it, and begins with no two '_'.",
            )
        if len(string(text, f"{path}.{name}", empty=False)) > MAX_TAG_VALUE:
            invalid(f"{path}.{name}", f"Invalid '{path}.{name}': longer than {MAX_TAG_VALUE} characters.")
    return tags


_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "max_cost": partial(number, low=0),
    "min_quality": partial(number, low=0, high=1),
    "providers": _NAMES,
    "models": _NAMES,
    "session_id": partial(string, empty=False),
    "baseline": partial(string, empty=False),
    "agent_id": partial(string, empty=False),
    "tags": _tags,
    "session_budget": partial(number, low=0),
    "latency": partial(choice, of=("interactive", "background")),
    "cascade": partial(choice, of=get_args(Cascading)),
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
