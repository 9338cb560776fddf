"""Builds and parses OpenAI's embeddings: https://platform.openai.com/docs/api-reference/embeddings"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from gateway.completion import Json, Usage
from gateway.embeddings import EmbeddingRequest, Embeddings, Vector, is_vector
from gateway.errors import UpstreamInvalidResponse
from gateway.providers.openai_compatible.answer import objects

EMBEDDING_FIELDS = frozenset({"dimensions", "encoding_format", "user"})


def build_embeddings(request: EmbeddingRequest, model: str, *, allowed: Set[str]) -> dict[str, Any]:
    """The JSON to send, with only the members that the upstream documents."""
    options = {name: value for name, value in request.body.items() if name in allowed}
    return {"model": model, "input": list(request.inputs), **options}


def parse_embeddings(body: Json, *, inputs: int, usage: Usage | None, provider: str) -> Embeddings:
    """The vectors by their `index`. Raises UpstreamInvalidResponse where there is not one for each input."""
    vectors: dict[int | None, Vector] = {}
    for position, entry in enumerate(objects(body.get("data"))):
        vector = entry.get("embedding")
        if is_vector(vector) or (isinstance(vector, str) and vector):
            vectors[_index(entry, position)] = vector
    if vectors.keys() != set(range(inputs)):
        raise UpstreamInvalidResponse(
            f"{provider} did not answer with one vector for each of the {inputs} inputs.", provider=provider
        )
    upstream_id = body["id"] if isinstance(body.get("id"), str) else None
    return Embeddings([vectors[index] for index in range(inputs)], usage, upstream_id)


def _index(entry: Json, position: int) -> int | None:
    """Some servers leave `index` out."""
    index = entry.get("index", position)
    return index if type(index) is int else None
