"""The two encodings of a vector, and which JSON is one."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.embeddings import EmbeddingRequest, base64_of, encoded, float32_of, is_vector


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_base64_is_little_endian_float32(vector: list[float]) -> None:
    """Numbers become little-endian float32 in base64, and come back as they were."""
    text = base64_of(vector)
    assert base64.b64decode(text) == struct.pack(f"<{len(vector)}f", *vector)
    assert float32_of(text) == vector


def test_a_vector_is_given_in_the_format_that_was_asked_for() -> None:
    """Whatever the provider gave, the client gets what it asked for."""
    text = base64_of([0.5, 1.0])
    assert encoded(text, "base64") == encoded([0.5, 1.0], "base64") == text
    assert encoded(text, "float") == encoded([0.5, 1.0], "float") == [0.5, 1.0]


@pytest.mark.parametrize("text", ["!", "AAA", "AAAAAAA=", base64.b64encode(struct.pack("<f", float("nan"))).decode()])
def test_base64_that_is_no_vector_is_an_error(text: str) -> None:
    """A text that is not base64, has no whole number of values, or has a value that is no number is a ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        float32_of(text)


@pytest.mark.parametrize("value", [[], None, "x", ["1"], [[1.0]], {"a": 1}, [None]])
def test_other_json_is_no_vector(value: object) -> None:
    """A vector is a list of numbers with at least one."""
    assert is_vector([1, 0.5])
    assert not is_vector(value)


def test_the_ledger_sees_a_prompt_without_output() -> None:
    """Planner and ledger get the model and the tokens of the prompt, and an output limit of zero."""
    request = EmbeddingRequest({}, "m", ["a", "b"], size=9, prompt_tokens=2)
    chat = request.as_chat()
    assert (chat.model, chat.prompt_tokens, chat.output_limit, chat.size, chat.stream) == ("m", 2, 0, 9, False)
    assert request.part(1, 2).inputs == ["b"]
