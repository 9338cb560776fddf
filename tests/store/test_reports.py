"""Reports: totals by period, and rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import apsw
import pytest

from gateway.errors import InvalidRequest
from gateway.records import Feedback, RequestRecord
from gateway.store import reports, requests, user_feedback
from tests.store.cases import NOW, ended

SHADOWED = {"shadow_provider": "gemini", "shadow_model": "lite"}


def write(connection: apsw.Connection, *records: RequestRecord) -> None:
    for record in records:
        requests.settle(connection, record)


def summary(connection: apsw.Connection, days: float = 30) -> dict[str, Any]:
    return reports.summary(connection, days=days, now=NOW)


def by_hand(connection: apsw.Connection, **columns: Any) -> None:
    """A row as another tool writes it: the contract's columns alone."""
    row = {
        "request_id": "hand",
        "timestamp": "2026-11-22T09:00:00Z",
        "strategy": "hybrid",
        "baseline": 0.002,
        **columns,
    }
    connection.execute(
        "INSERT INTO routing_metrics (request_id, timestamp, strategy_used, confidence, baseline_cost, actual_cost,"
        " cost_savings, savings_percentage) VALUES (:request_id, :timestamp, :strategy, 'low', :baseline, 0.001, 0.001, 50)",
        row,
    )


def test_summary_adds_up(connection: apsw.Connection) -> None:
    """Counts, costs and savings are the rows' sums; the percentage is the mean of theirs."""
    write(
        connection,
        ended("a"),
        ended("b", strategy_used="complexity", confidence="medium", actual_cost=Decimal("0.004"), estimated=True),
        ended("c", strategy_used="pinned", confidence=None, actual_cost=None, status="error", fallback_used=True),
        ended("d", status="cancelled", experimental=True, strategy_used="learning"),
    )

    found = summary(connection)

    assert found["total_requests"] == 4
    assert found["total_cost"] == pytest.approx(0.006)
    assert found["total_baseline_cost"] == pytest.approx(0.016)
    assert found["total_savings"] == pytest.approx(0.006)
    assert found["avg_savings_pct"] == pytest.approx(50)
    assert (found["auto_routed_count"], found["fallback_count"], found["experimental_count"]) == (2, 1, 1)
    assert (found["error_count"], found["cancelled_count"], found["estimated_count"]) == (1, 1, 1)
    assert found["unpriced_requests"] == 1
    assert (found["prompt_tokens"], found["completion_tokens"], found["cached_tokens"]) == (40, 80, 16)
    assert found["avg_duration"] == pytest.approx(0.5)
    assert (found["feedback_count"], found["avg_quality"]) == (0, None)


def test_money_is_added_exactly(connection: apsw.Connection) -> None:
    """Sums come from whole nano-dollars, so a thousand tenths of a cent are one dollar."""
    write(connection, *(ended(str(n), actual_cost=Decimal("0.001")) for n in range(1000)))

    assert summary(connection)["total_cost"] == 1.0


def test_empty_ledger_has_zero_sums_and_unknown_means(connection: apsw.Connection) -> None:
    """Without rows, sums are 0 and means unknown."""
    found = summary(connection)

    assert (found["total_requests"], found["total_savings"], found["avg_savings_pct"]) == (0, 0.0, None)
    assert found["by_model"] == found["by_strategy"] == []


def test_summary_by_model_and_strategy(connection: apsw.Connection) -> None:
    """The same sums are given for each model and each strategy, the busiest first."""
    write(connection, ended("a"), ended("b"), ended("c", selected_model="pro", strategy_used="complexity"))

    found = summary(connection)

    assert [(row["provider"], row["model"], row["total_requests"]) for row in found["by_model"]] == [
        ("gemini", "flash", 2),
        ("gemini", "pro", 1),
    ]
    assert [(row["strategy"], row["total_requests"]) for row in found["by_strategy"]] == [
        ("hybrid", 2),
        ("complexity", 1),
    ]


def test_open_rows_are_counted_apart(connection: apsw.Connection) -> None:
    """A request in flight is no part of the sums yet, and is counted whenever it began."""
    connection.execute(
        "INSERT INTO routing_metrics (request_id, timestamp, status) VALUES ('o', '2026-11-22T10:00Z', 'open')"
    )

    assert (summary(connection)["total_requests"], summary(connection)["open_requests"]) == (0, 1)


@pytest.mark.parametrize(
    ("timestamp", "days", "counted"),
    [
        ("2026-11-22T10:30:00+00:00", 1, True),
        ("2026-11-21T10:30:00.001+00:00", 1, True),
        ("2026-11-21T10:29:59.999+00:00", 1, False),
        ("2026-11-21T10:59:59Z", 1, True),
        ("2026-11-21T11:00:00Z", 1, True),
        ("2026-11-21T09:59:59Z", 1, False),
        ("2026-10-22T10:00:00Z", 30, False),
        ("2026-11-01 12:00:00", 30, True),
        ("2026-11-22T10:20:00Z", 1 / 24, True),
        ("1990-01-01T00:00:00Z", 1e9, True),
    ],
)
def test_period_is_by_timestamp(connection: apsw.Connection, timestamp: str, days: float, counted: bool) -> None:
    """A row counts when its timestamp lies in the period, to the second."""
    write(connection, ended(timestamp=timestamp))

    assert summary(connection, days)["total_requests"] == int(counted)


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf")])
def test_period_has_to_be_one(connection: apsw.Connection, days: float) -> None:
    """A period is a number of days above 0."""
    with pytest.raises(InvalidRequest):
        summary(connection, days)


def test_rows_count_as_they_stand(connection: apsw.Connection) -> None:
    """Rows that were moved in time, changed or deleted by hand count as they are now."""
    write(connection, ended("a"), ended("b"), ended("c"))
    connection.execute("UPDATE routing_metrics SET timestamp = '2026-01-01T00:00:00Z' WHERE request_id = 'a'")
    connection.execute("UPDATE routing_metrics SET savings_percentage = 25, confidence = 'low' WHERE request_id = 'b'")
    connection.execute("DELETE FROM routing_metrics WHERE request_id = 'c'")

    found = summary(connection)

    assert (found["total_requests"], found["avg_savings_pct"]) == (1, pytest.approx(25))
    assert found["total_cost"] == 0.001
    assert reports.confidence(connection, days=30, now=NOW) == {"low": 1}


def test_rows_of_other_tools_count(connection: apsw.Connection) -> None:
    """A row with the contract's columns alone is summed from its dollars; without a timestamp it belongs to no period."""
    by_hand(connection)
    by_hand(connection, request_id="odd", timestamp="yesterday")
    by_hand(connection, request_id="none", timestamp=None)

    assert summary(connection)["total_savings"] == 0.001
    assert reports.confidence(connection, days=None, now=NOW) == {"low": 3}


def test_quality_comes_from_feedback(connection: apsw.Connection) -> None:
    """Quality is the mean of what clients said."""
    write(connection, ended("a"), ended("b"), ended("c"))
    for request_id, score in (("a", 1.0), ("b", 0.5)):
        user_feedback.insert(connection, Feedback(request_id, score, "2026-11-22T10:00:00Z"))

    assert (summary(connection)["feedback_count"], summary(connection)["avg_quality"]) == (2, 0.75)


def test_confidence_counts_learned_decisions(connection: apsw.Connection) -> None:
    """Rows of `complexity` and `pinned` are no learned decisions; a missing level has a name too."""
    write(
        connection,
        ended("a"),
        ended("b", strategy_used="learning", confidence="low"),
        ended("c", strategy_used="complexity"),
        ended("d", strategy_used="pinned", confidence=None),
        ended("e", confidence=None),
        ended("f", timestamp="2026-01-01T00:00:00Z"),
    )

    assert reports.confidence(connection, days=None, now=NOW) == {"high": 2, "low": 1, "unknown": 1}
    assert reports.confidence(connection, days=30, now=NOW) == {"high": 1, "low": 1, "unknown": 1}


def test_patterns_count_learned_decisions_by_model(connection: apsw.Connection) -> None:
    """Learned decisions are counted by model and pattern, most frequent first, with their mean savings in USD."""
    write(
        connection,
        ended("a"),
        ended("b", actual_cost=Decimal("0.003")),
        ended("c", pattern_detected=None, actual_cost=None),
        ended("d", strategy_used="pinned"),
    )

    first, second = reports.patterns(connection, days=None, now=NOW)

    assert (first["model"], first["pattern"], first["count"]) == ("flash", "code", 2)
    assert (first["avg_savings"], first["avg_savings_pct"]) == (pytest.approx(0.002), pytest.approx(50))
    assert (second["pattern"], second["count"], second["avg_savings"]) == (None, 1, None)


@pytest.mark.parametrize(
    ("days", "buckets"),
    [
        (1, ["2026-11-22T08", "2026-11-22T09"]),
        (30, ["2026-11-20", "2026-11-22"]),
    ],
)
def test_timeline_counts_by_hour_or_day(connection: apsw.Connection, days: float, buckets: list[str]) -> None:
    """Short periods are told by hour, long ones by day, with the sums and the confidence of each."""
    for number, timestamp in enumerate(("2026-11-20T08:00:00Z", "2026-11-22T08:10:00Z", "2026-11-22T09:20:00Z")):
        write(connection, ended(str(number), timestamp=timestamp))

    found = reports.timeline(connection, days=days, now=NOW)

    assert [row["bucket"] for row in found] == buckets
    assert sum(row["high"] for row in found) == sum(row["total_requests"] for row in found)


def test_usage_by_key_counts_the_newest_routed_rows(connection: apsw.Connection) -> None:
    """Of the newest rows those that were routed are counted by key and model, however many older ones there are."""
    write(
        connection,
        ended("a", key_id="k"),
        ended("b", key_id="k"),
        ended("c", key_id="k"),
        ended("d", key_id=None),
        ended("e", key_id="k", strategy_used="pinned"),
    )
    found = [
        (row["key_id"], row["provider"], row["model"], row["count"])
        for row in reports.strong_share_by_key(connection, newest=4)
    ]
    assert found == [("k", "gemini", "flash", 2), (None, "gemini", "flash", 1)]


def test_requests_are_paged(connection: apsw.Connection) -> None:
    """The newest rows come first, and the last id of a page leads to the next."""
    write(connection, *(ended(str(number)) for number in range(5)))

    page = reports.requests(connection, limit=2, before=None, filters={})
    rest = reports.requests(connection, limit=5000, before=page[-1]["id"], filters={})

    assert [row["request_id"] for row in page + rest] == ["4", "3", "2", "1", "0"]
    assert page[0]["experimental"] is False
    assert len(reports.requests(connection, limit=-1, before=10**30, filters={})) == 1


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"strategy_used": "complexity"}, ["b"]),
        ({"fallback_used": True}, ["b"]),
        ({"status": "ok", "selected_model": "flash"}, ["b", "a"]),
        ({"status": "' OR 1=1 --"}, []),
        ({"key_id": None}, ["b", "a"]),
    ],
)
def test_requests_are_filtered(connection: apsw.Connection, filters: dict[str, object], found: list[str]) -> None:
    """Rows are filtered by the values of known columns."""
    write(connection, ended("a"), ended("b", strategy_used="complexity", fallback_used=True))

    rows = reports.requests(connection, limit=10, before=None, filters=filters)

    assert [row["request_id"] for row in rows] == found


def test_requests_are_filtered_by_session_and_tags(connection: apsw.Connection) -> None:
    """A session's rows include those of its subagents; a tag's rows have that value as a whole, in the same case."""
    write(
        connection,
        ended("a", session_id="s", tags={"project": "acme", "a.b": "1"}),
        ended("b", session_id="s/agent", tags={"project": "other", "quoted": '"project":"acme"'}),
        ended("c", session_id="s0", tags={"project": "acme"}),
    )

    def found(**filters: object) -> list[str]:
        return [row["request_id"] for row in reports.requests(connection, limit=10, before=None, filters=filters)]

    assert found(session="s") == ["b", "a"]
    assert found(**{"tag:project": "acme"}) == ["c", "a"]
    assert found(**{"tag:project": "ACME"}) == found(**{"tag:project": "acm"}) == found(**{"tag:": ""}) == []
    assert found(**{"tag:quoted": '"project":"acme"'}) == ["b"]
    assert found(**{"tag:project": "acme", "tag:a.b": "1"}) == ["a"]
    assert found(**{"session": "s", "tag:project": "other"}) == ["b"]


def test_more_tags_than_a_row_can_have_are_refused(connection: apsw.Connection) -> None:
    """The number of tags to filter by is bounded, so that a query string cannot make a query of thousands of conditions."""
    with pytest.raises(InvalidRequest, match="more than 16 tags"):
        reports.requests(connection, limit=10, before=None, filters={f"tag:{number}": "x" for number in range(17)})


def test_unknown_filters_are_refused(connection: apsw.Connection) -> None:
    """Only listed columns can be filtered by."""
    with pytest.raises(InvalidRequest, match="not a column to filter by"):
        reports.requests(connection, limit=10, before=None, filters={"1=1; --": 1})


def test_request_comes_with_attempts_and_feedback(connection: apsw.Connection) -> None:
    """One row comes with its attempts and its feedback, JSON columns as values."""
    write(connection, ended("a"))
    user_feedback.insert(connection, Feedback("a", 1.0, "2026-11-22T10:00:00Z", comment="good"))

    found = reports.request(connection, "a")

    assert found is not None
    assert found["candidates"][0]["model"] == "flash"
    assert found["usage"] == {"promptTokenCount": 10}
    assert found["attempts"][0]["usage"] == {"promptTokenCount": 10}
    assert found["feedback"]["comment"] == "good"
    assert "owner" not in found
    assert not any(name.endswith("_nano") for name in found)


def test_request_without_feedback_has_none(connection: apsw.Connection) -> None:
    """A row that nobody rated has no feedback; an unknown row is none."""
    write(connection, ended("a"))

    found = reports.request(connection, "a")

    assert found is not None
    assert found["feedback"] is None
    assert reports.request(connection, "\ud800") is None


def test_outcomes_are_read_in_rising_pieces(connection: apsw.Connection) -> None:
    """A learner reads what is newer than it knows, in pieces."""
    write(connection, *(ended(str(number)) for number in range(3)))
    for number in range(3):
        user_feedback.insert(connection, Feedback(str(number), number / 2, "2026-11-22T10:00:00Z"))

    first = reports.outcomes(connection, after=0, limit=2)
    rest = reports.outcomes(connection, after=first[-1].id, limit=2)

    assert [outcome.quality for outcome in first + rest] == [0.0, 0.5, 1.0]
    assert first[0] == first[0]._replace(features={"words": 12.0}, source="feedback", request_id="0")


def test_shadow_report_needs_both_prices(connection: apsw.Connection) -> None:
    """Money is that of requests whose both prices are known; agreement and the rest are counted."""
    requests.settle(connection, ended("r1", **SHADOWED, shadow_cost=Decimal("0.0004")))
    requests.settle(connection, ended("r2", **SHADOWED))
    requests.settle(
        connection, ended("r3", shadow_provider="gemini", shadow_model="flash", shadow_cost=Decimal("0.001"))
    )
    requests.settle(connection, ended("r4"))
    requests.settle(connection, ended("r5", **SHADOWED, timestamp="2026-01-01T00:00:00+00:00"))
    told = reports.shadow(connection, days=30, now=NOW)
    assert (told["shadow_requests"], told["same_choice"], told["unpriced_requests"]) == (3, 1, 1)
    assert (told["total_cost"], told["total_shadow_cost"]) == (0.002, 0.0014)
    assert told["would_save_pct"] == pytest.approx(30)
    assert [(each["model"], each["shadow_requests"]) for each in told["by_model"]] == [("lite", 2), ("flash", 1)]


def test_shadow_report_of_an_empty_ledger_saves_nothing(connection: apsw.Connection) -> None:
    """Without rows there is nothing to save."""
    told = reports.shadow(connection, days=1, now=NOW)
    assert (told["shadow_requests"], told["would_save_pct"], told["by_model"]) == (0, None, [])
