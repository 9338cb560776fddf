"""What holds for any history, any schema and any cut of a stream."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, UpstreamAuth, UpstreamOverloaded
from gateway.providers.base import UpstreamEndpoint
from gateway.providers.claude import Claude
from tests.dialects.messages.parsing import parse
from tests.providers.claude import asking
from tests.providers.claude.asking import KEY, WEATHER, asked, assert_documented, claude, read, sent, wire

MODELS = [
    asking.HAIKU_3_5,
    asking.OPUS_4_1,
    asking.HAIKU_4_5,
    asking.SONNET_4_6,
    asking.OPUS_4_7,
    asking.OPUS_5,
    asking.SONNET_5,
    asking.FABLE_5,
    asking.SONNET_5_5,
    asking.HAIKU_5_5,
    asking.OPUS_5_5,
]

texts = st.sampled_from(["", " ", "Hello", "\u2028x "])
marks = st.sampled_from(
    [{}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"prompt_cache_breakpoint": {"a": 1}}]
)
text_parts = st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, texts, marks)
image_parts = st.sampled_from(
    [
        {"type": "image_url", "image_url": {"url": url}}
        for url in ("https://example.com/a.png", "data:image/png;base64,QQ==")
    ]
)
told = texts | st.lists(text_parts, min_size=1, max_size=3)
ids = st.sampled_from(["c1", "c2", "x:y", "x_y", "é"])
function_calls = st.builds(
    lambda id, text, name: {"id": id, "type": "function", "function": {"name": name, "arguments": text}},
    ids,
    st.sampled_from(["", "{}", "null", '{"a b":[1]}']),
    st.sampled_from(["get_weather", "a.b", "a:b"]),
)
custom_calls = ids.map(lambda id: {"id": id, "type": "custom", "custom": {"name": "run", "input": "x"}})
details = st.sampled_from(
    [
        {"type": "reasoning.text", "text": "t", "signature": "s", "index": 0},
        {"type": "reasoning.text", "text": "t", "signature": "s", "after_tool_calls": 1},
        {"type": "reasoning.encrypted", "data": "d", "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "t", "signature": "s", "format": "google-gemini-v1"},
        {"type": "reasoning.summary", "summary": "s"},
    ]
)
messages = st.one_of(
    st.builds(lambda role, content: {"role": role, "content": content}, st.sampled_from(["system", "developer"]), told),
    st.builds(
        lambda content: {"role": "user", "content": content},
        texts | st.lists(text_parts | image_parts, min_size=1, max_size=3),
    ),
    st.builds(lambda content: {"role": "assistant", "content": content}, told),
    st.builds(
        lambda content, calls, thought: {
            "role": "assistant",
            "content": content,
            "tool_calls": calls,
            "reasoning_details": thought,
        },
        st.none() | texts,
        st.lists(function_calls | custom_calls, min_size=1, max_size=3),
        st.lists(details, max_size=2),
    ),
    st.builds(lambda id, content: {"role": "tool", "tool_call_id": id, "content": content}, ids, told),
)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["object", "array", "#", "#/$defs/a", "a b", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "required",
                    "items",
                    "anyOf",
                    "oneOf",
                    "allOf",
                    "$ref",
                    "$defs",
                    "additionalProperties",
                    "enum",
                    "a",
                    "format",
                    "minItems",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    history=st.lists(messages, min_size=1, max_size=8),
    model=st.sampled_from(MODELS),
    effort=st.sampled_from([None, "none", "low", "max"]),
    tools=st.booleans(),
)
def test_any_legal_history_becomes_a_documented_request(
    history: list[dict[str, Any]], model: str, effort: str | None, tools: bool
) -> None:
    """Any legal history becomes a documented request, the same each time, and is not changed itself; or it is refused."""
    body: dict[str, Any] = {"reasoning_effort": effort, "tools": [WEATHER] if tools else None}
    request = asked(history, **body)
    before = orjson.dumps(request.body)
    provider = claude()
    try:
        built = provider.build_request(request, model)
    except InvalidRequest:
        return
    assert orjson.dumps(request.body) == before
    assert provider.build_request(request, model) == built
    assert_documented(built.json)
    _assert_well_formed(built.json["messages"])


def _assert_well_formed(turns: list[dict[str, Any]]) -> None:
    """The user begins, roles take turns, and each call is answered once, at the head of the next turn."""
    assert turns[0]["role"] == "user"
    open_calls: list[str] = []
    given: set[str] = set()
    for turn in turns:
        assert turn["content"]
        results = list(itertools.takewhile(lambda block: block["type"] == "tool_result", turn["content"]))
        assert [block["tool_use_id"] for block in results] == open_calls
        assert sum(block["type"] == "tool_result" for block in turn["content"]) == len(results)
        assert all(block["text"].strip() for block in turn["content"] if block["type"] == "text")
        open_calls = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        assert not given & set(open_calls)
        given |= set(open_calls)
    assert not open_calls
    assert all(one["role"] != other["role"] for one, other in itertools.pairwise(turns))


@settings(max_examples=300, deadline=None)
@given(
    schema=st.dictionaries(st.sampled_from(["type", "properties", "required", "anyOf", "allOf", "$ref", "$defs"]), json)
)
def test_any_schema_builds_a_request_or_is_refused(schema: dict[str, Any]) -> None:
    """Whatever stands where a schema should, a request is built or refused."""
    tool = {"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for model in (asking.HAIKU_4_5, asking.OPUS_5_5):
        try:
            built = claude().build_request(asked(tools=[tool], response_format=wanted), model)
        except InvalidRequest:
            continue
        assert built.json["tools"][0]["input_schema"]["type"] == "object"


EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "é\u2028 "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "ping"},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t", "name": "get_weather"},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"city":"雨"}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]
WIRE = wire(EVENTS)


@given(st.lists(st.integers(0, len(WIRE)), max_size=12))
def test_chunks_do_not_depend_on_how_the_stream_is_cut(cuts: list[int]) -> None:
    """However the network cuts the stream, the chunks are the same."""
    edges = [0, *sorted(cuts), len(WIRE)]
    request = sent(tools=[WEATHER])
    pieces = [WIRE[begin:end] for begin, end in itertools.pairwise(edges)]
    assert read(claude().stream_parser(request), pieces) == read(claude().stream_parser(request), [WIRE])


def test_key_is_in_its_header_and_nowhere_else() -> None:
    """The key stands in a header and nowhere else; the configuration's headers cannot replace it."""
    provider = Claude(
        UpstreamEndpoint("https://claude.test/", KEY, {"anthropic-beta": "b", "x-api-key": "other"}), name="claude-eu"
    )
    request = provider.build_request(asked(), "claude-haiku-4-5")
    assert request.url == "https://claude.test/v1/messages"
    assert request.headers == {
        "anthropic-beta": "b",
        "content-type": "application/json",
        "x-api-key": KEY,
        "anthropic-version": "2023-06-01",
    }
    assert (request.provider, request.stream) == ("claude-eu", False)
    assert KEY not in str(request.json)


def test_error_with_status_200_is_raised() -> None:
    """An error that came with status 200 is an error."""
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(UpstreamOverloaded, match="Overloaded"):
        claude().parse_response(body, sent())


def test_error_does_not_repeat_the_providers_words() -> None:
    """A refused key is told without the provider's words."""
    error = claude().parse_error(
        401, {}, b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'
    )
    assert isinstance(error, UpstreamAuth)
    assert "invalid" not in error.message


def test_only_a_native_prompt_is_counted() -> None:
    """Anthropic counts a prompt of its own API; there is no call for any other."""
    assert claude().build_count_request(asked(), "claude-haiku-5-5") is None


def test_the_operators_betas_are_sent_with_the_clients() -> None:
    """Betas of the configuration do not replace those that a client needs."""
    provider = Claude(UpstreamEndpoint("https://x.test", KEY, headers={"anthropic-beta": "theirs"}))
    request = parse(model="claude-x", headers={b"anthropic-beta": b"a,b"})
    assert provider.build_request(request, "claude-x").headers["anthropic-beta"] == "theirs,a,b"
    assert provider.build_request(request, "claude-x").headers is provider.build_request(request, "claude-x").headers
