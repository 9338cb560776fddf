"""Encodes OpenRouter's responses: a chat completion, or its chunks with keep-alive comments."""

from __future__ import annotations

import json
from typing import Any

from llm_simulator.answers import pieces
from llm_simulator.conversation import Finish, Reply
from llm_simulator.quality import strength
from llm_simulator.seeded_random import SeededRandom
from llm_simulator.vendor import Body, Event, ParsedRequest

PROCESSING = "OPENROUTER PROCESSING"
FINISH_REASONS: dict[Finish, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "tools": "tool_calls",
    "length": "length",
    "context_window": "length",
    "refusal": "content_filter",
    "blocked": "content_filter",
    "recitation": "content_filter",
    "malformed_call": "quantum_flux",
    "pause_turn": "quantum_flux",
    "unknown_finish": "quantum_flux",
}
ANTHROPIC = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
GOOGLE = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
PROVIDERS = {
    "anthropic": "Anthropic",
    "google": "Google",
    "openai": "OpenAI",
    "deepseek": "DeepSeek",
    "mistralai": "Mistral",
    "x-ai": "xAI",
    "qwen": "Alibaba",
}
"""Vendors that serve their own models; others are served by hosts."""


def vendor_of(model: str) -> str:
    return model.lstrip("~").split("/")[0]


def native_reason(model: str, reason: str) -> str:
    native_names = {"anthropic": ANTHROPIC, "google": GOOGLE}.get(vendor_of(model), {})
    return native_names.get(reason, reason)


def envelope(call: ParsedRequest, replies: list[Reply], *, kind: str, now: float) -> Body:
    return {
        "id": f"gen-{int(now)}-{SeededRandom('generation', replies[0].key).token(20)}",
        "provider": PROVIDERS.get(vendor_of(call.model), "DeepInfra"),
        "model": call.model,
        "object": kind,
        "created": int(now),
    }


def completion(call: ParsedRequest, replies: list[Reply], *, now: float) -> Body:
    choices = [choice(call, reply, index) | {"message": message(call, reply)} for index, reply in enumerate(replies)]
    return {
        **envelope(call, replies, kind="chat.completion", now=now),
        "choices": choices,
        "system_fingerprint": None,
        "usage": usage(call, replies),
    }


def choice(call: ParsedRequest, reply: Reply, index: int) -> Body:
    reason = FINISH_REASONS[reply.finish]
    return {
        "logprobs": logprobs(reply) if call.options["logprobs"] else None,
        "finish_reason": reason,
        "native_finish_reason": native_reason(call.model, reason),
        "index": index,
    }


def logprobs(reply: Reply) -> Body:
    tokens = [
        {"token": word, "bytes": list(word.encode()), "logprob": -0.1, "top_logprobs": []}
        for word in pieces(reply.text)
    ]
    return {"content": tokens, "refusal": None}


def message(call: ParsedRequest, reply: Reply) -> Body:
    built: Body = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.reasoning and call.options["reasoning"]:
        built |= {
            "reasoning": reply.reasoning,
            "reasoning_details": [detail(call, reply, text=reply.reasoning, signed=True)],
        }
    if reply.calls:
        built["tool_calls"] = [
            {
                "index": index,
                "id": f"call_{tool.id}",
                "type": "function",
                "function": function(tool.name, tool.arguments),
            }
            for index, tool in enumerate(reply.calls)
        ]
    return built | ({"hologram": {"depth": 3}} if call.unknown_block else {})


def function(name: str, arguments: dict[str, Any]) -> Body:
    return {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}


def detail(call: ParsedRequest, reply: Reply, *, text: str, signed: bool) -> Body:
    """One entry of reasoning_details; Claude's is signed."""
    claude = vendor_of(call.model) == "anthropic"
    signature = {"signature": SeededRandom("signature", reply.key).token(40)} if claude and signed else {}
    return {
        "type": "reasoning.text",
        "text": text,
        "format": "anthropic-claude-v1" if claude else "unknown",
        "index": 0,
        **signature,
    }


def prices(model: str) -> tuple[float, float]:
    """USD per million tokens of prompt and completion, invented: higher for stronger models, zero for `:free` ones."""
    if model.endswith(":free"):
        return 0.0, 0.0
    dollars = round(0.05 * 60 ** ((strength(model) - 0.45) / 0.5), 3)
    return dollars, 5 * dollars


def usage(call: ParsedRequest, replies: list[Reply]) -> Body:
    tokens = call.tokens
    thinking_tokens = sum(reply.reasoning_tokens for reply in replies)
    written = thinking_tokens + sum(reply.text_tokens for reply in replies)
    price_in, price_out = (price / 1e6 for price in call.prices or prices(call.model))
    prompt_cost = (tokens.total - 0.75 * tokens.cache_read) * price_in
    cost = round(prompt_cost + written * price_out, 10)
    return {
        "prompt_tokens": tokens.total,
        "completion_tokens": written,
        "total_tokens": tokens.total + written,
        "cost": cost,
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": 0,
            "audio_tokens": tokens.media.get("audio", 0),
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": round(prompt_cost, 10),
            "upstream_inference_completions_cost": round(written * price_out, 10),
        },
        "completion_tokens_details": {"reasoning_tokens": thinking_tokens, "image_tokens": 0},
    }


def events(call: ParsedRequest, replies: list[Reply], *, now: float) -> list[Event]:
    """Comments while it waits, the deltas, the finish, a last chunk with usage and no choices, and [DONE]."""
    head = envelope(call, replies, kind="chat.completion.chunk", now=now)
    built = [Event(comment=PROCESSING), Event(comment=PROCESSING)]
    for index, reply in enumerate(replies):
        for delta in deltas(call, reply):
            running = {
                "index": index,
                "delta": delta,
                "finish_reason": None,
                "native_finish_reason": None,
                "logprobs": None,
            }
            built.append(Event(data={**head, "choices": [running]}))
        last = choice(call, reply, index) | {"delta": {"role": "assistant", "content": ""}}
        built.append(Event(data={**head, "choices": [last]}))
    built.insert(len(built) // 2, Event(comment=PROCESSING))
    return [*built, Event(data={**head, "choices": [], "usage": usage(call, replies)}), Event(data="[DONE]")]


def deltas(call: ParsedRequest, reply: Reply) -> list[Body]:
    role = {"role": "assistant", "content": ""}
    built: list[Body] = []
    if reply.reasoning and call.options["reasoning"]:
        thoughts = pieces(reply.reasoning)
        for number, piece in enumerate(thoughts):
            details = [detail(call, reply, text=piece, signed=number == len(thoughts) - 1)]
            built.append({**role, "reasoning": piece, "reasoning_details": details})
    if call.unknown_block:
        built.append({**role, "hologram": {"depth": 3}})
    built += [{**role, "content": piece} for piece in pieces(reply.text)]
    for index, tool in enumerate(reply.calls):
        written = function(tool.name, tool.arguments)
        first = {"index": index, "id": f"call_{tool.id}", "type": "function", "function": {**written, "arguments": ""}}
        built.append({**role, "tool_calls": [first]})
        for piece in pieces(written["arguments"], size=9):
            built.append({**role, "tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    return built or [role]
