"""The values of an embeddings call: the request, the vectors, and the two encodings of a vector."""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from math import isfinite
from typing import Literal, NamedTuple, TypeGuard

from gateway.completion import NO_HINTS, ChatRequest, Json, RoutingHints, Usage

EncodingFormat = Literal["float", "base64"]
Vector = Sequence[float] | str  # numbers, or base64 of little-endian float32
Input = str | Sequence[int]  # a text, or its token ids


class EmbeddingRequest(NamedTuple):
    """A validated request for embeddings.

    `body` is the client's object without nulls at its top level and without the gateway's own members. `size` is the size of
    the received body in bytes, `prompt_tokens` the estimated tokens of all inputs.
    """

    body: Json
    model: str
    inputs: Sequence[Input]
    encoding_format: EncodingFormat = "float"
    dimensions: int | None = None
    hints: RoutingHints = NO_HINTS
    size: int = 0
    prompt_tokens: int = 0

    def part(self, start: int, stop: int) -> EmbeddingRequest:
        """The request for some of the inputs."""
        return self._replace(inputs=self.inputs[start:stop])

    def as_chat(self) -> ChatRequest:
        """What the planner and the ledger need to know: the model, the size of the prompt, and that there is no output."""
        return ChatRequest(
            body={"max_completion_tokens": 0},
            model=self.model,
            messages=(),
            hints=self.hints,
            size=self.size,
            prompt_tokens=self.prompt_tokens,
        )


class Embeddings(NamedTuple):
    """The vectors of one call, in the order of its inputs. `usage` is None without usable counts."""

    vectors: Sequence[Vector]
    usage: Usage | None
    upstream_id: str | None = None


def is_vector(value: object) -> TypeGuard[list[float]]:
    """Whether a JSON value is a list of numbers that is not empty."""
    if type(value) is not list or not value:
        return False
    try:
        array("d", value)  # in C, because there may be a million numbers
    except TypeError:
        return False
    return True


def encoded(vector: Vector, encoding_format: EncodingFormat) -> Vector:
    """The vector in the format that the client asked for. Raises ValueError for base64 that is no list of float32."""
    if encoding_format == "float":
        return float32_of(vector) if isinstance(vector, str) else vector
    return vector if isinstance(vector, str) else base64_of(vector)


def base64_of(vector: Sequence[float]) -> str:
    """https://platform.openai.com/docs/api-reference/embeddings/create#embeddings-create-encoding_format"""
    return b64encode(_little_endian(array("f", vector)).tobytes()).decode()


def float32_of(text: str) -> list[float]:
    """The numbers of base64. Raises ValueError."""
    vector = _little_endian(array("f", b64decode(text, validate=True))).tolist()
    if not all(map(isfinite, vector)):
        raise ValueError("a coordinate is not a finite number")
    return vector


def _little_endian(values: array[float]) -> array[float]:
    if sys.byteorder == "big":  # pragma: no cover  # the tests run on little-endian machines
        values.byteswap()
    return values
