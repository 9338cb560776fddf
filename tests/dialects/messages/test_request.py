"""A request, and the object that goes to Claude."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.completion import ChatRequest
from gateway.dialects import InboundRequest
from gateway.dialects.envelope import Envelope, seal
from gateway.dialects.messages import parse_count_request, parse_messages_request
from gateway.errors import InvalidRequest
from tests.dialects.messages.parsing import assistant, native, parse, text, tool_use, user

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "role"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        "text",
        "image",
        "document",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "search_result",
        "x",
        "mcp_tool_use",
    ]
)
SOURCES = st.fixed_dictionaries({"type": st.sampled_from(["base64", "url", "text", "content", "file"])}) | JSON
BLOCKS = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional=dict.fromkeys(
        (
            "text",
            "id",
            "name",
            "input",
            "tool_use_id",
            "content",
            "signature",
            "data",
            "is_error",
            "cache_control",
        ),
        JSON,
    )
    | {"source": SOURCES},
)
TURNS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(BLOCKS, max_size=3) | JSON}
)
BODIES = st.fixed_dictionaries(
    {
        "model": st.just("auto") | JSON,
        "max_tokens": st.integers(1, 9) | JSON,
        "messages": st.lists(TURNS, max_size=3) | JSON,
    },
    optional={
        "system": st.lists(BLOCKS, max_size=2) | JSON,
        "tools": st.lists(st.dictionaries(st.sampled_from(["type", "name", "input_schema"]), JSON), max_size=2) | JSON,
        "tool_choice": JSON,
        "thinking": st.fixed_dictionaries({"type": st.sampled_from(["enabled", "adaptive"])}) | JSON,
        "output_config": st.dictionaries(st.sampled_from(["effort", "format"]), JSON) | JSON,
        "metadata": JSON,
        "stream": JSON,
        "routing": JSON,
    },
)


@settings(max_examples=300)
@given(BODIES)
def test_odd_json_is_a_request_or_invalid(body: Any) -> None:
    """Whatever a client sends, it is a request or an InvalidRequest, and nothing else."""
    try:
        request = parse_messages_request(InboundRequest(orjson.dumps(body)))
    except InvalidRequest:
        return
    assert isinstance(request, ChatRequest)


def test_the_original_is_kept() -> None:
    """Members in their order, unknown ones, the API's headers and the query reach Claude; what is the gateway's does not."""
    body: dict[str, Any] = {"anything": [1], "model": "claude-x", "max_tokens": 5, "routing": {"session_id": "s"}}
    body["messages"] = [user(text("Hi"), {"type": "hologram", "data": 1})]
    headers = {b"anthropic-version": b"2026-10-21", b"anthropic-beta": b"a,b", b"x-api-key": b"secret", b"cookie": b"c"}
    request = parse_messages_request(InboundRequest(orjson.dumps(body), headers, b"beta=true&auto_route=true&x=1"))
    original = native(request)
    assert list(original.body) == ["anything", "model", "max_tokens", "messages"]
    assert original.body["messages"] == body["messages"]
    assert original.headers == {"anthropic-version": "2026-10-21", "anthropic-beta": "a,b"}
    assert original.query == "beta=true&x=1"
    assert request.hints.session_id == "s"


@pytest.mark.parametrize("query", [b"a=1#b", b"a=\x7f", b"x" * 2001], ids=["fragment", "control", "long"])
def test_an_odd_query_is_not_passed_on(query: bytes) -> None:
    """A query that is no plain one never becomes part of an URL."""
    assert native(parse(query=query)).query == ""


def test_the_gateways_envelopes_are_removed_for_claude() -> None:
    """Anthropic's own thinking stays; envelopes are removed, and a turn of nothing else with them."""
    own = {"type": "thinking", "thinking": "x", "signature": seal(Envelope("gemini/x", []))}
    theirs = {"type": "thinking", "thinking": "x", "signature": "EqQB"}
    turns = [user(text("Hi")), assistant(own, text("Ho")), assistant(own), assistant(theirs, text("Ha"))]
    assert native(parse(turns)).body["messages"] == [turns[0], assistant(text("Ho")), turns[3]]


def test_reasoning_returns_to_its_message() -> None:
    """An envelope's details are members of the inner message, a call's own signature those of the call."""
    extra = {"google": {"thought_signature": "s"}}
    details: list[Any] = [
        {"type": "reasoning.text", "text": "x"},
        {"type": "tool_call", "id": "t1", "extra_content": extra},
    ]
    block = {"type": "redacted_thinking", "data": seal(Envelope("gemini/x", details))}
    message = parse([user(text("Hi")), assistant(block, tool_use("t1"))]).messages[1]
    assert message["reasoning_details"] == [{"type": "reasoning.text", "text": "x"}]
    assert message["tool_calls"][0]["extra_content"] == extra


@pytest.mark.parametrize(
    ("sent", "model", "provider"),
    [
        ("auto", "auto", None),
        ("auto:cheap", "auto:cheap", None),
        ("claude-auto", "auto", None),
        ("claude-auto[1m]", "auto", None),
        ("claude-opus-5-5[1m]", "claude-opus-5-5", "claude"),
        ("claude-unheard-of", "claude-unheard-of", "claude"),
        ("gemini/gemini-3.8-flash", "gemini/gemini-3.8-flash", None),
    ],
)
def test_names(sent: str, model: str, provider: str | None) -> None:
    """`auto`, full names and bare names; a bare one is Claude's where the catalogue does not know it."""
    request = parse(model=sent)
    assert (request.model, request.bare_provider) == (model, provider)


@pytest.mark.parametrize(
    ("given_", "path"),
    [({"model": None}, "model"), ({"model": 7}, "model"), ({"model": ""}, "model"), ({"stream": "yes"}, "stream")],
)
def test_a_wrong_member_is_named(given_: Any, path: str) -> None:
    """The error has the member's path."""
    with pytest.raises(InvalidRequest) as refused:
        parse(**given_)
    assert refused.value.param == path


def test_an_odd_header_is_refused() -> None:
    """A header that could not be sent on is the client's mistake, not an upstream's failure."""
    with pytest.raises(InvalidRequest, match="anthropic-beta"):
        parse(headers={b"anthropic-beta": b"\xe9"})


def test_counting_needs_no_limit() -> None:
    """`count_tokens` has no `max_tokens`, and Claude gets none."""
    counted = parse_count_request(InboundRequest(orjson.dumps({"model": "auto", "messages": [user(text("Hi"))]})))
    assert "max_tokens" not in native(counted).body
