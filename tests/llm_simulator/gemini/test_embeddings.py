"""The simulated batchEmbedContents, asked by the official SDK and by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google import genai
from google.genai import types
from starlette.testclient import TestClient


def entry(text: str = "Hello", *, model: str = "gemini-embedding-001", **fields: Any) -> dict[str, Any]:
    return {"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **fields}


def ask(client: TestClient, *entries: Any, model: str = "gemini-embedding-001") -> Any:
    url = f"/v1beta/models/{model}:batchEmbedContents"
    return client.post(url, json={"requests": list(entries)}, headers={"x-goog-api-key": "k"})


def test_the_sdk_gets_a_vector_for_each_text(genai_sdk: genai.Client) -> None:
    """Each text has a vector, in order, and gemini-embedding-001 reports no tokens."""
    found = genai_sdk.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    assert found.embeddings is not None
    first, second = (vector.values or [] for vector in found.embeddings)
    assert len(first) == len(second) == 3072
    assert first != second


@pytest.mark.parametrize(("model", "length"), [("gemini-embedding-001", False), ("gemini-embedding-2", True)])
def test_only_the_new_model_normalizes_and_counts(client: TestClient, model: str, length: bool) -> None:
    """Only gemini-embedding-2 gives shortened vectors of length 1, and `usageMetadata`."""
    body = ask(client, entry("some words here", model=model, outputDimensionality=128), model=model).json()
    values = body["embeddings"][0]["values"]
    assert len(values) == 128
    assert math.isclose(sum(value * value for value in values), 1) is length
    assert ("usageMetadata" in body) is length


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(model="gemini-embedding-2")], "requests[0].model must be models/gemini-embedding-001"),
        ([entry("")], "content contains an empty Part"),
        ([entry(outputDimensionality=4000)], "output_dimensionality must be between 1 and 3072"),
        ([entry(outputDimensionality=0)], "greater than or equal to 1"),
        ([entry()] * 101, "at most 100 requests can be in one batch"),
        ([], "requests is not set"),
        ([entry("word " * 9000, autoTruncate=False)], "exceeds the maximum number of tokens"),
        ([entry(encoding_format="float")], "Unknown name"),
        ([entry(taskType="NOPE")], "NOPE"),
    ],
)
def test_what_is_refused(client: TestClient, entries: list[Any], message: str) -> None:
    """What Google refuses is a 400 that says what is wrong."""
    response = ask(client, *entries)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


def test_a_model_that_embeds_nothing_is_not_found(client: TestClient) -> None:
    """A chat model is a 404 that names the method."""
    response = ask(client, entry(), model="gemini-3.8-flash")
    assert response.status_code == 404
    assert "not supported for embedContent" in response.json()["error"]["message"]


def test_a_body_that_is_no_object_is_a_400(client: TestClient) -> None:
    """A body that is not a JSON object is a 400."""
    url = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert client.post(url, json=[], headers={"x-goog-api-key": "k"}).status_code == 400


def test_the_sdk_reads_the_tokens(genai_sdk: genai.Client) -> None:
    """The SDK accepts the response of the model that counts."""
    config = types.EmbedContentConfig(output_dimensionality=64)
    found = genai_sdk.models.embed_content(model="gemini-embedding-2", contents="one", config=config)
    assert found.embeddings is not None
    assert len(found.embeddings[0].values or []) == 64
