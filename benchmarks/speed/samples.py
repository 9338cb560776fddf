"""What a client asks and what each vendor answers: the shapes that they document, at a usual size."""

from __future__ import annotations

import math
import random
from typing import Any

import orjson

TEXT = 'The quick brown fox jumps over the lazy dog, and says "hello". '
CHUNKS = 60  # pieces of text in a stream


def chat(model: str, *, kilobytes: int = 2, messages: int = 4, stream: bool = False) -> bytes:
    """A conversation of so many messages, of so many kilobytes in all."""
    each = (TEXT * 2000)[: kilobytes * 1000 // (messages - 1) - 45]
    turns = [{"role": "assistant" if i % 2 else "user", "content": each} for i in range(messages - 2)]
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            *turns,
            {"role": "user", "content": each},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return orjson.dumps(body)


# What distinct prompts are made of: each is a task, on a subject, with text of some length to work on.
_TASKS = (
    "Summarize the following notes about {} in three sentences.",
    "Write a Python function that validates {} and explain its edge cases.",
    "Translate this text about {} into German, keeping names as they are.",
    "Which of these statements about {} are wrong? Answer as a JSON list.",
    "Compare two designs for {} and recommend one, with reasons.",
    "Solve step by step: how many {} fit into 17 boxes of 24, if 5% are lost?",
)
_SUBJECTS = (
    "invoices", "protein folding", "database indexes", "the French Revolution", "container ships", "kernel scheduling",
    "sourdough bread", "option pricing", "bird migration", "tax returns", "unit tests", "glacier melt", "jazz harmony",
)  # fmt: skip
_WORDS = (
    "measure", "however", "system", "between", "quickly", "river", "customer", "because", "value", "network", "three",
    "result", "possible", "memory", "error", "answer", "should", "previous", "market", "simple", "table", "energy",
    "return", "under", "question", "several", "process", "light", "language", "history", "change", "number", "music",
)  # fmt: skip


def distinct_chats(model: str, *, count: int, seed: int = 1) -> list[bytes]:
    """Requests with one turn and a prompt of its own each, of 50 to 2,000 tokens (the logarithm is uniform)."""
    chance = random.Random(seed)
    return [_chat_of(model, _prompt(chance, number)) for number in range(count)]


def _prompt(chance: random.Random, number: int) -> str:
    tokens = math.exp(chance.uniform(math.log(50), math.log(2000)))
    task = chance.choice(_TASKS).format(chance.choice(_SUBJECTS))
    words = chance.choices(_WORDS, k=round(tokens / 1.3))
    sentences = [" ".join(words[at : at + 12]).capitalize() + "." for at in range(0, len(words), 12)]
    return f"{task} (case {number})\n\n" + "\n".join(sentences)


def _chat_of(model: str, prompt: str) -> bytes:
    return orjson.dumps({"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 256})


def distinct_responses(model: str, *, count: int, seed: int = 1) -> list[bytes]:
    """The prompts of `distinct_chats` as requests of OpenAI's Responses."""
    chance = random.Random(seed)
    prompts = (_prompt(chance, number) for number in range(count))
    return [orjson.dumps({"model": model, "input": prompt, "max_output_tokens": 256}) for prompt in prompts]


def messages_stream(model: str) -> bytes:
    """The streamed conversation of `chat` as a request of Anthropic's Messages."""
    body = orjson.loads(chat(model, stream=True))
    system, *turns = body.pop("messages")
    del body["stream_options"]
    return orjson.dumps({**body, "system": system["content"], "messages": turns})


def responses_stream(model: str) -> bytes:
    """The streamed conversation of `chat` as a request of OpenAI's Responses."""
    body = orjson.loads(chat(model, stream=True))
    return orjson.dumps(
        {"model": model, "input": body["messages"], "max_output_tokens": body["max_tokens"], "stream": True}
    )


OPENAI_USAGE = {"prompt_tokens": 420, "completion_tokens": 60, "total_tokens": 480}
CLAUDE_USAGE = {"input_tokens": 420, "output_tokens": 60}
GEMINI_USAGE = {"promptTokenCount": 420, "candidatesTokenCount": 60, "totalTokenCount": 480}

ANSWERS: dict[str, dict[str, Any]] = {
    "openrouter": {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "vendor/model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT * 2},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": OPENAI_USAGE,
    },
    "claude": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": TEXT * 2}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": CLAUDE_USAGE,
    },
    "gemini": {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": TEXT * 2}]}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": GEMINI_USAGE,
        "modelVersion": "gemini",
    },
}


def events(vendor: str) -> list[bytes]:
    """A whole stream of that vendor's, event by event."""
    return _EVENTS[vendor]()


def _event(payload: dict[str, Any], name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + orjson.dumps(payload) + b"\n\n"


def _openrouter() -> list[bytes]:
    def chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
        head = {"id": "gen-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "vendor/model"}
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    last = _event({"id": "gen-1", "object": "chat.completion.chunk", "choices": [], "usage": OPENAI_USAGE})
    pieces = [chunk({"content": f"piece {i} "}) for i in range(CHUNKS)]
    return [*pieces, chunk({}, "stop"), last, b"data: [DONE]\n\n"]


def _claude() -> list[bytes]:
    def named(payload: dict[str, Any]) -> bytes:
        return _event(payload, payload["type"])

    message = {
        **ANSWERS["claude"],
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 420, "output_tokens": 1},
    }
    block: dict[str, Any] = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    pieces: list[dict[str, Any]] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"piece {i} "}}
        for i in range(CHUNKS)
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 60}}
    stop: list[dict[str, Any]] = [{"type": "content_block_stop", "index": 0}, end, {"type": "message_stop"}]
    start: dict[str, Any] = {"type": "message_start", "message": message}
    return [named(each) for each in (start, block, *pieces, *stop)]


def _gemini() -> list[bytes]:
    def chunk(text: str, **further: str) -> bytes:
        content = {"role": "model", "parts": [{"text": text}]}
        return _event({"candidates": [{"content": content, "index": 0, **further}], "usageMetadata": GEMINI_USAGE})

    return [*(chunk(f"piece {i} ") for i in range(CHUNKS)), chunk("", finishReason="STOP")]


_EVENTS = {"openrouter": _openrouter, "claude": _claude, "gemini": _gemini}
