"""Builds and parses batchEmbedContents: https://ai.google.dev/api/embeddings#method:-models.batchembedcontents"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from gateway.completion import Json
from gateway.embeddings import EmbeddingRequest, Embeddings, is_vector
from gateway.errors import InvalidRequest, UpstreamInvalidResponse
from gateway.field_checks import invalid, shown
from gateway.providers.gemini.usage import parse_usage

MAX_BATCH = 100
# Names of `input_type` that clients of OpenRouter and Cohere send, and Google's own.
TASK_TYPES = {
    "search_query": "RETRIEVAL_QUERY",
    "query": "RETRIEVAL_QUERY",
    "search_document": "RETRIEVAL_DOCUMENT",
    "document": "RETRIEVAL_DOCUMENT",
    "passage": "RETRIEVAL_DOCUMENT",
    "semantic_similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "retrieval_query": "RETRIEVAL_QUERY",
    "retrieval_document": "RETRIEVAL_DOCUMENT",
    "question_answering": "QUESTION_ANSWERING",
    "fact_verification": "FACT_VERIFICATION",
    "code_retrieval_query": "CODE_RETRIEVAL_QUERY",
}


def embeddings_url(base_url: str, model: str) -> str:
    return f"{base_url.rstrip('/')}/v1beta/models/{quote(model, safe='')}:batchEmbedContents"


def build_embeddings(request: EmbeddingRequest, model: str) -> dict[str, Any]:
    """The JSON to send. Raises InvalidRequest for token ids, and for an `input_type` that Gemini does not have."""
    options: dict[str, Any] = {}
    if request.dimensions is not None:
        options["outputDimensionality"] = request.dimensions
    if "input_type" in request.body:
        options["taskType"] = _task_type(request.body["input_type"])
    return {
        "requests": [
            {"model": f"models/{model}", "content": {"parts": [{"text": _text(text)}]}, **options}
            for text in request.inputs
        ]
    }


def parse_embeddings(body: Json, *, inputs: int, shortened: bool, provider: str) -> Embeddings:
    """Vectors of a requested size are given length 1: gemini-embedding-001 only cuts them.

    Raises UpstreamInvalidResponse where they are not one list of numbers for each input.
    https://ai.google.dev/gemini-api/docs/embeddings#quality-for-smaller-dimensions
    """
    found = body.get("embeddings")
    entries = found if isinstance(found, list) else []
    values = [entry.get("values") if isinstance(entry, dict) else None for entry in entries]
    vectors = [value for value in values if is_vector(value)]
    if not len(values) == len(vectors) == inputs:
        raise UpstreamInvalidResponse(
            f"{provider} did not answer with one vector for each of the {inputs} inputs.", provider=provider
        )
    return Embeddings([_normalized(vector) for vector in vectors] if shortened else vectors, parse_usage(body))


def _normalized(vector: Sequence[float]) -> Sequence[float]:
    length = math.hypot(*vector)
    return [value / length for value in vector] if length else vector


def _text(text: object) -> str:
    if not isinstance(text, str):
        raise InvalidRequest("Gemini takes texts, not token ids; send 'input' as strings.", param="input")
    return text


def _task_type(name: str) -> str:
    task = TASK_TYPES.get(name.lower())
    if task is None:
        known = ", ".join(f"'{each}'" for each in TASK_TYPES)
        invalid("input_type", f"Invalid value for 'input_type': {shown(name)}. Gemini's are: {known}.")
    return task
