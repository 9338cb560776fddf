"""The ids that requests are known by."""

from __future__ import annotations

import secrets

_BYTES = 16
_AT_ONCE = 256


class RequestIds:
    """128 random bits each, drawn for many at once: the system call lets another thread take the interpreter from the event loop."""

    def __init__(self) -> None:
        self._drawn = ""

    def __call__(self) -> str:
        if not self._drawn:
            self._drawn = secrets.token_hex(_BYTES * _AT_ONCE)
        digits, self._drawn = self._drawn[: 2 * _BYTES], self._drawn[2 * _BYTES :]
        return "req_" + digits
