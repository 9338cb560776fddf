"""Fixtures for the simulator: an in-process client for each vendor, and a server with the official SDKs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import jsonschema  # type: ignore[import-untyped]  # it ships no types
import openai
import pytest
from google import genai
from google.genai import types
from httpx2 import Response
from starlette.testclient import TestClient

from llm_simulator.app import create_app
from llm_simulator.server import Simulator
from llm_simulator.simulation import Simulation

Ask = Callable[..., Response]


@pytest.fixture(scope="session")
def satisfies() -> Callable[[Any, Any], bool]:
    """Whether a value is legal for a JSON schema, by the reference implementation."""

    def check(value: Any, schema: Any) -> bool:
        return not list(jsonschema.Draft202012Validator(schema).iter_errors(value))

    return check


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(clock=lambda: 1_795_000_000.0)


@pytest.fixture
def client(simulation: Simulation) -> Iterator[TestClient]:
    with TestClient(create_app(simulation), follow_redirects=False) as client:
        yield client


@pytest.fixture
def claude(client: TestClient) -> Ask:
    """Post to Claude: a user text or messages, and any other field of the body."""
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}

    def ask(
        prompt: Any = "Hello", *, model: str = "claude-sonnet-4-6", sent: dict[str, str] | None = None, **fields: Any
    ) -> Response:
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        body = {"model": model, "max_tokens": 4096, "messages": messages, **fields}
        return client.post("/v1/messages", json=body, headers=headers if sent is None else sent)

    return ask


@pytest.fixture
def gemini(client: TestClient) -> Ask:
    """Post to Gemini: a user text or contents, generationConfig as `config`, and any other field of the body."""

    def ask(
        prompt: Any = "Hello",
        *,
        model: str = "gemini-3.8-flash",
        stream: bool = False,
        url: str | None = None,
        **fields: Any,
    ) -> Response:
        contents = [{"role": "user", "parts": [{"text": prompt}]}] if isinstance(prompt, str) else prompt
        body = {"contents": contents, **fields}
        if "config" in body:
            body["generationConfig"] = body.pop("config")
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        path = url or f"/v1beta/models/{model}:{method}"
        return client.post(path, json=body, headers={"x-goog-api-key": "k"})

    return ask


@pytest.fixture
def openrouter(client: TestClient) -> Ask:
    """Post to OpenRouter: a user text or messages, and any other field of the body."""

    def ask(prompt: Any = "Hello", *, model: str | None = "openai/gpt-5.4-mini", **fields: Any) -> Response:
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        body = {"messages": messages, **({"model": model} if model else {}), **fields}
        return client.post("/api/v1/chat/completions", json=body, headers={"authorization": "Bearer k"})

    return ask


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    server = Simulator()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def anthropic_sdk(simulator: Simulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=simulator.url, max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def openai_sdk(simulator: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=simulator.base_urls["OPENROUTER_BASE_URL"], max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def genai_sdk(simulator: Simulator) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=simulator.url, retry_options=types.HttpRetryOptions(attempts=1))
    client = genai.Client(api_key="k", http_options=options)
    yield client
    client.close()
