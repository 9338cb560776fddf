"""A body becomes a ChatRequest, or an InvalidRequest that names the member."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.completion import ChatRequest
from gateway.dialects import InboundRequest
from gateway.dialects.responses import Responses
from gateway.dialects.responses.items import MAX_ITEMS
from gateway.dialects.responses.parameters import _CHECKS
from gateway.errors import InvalidRequest
from tests.dialects.responses.bodies import CALL, RESULT, WEATHER, parsed, refused

ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "name", "content", "x"]), inner)
    ),
    max_leaves=6,
)
ITEM = st.sampled_from([CALL, RESULT, {"role": "user", "content": "x"}, {"type": "reasoning"}, {"id": "msg_1"}])
ODD_ITEM = st.builds(lambda item, name, value: {**item, name: value}, ITEM, st.sampled_from(
    ["type", "role", "content", "call_id", "output", "arguments", "id", "encrypted_content"]), ODD)  # fmt: skip
MEMBERS = st.dictionaries(st.sampled_from([*_CHECKS, "tools", "tool_choice", "routing", "input"]), ODD, max_size=3)


@given(items=st.lists(ITEM | ODD_ITEM, max_size=4), members=MEMBERS)
def test_odd_bodies_are_invalid_or_requests(items: list[Any], members: dict[str, Any]) -> None:
    """Nothing but InvalidRequest is raised, whatever JSON comes."""
    raw = orjson.dumps({"model": "auto", "input": items, "tools": [WEATHER], **members})
    with suppress(InvalidRequest):
        assert isinstance(Responses().parse_request(InboundRequest(raw)), ChatRequest)


def test_original_travels_with_the_request() -> None:
    """The client's body is there for the response, without nulls and the gateway's hints."""
    chat = parsed(stream=True, temperature=None, routing={"max_cost": 1}).chat
    assert chat.native is not None
    assert chat.native.body == {"model": "auto", "input": "Hello", "stream": True}
    assert (chat.stream, chat.hints.max_cost, chat.size, chat.body["stream"]) == (True, 1, 7, True)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": [{"type": "reasoning"}]}, "input"),
        ({"input": [{"role": "user", "content": "x"}] * (MAX_ITEMS + 1)}, "input"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_body_is_named(members: dict[str, Any], param: str) -> None:
    """A model and an input with something to answer are needed."""
    assert refused(**{"input": "Hello", **members}).param == param
