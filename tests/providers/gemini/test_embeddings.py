"""What is special in Gemini's embeddings: task types, and vectors that are cut. The rest is in `test_embeddings` of all providers."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from gateway.dialects.embeddings import parse_embedding_request
from gateway.embeddings import EmbeddingRequest
from gateway.errors import InvalidRequest
from tests.providers.contract import made


def request(**members: Any) -> EmbeddingRequest:
    return parse_embedding_request(orjson.dumps({"model": "m", "input": ["one", "two"], **members}))


def test_an_unknown_input_type_is_refused_by_gemini() -> None:
    """Gemini's task types are known by several names; another one is named in the error."""
    gemini = made("gemini")
    sent = gemini.build_embedding_request(request(input_type="RETRIEVAL_DOCUMENT"), "m")
    assert sent.json["requests"][0]["taskType"] == "RETRIEVAL_DOCUMENT"
    with pytest.raises(InvalidRequest, match="'poetry'"):
        gemini.build_embedding_request(request(input_type="poetry"), "m")


def test_shortened_vectors_of_gemini_are_normalized() -> None:
    """gemini-embedding-001 only cuts a vector to the size that was asked for; clients expect length 1."""
    gemini = made("gemini")
    body = {"embeddings": [{"values": [3.0, 4.0]}, {"values": [0.0, 0.0]}]}
    first, zero = gemini.parse_embeddings(body, gemini.build_embedding_request(request(dimensions=2), "m")).vectors
    assert math.isclose(math.hypot(*map(float, first)), 1)
    assert zero == [0.0, 0.0]
    whole = gemini.parse_embeddings(body, gemini.build_embedding_request(request(), "m"))
    assert whole.vectors[0] == [3.0, 4.0]
