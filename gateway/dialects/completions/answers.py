"""Encodes answers as OpenAI's text completions: whole as a dict, streamed as server-sent events."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.completion import Chunk, Completion, Json
from gateway.dialects.base import ResponseHead
from gateway.dialects.chat_completions.answers import error_events, extra_members
from gateway.dialects.completions.request import echoed
from gateway.errors import GatewayError
from gateway.sse import COMMENT, DONE, one_line

OBJECT = "text_completion"
_FINISH_REASONS = frozenset({"stop", "length", "content_filter"})


def completion_body(completion: Completion, head: ResponseHead, *, usage: Json) -> dict[str, Any]:
    """OpenAI's `text_completion` object."""
    prompt = echoed(head.request)
    return {
        **_head(head),
        "choices": [
            {
                "text": prompt + _text(choice["message"]),
                "index": choice.get("index", 0),
                "logprobs": logprobs_of(choice.get("logprobs"), offset=len(prompt)),
                "finish_reason": finish_reason(choice.get("finish_reason") or "stop"),
            }
            for choice in completion.choices
        ],
        "usage": usage,
        **extra_members(completion.extra),
    }


class TextWriter:
    """Encodes one stream's events; id, creation time and model are the same in all.

    With `include_usage` every event has `"usage": null` and the last one the usage, as in a chat.
    """

    keep_alive = COMMENT

    def __init__(self, head: ResponseHead) -> None:
        self._include_usage = head.request.include_usage
        self._head = b"data: " + orjson.dumps(_head(head))[:-1] + b',"choices":'
        self._tail = b',"usage":null}\n\n' if self._include_usage else b"}\n\n"
        # The bytes around the text of a text-only chunk.
        self._before = self._head + b'[{"index":0,"text":'
        self._after = b',"logprobs":null,"finish_reason":null}]' + self._tail
        self._prompt = echoed(head.request)
        self._lengths: dict[int, int] = {}  # characters of each choice so far

    def write(self, chunk: Chunk) -> bytes:
        """The chunk's event; empty for a chunk that adds nothing to a text."""
        if chunk.text is not None and not self._prompt:
            return self._before + one_line(chunk.text) + self._after
        choices = [written for choice in chunk.choices if (written := self._choice(choice)) is not None]
        return self._head + one_line(choices) + self._tail if choices else b""

    def end(self, usage: Json, gateway: Json) -> bytes:
        """The usage event, where the client asked for it, and `[DONE]`."""
        if not self._include_usage:
            return DONE
        figures = b'[],"usage":' + one_line(usage) + b',"gateway":' + one_line(gateway)
        return self._head + figures + b"}\n\n" + DONE

    def error(self, error: GatewayError) -> bytes:
        """The event for an error after the first byte."""
        return error_events(error)

    def _choice(self, choice: Json) -> Json | None:
        """The choice of an event. The prompt comes with the first one of each choice, where it is echoed."""
        index = choice.get("index", 0)
        text = _text(choice.get("delta") or {})
        offset = self._lengths.get(index)
        if offset is None:
            text, offset = self._prompt + text, 0
        self._lengths[index] = offset + len(text)
        reason, scores = finish_reason(choice.get("finish_reason")), logprobs_of(choice.get("logprobs"), offset=offset)
        if not text and reason is None and scores is None:
            return None
        return {"index": index, "text": text, "logprobs": scores, "finish_reason": reason}


def finish_reason(reason: str | None) -> str | None:
    """A text ends in three ways only."""
    return reason if reason is None or reason in _FINISH_REASONS else "stop"


def logprobs_of(scores: Json | None, *, offset: int) -> Json | None:
    """The log probabilities of a chat's tokens, as four lists; the first token begins at the character `offset`."""
    entries = (scores or {}).get("content")
    if not entries:
        return None
    offsets = []
    for entry in entries:
        offsets.append(offset)
        offset += len(entry["token"])
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [
            {other["token"]: other["logprob"] for other in entry.get("top_logprobs") or ()} for entry in entries
        ],
        "text_offset": offsets,
    }


def _head(head: ResponseHead) -> dict[str, Any]:
    return {"id": head.id("cmpl-"), "object": OBJECT, "created": head.created, "model": head.model}


def _text(message: Json) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""
