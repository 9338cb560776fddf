"""Rules that hold for whatever a client may ask and a network may do."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.completion import ChatRequest
from gateway.errors import InvalidRequest, UpstreamError
from gateway.providers.gemini import Gemini
from gateway.sse import ServerSentEvent
from tests.providers.gemini.asking import check_request, gemini, request, said, sent, streamed, wire

MODELS = (
    "gemini-2.0-flash",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-3.1-pro-preview",
    "gemini-3.5-flash",
    "gemini-4-argon",
    "new",
)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
SMALL = st.sampled_from(["", "a", "{}", '{"a": 1}', "[1]", "{", "é\u2028"])
IDS = st.sampled_from(["c1", "c2", "toolu_3", "functions.x:0"])
DECLARED = ["f", "2fa", "_2fa", "a-b", "x" * 64]
NAMES = st.sampled_from([*DECLARED, "a.b", "a b"])
TEXT_PARTS = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": WORDS}), min_size=1, max_size=3)
USER_PARTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("text"), "text": WORDS}),
        st.just({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}),
        st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}),
        st.just({"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}),
        st.just({"type": "file", "file": {"file_data": "data:text/plain;base64,QUJD"}}),
    ),
    min_size=1,
    max_size=3,
)
FUNCTION_CALL = st.fixed_dictionaries(
    {"id": IDS, "type": st.just("function"), "function": st.fixed_dictionaries({"name": NAMES, "arguments": SMALL})},
    optional={"extra_content": st.just({"google": {"thought_signature": "QUJD"}})},
)
CUSTOM_CALL = st.fixed_dictionaries(
    {"id": IDS, "type": st.just("custom"), "custom": st.fixed_dictionaries({"name": NAMES, "input": SMALL})}
)
MESSAGES = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["system", "developer"]), "content": WORDS | TEXT_PARTS}),
        st.fixed_dictionaries({"role": st.just("user"), "content": WORDS | USER_PARTS}),
        st.fixed_dictionaries({"role": st.just("assistant"), "content": WORDS | TEXT_PARTS}),
        st.fixed_dictionaries(
            {
                "role": st.just("assistant"),
                "content": st.none() | WORDS,
                "tool_calls": st.lists(FUNCTION_CALL | CUSTOM_CALL, min_size=1, max_size=3),
            }
        ),
        st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": IDS, "content": SMALL | TEXT_PARTS}),
    ),
    min_size=1,
    max_size=8,
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.lists(st.sampled_from(DECLARED), min_size=1, max_size=3, unique=True).map(
            lambda names: [{"type": "function", "function": {"name": name, "parameters": {}}} for name in names]
        ),
        "parallel_tool_calls": st.booleans(),
        "temperature": st.floats(0, 2),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "stop": st.lists(st.text("ab", min_size=1, max_size=2), max_size=4),
        "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh"]),
        "response_format": st.sampled_from([{"type": "text"}, {"type": "json_object"}]),
        "service_tier": st.sampled_from(["auto", "default", "flex", "priority"]),
        "max_completion_tokens": st.integers(1, 2**20),
    },
)
PARTS = st.one_of(
    st.fixed_dictionaries({"text": WORDS}, optional={"thought": st.booleans(), "thoughtSignature": st.just("QUJD")}),
    st.fixed_dictionaries(
        {"functionCall": st.fixed_dictionaries({"name": NAMES, "args": st.dictionaries(WORDS, WORDS, max_size=2)})},
        optional={"thoughtSignature": st.just("QUJD")},
    ),
    st.just({"executableCode": {"language": "PYTHON", "code": "1"}}),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "candidates",
                    "content",
                    "parts",
                    "text",
                    "functionCall",
                    "args",
                    "name",
                    "id",
                    "finishReason",
                    "index",
                    "promptFeedback",
                    "blockReason",
                    "usageMetadata",
                    "promptTokenCount",
                    "candidatesTokenCount",
                    "logprobsResult",
                    "chosenCandidates",
                    "error",
                    "code",
                    "details",
                    "thoughtSignature",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def built(asked: ChatRequest, model: str, *, by: Gemini) -> Any:
    """What is sent, or None when it is refused for having nothing to say."""
    try:
        return by.build_request(asked, model)
    except InvalidRequest as error:
        if error.param != "messages":
            raise
        return None


@given(messages=MESSAGES, options=OPTIONS, model=st.sampled_from(MODELS))
def test_any_legal_history_becomes_legal_contents(messages: Any, options: Any, model: str) -> None:
    """Any history that OpenAI takes becomes contents that Gemini takes: turns alternate, calls are answered, nothing is empty."""
    made = built(request(messages=messages, **options), model, by=gemini())
    if made is None:
        return
    check_request(made.json)
    contents = made.json["contents"]
    assert [content["role"] for content in contents[1:]] == [
        {"user": "model", "model": "user"}[content["role"]] for content in contents[:-1]
    ]
    assert contents[-1]["role"] == "user"
    assert all(content["parts"] and {"text": ""} not in content["parts"] for content in contents)
    for before, after in zip([{"parts": []}, *contents], contents, strict=False):
        called = [part["functionCall"] for part in before["parts"] if "functionCall" in part]
        answered = [part["functionResponse"] for part in after["parts"] if "functionResponse" in part]
        assert [(call.get("id"), call["name"]) for call in called] == [(one.get("id"), one["name"]) for one in answered]


@given(messages=MESSAGES, options=OPTIONS, model=st.sampled_from(MODELS))
def test_building_a_request_changes_nothing(messages: Any, options: Any, model: str) -> None:
    """Building changes nothing of the request, and building again gives the same."""
    provider, asked = gemini(), request(messages=messages, **options)
    before = orjson.dumps(asked.body)
    assert built(asked, model, by=provider) == built(asked, model, by=provider)
    assert orjson.dumps(asked.body) == before


@given(
    events=st.lists(st.lists(PARTS, max_size=3), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 2000), max_size=6),
)
def test_chunks_do_not_depend_on_how_the_stream_is_cut(events: Any, cuts: list[int]) -> None:
    """However the network cuts a stream, the chunks are the same; the rules of streams hold for them."""
    provider = gemini()
    to = sent(by=provider, stream=True, tools=[{"type": "function", "function": {"name": "f"}}])
    whole = wire([said(*parts, finish=None) for parts in events[:-1]] + [said(*events[-1])])
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(edges)]
    chunks = streamed([whole], by=provider, to=to)
    assert streamed(pieces, by=provider, to=to) == chunks
    steps = [choice for chunk in chunks for choice in chunk.choices]
    assert ["role" in step["delta"] for step in steps] == [True] + [False] * (len(steps) - 1)
    assert [step["finish_reason"] is None for step in steps] == [True] * (len(steps) - 1) + [False]
    calls = [call for step in steps for call in step["delta"].get("tool_calls", ())]
    assert [call["index"] for call in calls] == list(range(len(calls)))
    assert len({call["id"] for call in calls}) == len(calls)


@given(parts=st.lists(PARTS, max_size=6))
def test_stream_and_whole_answer_agree(parts: Any) -> None:
    """The same parts say the same, whole or piece by piece."""
    provider = gemini()
    to = sent(by=provider, stream=True)
    message = provider.parse_response(said(*parts), to).choices[0]["message"]
    chunks = streamed([wire([*(said(part, finish=None) for part in parts), said()])], by=provider, to=to)
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.get("content", "") for delta in deltas) == (message["content"] or "")
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == message.get("reasoning_content", "")
    calls = [
        {name: value for name, value in call.items() if name != "index"}
        for delta in deltas
        for call in delta.get("tool_calls", ())
    ]
    assert calls == message.get("tool_calls", [])
    assert [entry for delta in deltas for entry in delta.get("reasoning_details", ())] == message.get(
        "reasoning_details", []
    )


@given(body=JSON)
def test_any_json_answer_is_read_or_an_upstream_error(body: Any) -> None:
    """Whatever JSON comes as an answer or an event, it is read or is an upstream's error, never a crash."""
    provider = gemini()
    to = sent(by=provider, stream=True)
    for read in (
        lambda: provider.parse_response(body if isinstance(body, dict) else {"candidates": body}, to),
        lambda: provider.stream_parser(to).feed(ServerSentEvent(orjson.dumps(body))),
    ):
        try:
            read()
        except UpstreamError as error:
            assert error.provider == "gemini"  # noqa: PT017  # either outcome is right


@given(status=st.integers(300, 599), body=st.binary(max_size=40) | JSON.map(orjson.dumps))
def test_any_error_body_is_an_upstream_error(status: int, body: bytes) -> None:
    """Whatever stands in an error's body, it is some upstream error."""
    assert isinstance(gemini().parse_error(status, {}, body), UpstreamError)


@pytest.mark.parametrize("model", MODELS)
def test_plain_request_for_every_generation(model: str) -> None:
    """Every generation can be asked."""
    check_request(
        sent(model, reasoning_effort="low", temperature=1, tools=[{"type": "function", "function": {"name": "f"}}]).json
    )
