"""Makes vectors of texts: the same text gives the same vector, and texts with common words have similar ones."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from hashlib import blake2b

from llm_simulator.conversation import PromptTokens, Task
from llm_simulator.tokens import count
from llm_simulator.vendor import ParsedRequest

WORD = re.compile(r"\w+")
PLACES = 8
"""Coordinates that one word changes."""


def embed(text: str, *, size: int, model: str) -> list[float]:
    """A vector of length 1 with `size` coordinates."""
    vector = [0.0] * size
    for word in WORD.findall(text.lower()) or [text]:
        digest = blake2b(f"{model}\x1f{word}".encode("utf-8", "surrogatepass"), digest_size=4 * PLACES).digest()
        for place in range(PLACES):
            number = int.from_bytes(digest[4 * place : 4 * place + 4], "big")
            vector[(number >> 1) % size] += 1 if number & 1 else -1
    return normalized(vector)


def normalized(vector: Sequence[float]) -> list[float]:
    """The vector with length 1. One with only zeros gets a first coordinate of 1."""
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        return [1.0, *[0.0] * (len(vector) - 1)]
    return [value / length for value in vector]


def embedding_call(texts: Sequence[str], model: str, *, tokens: int | None = None, **options: object) -> ParsedRequest:
    """A valid request for embeddings; the faults in its prompt are those of any text."""
    read = "\n".join(texts)
    tokens = sum(map(count, texts)) if tokens is None else tokens
    return ParsedRequest(
        Task(model, prompt=read, transcript=read, max_tokens=1),
        model,
        stream=False,
        tokens=PromptTokens(tokens, tokens),
        options={"texts": tuple(texts), **options},
    )
