"""The counter of calls, on a few calls of known functions."""

from __future__ import annotations

import sys

from benchmarks.calls import CallCounter, Walk
from gateway.routing.prompt.patterns import PATTERNS
from gateway.sse import encode


def test_counts_calls_functions_modules_and_changes() -> None:
    """Calls of the gateway's functions count, those of other modules do not."""
    counter = CallCounter()
    sys.setprofile(counter)
    encode(b"{}")
    sorted(PATTERNS)
    encode(b"{}")
    sys.setprofile(None)
    assert counter.walk == Walk(calls=2, functions=1, modules=1, changes=0)


def test_nothing_called_is_an_empty_walk() -> None:
    """Without calls every figure is 0."""
    assert CallCounter().walk == Walk(0, 0, 0, 0)
