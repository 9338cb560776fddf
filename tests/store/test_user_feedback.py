"""Feedback: when it is accepted, what it weighs, and when it is learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import apsw
import pytest

from gateway.accounts.label_weight import FULL_WEIGHT_LABELS, MAX_HELD_PER_KEY
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.records import Feedback
from gateway.store import reports, requests, sql, user_feedback
from tests.store.cases import ended

FEEDBACK = Feedback(request_id="r1", score=0.8, timestamp="2026-11-22T10:01:00Z", comment="fine")


def said(request_id: str, timestamp: str = "2026-11-22T11:00:00.000+00:00") -> Feedback:
    return Feedback(request_id, 1.0, timestamp)


def weights(connection: apsw.Connection) -> list[float]:
    return [outcome.weight for outcome in reports.outcomes(connection, after=0, limit=10_000)]


def row(connection: apsw.Connection, request_id: str = "r1") -> dict[str, Any]:
    (found,) = sql.dicts(connection, "SELECT * FROM routing_metrics WHERE request_id = ?", (request_id,))
    return found


def outcomes(connection: apsw.Connection) -> list[dict[str, Any]]:
    return sql.dicts(connection, "SELECT * FROM outcomes")


def test_feedback_becomes_an_outcome_of_the_row(connection: apsw.Connection) -> None:
    """Feedback is kept with the row and becomes an outcome with the row's own facts."""
    requests.settle(connection, ended(key_id="k1"))
    user_feedback.insert(connection, FEEDBACK)

    assert row(connection)["feedback_score"] == 0.8
    (outcome,) = outcomes(connection)
    assert (outcome["source"], outcome["quality"], outcome["request_id"]) == ("feedback", 0.8, "r1")
    assert (outcome["provider"], outcome["model"], outcome["pattern"]) == ("gemini", "flash", "code")
    assert (outcome["cost"], outcome["input_tokens"], outcome["output_tokens"]) == (0.001, 10, 20)
    assert (outcome["latency"], outcome["features"]) == (0.5, '{"words":12.0}')
    assert connection.execute("SELECT comment, key_id FROM feedback").fetchone() == ("fine", "k1")


def test_second_feedback_is_refused(connection: apsw.Connection) -> None:
    """A second word on a request is refused and changes nothing."""
    requests.settle(connection, ended())
    user_feedback.insert(connection, FEEDBACK)

    with pytest.raises(Conflict):
        user_feedback.insert(connection, replace(FEEDBACK, score=0.0))

    assert len(outcomes(connection)) == 1
    assert row(connection)["feedback_score"] == 0.8


@pytest.mark.parametrize(
    "said", [replace(FEEDBACK, request_id="x"), replace(FEEDBACK, key_id="k2"), replace(FEEDBACK, request_id="\ud800")]
)
def test_feedback_on_what_is_not_ones_own(connection: apsw.Connection, said: Feedback) -> None:
    """An unknown request and another key's are the same: not found."""
    requests.settle(connection, ended(key_id="k1"))

    with pytest.raises(NotFound):
        user_feedback.insert(connection, said)


def test_feedback_with_ones_own_key(connection: apsw.Connection) -> None:
    """The key that made the request may rate it."""
    requests.settle(connection, ended(key_id="k1"))

    user_feedback.insert(connection, replace(FEEDBACK, key_id="k1"))

    assert len(outcomes(connection)) == 1


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_feedback_out_of_range_is_refused(connection: apsw.Connection, score: float) -> None:
    """A score lies between 0 and 1."""
    with pytest.raises(InvalidRequest):
        user_feedback.insert(connection, replace(FEEDBACK, score=score))


def test_feedback_on_a_pinned_request_is_no_outcome(connection: apsw.Connection) -> None:
    """A pinned request can be rated, but the router saw nothing to learn from."""
    requests.settle(connection, ended(pattern_detected=None, complexity_score=None, strategy_used="pinned"))
    user_feedback.insert(connection, FEEDBACK)

    assert row(connection)["feedback_score"] == 0.8
    assert outcomes(connection) == []


@pytest.mark.parametrize(
    ("timestamp", "late"),
    [("2026-12-22T09:59:59+00:00", False), ("2026-12-22T10:00:02+00:00", True), ("2026-12-22T11:30:00+02:00", False)],
)
def test_feedback_after_thirty_days_is_dropped(connection: apsw.Connection, timestamp: str, late: bool) -> None:
    """Thirty days after its request an opinion comes too late, and nothing of it is kept."""
    requests.settle(connection, ended())
    if not late:
        user_feedback.insert(connection, said("r1", timestamp))
        return
    with pytest.raises(Conflict, match="more than 30 days") as refused:
        user_feedback.insert(connection, said("r1", timestamp))
    assert refused.value.code == "feedback_too_late"
    assert connection.execute("SELECT count(*) FROM feedback").get == 0


def test_feedback_on_rows_of_unknown_time_is_taken(connection: apsw.Connection) -> None:
    """Opinions on rows whose time cannot be read are taken."""
    requests.settle(connection, ended(timestamp="yesterday"))
    user_feedback.insert(connection, said("r1"))
    assert weights(connection) == [1.0]


def test_many_opinions_of_one_key(connection: apsw.Connection) -> None:
    """After its first hundred a day a key's opinions weigh less and less; other keys and days are not touched."""
    numbers = range(FULL_WEIGHT_LABELS + 2)
    for number in numbers:
        requests.settle(connection, ended(f"r{number}", key_id="k1"))
        user_feedback.insert(connection, said(f"r{number}"))
    requests.settle(connection, ended("other", key_id="k2"))
    user_feedback.insert(connection, said("other"))
    requests.settle(connection, ended("next day", key_id="k1", timestamp="2026-11-23T00:00:00+00:00"))
    user_feedback.insert(connection, said("next day", "2026-11-23T00:30:00+00:00"))
    *_, before, first, second, other, next_day = weights(connection)
    assert before == 1.0 > first > second > 0.9
    assert (other, next_day) == (1.0, 1.0)


def by(key: str | None, connection: apsw.Connection, *, number: int = 0, keys: int = 3, model: str = "flash") -> None:
    """One opinion of a key on an answer of a model, where `keys` have to agree."""
    request_id = f"{key} {number} {model}"
    requests.settle(connection, ended(request_id, key_id=key, selected_model=model))
    user_feedback.insert(connection, said(request_id, f"2026-11-22T11:00:{number:02}.000+00:00"), keys=keys)


def test_opinions_wait_for_further_keys(connection: apsw.Connection) -> None:
    """What fewer keys than needed say of a model is kept and not learned; the key that makes them enough brings all of it."""
    by("k1", connection)
    by("k1", connection, number=1)
    by("k2", connection)
    by("k3", connection, model="other")
    assert weights(connection) == []
    assert connection.execute("SELECT count(*) FROM feedback").get == 4
    by("k3", connection)
    learned = [outcome.request_id for outcome in reports.outcomes(connection, after=0, limit=100)]
    assert learned == ["k1 0 flash", "k2 0 flash", "k3 0 flash", "k1 1 flash"]
    by("k1", connection, number=2)
    assert weights(connection) == [1.0] * 5


def test_waiting_feedback_is_limited_to_ten_per_key(connection: apsw.Connection) -> None:
    """Of what waits the newest ten of each key are learned, the rest never."""
    for number in range(MAX_HELD_PER_KEY + 5):
        by("k1", connection, number=number, keys=2)
    by("k2", connection, keys=2)
    learned = {outcome.request_id for outcome in reports.outcomes(connection, after=0, limit=100)}
    assert learned == {"k2 0 flash", *(f"k1 {number} flash" for number in range(5, MAX_HELD_PER_KEY + 5))}
    by("k2", connection, number=1, keys=2)
    assert len(weights(connection)) == len(learned) + 1


def test_callers_without_a_key_wait_for_nobody(connection: apsw.Connection) -> None:
    """What is said without a key, as on a gateway that was open, is learned at once and vouches for no key."""
    by(None, connection)
    by("k1", connection, keys=2)
    assert len(weights(connection)) == 1
