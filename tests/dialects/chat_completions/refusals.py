"""Whether a check refuses a value."""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import InvalidRequest


def refused_member(check: Callable[..., object], *arguments: object) -> str | None:
    """The path of the member that the check refuses; None if it accepts its arguments."""
    try:
        check(*arguments)
    except InvalidRequest as error:
        return error.param or ""
    return None
