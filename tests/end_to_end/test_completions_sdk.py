"""Text completions with the official SDK, against the strict simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.documents import blocks
from tests.end_to_end.conftest import Served

MODELS = ["auto", "gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/qwen/qwen3.8-flash"]


@pytest.fixture
def client(served: Served) -> Iterator[OpenAI]:
    with served.openai as client:
        yield client


@pytest.mark.parametrize("model", MODELS)
def test_create_has_text_usage_and_a_row(served: Served, client: OpenAI, model: str) -> None:
    """An answer has text, usage and a row of its own."""
    raw = client.completions.with_raw_response.create(model=model, prompt="What is a list in Python?", max_tokens=900)
    answer = raw.parse()
    row = served.row(raw.headers["x-request-id"])
    assert answer.choices[0].text
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == row["prompt_tokens"]
    assert answer.model == f"{row['selected_provider']}/{row['selected_model']}"
    assert (row["endpoint"], row["status"]) == ("completions", "ok")


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_makes_the_text_and_ends_with_usage(client: OpenAI, model: str) -> None:
    """A stream's pieces make a text with one finish reason, and usage when asked for."""
    with client.completions.create(
        model=model,
        prompt="Tell me about lists.",
        max_tokens=900,
        echo=True,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].text for chunk in chunks[:-1])
    assert text.startswith("Tell me about lists.")
    assert len(text) > len("Tell me about lists.")
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1] if chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].usage is not None


def test_the_asynchronous_sdk(served: Served) -> None:
    """The asynchronous client gets the same, and several answers where the model gives them."""

    async def ask() -> list[str]:
        async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0) as client:
            answer = await client.completions.create(
                model="openrouter/qwen/qwen3.8-flash", prompt="Hello", max_tokens=200, n=2, best_of=2, logprobs=0
            )
            assert answer.choices[0].logprobs is not None
            assert "".join(answer.choices[0].logprobs.tokens or []) == answer.choices[0].text
            return [choice.text for choice in answer.choices]

    assert all(asyncio.run(ask()))


def test_several_prompts_are_an_error_that_says_what_to_do(client: OpenAI) -> None:
    """Several prompts are the SDK's BadRequestError."""
    with pytest.raises(openai.BadRequestError, match="Send a request for each"):
        client.completions.create(model="auto", prompt=["a", "b"])


def test_the_documents_example_runs(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The example in docs/completions.md prints a text."""
    (example,) = [block.text for block in blocks("python") if block.document == "completions.md"]
    exec(example.replace("http://127.0.0.1:8000", served.url), {})  # noqa: S102  # our own document
    assert capsys.readouterr().out.strip()
