"""Normal forms: what is written in several ways and means the same is equal, and nothing else."""

from __future__ import annotations

import pytest

from gateway.routing.comparison.normalization import MAX_DEPTH, ComparisonError, normal_json, normal_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,234.50", "1234.5"),
        ("$5", "5"),
        ("42.", "42"),
        ("+7", "7.0"),
        ("1e3", "1000"),
        ("Yes.", "yes"),
        ("NOT  spam", "not spam"),
        ("very-positive", "Very-Positive"),
        ('"a1"', "a1"),
        ("ｆｕｌｌ", "full"),
    ],
)
def test_same_short_answers_are_equal(one: str, other: str) -> None:
    """Numbers and labels are equal however they are written."""
    assert normal_text(one) == normal_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.234,50", "1234.5"),
        ("50%", "0.5"),
        ("12 apples", "12"),
        ("'aB'", "'Ab'"),
        ("x1", "X1"),
        ("1/2", "0.5"),
        ("yes", "no"),
        ("-3", "3"),
        ('"a" + "b"', "a + b"),
        ("1" * 41, "1" * 41 + "0"),
    ],
)
def test_different_short_answers_are_not_equal(one: str, other: str) -> None:
    """What may mean something else is not made equal."""
    assert normal_text(one) != normal_text(other)


def test_json_is_equal_in_any_order_of_members() -> None:
    """The order of members says nothing, that of items does."""
    assert normal_json({"a": 1, "b": [1, 2]}) == normal_json({"b": [1.0, 2], "a": 1})
    assert normal_json([1, 2]) != normal_json([2, 1])


def test_constants_are_no_numbers() -> None:
    """True is not 1, null is not "null", and a text is no number of JSON."""
    assert normal_json(True) != normal_json(1)
    assert normal_json(None) != normal_json("null")
    assert normal_json({"a": False}) != normal_json({"a": 0})


def test_explanations_are_no_part_of_an_answer() -> None:
    """Members that only explain are left out, unless there are no others."""
    assert normal_json({"Reasoning": "long", "answer": 3}) == normal_json({"reasoning": "other", "answer": 3.0})
    assert normal_json({"explanation": "a"}) != normal_json({"explanation": "b"})


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}, object()])
def test_nan_has_no_normal_form(value: object) -> None:
    """A number that equals nothing, or a value that is no JSON, cannot be compared."""
    with pytest.raises(ComparisonError):
        normal_json(value)


def test_deep_nesting_has_no_normal_form() -> None:
    """The work is bounded."""
    value: object = 1
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(ComparisonError, match="deeply"):
        normal_json(value)
