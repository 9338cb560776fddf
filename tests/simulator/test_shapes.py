"""The checks that shapes are made of."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.simulator import shapes
from gateway.simulator.shapes import Check, Problem

REFUSED: list[tuple[Check, Any, str, str]] = [
    (shapes.string(), 3, "type", "Input should be a valid string"),
    (shapes.string(least=1), "", "value", "String should have at least 1 character"),
    (shapes.string(least=2), "a", "value", "String should have at least 2 characters"),
    (shapes.string(most=2), "abc", "value", "String should have at most 2 characters"),
    (shapes.boolean, 1, "type", "Input should be a valid boolean"),
    (shapes.number(), True, "type", "Input should be a valid number"),
    (shapes.number(0, 1), -1, "value", "Input should be greater than or equal to 0"),
    (shapes.number(0, 1), 2, "value", "Input should be less than or equal to 1"),
    (shapes.integer(), 1.5, "type", "got a number with a fractional part"),
    (shapes.one_of("a"), "b", "value", "Input should be 'a'"),
    (shapes.one_of("a", "b", "c"), None, "value", "Input should be 'a', 'b' or 'c'"),
    (shapes.array(shapes.anything), {}, "type", "Input should be a valid list"),
    (shapes.array(shapes.anything, least=1), [], "value", "List should have at least 1 item"),
    (shapes.array(shapes.anything, most=1), [1, 2], "value", "List should have at most 1 items"),
    (shapes.mapping, [], "type", "Input should be an object"),
    (shapes.record({}), {"a": 1}, "extra", "Extra inputs are not permitted"),
    (shapes.record({}, required=("a",)), {}, "missing", "Field required"),
    (shapes.tagged({}), {}, "missing", "Field required"),
    (shapes.tagged({"a": shapes.anything}), {"type": []}, "value", "does not match any of the expected tags: 'a'"),
    (shapes.text_or(shapes.mapping), 3, "type", "Input should be an object"),
]


@pytest.mark.parametrize(("check", "value", "reason", "message"), REFUSED)
def test_refused(check: Check, value: Any, reason: str, message: str) -> None:
    """A value of the wrong shape is a problem with a reason and a sentence."""
    with pytest.raises(Problem) as caught:
        check(value, ())
    assert caught.value.reason == reason
    assert message in caught.value.message


READ: list[tuple[Check, Any, Any]] = [
    (shapes.integer(1, 3), 2.0, 2),
    (shapes.number(), 2, 2),
    (shapes.optional(shapes.boolean), None, None),
    (shapes.optional(shapes.boolean), True, True),
    (shapes.text_or(shapes.mapping), "x", "x"),
    (shapes.record({"a": shapes.anything}, rename=str.lower), {"A": 1}, {"a": 1}),
    (shapes.record({"a": shapes.boolean}, skip_null=True), {"a": None}, {}),
]


@pytest.mark.parametrize(("check", "value", "expected"), READ)
def test_read(check: Check, value: Any, expected: Any) -> None:
    """A value of the right shape is read, under its own names."""
    assert check(value, ()) == expected


def test_path() -> None:
    """The path leads to the value, tags included."""
    check = shapes.record(
        {"a": shapes.array(shapes.tagged({"t": shapes.record({"type": shapes.anything, "b": shapes.boolean})}))}
    )
    with pytest.raises(Problem) as caught:
        check({"a": [{"type": "t"}, {"type": "t", "b": 1}]}, ())
    assert caught.value.path == ("a", 1, "t", "b")


def test_decode_base64() -> None:
    """Both alphabets are read, with or without padding; anything else is a ValueError."""
    assert shapes.decode_base64("-_-_") == shapes.decode_base64("+/+/")
    assert shapes.decode_base64("YQ") == b"a"
    with pytest.raises(ValueError, match=r"."):
        shapes.decode_base64("*")
