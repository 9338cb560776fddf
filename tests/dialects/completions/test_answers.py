"""Answers as text completions, whole and streamed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types import Completion as TextCompletion

from gateway.completion import Chunk, Completion, Usage, text_chunk
from gateway.dialects import ResponseHead
from gateway.dialects.completions.answers import TextWriter, completion_body
from gateway.dialects.completions.request import parse_completion_request

SCORES = {
    "content": [
        {"token": "fo", "logprob": -0.5, "bytes": [], "top_logprobs": [{"token": "fi", "logprob": -1.5}]},
        {"token": "ur", "logprob": -0.25, "bytes": []},
    ]
}
USAGE = Usage(3, 4).openai()


def head(**members: Any) -> ResponseHead:
    request = parse_completion_request(orjson.dumps({"model": "auto", "prompt": "Say: ", **members}))
    return ResponseHead("req_r1", 7, "gemini/x", request)


def body(*choices: dict[str, Any], **members: Any) -> dict[str, Any]:
    completion = Completion(choices, None, extra={"system_fingerprint": "f", "model": "theirs"})
    return completion_body(completion, head(**members), usage=USAGE)


def choice(text: str | None = "four", **members: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **members}


def events(*chunks: Chunk, **members: Any) -> list[dict[str, Any]]:
    writer = TextWriter(head(**members))
    return [orjson.loads(written[6:]) for written in map(writer.write, chunks) if written]


def step(text: str | None = None, *, index: int = 0, **members: Any) -> Chunk:
    delta = {} if text is None else {"content": text}
    return Chunk([{"index": index, "delta": delta, "finish_reason": None, **members}])


def test_an_answer_is_openais() -> None:
    """The official type accepts the answer, and the provider's members do not replace ours."""
    answer = body(choice())
    TextCompletion.model_validate(answer, strict=True)
    assert answer == {
        "id": "cmpl-r1",
        "object": "text_completion",
        "created": 7,
        "model": "gemini/x",
        "choices": [{"text": "four", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE,
        "system_fingerprint": "f",
    }


def test_an_empty_answer_is_an_empty_text() -> None:
    """A model that wrote nothing has the text '', and a reason that a text does not know becomes `stop`."""
    (only,) = body(choice(None, finish_reason="tool_calls"))["choices"]
    assert (only["text"], only["finish_reason"]) == ("", "stop")


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_finish_reasons_are_kept(reason: str) -> None:
    """The three reasons are the same in both APIs."""
    assert body(choice(finish_reason=reason))["choices"][0]["finish_reason"] == reason


def test_log_probabilities_are_four_lists() -> None:
    """The tokens' scores become lists, with the place of each token in the text."""
    assert body(choice(logprobs=SCORES), logprobs=1)["choices"][0]["logprobs"] == {
        "tokens": ["fo", "ur"],
        "token_logprobs": [-0.5, -0.25],
        "top_logprobs": [{"fi": -1.5}, {}],
        "text_offset": [0, 2],
    }


def test_echo_puts_the_prompt_before_each_answer() -> None:
    """Whole and streamed, each choice begins with the prompt, once."""
    whole = body(choice(), choice(index=1), echo=True)["choices"]
    assert [each["text"] for each in whole] == ["Say: four", "Say: four"]
    streamed = events(step(""), text_chunk("fo"), step("five", index=1), text_chunk("ur"), echo=True)
    texts = [(each["index"], each["text"]) for event in streamed for each in event["choices"]]
    assert texts == [(0, "Say: "), (0, "fo"), (1, "Say: five"), (0, "ur")]


def test_a_stream_is_openais() -> None:
    """Each event is accepted by the official type; one without text, reason or scores is left out."""
    found = events(step(""), text_chunk("four\u2028"), step(finish_reason="tool_calls"), Chunk(usage=Usage(3, 4)))
    for event in found:
        assert event | {"choices": []} == {
            "id": "cmpl-r1", "object": "text_completion", "created": 7, "model": "gemini/x", "choices": [],
        }  # fmt: skip
    assert [event["choices"] for event in found] == [
        [{"index": 0, "text": "four\u2028", "logprobs": None, "finish_reason": None}],
        [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}],
    ]


def test_scores_in_a_stream_have_places_in_the_whole_text() -> None:
    """The place of a token counts the chunks before it."""
    found = events(step("four", logprobs=SCORES), step("four", logprobs=SCORES), logprobs=0)
    assert [event["choices"][0]["logprobs"]["text_offset"] for event in found] == [[0, 2], [4, 6]]


def test_usage_ends_a_stream_where_asked_for() -> None:
    """With `include_usage` each event has `usage: null` and the last one before [DONE] the figures."""
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    assert events(text_chunk("four"), **asked)[0]["usage"] is None
    last, done = TextWriter(head(**asked)).end(USAGE, {"model": "x"}).split(b"\n\n")[:2]
    assert orjson.loads(last[6:])["usage"] == USAGE
    assert orjson.loads(last[6:])["choices"] == []
    assert done == b"data: [DONE]"
    assert TextWriter(head()).end(USAGE, {}) == b"data: [DONE]\n\n"
