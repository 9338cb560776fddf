"""Records as rows, whatever they hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.completion import Usage
from gateway.records import Attempt, RequestRecord
from gateway.store import StoredOutcome, encoding, sql
from tests.store.cases import USAGE, begun, ended


def named(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(columns, row, strict=True))


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (None, None),
        (Decimal(0), 0),
        (Decimal("0.000000001"), 1),
        (Decimal("1.5"), 1_500_000_000),
        (Decimal("0.0000000015"), 2),
        (Decimal(-1), None),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("Infinity"), None),
        (Decimal("1e30"), encoding.MAX_NANO),
    ],
)
def test_usd_become_bounded_nano_dollars(cost: Decimal | None, expected: int | None) -> None:
    """USD become whole nano-dollars; what is no cost is unknown, what is absurd stops at a bound."""
    assert encoding.nano(cost) == expected


@given(st.decimals())
def test_any_cost_is_none_or_in_bounds(cost: Decimal) -> None:
    """No decimal whatever makes a negative or overflowing cost."""
    usd, nano = encoding.money(cost)

    assert (nano is None) == (usd is None)
    assert nano is None or 0 <= nano <= encoding.MAX_NANO
    assert usd is None or 0 <= usd <= 1_000_000


@given(st.decimals(min_value=0, max_value=1_000_000, places=12))
def test_costs_are_kept_unrounded(cost: Decimal) -> None:
    """The REAL columns hold a cost as closely as a float can, also where it is no whole number of nano-dollars."""
    usd, nano = encoding.money(cost)

    assert usd == float(cost)
    assert nano == int((cost * 10**9).to_integral_value())


def test_savings_follow_from_the_stored_costs() -> None:
    """Savings are baseline minus actual, their percentage is of the baseline, and both are negative when routing cost more."""
    row = named(encoding.COST_COLUMNS, encoding.cost_values(Decimal("0.002"), Decimal("0.003")))

    assert row["cost_savings"] == row["baseline_cost"] - row["actual_cost"]
    assert row["savings_percentage"] == pytest.approx(-50)
    assert (row["baseline_cost_nano"], row["actual_cost_nano"]) == (2_000_000, 3_000_000)


def test_zero_baseline_saves_nothing() -> None:
    """Where the baseline costs nothing, the percentage is 0, not an error."""
    assert named(encoding.COST_COLUMNS, encoding.cost_values(Decimal(0), Decimal(1)))["savings_percentage"] == 0.0


@pytest.mark.parametrize(("baseline", "actual"), [(None, Decimal(1)), (Decimal(1), None), (None, None)])
def test_unknown_price_saves_nothing_known(baseline: Decimal | None, actual: Decimal | None) -> None:
    """Where a price is unknown, savings are too."""
    row = named(encoding.COST_COLUMNS, encoding.cost_values(baseline, actual))

    assert row["cost_savings"] is row["savings_percentage"] is None


def test_every_fact_has_its_column() -> None:
    """Each field of a record is a column of its row, but what only the client and the log are told."""
    first = named(encoding.INSERT_COLUMNS, encoding.insert_values(begun(), owner="me"))
    last = named((*encoding.SETTLE_COLUMNS, "whose"), encoding.settle_values(ended()))

    assert set(RequestRecord._fields) - {"session_spending", "trace"} <= first.keys() | last.keys()
    assert (first["owner"], first["request_id"], first["complexity_score"]) == ("me", "r1", 0.2)
    assert (last["whose"], last["status"], last["duration"]) == ("r1", "ok", 0.5)


def test_usage_has_columns_and_the_providers_words() -> None:
    """Tokens have columns of their own, and the provider's own words are kept."""
    usage = Usage(prompt_tokens=5, cache_write_tokens=1, cache_write_1h_tokens=2, reasoning_tokens=7, raw={"x": [1]})
    row = named(encoding.USAGE_COLUMNS, encoding.usage_values(usage))

    assert row["cache_write_tokens"] == 3
    assert row["reasoning_tokens"] == 7
    assert json.loads(row["usage"]) == {"x": [1]}


def test_missing_usage_makes_every_column_unknown() -> None:
    """Without usage every one of its columns is unknown."""
    assert set(named(encoding.USAGE_COLUMNS, encoding.usage_values(None)).values()) == {None}


def test_absurd_tokens_are_bounded() -> None:
    """A count below zero is none, one beyond reason stops at a bound."""
    row = named(encoding.USAGE_COLUMNS, encoding.usage_values(Usage(prompt_tokens=-5, completion_tokens=10**30)))

    assert row["prompt_tokens"] == 0
    assert row["completion_tokens"] == 2**40


def test_attempt_row_has_request_id_and_number() -> None:
    """An attempt's id is its request's and its number; without usage its tokens are unknown."""
    columns = (*encoding.ATTEMPT_COLUMNS, "id", "request_id", "number")
    bare = named(columns, encoding.attempt_values(Attempt(number=2, provider="p", model="m"), "r1"))
    full = named(columns, encoding.attempt_values(ended().attempts[0], "r1"))

    assert (bare["id"], bare["status"], bare["usage"], bare["prompt_tokens"]) == ("r1:2", "reserved", None, None)
    assert (full["request_id"], full["number"]) == ("r1", 1)
    assert (full["cost_nano"], full["prompt_tokens"]) == (1_000_000, USAGE.prompt_tokens)


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_stored(value: str) -> None:
    """Whatever text a client or model made up, SQLite takes it and returns it whole."""
    with closing(apsw.Connection(":memory:")) as connection:
        stored = encoding.text(value)

        assert connection.execute("SELECT ?, length(?)", (stored, stored)).fetchone() == (stored, len(stored))


def test_text_is_stored_without_nul_and_bounded() -> None:
    """Text is kept as it is, NUL and broken surrogates aside, to a bounded length; other values are written out."""
    assert encoding.text(None) is None
    assert encoding.text("naïve\n") == "naïve\n"
    assert encoding.text("a\0b\ud800") == "ab?"
    assert encoding.text(7) == "7"
    assert len(encoding.text("x" * 1_000_000)) == 10_000


@pytest.mark.parametrize("odd", ["a\0b", "x" * 6_000, 7])
def test_texts_together_equal_each_text_alone(odd: object) -> None:
    """A row's texts are what each of them is by itself, whether or not one of them is odd."""
    for values in (("a", None, "b"), ("a", None, odd, "x" * 6_000)):
        assert encoding.texts(values) == tuple(encoding.text(value) for value in values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (Decimal("0.5"), 0.5),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (Decimal("sNaN"), None),
        (True, None),
        ("1", None),
        (None, None),
    ],
)
def test_only_finite_numbers_are_real(value: object, expected: float | None) -> None:
    """Only finite numbers are numbers."""
    assert encoding.real(value) == expected


def test_integers_are_bounded_to_64_bits() -> None:
    """Integers are bounded to SQLite's 64 bits."""
    assert encoding.integer(None) is None
    assert encoding.integer(10**30) == 2**63 - 1
    assert encoding.integer(-(10**30)) == -(2**63 - 1)


def test_dumps_writes_what_the_fast_writer_refuses() -> None:
    """What the fast writer refuses is written all the same."""
    assert encoding.dumps({"a": Decimal("1.5")}) == '{"a":"1.5"}'
    assert json.loads(encoding.dumps({"huge": 10**30, "broken": "\ud800"})) == {"huge": 10**30, "broken": "\ud800"}


def test_loads_reads_broken_json_as_nothing() -> None:
    """Nothing, and what another tool broke, is nothing."""
    assert encoding.loads(None) is None
    assert encoding.loads("{broken") is None
    assert encoding.loads('{"a": 1}') == {"a": 1}


def test_nano_dollars_are_shown_as_usd() -> None:
    """Nano-dollars are shown as USD."""
    assert encoding.usd(None) is None
    assert encoding.usd(1_500_000_000) == 1.5


def outcome_row(outcome: StoredOutcome) -> dict[str, Any]:
    return dict(zip(encoding.OUTCOME_COLUMNS, encoding.outcome_values(outcome), strict=True))


def test_odd_outcome_figures_are_unknown() -> None:
    """Invalid numbers of an outcome are stored as unknown."""
    row = outcome_row(StoredOutcome("p", "m", "code", float("nan"), quality=float("inf"), weight=float("nan")))

    assert (row["complexity"], row["quality"], row["weight"], row["features"]) == (0.0, None, 0.0, None)


def test_row_is_decoded_for_people() -> None:
    """A row for people has its JSON parsed and its flags as booleans, and keeps the ledger's own columns to itself."""
    query = """SELECT 'r1' AS request_id, 1 AS actual_cost_nano, 'me' AS owner, 0 AS streamed, '{"a":1}' AS usage"""
    with closing(apsw.Connection(":memory:")) as connection:
        (row,) = sql.dicts(connection, query)

    assert encoding.decode_row(row) == {"request_id": "r1", "streamed": False, "usage": {"a": 1}}


def test_outcome_is_decoded_as_it_was() -> None:
    """A stored outcome is the outcome it was."""
    outcome = StoredOutcome("p", "m", "code", 0.5, id=7, timestamp="2026-11-22T10:00:00Z", features={"words": 3.0})
    row = {**outcome_row(outcome), "id": 7}
    with closing(apsw.Connection(":memory:")) as connection:
        columns = ", ".join(f":{name} AS {name}" for name in row)
        (stored,) = sql.dicts(connection, "SELECT " + columns, row)

    assert encoding.decode_outcome(stored) == outcome


@pytest.mark.parametrize(
    ("stored", "features"),
    [
        ('{"words":3.0,"tokens":12}', {"words": 3.0, "tokens": 12}),
        ('{"words":3.0,"tokens":NaN}', {"words": 3.0}),
        ('{"words":3.0,"flag":true,"name":"x","none":null}', {"words": 3.0}),
        (f'{{"words":3.0,"huge":1{"0" * 400}}}', {"words": 3.0}),
        ("[1]", None),
        ("{", None),
        ("", None),
        (None, None),
    ],
)
def test_broken_features_are_left_out(stored: str | None, features: object) -> None:
    """What is no finite number is left out, whoever wrote it; what is no object is no features."""
    row = {**outcome_row(StoredOutcome("p", "m", "code", 0.5)), "features": stored}

    assert encoding.decode_outcome(row).features == features
