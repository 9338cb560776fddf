"""What clients say of answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import KEYS, MakeGateway


@pytest.mark.parametrize(
    ("opinion", "score"), [({"score": 0.25}, 0.25), ({"rating": "up"}, 1.0), ({"rating": "down", "comment": "no"}, 0.0)]
)
def test_feedback_is_stored_once(make_gateway: MakeGateway, opinion: dict[str, Any], score: float) -> None:
    """A score or a rating is stored with its request, once."""
    gateway = make_gateway()
    request_id = gateway.ask("Hello").headers["x-request-id"]
    body = {"request_id": request_id, **opinion}
    assert gateway.client.post("/v1/feedback", json=body).json()["score"] == score
    assert gateway.client.post("/v1/feedback", json=body).status_code == 409
    assert gateway.rows[0]["feedback_score"] == score


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"request_id": "r"},
        {"request_id": "r", "score": 2},
        {"request_id": "r", "score": True},
        {"request_id": "r", "score": 1, "rating": "up"},
        {"request_id": "r", "rating": "meh"},
        {"request_id": "r", "score": 1, "x": 1},
        [],
    ],
    ids=str,
)
def test_bad_feedback_is_a_400_that_says_why(make_gateway: MakeGateway, body: Any) -> None:
    """Bad feedback is a 400 that says what is wrong."""
    assert make_gateway().client.post("/v1/feedback", json=body).status_code == 400


def test_nan_is_refused(make_gateway: MakeGateway) -> None:
    """NaN is no score."""
    assert make_gateway().client.post("/v1/feedback", content=b'{"request_id": "r", "score": NaN}').status_code == 400


def test_feedback_on_an_unknown_or_foreign_request_is_a_404(make_gateway: MakeGateway) -> None:
    """A request that is unknown, or another key's, is a 404."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "first-key-0123456789,second-key-0123456789"})
    first, second = ({"x-api-key": f"{name}-key-0123456789"} for name in ("first", "second"))
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
    request_id = gateway.client.post("/v1/chat/completions", json=body, headers=first).headers["x-request-id"]
    for request, headers in (("nobody", first), (request_id, second)):
        feedback = {"request_id": request, "score": 1}
        assert gateway.client.post("/v1/feedback", json=feedback, headers=headers).status_code == 404
    assert (
        gateway.client.post("/v1/feedback", json={"request_id": request_id, "score": 1}, headers=first).status_code
        == 200
    )
