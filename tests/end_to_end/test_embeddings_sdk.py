"""Embeddings with the official SDK, against the strict simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Literal

import openai
import pytest
from openai import AsyncOpenAI, OpenAI, omit

from tests.documents import blocks
from tests.end_to_end.conftest import Served

MODELS = [
    "gemini/gemini-embedding-001",
    "gemini/gemini-embedding-2",
    "openrouter/openai/text-embedding-3-small",
]
TEXTS = ["a red car", "the red car", "stock prices fell sharply"]


@pytest.fixture
def client(served: Served) -> Iterator[OpenAI]:
    with served.openai as client:
        yield client


def cosine(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("encoding_format", ["base64", "float"])
def test_the_sdk_gets_vectors(
    served: Served, client: OpenAI, model: str, encoding_format: Literal["base64", "float"]
) -> None:
    """The SDK, which asks for base64 by itself, gets vectors in order that mean what the texts mean, and a row with the cost."""
    asked = omit if encoding_format == "base64" else encoding_format
    raw = client.embeddings.with_raw_response.create(model=model, input=TEXTS, encoding_format=asked)
    answer = raw.parse()
    red, also_red, other = (item.embedding for item in answer.data)
    row = served.row(raw.headers["x-request-id"])
    assert cosine(red, also_red) > cosine(red, other)
    assert answer.model == model
    assert answer.usage.prompt_tokens == row["prompt_tokens"] > 0
    assert (row["endpoint"], row["status"]) == ("embeddings", "ok")
    assert float(raw.headers["x-gateway-cost"]) == pytest.approx(row["actual_cost"], abs=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_shortened_vectors_have_length_1(client: OpenAI, model: str) -> None:
    """A vector of a size that was asked for has that size and length 1, so that clients can compare by dot product."""
    (item,) = client.embeddings.create(model=model, input="some words", dimensions=256).data
    assert len(item.embedding) == 256
    assert cosine(item.embedding, item.embedding) == pytest.approx(1, abs=1e-5)


def test_the_asynchronous_sdk_sends_many_texts(served: Served) -> None:
    """More texts than Gemini takes in a call come back in order."""

    async def ask() -> list[list[float]]:
        async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0) as client:
            texts = [f"text {i}" for i in range(130)]
            answer = await client.embeddings.create(model=MODELS[1], input=texts, dimensions=16)
            last = await client.embeddings.create(model=MODELS[1], input=texts[-1], dimensions=16)
            assert answer.data[-1].embedding == last.data[0].embedding
            return [item.embedding for item in answer.data]

    assert len(asyncio.run(ask())) == 130


def test_auto_is_an_error_that_says_what_to_do(client: OpenAI) -> None:
    """`auto` is the SDK's BadRequestError, which names a model that can be used."""
    with pytest.raises(openai.BadRequestError, match="gemini/gemini-embedding-001"):
        client.embeddings.create(model="auto", input="x")


def test_a_chat_model_is_the_providers_error(client: OpenAI) -> None:
    """A model that embeds nothing is the provider's 404."""
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="gemini/gemini-3.8-flash", input="x")


def test_the_documents_example_runs(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The example in docs/embeddings.md prints the number of vectors, their size and the tokens."""
    (example,) = [block.text for block in blocks("python") if block.document == "embeddings.md"]
    exec(example.replace("http://127.0.0.1:8000", served.url), {})  # noqa: S102  # our own document
    assert capsys.readouterr().out == "2 256 8\n"
