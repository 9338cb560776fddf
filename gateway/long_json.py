"""JSON with very long strings, such as files in base64, read and written piece by piece.

The JSON library keeps the interpreter's lock for a whole call, which takes 50 MB some 100 ms: in that time no thread lets the
event loop run. Long strings are therefore taken out, and read or written a megabyte at a time.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

LARGE = 4 << 20  # bytes from which it matters
PIECE = 1 << 20  # bytes or characters that one call reads or writes
WINDOW = 1 << 16  # bytes that are searched for the ends of strings at once


def loads(raw: bytes) -> Any:
    """As orjson.loads, which it leaves the decision to wherever the text is not as expected."""
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
    """As orjson.dumps."""
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
    """A stretch within one string, and the pieces of it that can be read by themselves."""

    pieces: list[tuple[int, int]]

    @property
    def start(self) -> int:
        return self.pieces[0][0]

    @property
    def end(self) -> int:
        return self.pieces[-1][1]


def _cuts(raw: bytes) -> Iterator[_Cut]:
    """The long stretches without a quote that lie within strings, in order."""
    bounds: list[int] = []  # where the windows of the stretch end; no escape of two characters is cut there
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
    inner = bounds[1:]  # the first window is left out: it tells whether an escape is complete at the first bound
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
    """The first place from `at` on where neither an escape nor a character is cut; no escape is at `known`."""
    slash = raw.rfind(b"\\", max(known, at - 6), at)
    if slash >= 0 and raw[slash + 1 : slash + 2] == b"u":
        before = raw[known : slash + 1]
        if (len(before) - len(before.rstrip(b"\\"))) % 2:
            at = max(at, slash + 6)
            if raw[slash + 2 : slash + 4].lower() in (b"d8", b"d9", b"da", b"db"):
                at = max(at, slash + 12)  # its other half
    while at < len(raw) and raw[at] & 0xC0 == 0x80:
        at += 1
    return at


def _skeleton(raw: bytes, cuts: list[_Cut], token: str) -> Iterator[bytes]:
    """The text with the token and a number of eight digits in place of each stretch."""
    end = 0
    for number, cut in enumerate(cuts):
        yield raw[end : cut.start]
        yield f"{token}{number:08d}".encode()
        end = cut.end
    yield raw[end:]


def _restored(value: Any, token: str, middles: list[str]) -> int:
    """Puts the texts back where their tokens stand; how many that were."""
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
    """The value with `token` in place of each long string, which is put into `long`; what holds none is not copied."""
    kind = type(value)
    if kind is str:
        if len(value) <= PIECE:
            return value
        long.append(value)
        return token
    if kind is dict:
        made = {name: _shortened(child, token, long) for name, child in value.items()}
        return made if any(made[name] is not child for name, child in value.items()) else value
    if kind is list or kind is tuple:
        items = [_shortened(child, token, long) for child in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value
