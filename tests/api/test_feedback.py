"""What clients say of answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import apsw
import pytest

from gateway.records import RequestRecord
from gateway.store import SettleRequest
from tests.conftest import KEYS, MakeGateway
from tests.store.faulty import Disk

ROW = RequestRecord(
    request_id="r",
    timestamp="",
    strategy_used="hybrid",
    selected_provider="gemini",
    selected_model="flash",
    baseline_provider="claude",
    baseline_model="haiku",
    session_id="s",
    status="ok",
)


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
        {"score": 1},
        {"request_id": "r", "session_id": "s", "score": 1},
        {"tag": {}, "score": 1},
        {"tag": {"a": "1", "b": "2"}, "score": 1},
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


@pytest.mark.parametrize("subject", [{"session_id": "s"}, {"tag": {"task": "17"}}], ids=["session", "tag"])
def test_feedback_on_a_session_or_tag_rates_what_has_none(make_gateway: MakeGateway, subject: dict[str, Any]) -> None:
    """All requests of a session (with its subagents) or of a tag that have no rating get the same one, the newest the comment."""
    gateway = make_gateway()
    tags = {"task": "17"}
    first = gateway.ask("Hello", routing={"session_id": "s", "tags": tags}).headers["x-request-id"]
    gateway.ask("Hello", routing={"session_id": "s", "agent_id": "a", "tags": tags})
    gateway.ask("Hello", routing={"session_id": "s2", "tags": {"task": "18"}})
    gateway.client.post("/v1/feedback", json={"request_id": first, "rating": "down"})
    gateway.ask("Hello", routing={"session_id": "s", "tags": tags})
    body = {**subject, "score": 0.5, "comment": "merged"}
    expected = {"object": "feedback", **subject, "score": 0.5, "requests": 2}
    assert gateway.client.post("/v1/feedback", json=body).json() == expected
    assert [row["feedback_score"] for row in gateway.rows] == [0, 0.5, None, 0.5]
    assert [(row["feedback"] or {}).get("comment") for row in gateway.rows] == [None, None, None, "merged"]
    assert gateway.client.post("/v1/feedback", json=body).status_code == 409


def test_feedback_on_a_session_touches_own_requests_only(make_gateway: MakeGateway) -> None:
    """A session of another key is unknown, even by its name."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "first-key-0123456789,second-key-0123456789"})
    first, second = ({"x-api-key": f"{name}-key-0123456789"} for name in ("first", "second"))
    hints = {"session_id": "s", "tags": {"task": "17"}}
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}], "routing": hints}
    gateway.client.post("/v1/chat/completions", json=body, headers=first)
    for subject in ({"session_id": "s"}, {"tag": {"task": "17"}}):
        rating = {**subject, "rating": "up"}
        assert gateway.client.post("/v1/feedback", json=rating, headers=second).status_code == 404
    assert gateway.rows[0]["feedback_score"] is None
    answer = gateway.client.post("/v1/feedback", json={"session_id": "s", "rating": "up"}, headers=first)
    assert answer.json()["requests"] == 1


def test_feedback_on_a_large_session_rates_all_of_it(make_gateway: MakeGateway) -> None:
    """A session with more requests than are read at a time is rated completely; rows that are too old stay without rating."""
    gateway = make_gateway()
    at = datetime.now(UTC)
    old = ROW._replace(request_id="old", timestamp=(at - timedelta(days=31)).isoformat(timespec="milliseconds"))
    rows = [ROW._replace(request_id=str(number), timestamp=at.isoformat()) for number in range(1_050)]
    for row in (old, *rows):
        gateway.store.submit(SettleRequest(row))
    gateway.store.flush()
    body = {"session_id": "s", "rating": "up"}
    assert gateway.client.post("/v1/feedback", json=body).json()["requests"] == 1_050
    assert gateway.store.request("old")["feedback_score"] is None  # type: ignore[index]  # the row is there
    assert gateway.client.post("/v1/feedback", json=body).status_code == 409


def test_feedback_that_cannot_be_written_is_a_503(disk: Disk, make_gateway: MakeGateway) -> None:
    """While the ledger cannot be written, feedback on a session is refused; the next try rates it."""
    gateway = make_gateway()
    gateway.ask("Hello", routing={"session_id": "s"})
    disk.fails(apsw.FullError)
    body = {"session_id": "s", "rating": "up"}
    assert gateway.client.post("/v1/feedback", json=body).status_code == 503
    disk.is_well()
    assert gateway.client.post("/v1/feedback", json=body).json()["requests"] == 1


def test_request_that_was_rated_meanwhile_keeps_its_rating(make_gateway: MakeGateway) -> None:
    """Two ratings of a session at once: each request has one of them, and both callers learn how many were theirs."""
    gateway = make_gateway()
    for _ in range(20):
        gateway.ask("Hello", routing={"session_id": "s"})
    with ThreadPoolExecutor(4) as callers:
        answers = list(
            callers.map(
                lambda score: gateway.client.post("/v1/feedback", json={"session_id": "s", "score": score}).json(),
                (0.1, 0.2, 0.3, 0.4),
            )
        )
    assert sum(answer.get("requests", 0) for answer in answers) == 20
    assert None not in {row["feedback_score"] for row in gateway.rows}
