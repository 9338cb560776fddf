"""Base64 of files, read piece by piece: one call for many megabytes would keep every other thread from running."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

STEP = 1 << 20  # characters that are read in one call; a multiple of four
URL_SAFE = str.maketrans("-_", "+/")
_ENDS = "= \t\r\n\v\f"


def normalized(data: str) -> str:
    """Standard base64 from what clients send as such: with line ends, URL-safe or without padding. Raises ValueError."""
    return "".join(piece for piece, _ in _pieces(data, between=True))


def decoded(data: str) -> bytes:
    """The bytes of standard base64. Raises ValueError for anything else, also for line ends and missing padding."""
    padding = len(data) - len(data.rstrip("="))
    if len(data) % 4 or padding > 2:
        raise ValueError("the padding of the base64 is wrong")
    return b"".join(raw for _, raw in _pieces(data, between=False))


def _pieces(data: str, *, between: bool) -> Iterator[tuple[str, bytes]]:
    """Standard base64 and its bytes; `between` allows white space and the URL-safe alphabet."""
    end = len(data.rstrip(_ENDS if between else "="))
    rest = ""
    for start in range(0, end, STEP):
        plain = data[start : min(end, start + STEP)]
        if between:
            plain = rest + "".join(plain.split()).translate(URL_SAFE)
        whole = len(plain) if start + STEP >= end else len(plain) - len(plain) % 4
        piece, rest = plain[:whole], plain[whole:]
        if "=" in piece.rstrip("="):
            raise ValueError("padding in the middle of base64")
        piece = piece.rstrip("=")
        if start + STEP < end and len(piece) != whole:
            raise ValueError("padding in the middle of base64")
        piece += "=" * (-len(piece) % 4)
        if piece:
            yield piece, binascii.a2b_base64(piece, strict_mode=True)
