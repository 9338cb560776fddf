"""Estimates the size of tools and schemas in tokens, and remembers recent ones: an agent sends the same tools with each request."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from typing import Any

import orjson

from gateway.routing.prompt.text_stats import tokens_of

# At most this many JSON values are counted one by one. Beyond that the serialized size is used, which overestimates.
_MAX_COUNTED = 10_000
_BYTES_PER_JSON_TOKEN = 3
_CAPACITY = 256


def json_tokens(value: Any) -> int:
    """An estimate for a JSON value at any depth: its names and strings, and about one token for each other value."""
    total = counted = 0
    stack = [] if value is None else [value]
    while stack:
        item = stack.pop()
        counted += 1
        if counted > _MAX_COUNTED:
            return len(orjson.dumps(value)) // _BYTES_PER_JSON_TOKEN
        if isinstance(item, str):
            total += tokens_of(item)
        elif isinstance(item, dict):
            stack += item.values()
            total += sum(len(name) // 4 + 2 for name in item)
        elif isinstance(item, list):
            stack += item
        else:
            total += 1
    return total


class JsonTokenCounts:
    """An LRU cache of `json_tokens`, at most `capacity` entries. The keys are hashes of the serialized values, so no text is kept."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._counts: OrderedDict[int, int] = OrderedDict()

    def count(self, value: Any) -> int:
        """`json_tokens(value)`. Thread-safe."""
        if value is None:
            return 0
        try:
            key = hash(orjson.dumps(value))
        except orjson.JSONEncodeError:  # nested too deeply, or with a lone surrogate
            return json_tokens(value)
        tokens = self._counts.pop(key, None)
        self._counts[key] = tokens = json_tokens(value) if tokens is None else tokens
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)
        return tokens


@cache
def recent_counts() -> JsonTokenCounts:
    """The cache of this process."""
    return JsonTokenCounts()
