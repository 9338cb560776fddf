"""The checks that shapes are made of."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator import validators
from llm_simulator.validators import Check, Problem

REFUSED: list[tuple[Check, Any, str, str]] = [
    (validators.string(), 3, "type", "Input should be a valid string"),
    (validators.string(least=1), "", "value", "String should have at least 1 character"),
    (validators.string(least=2), "a", "value", "String should have at least 2 characters"),
    (validators.string(most=2), "abc", "value", "String should have at most 2 characters"),
    (validators.boolean, 1, "type", "Input should be a valid boolean"),
    (validators.number(), True, "type", "Input should be a valid number"),
    (validators.number(0, 1), -1, "value", "Input should be greater than or equal to 0"),
    (validators.number(0, 1), 2, "value", "Input should be less than or equal to 1"),
    (validators.integer(), 1.5, "type", "got a number with a fractional part"),
    (validators.one_of("a"), "b", "value", "Input should be 'a'"),
    (validators.one_of("a", "b", "c"), None, "value", "Input should be 'a', 'b' or 'c'"),
    (validators.array(validators.anything), {}, "type", "Input should be a valid list"),
    (validators.array(validators.anything, least=1), [], "value", "List should have at least 1 item"),
    (validators.array(validators.anything, most=1), [1, 2], "value", "List should have at most 1 items"),
    (validators.mapping, [], "type", "Input should be an object"),
    (validators.record({}), {"a": 1}, "extra", "Extra inputs are not permitted"),
    (validators.record({}, required=("a",)), {}, "missing", "Field required"),
    (validators.tagged({}), {}, "missing", "Field required"),
    (
        validators.tagged({"a": validators.anything}),
        {"type": []},
        "value",
        "does not match any of the expected tags: 'a'",
    ),
    (validators.text_or(validators.mapping), 3, "type", "Input should be an object"),
]


@pytest.mark.parametrize(("check", "value", "reason", "message"), REFUSED)
def test_wrong_value_is_a_problem_with_reason_and_sentence(check: Check, value: Any, reason: str, message: str) -> None:
    """A value of the wrong shape is a problem with a reason and a sentence."""
    with pytest.raises(Problem) as caught:
        check(value, ())
    assert caught.value.reason == reason
    assert message in caught.value.message


READ: list[tuple[Check, Any, Any]] = [
    (validators.integer(1, 3), 2.0, 2),
    (validators.number(), 2, 2),
    (validators.optional(validators.boolean), None, None),
    (validators.optional(validators.boolean), True, True),
    (validators.text_or(validators.mapping), "x", "x"),
    (validators.record({"a": validators.anything}, rename=str.lower), {"A": 1}, {"a": 1}),
    (validators.record({"a": validators.boolean}, skip_null=True), {"a": None}, {}),
]


@pytest.mark.parametrize(("check", "value", "expected"), READ)
def test_right_value_is_read_under_its_own_name(check: Check, value: Any, expected: Any) -> None:
    """A value of the right shape is read, under its own names."""
    assert check(value, ()) == expected


def test_problem_path_leads_to_the_value() -> None:
    """The path leads to the value, tags included."""
    check = validators.record(
        {
            "a": validators.array(
                validators.tagged({"t": validators.record({"type": validators.anything, "b": validators.boolean})})
            )
        }
    )
    with pytest.raises(Problem) as caught:
        check({"a": [{"type": "t"}, {"type": "t", "b": 1}]}, ())
    assert caught.value.path == ("a", 1, "t", "b")


def test_base64_is_decoded_in_both_alphabets() -> None:
    """Both alphabets are read, with or without padding; anything else is a ValueError."""
    assert validators.decode_base64("-_-_") == validators.decode_base64("+/+/")
    assert validators.decode_base64("YQ") == b"a"
    with pytest.raises(ValueError, match=r"."):
        validators.decode_base64("*")
