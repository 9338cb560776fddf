"""Streams as OpenAI chunks."""

from __future__ import annotations

from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.completion import Chunk
from gateway.errors import UpstreamInvalidResponse, UpstreamOverloaded, UpstreamTruncated
from gateway.sse import ServerSentEvent
from tests.providers.gemini.asking import OLD, gemini, said, sent, streamed, wire


def chunks(*events: Any, **asked: Any) -> list[Chunk]:
    provider = gemini()
    return streamed([wire(events)], by=provider, to=sent(by=provider, stream=True, **asked))


def choices(*events: Any, **asked: Any) -> list[Any]:
    return [choice for chunk in chunks(*events, **asked) for choice in chunk.choices]


def test_stream_has_role_first_and_finish_last_once_each() -> None:
    """The role comes first and once, the finish last and once, even if Gemini repeats it."""
    assert choices(said({"text": "a"}), said({"text": "b"}), said(finish="STOP")) == [
        {"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None},
        {"index": 0, "delta": {"content": "b"}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]


def test_empty_stream_still_has_role_and_finish() -> None:
    """An empty answer has a role and a finish, too."""
    made = choices(said(finish="MAX_TOKENS"))
    assert [(choice["delta"], choice["finish_reason"]) for choice in made] == [
        ({"role": "assistant"}, None),
        ({}, "length"),
    ]


def test_tool_calls_count_over_all_events() -> None:
    """Calls in different events have indexes and ids of their own; STOP after them means calls."""
    made = choices(
        *(said({"functionCall": {"name": "f", "args": {}}}, finish=None) for _ in range(2)), said({"text": "."})
    )
    given = [call for choice in made for call in choice["delta"].get("tool_calls", ())]
    assert [call["index"] for call in given] == [0, 1]
    assert given[0]["id"] != given[1]["id"]
    assert made[-1]["finish_reason"] == "tool_calls"


def test_made_ids_depend_on_the_response_id() -> None:
    """Made ids depend on the response's own id, so that two answers to one request differ."""
    provider = gemini()
    to = sent(by=provider, stream=True)
    event = said({"functionCall": {"name": "f"}})
    made = [streamed([wire([event | {"responseId": name}] * 2)], by=provider, to=to) for name in ("r1", "r2", "r1")]
    ids = [chunks[0].choices[0]["delta"]["tool_calls"][0]["id"] for chunks in made]
    assert ids[0] == ids[2] != ids[1]


def test_signature_after_the_finish_reason_is_kept() -> None:
    """A signature on a last, empty part is kept, also after the finish reason."""
    made = choices(said({"text": "a"}), said({"text": "", "thoughtSignature": "s"}, finish=None))
    assert made[1]["delta"]["reasoning_details"][0]["signature"] == "s"
    assert made[-1]["finish_reason"] == "stop"


def test_the_official_helper_can_add_up() -> None:
    """The SDK's stream helper, which adds deltas up by index, comes to the message that a whole answer has."""
    parts: list[Any] = [
        {"text": "hm", "thought": True},
        {"text": "a", "thoughtSignature": "s1"},
        {"functionCall": {"name": "f", "args": {"x": 1}, "id": "g1"}, "thoughtSignature": "s2"},
        {"functionCall": {"name": "f", "args": {}, "id": "g2"}},
        {"text": "", "thoughtSignature": "s3"},
    ]
    provider = gemini()
    to = sent(by=provider, stream=True)
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for chunk in streamed([wire([*(said(part, finish=None) for part in parts), said()])], by=provider, to=to):
        if chunk.choices:
            state.handle_chunk(ChatCompletionChunk.model_validate({**head, "choices": chunk.choices}))
    added = state.get_final_completion().choices[0].message.model_dump(exclude_unset=True)
    whole = provider.parse_response(said(*parts), to).choices[0]["message"]
    calls = [(call["id"], call["function"]["arguments"], call.get("extra_content")) for call in whole["tool_calls"]]
    assert [
        (call["id"], call["function"]["arguments"], call.get("extra_content")) for call in added["tool_calls"]
    ] == calls
    assert added["reasoning_details"] == whole["reasoning_details"]
    assert (added["content"], added["reasoning_content"]) == ("a", "hm")


def test_each_candidate_has_its_own_role_and_finish() -> None:
    """Each candidate is a choice by its index, with a role and a finish of its own."""
    events = [
        {
            "candidates": [
                {"index": index, "content": {"parts": [{"text": str(index)}]}, "finishReason": "STOP"}
                for index in (1, 0)
            ]
        }
    ]
    provider = gemini()
    made = streamed([wire(events)], by=provider, to=sent(OLD, by=provider, stream=True, n=2))
    assert [choice["index"] for choice in made[0].choices] == [1, 0]
    assert [choice["index"] for choice in made[-1].choices] == [0, 1]
    assert [choice["finish_reason"] for choice in made[-1].choices] == ["stop", "stop"]


@pytest.mark.parametrize("index", [None, -1, "x"])
def test_candidate_without_a_usable_index_is_the_first(index: Any) -> None:
    """A candidate without a usable index is the first."""
    assert choices(said({"text": "a"}, index=index))[0]["index"] == 0


def test_last_usage_of_the_stream_counts() -> None:
    """Usage comes with the event that told it, also without choices; the last one holds."""
    one, two = ({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": n}} for n in (1, 2))
    made = chunks(said({"text": "a"}) | one, two)
    assert [chunk.usage.completion_tokens for chunk in made if chunk.usage] == [1, 2]
    assert made[1].choices == []


def test_events_that_add_nothing_give_no_chunk() -> None:
    """Events that add nothing give no chunk: none at all, the end mark of other dialects, unknown members."""
    parser = gemini().stream_parser(sent(stream=True))
    for data in (b"", b" [DONE] ", b"{}", b'{"candidates": null}', b'{"candidates": ["x"]}', b'{"modelVersion": "m"}'):
        assert parser.feed(ServerSentEvent(data)) == ()


def test_blocked_stream_is_one_refusing_choice() -> None:
    """A refused prompt is one choice that says so, and is an answer."""
    made = choices({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}})
    assert [(choice["delta"], choice["finish_reason"]) for choice in made] == [
        ({"role": "assistant", "refusal": "No."}, None),
        ({}, "content_filter"),
    ]


def test_prompt_blocked_mid_stream_ends_as_filtered() -> None:
    """A prompt refused after the answer began ends it as filtered, unless it had ended."""
    feedback = {"promptFeedback": {"blockReason": "SAFETY"}}
    assert choices(said({"text": "a"}, finish=None), feedback)[-1]["finish_reason"] == "content_filter"
    assert choices(said({"text": "a"}), feedback)[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "events", [[], [{"usageMetadata": {"promptTokenCount": 1}}], [said({"text": "a"}, finish=None)]]
)
def test_stream_without_a_finish_reason_is_truncated(events: Any) -> None:
    """A stream that ends without a finish reason was cut."""
    with pytest.raises(UpstreamTruncated):
        chunks(*events)


def test_every_choice_has_to_end() -> None:
    """Every choice has to end."""
    events = [
        {"candidates": [{"index": 0, "finishReason": "STOP"}, {"index": 1, "content": {"parts": [{"text": "b"}]}}]}
    ]
    with pytest.raises(UpstreamTruncated):
        chunks(*events)


def test_error_event_is_raised_after_its_chunks() -> None:
    """An error told as an event is raised as what it is, after the chunks before it."""
    parser = gemini().stream_parser(sent(stream=True))
    assert parser.feed(ServerSentEvent(b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}'))
    with pytest.raises(UpstreamOverloaded):
        parser.feed(ServerSentEvent(b'[{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]'))


@pytest.mark.parametrize("data", [b"{", b"nonsense", b"[1]", b'"x"', b"null"])
def test_event_that_is_no_object_is_refused(data: bytes) -> None:
    """An event that is no JSON object is not an answer."""
    with pytest.raises(UpstreamInvalidResponse):
        gemini().stream_parser(sent(stream=True)).feed(ServerSentEvent(data))


def test_malformed_call_is_an_error_or_ends_the_stream() -> None:
    """A malformed call is an error at once while nothing was said; later it ends the answer."""
    with pytest.raises(UpstreamInvalidResponse):
        chunks(said(finish="MALFORMED_FUNCTION_CALL"))
    assert (
        choices(said({"text": "a"}, finish=None), said(finish="MALFORMED_FUNCTION_CALL"))[-1]["finish_reason"] == "stop"
    )


def test_logprobs_come_with_their_text() -> None:
    """Log probabilities come with the text they belong to."""
    made = choices(said({"text": "a"}, logprobsResult={"chosenCandidates": [{"token": "a", "logProbability": -1}]}))
    assert made[0]["logprobs"]["content"][0]["token"] == "a"
    assert "logprobs" not in made[1]


def test_service_tier_stands_in_the_chunk() -> None:
    """The tier that was used stands in the chunk."""
    assert chunks(said({"text": "a"}) | {"usageMetadata": {"promptTokenCount": 1, "serviceTier": "flex"}})[0].extra == {
        "service_tier": "flex"
    }
