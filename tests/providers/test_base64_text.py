"""Base64 read piece by piece is what it is in one piece."""

from __future__ import annotations

import base64
import binascii
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers import base64_text
from gateway.providers.base64_text import STEP, decoded, normalized


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 3 * STEP // 4 - 1, 3 * STEP // 4, 3 * STEP // 4 + 1, 2 * STEP])
def test_base64_returns_the_bytes_of_any_size(size: int) -> None:
    """Whatever the size, the bytes come back, with line ends and the URL-safe alphabet too."""
    raw = bytes(range(256)) * (size // 256) + bytes(range(size % 256))
    text = base64.b64encode(raw).decode()
    assert decoded(text) == raw
    assert normalized(base64.encodebytes(raw).decode()) == text
    assert normalized(base64.urlsafe_b64encode(raw).decode().rstrip("=")) == text


@given(st.binary(max_size=200), st.integers(0, 5), st.text(st.sampled_from("=A \n-é"), max_size=3))
def test_base64_accepts_what_a_strict_decoder_accepts(raw: bytes, at: int, put: str) -> None:
    """What is accepted is what one strict call accepts, with the padding that belongs to it."""
    text = base64.b64encode(raw).decode()
    text = text[:at] + put + text[at:]
    canonical = re.fullmatch("[A-Za-z0-9+/]*={0,2}", text) and len(text) % 4 == 0
    try:
        expected = binascii.a2b_base64(text if canonical else "=", strict_mode=True)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            decoded(text)
    else:
        assert decoded(text) == expected


@pytest.mark.parametrize(
    "text",
    ["QQ==QQ==", "A", "=AAA", "QUJD=QUJD", "é" * 4, "Q=Q=", "A" * STEP + "====", "A" * (STEP - 2) + "==" + "AAAA"],
)
def test_bad_padding_characters_and_lengths_are_refused(text: str) -> None:
    """Padding in the middle, other characters and impossible lengths are no base64."""
    with pytest.raises(ValueError, match=r"."):
        decoded(text)
    if text != "A" * STEP + "====":  # white space and padding at the end are forgiven there
        with pytest.raises(ValueError, match=r"."):
            normalized(text)


def test_base64_is_decoded_in_pieces_of_a_megabyte() -> None:
    """No more than a megabyte of it is handed to one call."""
    longest = max(len(piece) for piece, _ in base64_text._pieces("A" * (3 * STEP + 4), lenient=True))
    assert longest == STEP
