"""Parses and encodes JSON with very long strings, such as files in base64, in steps.

The JSON library holds the interpreter lock for a whole call, about 100 ms for 50 MB. During that time the event loop cannot
run, even if another thread copied the call. Long strings are therefore cut out and processed one megabyte at a time.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

LARGE = 4 << 20  # bytes; smaller texts are parsed in one call
PIECE = 1 << 20  # bytes or characters per call
WINDOW = 1 << 16  # bytes searched for string ends at once


def loads(raw: bytes) -> Any:
    """The same as orjson.loads, which is also the fallback for everything unexpected."""
    if len(raw) <= LARGE:
        return orjson.loads(raw)
    cuts = list(_cuts(raw))
    if not cuts:
        return orjson.loads(raw)
    token = secrets.token_hex(16)
    try:
        middles = ["".join([orjson.loads(b'"%b"' % raw[a:b]) for a, b in cut.pieces]) for cut in cuts]
        value = orjson.loads(b"".join(_skeleton(raw, cuts, token)))
        restored = _restored(value, token, middles)
    except orjson.JSONDecodeError:
        restored = 0
    return value if restored == len(cuts) else orjson.loads(raw)


def dumps(value: Any) -> bytes:
    """The same as orjson.dumps."""
    long: list[str] = []
    token = secrets.token_hex(16)
    shortened = _shortened(value, token, long)
    if not long:
        return orjson.dumps(value)
    parts = orjson.dumps(shortened).split(b'"%b"' % token.encode())
    written = [parts[0]]
    for text, part in zip(long, parts[1:], strict=True):
        written.append(b'"')
        written += [orjson.dumps(text[at : at + PIECE])[1:-1] for at in range(0, len(text), PIECE)]
        written += (b'"', part)
    return b"".join(written)


class _Cut(NamedTuple):
    """A long section inside one string, and the pieces of it that can be parsed separately."""

    pieces: list[tuple[int, int]]

    @property
    def start(self) -> int:
        return self.pieces[0][0]

    @property
    def end(self) -> int:
        return self.pieces[-1][1]


def _cuts(raw: bytes) -> Iterator[_Cut]:
    """The long sections without quotes inside strings, in order."""
    bounds: list[int] = []  # window ends inside the section; none cuts a two-character escape
    within = False
    for start, end in _windows(raw):
        window = raw[start:end]
        if b"\\" in window:
            window = window.replace(b"\\\\", b"").replace(b'\\"', b"")
        quotes = window.count(b'"')
        if quotes == 0 and within:
            bounds = bounds or [start]
            bounds.append(end)
            continue
        yield from _cut(raw, bounds)
        bounds = []
        within ^= quotes % 2 == 1
    yield from _cut(raw, bounds)


def _windows(raw: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(raw):
        end = min(start + WINDOW, len(raw))
        window = raw[start:end]
        if (len(window) - len(window.rstrip(b"\\"))) % 2:
            end = min(end + 1, len(raw))
        yield start, end
        start = end


def _cut(raw: bytes, bounds: list[int]) -> Iterator[_Cut]:
    if len(bounds) < 2 or bounds[-1] - bounds[0] < PIECE:
        return
    known = bounds[0]
    inner = bounds[1:]  # without the first window, which shows whether an escape is complete at the first bound
    safe = []
    for bound in inner:
        safe.append(_boundary(raw, bound, known=known))
        known = bound
    step = max(1, PIECE // WINDOW)
    chosen = safe[::step]
    if chosen[-1] != safe[-1]:
        chosen.append(safe[-1])
    if len(chosen) > 1 and all(a < b for a, b in itertools.pairwise(chosen)):
        yield _Cut(list(itertools.pairwise(chosen)))


def _boundary(raw: bytes, at: int, *, known: int) -> int:
    """The first position from `at` that cuts neither an escape nor a character. `known` is a position outside of escapes."""
    slash = raw.rfind(b"\\", max(known, at - 6), at)
    if slash >= 0 and raw[slash + 1 : slash + 2] == b"u":
        before = raw[known : slash + 1]
        if (len(before) - len(before.rstrip(b"\\"))) % 2:
            at = max(at, slash + 6)
            if raw[slash + 2 : slash + 4].lower() in (b"d8", b"d9", b"da", b"db"):
                at = max(at, slash + 12)  # the second half of a surrogate pair
    while at < len(raw) and raw[at] & 0xC0 == 0x80:
        at += 1
    return at


def _skeleton(raw: bytes, cuts: list[_Cut], token: str) -> Iterator[bytes]:
    """The text with the token and an eight-digit number in place of each section."""
    end = 0
    for number, cut in enumerate(cuts):
        yield raw[end : cut.start]
        yield f"{token}{number:08d}".encode()
        end = cut.end
    yield raw[end:]


def _restored(value: Any, token: str, middles: list[str]) -> int:
    """Replace the tokens by their texts in place. Returns how many were replaced."""
    count = 0
    waiting = [value]
    while waiting:
        parent = waiting.pop()
        items: Any = parent.items() if type(parent) is dict else enumerate(parent) if type(parent) is list else ()
        for key, child in items:
            if type(child) is str:
                if token in child:
                    head, *tails = child.split(token)
                    parent[key] = "".join(
                        [head, *[text for tail in tails for text in (middles[int(tail[:8])], tail[8:])]]
                    )
                    count += len(tails)
            elif type(child) is dict or type(child) is list:
                waiting.append(child)
    return count


def _shortened(value: Any, token: str, long: list[str]) -> Any:
    """The value with `token` in place of each long string, which is appended to `long`. Unchanged parts are not copied."""
    kind = type(value)
    if kind is str:
        if len(value) <= PIECE:
            return value
        long.append(value)
        return token
    if kind is dict:
        copied = {name: _shortened(child, token, long) for name, child in value.items()}
        return copied if any(copied[name] is not child for name, child in value.items()) else value
    if kind is list or kind is tuple:
        items = [_shortened(child, token, long) for child in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value
