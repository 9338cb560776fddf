"""What others see: a compliance checker against our endpoint, and somebody else's mock as our upstream."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from llmock.pytest_plugin import LLMock
from openai import APIError, OpenAI
from openai.types.chat import ChatCompletionMessageParam
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.settings import load
from tests.end_to_end.conftest import KEYS, Served

PROMPT: ChatCompletionMessageParam = {"role": "user", "content": "Say something."}
MODELS = ["gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/openai/gpt-6-luna"]


@pytest.mark.parametrize("model", ["auto", *MODELS])
def test_llm_comply_accepts_every_kind_of_model_name(served: Served, model: str) -> None:
    """`llm-comply` finds OpenAI's chat completions behind every kind of model name."""
    checker = Path(sys.executable).with_name("llm-comply")
    arguments = ["-u", f"{served.url}/v1", "-k", "any", "-m", model, "--format", "openai-chat"]
    checked = subprocess.run(  # noqa: S603  # a tool of the dev lock
        [checker, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stdout
    assert "All 8 tests passed" in checked.stdout


@pytest.fixture
def client(llmock: LLMock, tmp_path: Path) -> Iterator[OpenAI]:
    """The SDK on a gateway whose upstreams are llmock's."""
    urls = {
        "GEMINI_BASE_URL": f"{llmock.url}/gemini",
        "ANTHROPIC_BASE_URL": f"{llmock.url}/anthropic",
        "OPENROUTER_BASE_URL": f"{llmock.url}/v1",
    }
    settings = load({**KEYS, **urls, "GATEWAY_DB": str(tmp_path / "gateway.db")})
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as http:
        yield OpenAI(base_url="http://127.0.0.1/v1", api_key="any", max_retries=0, http_client=http)


@pytest.mark.parametrize("model", MODELS)
def test_answers_of_llmock_are_understood_in_all_dialects(client: OpenAI, model: str) -> None:
    """Another author's reading of the three dialects is understood, streamed or not."""
    whole = client.chat.completions.create(model=model, messages=[PROMPT])
    chunks = client.chat.completions.create(model=model, messages=[PROMPT], stream=True)
    assert whole.choices[0].message.content
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@pytest.mark.parametrize("model", MODELS)
def test_stream_cut_by_llmock_raises_in_the_sdk(client: OpenAI, llmock: LLMock, model: str) -> None:
    """A stream that llmock cuts off raises in the SDK."""
    llmock.truncate(after_chunks=1, times=None)
    with pytest.raises(APIError):
        list(client.chat.completions.create(model=model, messages=[PROMPT], stream=True))
