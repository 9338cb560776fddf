"""Decodes the base64 of files in steps: one call for many megabytes would hold the interpreter lock too long."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

STEP = 1 << 20  # characters per call; a multiple of four
URL_SAFE = str.maketrans("-_", "+/")
_ENDS = "= \t\r\n\v\f"


def normalized(data: str) -> str:
    """Standard base64, from base64 with line breaks, URL-safe or without padding. Raises ValueError for anything else."""
    return "".join(piece for piece, _ in _pieces(data, lenient=True))


def decoded(data: str) -> bytes:
    """The bytes of standard base64. Raises ValueError for anything else, also line breaks and missing padding."""
    padding = len(data) - len(data.rstrip("="))
    if len(data) % 4 or padding > 2:
        raise ValueError("the padding of the base64 is wrong")
    return b"".join(raw for _, raw in _pieces(data, lenient=False))


def _pieces(data: str, *, lenient: bool) -> Iterator[tuple[str, bytes]]:
    """Pieces of standard base64 and their bytes. `lenient` allows white space and the URL-safe alphabet."""
    end = len(data.rstrip(_ENDS if lenient else "="))
    remainder = ""
    for start in range(0, end, STEP):
        plain = data[start : min(end, start + STEP)]
        if lenient:
            plain = remainder + "".join(plain.split()).translate(URL_SAFE)
        usable_length = len(plain) if start + STEP >= end else len(plain) - len(plain) % 4
        piece, remainder = plain[:usable_length], plain[usable_length:]
        if "=" in piece.rstrip("="):
            raise ValueError("padding in the middle of base64")
        piece = piece.rstrip("=")
        if start + STEP < end and len(piece) != usable_length:
            raise ValueError("padding in the middle of base64")
        piece += "=" * (-len(piece) % 4)
        if piece:
            yield piece, binascii.a2b_base64(piece, strict_mode=True)
