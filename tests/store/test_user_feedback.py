"""What a client's opinion is worth, and until when it is one; and what shadow mode noted."""

from __future__ import annotations

from decimal import Decimal

import apsw
import pytest

from gateway.errors import Conflict
from gateway.records import Feedback
from gateway.store import mutations, reports, user_feedback
from gateway.store.label_weight import FULL_WEIGHT_LABELS, HELD_OF_A_KEY
from tests.store.cases import NOW, ended

SHADOWED = {"shadow_provider": "gemini", "shadow_model": "lite"}


def said(request_id: str, timestamp: str = "2026-11-22T11:00:00.000+00:00") -> Feedback:
    return Feedback(request_id, 1.0, timestamp)


def weights(connection: apsw.Connection) -> list[float]:
    return [outcome.weight for outcome in reports.outcomes(connection, after=0, limit=10_000)]


@pytest.mark.parametrize(
    ("timestamp", "late"),
    [("2026-11-23T09:59:59+00:00", False), ("2026-11-23T10:00:02+00:00", True), ("2026-11-23T11:30:00+02:00", False)],
)
def test_feedback_after_a_day_is_dropped(connection: apsw.Connection, timestamp: str, late: bool) -> None:
    """A day after its request an opinion comes too late, and nothing of it is kept."""
    mutations.settle(connection, ended())
    if not late:
        user_feedback.add_feedback(connection, said("r1", timestamp))
        return
    with pytest.raises(Conflict, match="more than a day") as refused:
        user_feedback.add_feedback(connection, said("r1", timestamp))
    assert refused.value.code == "feedback_too_late"
    assert connection.execute("SELECT count(*) FROM feedback").get == 0


def test_feedback_on_rows_of_unknown_time_is_taken(connection: apsw.Connection) -> None:
    """Opinions on rows whose time cannot be read are taken."""
    mutations.settle(connection, ended(timestamp="yesterday"))
    user_feedback.add_feedback(connection, said("r1"))
    assert weights(connection) == [1.0]


def test_many_opinions_of_one_key(connection: apsw.Connection) -> None:
    """After its first hundred a day a key's opinions weigh less and less; other keys and days are not touched."""
    numbers = range(FULL_WEIGHT_LABELS + 2)
    for number in numbers:
        mutations.settle(connection, ended(f"r{number}", key_id="k1"))
        user_feedback.add_feedback(connection, said(f"r{number}"))
    mutations.settle(connection, ended("other", key_id="k2"))
    user_feedback.add_feedback(connection, said("other"))
    mutations.settle(connection, ended("next day", key_id="k1", timestamp="2026-11-23T00:00:00+00:00"))
    user_feedback.add_feedback(connection, said("next day", "2026-11-23T00:30:00+00:00"))
    *_, before, first, second, other, next_day = weights(connection)
    assert before == 1.0 > first > second > 0.9
    assert (other, next_day) == (1.0, 1.0)


def by(key: str | None, connection: apsw.Connection, *, number: int = 0, keys: int = 3, model: str = "flash") -> None:
    """One opinion of a key on an answer of a model, where `keys` have to agree."""
    request_id = f"{key} {number} {model}"
    mutations.settle(connection, ended(request_id, key_id=key, selected_model=model))
    user_feedback.add_feedback(connection, said(request_id, f"2026-11-22T11:00:{number:02}.000+00:00"), keys=keys)


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
    for number in range(HELD_OF_A_KEY + 5):
        by("k1", connection, number=number, keys=2)
    by("k2", connection, keys=2)
    learned = {outcome.request_id for outcome in reports.outcomes(connection, after=0, limit=100)}
    assert learned == {"k2 0 flash", *(f"k1 {number} flash" for number in range(5, HELD_OF_A_KEY + 5))}
    by("k2", connection, number=1, keys=2)
    assert len(weights(connection)) == len(learned) + 1


def test_callers_without_a_key_wait_for_nobody(connection: apsw.Connection) -> None:
    """What is said without a key, as on a gateway that was open, is learned at once and vouches for no key."""
    by(None, connection)
    by("k1", connection, keys=2)
    assert len(weights(connection)) == 1


def test_shadow_report_needs_both_prices(connection: apsw.Connection) -> None:
    """Money is that of requests whose both prices are known; agreement and the rest are counted."""
    mutations.settle(connection, ended("r1", **SHADOWED, shadow_cost=Decimal("0.0004")))
    mutations.settle(connection, ended("r2", **SHADOWED))
    mutations.settle(
        connection, ended("r3", shadow_provider="gemini", shadow_model="flash", shadow_cost=Decimal("0.001"))
    )
    mutations.settle(connection, ended("r4"))
    mutations.settle(connection, ended("r5", **SHADOWED, timestamp="2026-01-01T00:00:00+00:00"))
    told = reports.shadow(connection, days=30, now=NOW)
    assert (told["shadow_requests"], told["same_choice"], told["unpriced_requests"]) == (3, 1, 1)
    assert (told["total_cost"], told["total_shadow_cost"]) == (0.002, 0.0014)
    assert told["would_save_pct"] == pytest.approx(30)
    assert [(each["model"], each["shadow_requests"]) for each in told["by_model"]] == [("lite", 2), ("flash", 1)]


def test_shadow_report_of_an_empty_ledger_saves_nothing(connection: apsw.Connection) -> None:
    """Without rows there is nothing to save."""
    told = reports.shadow(connection, days=1, now=NOW)
    assert (told["shadow_requests"], told["would_save_pct"], told["by_model"]) == (0, None, [])
