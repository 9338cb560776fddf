"""A client of Gemini's own API is told, in Google's format, what the gateway serves instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from gateway.api.gemini_paths import is_gemini_path
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway

KEY = "AIza-secret-of-a-client"
CALLS: list[Callable[[genai.Client], Any]] = [
    lambda client: client.models.generate_content(model="gemini-3.8-flash", contents="Hello"),
    lambda client: list(client.models.generate_content_stream(model="gemini-3.8-flash", contents="Hello")),
    lambda client: client.models.count_tokens(model="gemini-3.8-flash", contents="Hello"),
    lambda client: client.models.embed_content(model="gemini-3.8-flash", contents="Hello"),
]


@pytest.fixture
def gateway(make_gateway: MakeGateway) -> GatewayUnderTest:
    return make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "client-key-of-some-length"})


@pytest.mark.parametrize("version", ["v1beta", "v1"])
@pytest.mark.parametrize("call", CALLS, ids=["generate", "stream", "count", "embed"])
def test_googles_sdk_shows_what_to_use(
    gateway: GatewayUnderTest, call: Callable[[genai.Client], Any], version: str
) -> None:
    """The official SDK raises its own 404, whose message names the route and the model to use."""
    options = types.HttpOptions(base_url=str(gateway.client.base_url), api_version=version)
    client = genai.Client(api_key=KEY, http_options=options)
    with pytest.raises(errors.ClientError) as caught:
        call(client)
    client.close()
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert "POST /v1/chat/completions with model gemini/gemini-3.8-flash" in str(caught.value.message)


def test_a_key_in_the_query_is_told_to_nobody(gateway: GatewayUnderTest, caplog: pytest.LogCaptureFixture) -> None:
    """Clients of Gemini may put their key into the query: it is in no answer and no log line."""
    url = f"/v1beta/models/gemini-3.8-flash:generateContent?key={KEY}"
    response = gateway.client.post(url, json={"contents": []})
    assert response.status_code == 404
    assert KEY not in response.text + str(response.headers) + caplog.text
    assert gateway.rows == []


@pytest.mark.parametrize("name", ["<script>", "a%20b", ""])
def test_a_name_that_is_no_model_is_not_repeated(gateway: GatewayUnderTest, name: str) -> None:
    """A path without a model's name gets a placeholder."""
    response = gateway.client.post(f"/v1beta/models/{name}:generateContent", json={})
    assert "model gemini/<id>" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "is_google"),
    [
        ("/v1beta", True),
        ("/v1beta/models", True),
        ("/v1alpha/cachedContents/x", True),
        ("/v1beta2/models/x:predict", True),
        ("/v1/models/gemini-3.8-flash:generateContent", True),
        ("/models/gemini-3.8-flash:countTokens", True),
        ("/v1/models", False),
        ("/v1/models/openrouter/qwen/qwen3:free", False),
        ("/v1betamax", False),
        ("/v1/chat/completions", False),
        ("/", False),
    ],
)
def test_only_gemini_paths_are_answered_in_googles_format(path: str, is_google: bool) -> None:
    """OpenAI's routes and other unknown paths keep OpenAI's errors, also ids with a colon."""
    assert is_gemini_path(path) is is_google
