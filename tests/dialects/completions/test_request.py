"""What a completions request may be, and the chat request that it becomes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.completion import ChatRequest
from gateway.dialects.completions.request import echoed, parse_completion_request
from gateway.errors import InvalidRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = [
    "model", "prompt", "max_tokens", "n", "best_of", "echo", "logprobs", "suffix", "stop", "stream", "stream_options",
    "routing", "messages", "tools", "seed",
]  # fmt: skip


def parsed(**members: Any) -> ChatRequest:
    return parse_completion_request(orjson.dumps({"model": "auto", "prompt": "Say four.", **members}))


@pytest.mark.parametrize("prompt", ["Say four.", ["Say four."]])
def test_a_prompt_is_one_user_message(prompt: Any) -> None:
    """The prompt, alone or in a list, becomes the only message, and 16 tokens are the limit without another."""
    request = parsed(prompt=prompt)
    assert request.messages == [{"role": "user", "content": "Say four."}]
    assert request.output_limit == 16
    assert "prompt" not in request.body


def test_members_mean_what_they_mean_in_a_chat() -> None:
    """What both APIs have is passed on, also what the gateway does not know; null counts as absent."""
    request = parsed(
        max_tokens=7, stop=["a"], temperature=0.5, n=2, best_of=2, user=None, suffix="", unknown=1,
        stream=True, stream_options={"include_usage": True}, routing={"session_id": "s"},
    )  # fmt: skip
    assert request.body.keys() == {
        "model", "messages", "max_tokens", "stop", "temperature", "n", "unknown", "stream", "stream_options",
    }  # fmt: skip
    assert (request.output_limit, request.choices, request.hints.session_id) == (7, 2, "s")
    assert request.stream
    assert request.include_usage
    assert parsed(max_completion_tokens=9).output_limit == 9


def test_members_of_a_chat_that_a_text_cannot_carry_are_left_out() -> None:
    """Tools and other messages are no members of this API and change nothing."""
    request = parsed(tools=[{"type": "function"}], messages=[], tool_choice="auto", modalities=["audio"])
    assert request.body.keys() == {"model", "messages", "max_tokens"}


@pytest.mark.parametrize(
    ("number", "members"), [(0, {"logprobs": True}), (3, {"logprobs": True, "top_logprobs": 3}), (None, {})]
)
def test_logprobs_are_a_number_of_alternatives(number: int | None, members: dict[str, Any]) -> None:
    """The number becomes the two members of a chat request."""
    body = parsed(logprobs=number).body
    assert {name: body[name] for name in ("logprobs", "top_logprobs") if name in body} == members


def test_the_prompt_is_echoed_where_asked_for() -> None:
    """`echo` asks for the prompt before each answer."""
    assert echoed(parsed(echo=True)) == "Say four."
    assert echoed(parsed(echo=False)) == echoed(parsed()) == ""


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": [""]}, "prompt[0]"),
        ({"prompt": []}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1]]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"echo": "yes"}, "echo"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"best_of": 3}, "best_of"),
        ({"best_of": "3"}, "best_of"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {}}, "stream_options"),
        ({"routing": {"nope": 1}}, "routing.nope"),
    ],
)
def test_a_wrong_or_unsupported_member_is_named(members: dict[str, Any], param: str) -> None:
    """The error names the member."""
    with pytest.raises(InvalidRequest) as caught:
        parsed(**members)
    assert caught.value.param == param


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_any_json_is_a_request_or_invalid(body: dict[str, Any]) -> None:
    """Whatever JSON comes, the result is a request with one message or InvalidRequest."""
    try:
        request = parse_completion_request(orjson.dumps({"model": "auto", "prompt": "x", **body}))
    except InvalidRequest:
        return
    assert len(request.messages) == 1
