"""The door of the Gemini API: keys, models, URLs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google import genai
from google.genai import errors
from httpx2 import Response
from starlette.testclient import TestClient

Ask = Callable[..., Response]

URL = "/v1beta/models/gemini-3.8-flash:generateContent"
BODY = {"contents": [{"parts": [{"text": "Hello"}]}]}


def test_bad_key_is_a_400(client: TestClient) -> None:
    """Google answers a bad key with 400 and the reason API_KEY_INVALID."""
    response = client.post(URL, json=BODY, headers={"x-goog-api-key": "invalid"})
    error = response.json()["error"]
    assert response.status_code == 400
    assert error["message"] == "API key not valid. Please pass a valid API key."
    assert error["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize(
    ("url", "headers"), [(URL, {}), (f"{URL}?key=k", {"x-goog-api-key": "k"}), (URL, {"authorization": "Bearer k"})]
)
def test_key_belongs_in_its_header(client: TestClient, url: str, headers: dict[str, str]) -> None:
    """No key, a key in the URL and a bearer token are a 403."""
    response = client.post(url, json=BODY, headers=headers)
    assert response.status_code == 403
    assert response.json()["error"]["status"] == "PERMISSION_DENIED"


def test_unknown_model_is_a_404_of_the_sdk(genai_sdk: genai.Client) -> None:
    """An unknown model is a 404 that the SDK knows."""
    with pytest.raises(errors.ClientError) as caught:
        genai_sdk.models.generate_content(model="gemini-9-nope", contents="x")
    assert caught.value.code == 404
    assert caught.value.status == "NOT_FOUND"
    assert "models/gemini-9-nope is not found for API version v1beta" in str(caught.value.message)


def test_unknown_query_parameter_is_a_400(gemini: Ask) -> None:
    """A query parameter that is none of Google's is a 400."""
    assert 'Unknown name "foo"' in gemini(url=f"{URL}?foo=1").json()["error"]["message"]


def test_unknown_model_when_streaming(gemini: Ask) -> None:
    """The 404 names the method."""
    assert "streamGenerateContent" in gemini(model="nope", stream=True).json()["error"]["message"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{"])
def test_body_that_is_no_object_is_a_400(client: TestClient, raw: bytes) -> None:
    """A body that is not a JSON object is a 400."""
    response = client.post(URL, content=raw, headers={"x-goog-api-key": "k"})
    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"
