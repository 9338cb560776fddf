"""What is special in embeddings of OpenAI-speaking servers. The rest is in `test_embeddings` of all providers."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.dialects.embeddings import parse_embedding_request
from gateway.embeddings import EmbeddingRequest
from tests.providers.contract import made


def request(**members: Any) -> EmbeddingRequest:
    return parse_embedding_request(orjson.dumps({"model": "m", "input": ["one", "two"], **members}))


def test_entries_without_index_are_in_order() -> None:
    """Some servers leave the index out."""
    provider = made("openai")
    body = {"data": [{"embedding": [1.0]}, {"embedding": "AACAPw=="}]}
    assert provider.parse_embeddings(body, provider.build_embedding_request(request(), "m")).vectors == [
        [1.0],
        "AACAPw==",
    ]
