"""The door of the Messages API: keys, versions, models."""

from __future__ import annotations

import anthropic
import pytest
from starlette.testclient import TestClient

from llm_simulator.simulation import Simulation

BODY = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
GOOD = {"x-api-key": "k", "anthropic-version": "2023-06-01"}

DOORS = [
    ({"anthropic-version": "2023-06-01"}, 401, "x-api-key header is required"),
    ({**GOOD, "x-api-key": "invalid"}, 401, "invalid x-api-key"),
    ({"authorization": "Basic abc", "anthropic-version": "2023-06-01"}, 401, "x-api-key header is required"),
    ({"x-api-key": "k"}, 400, "anthropic-version: header is required"),
    ({"x-api-key": "k", "anthropic-version": "2024-01-01"}, 400, "is not a valid version"),
    ({**GOOD, "content-type": "text/plain"}, 400, "content-type: must be application/json"),
]


@pytest.mark.parametrize(("headers", "status", "message"), DOORS)
def test_bad_key_version_or_content_type_is_refused(
    client: TestClient, headers: dict[str, str], status: int, message: str
) -> None:
    """A missing or bad key is a 401, a missing or unknown version and another content type are 400."""
    response = client.post("/v1/messages", json=BODY, headers=headers)
    assert response.status_code == status
    assert message in response.json()["error"]["message"]


def test_fixed_key_admits_no_other(client: TestClient, simulation: Simulation) -> None:
    """With a fixed key no other one is taken."""
    simulation.keys = {"claude": "right"}
    assert client.post("/v1/messages", json=BODY, headers=GOOD).status_code == 401
    assert client.post("/v1/messages", json=BODY, headers={**GOOD, "x-api-key": "right"}).status_code == 200


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"model": NaN}', b'{"a": "\xff"}'])
def test_body_that_is_no_object_is_a_400(client: TestClient, raw: bytes) -> None:
    """A body that is not a JSON object is a 400."""
    response = client.post("/v1/messages", content=raw, headers={**GOOD, "content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_unknown_model_is_a_404_and_missing_model_a_400(anthropic_sdk: anthropic.Anthropic) -> None:
    """An unknown model is a 404 that the SDK knows; a missing one is a 400."""
    with pytest.raises(anthropic.NotFoundError, match="model: claude-9"):
        anthropic_sdk.messages.create(model="claude-9", max_tokens=5, messages=[{"role": "user", "content": "x"}])
    with pytest.raises(anthropic.BadRequestError, match="model: Input should be a valid string"):
        anthropic_sdk.messages.create(model=3, max_tokens=5, messages=[{"role": "user", "content": "x"}])  # type: ignore[call-overload]  # wrong on purpose
