"""Whole answers as OpenAI completions."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UpstreamInvalidResponse
from tests.providers.gemini.asking import OLD, answered, said


def message(body: Any, **asked: Any) -> Any:
    return answered(body, **asked).choices[0]["message"]


def test_text_becomes_content_with_id_and_usage() -> None:
    """Text is content; the answer's id and usage come along."""
    made = answered(
        said({"text": "Hi"}) | {"responseId": "r1", "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}}
    )
    assert made.choices == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]
    assert made.upstream_id == "r1"
    assert made.usage is not None
    assert made.usage.total_tokens == 5


@pytest.mark.parametrize("response_id", [None, "", 7])
def test_answer_without_an_id_has_none(response_id: Any) -> None:
    """An answer without an id has none."""
    assert answered(said({"text": "Hi"}) | {"responseId": response_id}).upstream_id is None


def test_calls_have_no_index_in_a_whole_answer() -> None:
    """Calls stand without text, and without the index that only streams have."""
    made = message(said({"functionCall": {"name": "f", "args": {}, "id": "g1"}}))
    assert made == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [{"id": "g1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }


def test_thoughts_and_signatures_are_message_members() -> None:
    """Thoughts and signatures are members of the message."""
    made = message(said({"text": "hm", "thought": True}, {"text": "Hi", "thoughtSignature": "s"}))
    assert made["reasoning_content"] == "hm"
    assert made["reasoning_details"][0]["signature"] == "s"


def test_each_candidate_becomes_a_choice() -> None:
    """Each candidate is a choice, in order."""
    body = {"candidates": [said({"text": text}, index=9)["candidates"][0] for text in "ab"]}
    made = answered(body, model=OLD, n=2)
    assert [(choice["index"], choice["message"]["content"]) for choice in made.choices] == [(0, "a"), (1, "b")]


@pytest.mark.parametrize(("finish", "content"), [("STOP", ""), ("MAX_TOKENS", ""), ("SAFETY", None), (None, "")])
def test_empty_answer_is_empty_text_and_filtered_is_null(finish: str | None, content: str | None) -> None:
    """An answer without a word is empty text; a filtered one is no text."""
    assert message(said(finish=finish))["content"] == content


def test_blocked_prompt_is_one_refusing_choice() -> None:
    """A refused prompt is one choice that says so."""
    made = answered(
        {
            "promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."},
            "usageMetadata": {"promptTokenCount": 4},
        }
    )
    assert made.choices == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "refusal": "No."},
            "finish_reason": "content_filter",
            "logprobs": None,
        }
    ]
    assert made.usage is not None


@pytest.mark.parametrize(
    "body", [{}, {"candidates": []}, {"candidates": None}, {"candidates": ["x"]}, {"promptFeedback": {}}]
)
def test_answer_without_candidates_is_refused(body: Any) -> None:
    """An answer without candidates is none."""
    with pytest.raises(UpstreamInvalidResponse):
        answered(body)


def test_malformed_call_is_an_error_while_nothing_was_said() -> None:
    """A malformed call is an error as long as nothing else was said."""
    with pytest.raises(UpstreamInvalidResponse):
        answered(said(finish="MALFORMED_FUNCTION_CALL"))
    assert answered(said({"text": "a"}, finish="MALFORMED_FUNCTION_CALL")).choices[0]["finish_reason"] == "stop"


def test_logprobs_stand_with_their_choice() -> None:
    """Log probabilities stand with their choice."""
    made = answered(said({"text": "a"}, logprobsResult={"chosenCandidates": [{"token": "a", "logProbability": -1}]}))
    assert made.choices[0]["logprobs"]["content"][0]["logprob"] == -1
