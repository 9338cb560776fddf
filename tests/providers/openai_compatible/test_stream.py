"""Streams, as different upstreams of the kind send them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.completion import Chunk, Json, Usage
from gateway.errors import (
    UpstreamAccountEmpty,
    UpstreamError,
    UpstreamFailed,
    UpstreamInvalidResponse,
    UpstreamTruncated,
)
from gateway.providers.openai_compatible.answer import parse_usage
from gateway.providers.openai_compatible.stream import OpenAIStream
from gateway.sse import ServerSentEvent

DONE = ServerSentEvent(b"[DONE]")


def usage_of(body: Json) -> Usage | None:
    return parse_usage(body.get("usage"))


def stream() -> OpenAIStream:
    return OpenAIStream(provider="acme", key="hunter2", usage=usage_of, detail_extra={"model": "m"})


def event(delta: Any = None, **choice: Any) -> ServerSentEvent:
    return chunk(choices=[{"index": 0, "delta": delta, **choice}])


def chunk(**body: Any) -> ServerSentEvent:
    return ServerSentEvent(orjson.dumps({"id": "r1", **body}))


def read(*events: ServerSentEvent) -> list[Chunk]:
    parser = stream()
    return [made for one in (*events, DONE) for made in parser.feed(one)] + list(parser.close())


def deltas(*given: Any) -> list[Any]:
    """What becomes of these deltas; the choice's end is left out."""
    return [choice["delta"] for made in read(*map(event, given)) for choice in made.choices][:-1]


TEXT = st.sampled_from(["a", "b", '"', "\u2028", "probe", ""])
SAYS = [{}, {}, {"logprobs": None}, {"logprobs": {"content": []}}, {"finish_reason": "stop"}, {"index": 1}]
BESIDES = [{}, {}, {}, {"usage": {"prompt_tokens": 3}}, {"service_tier": "x"}, {"service_tier": "y"}]
BODY: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda text, says, besides: {"choices": [{"index": 0, "delta": {"content": text}, **says}], **besides},
    TEXT,
    st.sampled_from(SAYS),
    st.sampled_from(BESIDES),
)


@given(st.lists(BODY, max_size=12))
def test_similar_events_give_the_same_as_different_ones(bodies: list[dict[str, Any]]) -> None:
    """Events that are alike but for their text give what each gives when no two are alike."""
    alike = [ServerSentEvent(orjson.dumps(body)) for body in bodies]
    unlike = [ServerSentEvent(orjson.dumps({**body, "number": number})) for number, body in enumerate(bodies)]
    end = event({"content": "end"}, finish_reason="stop")
    assert read(*alike, end) == read(*unlike, end)


def calls(*given: Any) -> list[Any]:
    return [call for delta in deltas(*({"tool_calls": entries} for entries in given)) for call in delta["tool_calls"]]


def test_stream_has_role_first_and_reason_last() -> None:
    """The role is told once, with the first words; what says nothing is passed over; the reason comes last."""
    empty = {"role": "assistant", "content": "", "refusal": None}
    made = read(
        event(empty),
        event({**empty, "content": "a"}),
        event(empty),
        event({"content": "b"}, finish_reason="length"),
        event({"content": "c"}),
    )
    assert [one.choices for one in made] == [
        [{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None, "logprobs": None}],
        [{"index": 0, "delta": {"content": "b"}, "finish_reason": None, "logprobs": None}],
        [{"index": 0, "delta": {"content": "c"}, "finish_reason": None, "logprobs": None}],
        [{"index": 0, "delta": {}, "finish_reason": "length", "logprobs": None}],
    ]


def test_empty_stream_still_has_role_and_reason() -> None:
    """An answer that says nothing still has its role, and a reason where none was told."""
    (only,) = read(event({"role": "assistant"}))
    delta = {"role": "assistant", "content": ""}
    assert only.choices == [{"index": 0, "delta": delta, "finish_reason": "stop", "logprobs": None}]


def test_each_choice_has_its_own_role_and_end() -> None:
    """Each choice has its own role and its own end."""
    made = read(
        chunk(
            choices=[
                {"index": 1, "delta": {"content": "b"}},
                {"index": 0, "delta": {"content": "a"}},
                {"index": "x"},
                "x",
            ]
        )
    )
    assert [(choice["index"], choice["delta"], choice["finish_reason"]) for one in made for choice in one.choices] == [
        (1, {"role": "assistant", "content": "b"}, None),
        (0, {"role": "assistant", "content": "a"}, None),
        (0, {}, "stop"),
        (1, {}, "stop"),
    ]


def test_usage_comes_with_or_without_choices() -> None:
    """Usage is passed on when it comes, with or without choices; how the answer was made stands in the last chunk."""
    made = read(
        chunk(choices=[{"delta": {"content": "a"}}], usage={"prompt_tokens": 1}, service_tier="flex"),
        chunk(choices=[], usage={"prompt_tokens": 2, "completion_tokens": 3}),
        chunk(choices=[], usage=None),
    )
    assert [one.usage and (one.usage.prompt_tokens, one.usage.completion_tokens) for one in made] == [
        (1, 0),
        (2, 3),
        None,
    ]
    assert [one.extra for one in made] == [{}, {}, {"service_tier": "flex"}]


def test_logprobs_are_passed_on_without_text_too() -> None:
    """Probabilities are passed on, also without words."""
    first, *_ = read(event({}, logprobs={"content": []}), event({"content": "a"}))
    assert first.choices[0]["logprobs"] == {"content": []}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"reasoning": "hm"}, {"reasoning_content": "hm"}),
        ({"reasoning_content": "hm", "reasoning": "hm"}, {"reasoning_content": "hm"}),
        ({"reasoning": None, "content": [{"type": "text", "text": "a"}]}, {"content": "a"}),
        ({"refusal": "no", "content": None}, {"refusal": "no"}),
        ({"audio": {"id": "a"}}, {"audio": {"id": "a"}}),
        (
            {"annotations": ["x", {"type": "t"}, {"type": "u"}]},
            {"annotations": [{"index": 0, "type": "t"}, {"index": 1, "type": "u"}]},
        ),
        ({"annotations": [{"index": 4}]}, {"annotations": [{"index": 4}]}),
    ],
)
def test_delta_normalises_reasoning_and_list_entries(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Reasoning has one name, list entries have an index, and what is not known is passed on."""
    assert deltas(given) == [{"role": "assistant", **expected}]


@pytest.mark.parametrize(
    "given", [None, "text", {}, {"reasoning": 7}, {"annotations": []}, {"tool_calls": ["x"]}], ids=repr
)
def test_empty_delta_makes_no_chunk(given: object) -> None:
    """A delta that says nothing makes no chunk."""
    assert deltas(given) == []


def test_details_tell_their_kind_once() -> None:
    """Of the details only text arrives in pieces; the rest is told once, or clients would join it to itself."""
    first = {"type": "reasoning.text", "text": "a", "format": "f", "index": 0}
    made = deltas({"reasoning_details": [first]}, {"reasoning_details": [{**first, "text": "b", "signature": "s"}]})
    assert [delta["reasoning_details"] for delta in made] == [
        [{"model": "m", "type": "reasoning.text", "text": "a", "format": "f", "index": 0}],
        [{"type": "reasoning.text", "text": "b", "signature": "s", "index": 0}],
    ]


def test_details_without_index_are_told_apart_by_type() -> None:
    """Details without an index are told apart by their type."""
    made = deltas(*({"reasoning_details": [{"type": kind}]} for kind in ("t", "t", "u")))
    assert [delta["reasoning_details"][0]["index"] for delta in made] == [0, 0, 1]


def test_call_head_comes_once_then_argument_pieces() -> None:
    """A call's id, type and name are told once, then its arguments in pieces."""
    start = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    again = {**start, "function": {"name": "f", "arguments": "{}"}}
    assert calls([start], [again], [{"index": 0, "function": {"arguments": ""}}, start]) == [
        start,
        {"index": 0, "function": {"arguments": "{}"}},
    ]


@pytest.mark.parametrize(
    ("entries", "ids"),
    [
        (
            [{"index": 3, "id": "a", "function": {"name": "f"}}, {"index": 7, "id": "b", "function": {"name": "f"}}],
            ["a", "b"],
        ),
        (
            [{"index": 0, "id": "a", "function": {"name": "f"}}, {"index": 0, "id": "b", "function": {"name": "f"}}],
            ["a", "b"],
        ),
        ([{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "f"}}], ["a", "b"]),
        ([{"function": {"name": "f"}}, {"function": {"name": "f"}}], ["call_r1_0_0", "call_r1_0_1"]),
        (
            [{"index": 0, "function": {"name": "f"}}, {"index": 1, "id": "", "function": {"name": "f"}}],
            ["call_r1_0_0", "call_r1_0_1"],
        ),
    ],
    ids=["gaps", "all zero", "no index", "neither", "no id"],
)
def test_calls_count_from_0_and_have_unique_ids(entries: list[Any], ids: list[str]) -> None:
    """Calls count from 0 however the upstream counts, and each has an id of its own."""
    made = calls(entries)
    assert [(call["index"], call["id"]) for call in made] == list(enumerate(ids))
    assert all(call["type"] == "function" for call in made)


def test_argument_pieces_find_their_call() -> None:
    """Arguments go to the call they belong to, by index, by id, or to the newest."""
    a, b = ({"index": 0, "id": name, "function": {"name": "f", "arguments": ""}} for name in "ab")
    assert calls([a, b], [{"index": 0, "id": "b", "function": {"name": "f", "arguments": "1"}}])[-1]["index"] == 1
    assert calls([{"function": {"name": "f"}}], [{"function": {"arguments": "1"}}])[-1] == {
        "index": 0,
        "function": {"arguments": "1"},
    }


def test_odd_call_forms_are_understood() -> None:
    """Arguments may come as an object, a call without a function is one without a name, and custom calls have input."""
    assert (
        calls([{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}])[0]["function"]["arguments"]
        == '{"x":1}'
    )
    assert calls([{"index": 0, "id": "a"}])[0]["function"] == {"name": "", "arguments": ""}
    custom = {"index": 0, "id": "a", "custom": {"name": "g", "input": "1"}}
    assert calls([custom], [{"index": 0, "custom": {"input": "2"}}]) == [
        {**custom, "type": "custom"},
        {"index": 0, "custom": {"input": "2"}},
    ]


def test_missing_reason_with_calls_is_tool_calls() -> None:
    """Without a known reason an answer with calls ends with `tool_calls`."""
    last = read(event({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}, finish_reason="eos"))[-1]
    assert last.choices[0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (chunk(error={"code": 402, "message": "credits"}), UpstreamAccountEmpty),
        (chunk(choices=[{"delta": {}, "error": {"code": 502, "message": "broke"}}]), UpstreamFailed),
        (chunk(choices=[{"delta": {}, "finish_reason": "error"}]), UpstreamFailed),
        (ServerSentEvent(b'{"message": "key hunter2"}', "error"), UpstreamFailed),
        (ServerSentEvent(b"{"), UpstreamInvalidResponse),
        (ServerSentEvent(b"[DONE] "), UpstreamInvalidResponse),
    ],
)
def test_error_events_and_noise_are_raised_without_the_key(told: ServerSentEvent, kind: type[UpstreamError]) -> None:
    """An error in an event or a choice, noise, and a stream without choices are raised, without the key."""
    with pytest.raises(kind) as raised:
        stream().feed(told)
    assert raised.value.provider == "acme"
    assert "hunter2" not in raised.value.message


@pytest.mark.parametrize("data", [b"", b" ", b"{}", b"[1]", b"null", b'{"choices": null}'])
def test_events_that_are_no_chunk_are_passed_over(data: bytes) -> None:
    """Events that are no chunk are passed over."""
    assert stream().feed(ServerSentEvent(data)) == ()


def test_stream_without_done_is_truncated() -> None:
    """Without [DONE] a stream is cut short, even after a finish reason; after it nothing counts."""
    parser = stream()
    parser.feed(event({"content": "a"}, finish_reason="stop"))
    with pytest.raises(UpstreamTruncated):
        parser.close()
    assert len(parser.feed(DONE)) == 1
    assert parser.feed(event({"content": "b"})) == ()
    assert parser.close() == ()


def test_pictures_and_thoughts_in_parts() -> None:
    """Pictures in the content join those beside it, thoughts become reasoning, other parts are named as dropped."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    parts = [{"type": "text", "text": "a"}, thought, image, {"type": "reference", "reference_ids": [1]}]
    chunks = read(
        event({"images": [image], "content": parts}), event({"content": [image]}), chunk(choices=[], usage=None)
    )
    first, second = (made.choices[0]["delta"] for made in chunks[:2])
    assert first["content"] == "a"
    assert first["reasoning_content"] == "hm"
    assert [entry["index"] for entry in [*first["images"], *second["images"]]] == [0, 1, 2]
    assert [kind for made in chunks for kind in made.dropped] == ["reference"]


def test_annotations_and_audio_are_passed_on() -> None:
    """Sources and sound of a stream are passed on whole."""
    note = {
        "type": "url_citation",
        "url_citation": {"url": "https://one.test", "title": "", "start_index": 0, "end_index": 1},
    }
    audio = {"id": "a", "data": "AA==", "expires_at": 1}
    assert deltas({"content": "a"}, {"annotations": [note]}, {"audio": audio})[1:] == [
        {"annotations": [{"index": 0, **note}]},
        {"audio": audio},
    ]
