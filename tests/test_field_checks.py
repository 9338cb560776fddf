"""The words and codes in which a wrong value is refused."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gateway import field_checks as checks
from gateway.errors import InvalidRequest


@pytest.mark.parametrize(
    ("check", "code", "words"),
    [
        (lambda: checks.missing("a.b"), "missing_required_parameter", "Missing required parameter: 'a.b'."),
        (
            lambda: checks.string(1, "a.b"),
            "invalid_type",
            "Invalid type for 'a.b': expected a string, but got an integer instead.",
        ),
        (lambda: checks.string("", "a.b", empty=False), "empty_string", "empty string"),
        (
            lambda: checks.matching("a b", "a.b", pattern=re.compile("[a-z]+")),
            "invalid_value",
            "'a b' does not match the pattern '^[a-z]+$'",
        ),
        (
            lambda: checks.choice("x" * 99, "a.b", of=("y", "z")),
            "invalid_value",
            "'" + "x" * 60 + "...'. Supported values are: 'y', 'z'.",
        ),
        (lambda: checks.boolean(1, "a.b"), "invalid_type", "expected a boolean, but got an integer"),
        (lambda: checks.integer(True, "a.b"), "invalid_type", "expected an integer, but got a boolean"),
        (lambda: checks.integer(1.0, "a.b"), "invalid_type", "expected an integer, but got a decimal number"),
        (
            lambda: checks.integer(0, "a.b", low=1),
            "integer_below_min_value",
            "0 is below the minimum. Expected a value of at least 1.",
        ),
        (
            lambda: checks.integer(9, "a.b", high=8),
            "integer_above_max_value",
            "9 is above the maximum. Expected a value of at most 8.",
        ),
        (lambda: checks.number(False, "a.b"), "invalid_type", "expected a number, but got a boolean"),
        (lambda: checks.number(2.1, "a.b", high=2), "decimal_above_max_value", "2.1 is above the maximum"),
        (lambda: checks.mapping(None, "a.b"), "invalid_type", "expected an object, but got null"),
        (lambda: checks.number("1", "a.b"), "invalid_type", "expected a number, but got a string"),
        (lambda: checks.array({}, "a.b"), "invalid_type", "expected an array, but got an object"),
        (lambda: checks.array([], "a.b", least=1), "empty_array", "0 items are too few"),
        (lambda: checks.array([1], "a.b", least=2), "array_below_min_length", "1 items are too few"),
        (lambda: checks.array([1, 2], "a.b", most=1), "array_above_max_length", "2 items are too many"),
    ],
)
def test_refusal_names_path_expectation_and_value(check: Callable[[], object], code: str, words: str) -> None:
    """A refusal names the path, what was expected and what came, with a code of its kind."""
    with pytest.raises(InvalidRequest) as refused:
        check()
    assert (refused.value.param, refused.value.code, refused.value.status) == ("a.b", code, 400)
    assert words in refused.value.message


def test_wrong_array_item_is_named_by_its_index() -> None:
    """A wrong item of an array of strings is named by its place."""
    with pytest.raises(InvalidRequest) as refused:
        checks.strings(["x", ""], "a.b")
    assert refused.value.param == "a.b[1]"


def test_good_values_come_back() -> None:
    """A value that keeps the rules is given back as it is."""
    assert checks.integer(-(2**63), "a") == -(2**63)
    assert checks.number(2, "a", low=0, high=2) == 2
    assert checks.matching("ab", "a", pattern=re.compile("[a-z]+")) == "ab"
    assert checks.strings(["x"], "a", least=1, most=1) == ["x"]
    assert checks.choice("y", "a", of=("y",)) == "y"
    assert checks.boolean(False, "a") is False
