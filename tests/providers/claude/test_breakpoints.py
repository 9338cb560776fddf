"""The rules for Claude's cache breakpoints."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.providers.claude.breakpoints import limit_breakpoints
from llm_simulator.claude.validation import breakpoints, check_cache_control
from tests.providers.claude.asking import HAIKU_4_5, sent

SHORT, HOUR = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
FIVE = {"type": "ephemeral", "ttl": "5m"}


def body(*marks: dict[str, str] | None, top: dict[str, str] | None = None) -> dict[str, Any]:
    """A tool, a system block, then blocks of one turn, each with its mark; and the one at the top."""
    blocks = [{"type": "text", "text": "a", **({"cache_control": dict(mark)} if mark else {})} for mark in marks]
    made: dict[str, Any] = {"tools": blocks[:1], "system": blocks[1:2], "messages": [{"content": blocks[2:]}]}
    return made if top is None else {**made, "cache_control": dict(top)}


def marks_of(made: dict[str, Any]) -> list[dict[str, str] | None]:
    blocks = [*made["tools"], *made["system"], *made["messages"][0]["content"], made]
    return [block.get("cache_control") for block in blocks]


CASES: dict[str, tuple[dict[str, Any], list[dict[str, str] | None]]] = {
    "four stay": (body(SHORT, SHORT, SHORT, SHORT), [SHORT, SHORT, SHORT, SHORT, None]),
    "the last four of five": (body(SHORT, SHORT, SHORT, SHORT, SHORT), [None, SHORT, SHORT, SHORT, SHORT, None]),
    "the top counts and is the last": (
        body(SHORT, SHORT, SHORT, SHORT, None, top=SHORT),
        [None, SHORT, SHORT, SHORT, None, SHORT],
    ),
    "the top beside the last block's own": (body(None, None, FIVE, top=HOUR), [None, None, FIVE, None]),
    "an hour before five minutes": (body(HOUR, HOUR, SHORT), [HOUR, HOUR, SHORT, None]),
    "an hour behind five minutes": (body(SHORT, HOUR, None, top=HOUR), [SHORT, SHORT, None, SHORT]),
    "only what is kept counts": (body(SHORT, HOUR, HOUR, HOUR, HOUR), [None, HOUR, HOUR, HOUR, HOUR, None]),
    "none": (body(None, None, None), [None, None, None, None]),
}


@pytest.mark.parametrize("case", CASES)
def test_at_most_four_and_in_order(case: str) -> None:
    """The last four are kept; an hour's mark stands before those of five minutes; the top's yields to the last block's."""
    made, kept = CASES[case]
    limit_breakpoints(made)
    assert marks_of(made) == kept


_MARKS = st.sampled_from([{}, {"cache_control": SHORT}, {"cache_control": FIVE}, {"cache_control": HOUR}])
_TEXTS = st.sampled_from(["a", "", " "])
_CONTENTS = st.one_of(
    _TEXTS,
    st.lists(
        st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, _TEXTS, _MARKS), min_size=1, max_size=3
    ),
)
_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_MESSAGES = st.builds(
    lambda members, content, mark: {**members, "content": content, **mark},
    st.sampled_from([
        {"role": "system"}, {"role": "developer"}, {"role": "user"}, {"role": "assistant"},
        {"role": "assistant", "tool_calls": [_CALL, _CALL]}, {"role": "tool", "tool_call_id": "c"},
    ]),
    _CONTENTS,
    _MARKS,
)  # fmt: skip
_TOOLS = st.builds(lambda mark: {"type": "function", "function": {"name": "f"}, **mark}, _MARKS)


@settings(max_examples=100)
@given(history=st.lists(_MESSAGES, max_size=8), tools=st.lists(_TOOLS, max_size=2), top=_MARKS)
def test_any_marks_are_accepted(
    history: list[dict[str, Any]], tools: list[dict[str, Any]], top: dict[str, Any]
) -> None:
    """However many marks a request has, wherever they stand: what is sent breaks no rule, and some remain if any was sent."""
    named = [{**tool, "function": {"name": f"f{index}"}} for index, tool in enumerate(tools)]
    messages = [{"role": "user", "content": "Hello"}, *history]
    made = dict(sent(messages, to=HAIKU_4_5, tools=named, **top).json)
    check_cache_control(made)
    if top:
        assert breakpoints(made)
