"""OpenRouter's simulated embeddings, asked by the official OpenAI SDK and by hand."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from starlette.testclient import TestClient

MODEL = "openai/text-embedding-3-small"


def ask(client: TestClient, **fields: Any) -> Any:
    body = {"model": MODEL, "input": "Hello", **fields}
    return client.post("/api/v1/embeddings", json=body, headers={"authorization": "Bearer k"})


def test_the_sdk_reads_both_formats(openai_sdk: openai.OpenAI) -> None:
    """The SDK gets the same numbers as base64, which it asks for by itself, and as floats."""
    texts = ["one", "two"]
    packed = openai_sdk.embeddings.create(model=MODEL, input=texts)
    plain = openai_sdk.embeddings.create(model=MODEL, input=texts, encoding_format="float")
    assert packed.usage.prompt_tokens == plain.usage.prompt_tokens == 2
    for first, second in zip(packed.data, plain.data, strict=True):
        assert first.embedding == pytest.approx(second.embedding, abs=1e-6)
        assert len(first.embedding) == 1536


def test_usage_has_the_cost(client: TestClient) -> None:
    """The usage has the price; token ids are counted as they are."""
    usage = ask(client, input=[[1, 2, 3], [4]], dimensions=8).json()["usage"]
    assert usage == {"prompt_tokens": 4, "total_tokens": 4, "cost": pytest.approx(8e-8)}


def test_one_list_of_tokens_is_one_input(client: TestClient) -> None:
    """A list of numbers is one text."""
    assert len(ask(client, input=[1, 2, 3]).json()["data"]) == 1


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"input": []}, 400, "input: List should have at least 1 item"),
        ({"input": [""]}, 400, "input.0: String should have at least 1 character"),
        ({"routing": {}}, 400, 'Unrecognized key: "routing"'),
        ({"encoding_format": "hex"}, 400, "encoding_format"),
        ({"model": "nope"}, 400, "nope is not a valid model ID"),
        ({"model": "openai/gpt-5.4-mini"}, 404, "No endpoints found for openai/gpt-5.4-mini."),
    ],
)
def test_what_is_refused(client: TestClient, fields: dict[str, Any], status: int, message: str) -> None:
    """What OpenRouter refuses gets its error."""
    response = ask(client, **fields)
    assert response.status_code == status
    assert message in response.json()["error"]["message"]


def test_a_body_that_is_no_object_is_a_400(client: TestClient) -> None:
    """A body that is not a JSON object is a 400."""
    assert client.post("/api/v1/embeddings", json=[], headers={"authorization": "Bearer k"}).status_code == 400
