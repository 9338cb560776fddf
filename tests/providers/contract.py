"""The wire samples of every dialect in `PROVIDERS`, a request that tempts each, and how to read what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.completion import ChatRequest, Chunk, Completion, UpstreamRequest
from gateway.dialects.chat_completions import ChunkWriter, parse_chat_request
from gateway.providers import PROVIDERS
from gateway.providers.base import Provider, UpstreamEndpoint
from gateway.sse import SSEDecoder

SAMPLES = Path(__file__).parent / "samples"
KEY = "canary-key-4711"
MODELS = {
    "gemini": "gemini-3-flash",
    "claude": "claude-haiku-4-5",
    "openrouter": "anthropic/claude-haiku-4.5",
    "openai": "gpt-5.5",
}
PRIVATE = "must-stay-here"
HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"

# Every member that holds PRIVATE is ours, another gateway's, another provider's or nobody's.
ASKED = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "Be brief.", "provider_specific_fields": {"x": PRIVATE}},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is 2+2?", "unknown_member": PRIVATE},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
            ],
        },
        {
            "role": "assistant",
            "content": "Let me see.",
            "refusal": None,
            "annotations": [],
            "reasoning_details": [
                {"type": "reasoning.text", "text": PRIVATE, "signature": PRIVATE, "format": "foreign-v1", "index": 0}
            ],
            "thinking_blocks": [{"type": "thinking", "thinking": PRIVATE, "signature": PRIVATE}],
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'},
                    "provider_specific_fields": {"thought_signature": PRIVATE},
                    "extra_content": {"foreign": {"signature": PRIVATE}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": '{"sky": "clear"}', "unknown_member": PRIVATE},
        {"role": "user", "content": "And tomorrow?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "The weather of a city",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            },
        }
    ],
    "max_completion_tokens": 4096,
    "stream": True,
    "stream_options": {"include_usage": True},
    "routing": {"session_id": PRIVATE},
    "api_base": f"https://{PRIVATE}.example",
    "base_url": f"https://{PRIVATE}.example",
    "custom_llm_provider": PRIVATE,
    "unknown_member": {"x": PRIVATE},
}


def made(name: str) -> Provider:
    return PROVIDERS[name](UpstreamEndpoint("https://upstream.test/base", KEY))


def asked() -> ChatRequest:
    return parse_chat_request(orjson.dumps(ASKED))


def sent(provider: Provider) -> UpstreamRequest:
    return provider.build_request(asked(), MODELS[provider.name])


def sample(provider: Provider, name: str) -> bytes:
    return (SAMPLES / provider.name / name).read_bytes()


def answer(provider: Provider, name: str = "answer.json") -> Completion:
    return provider.parse_response(orjson.loads(sample(provider, name)), sent(provider))


def streamed(provider: Provider, pieces: Iterable[bytes], *, to: UpstreamRequest | None = None) -> list[Chunk]:
    """The chunks of a whole stream that arrives in these pieces."""
    parser, decoder = provider.stream_parser(to or sent(provider)), SSEDecoder()
    chunks = [chunk for piece in pieces for event in decoder.feed(piece) for chunk in parser.feed(event)]
    chunks += [chunk for event in decoder.close() for chunk in parser.feed(event)]
    return [*chunks, *parser.close()]


def events(wire: bytes) -> list[bytes]:
    end = b"\r\n\r\n" if b"\r\n\r\n" in wire else b"\n\n"
    return [event + end for event in wire.split(end) if event]


def choices(chunks: Iterable[Chunk]) -> Sequence[Mapping[str, Any]]:
    return [choice for chunk in chunks for choice in chunk.choices]


def joined(chunks: Iterable[Chunk]) -> ChatCompletion:
    """What the official SDK makes of the chunks."""
    writer = ChunkWriter(id="r", created=1, model="m", include_usage=True, legacy_functions=False)
    state = ChatCompletionStreamState()
    for written in filter(None, map(writer.write, chunks)):
        state.handle_chunk(ChatCompletionChunk.model_validate(orjson.loads(written[6:]), strict=True))
    return state.get_final_completion()


def spoilt(value: Any, bad: object) -> Any:
    """The same JSON with `bad` for every count and cost."""
    if isinstance(value, list):
        return [spoilt(item, bad) for item in value]
    if not isinstance(value, dict):
        return value
    counts = {name for name in value if name == "cost" or "token" in name.lower()}
    return {
        name: bad if name in counts and isinstance(member, int | float) else spoilt(member, bad)
        for name, member in value.items()
    }


def spoilt_event(event: bytes, bad: object) -> bytes:
    lines = event.split(b"\n")
    for i, line in enumerate(lines):
        if line.startswith(b"data: {"):
            lines[i] = b"data: " + orjson.dumps(spoilt(orjson.loads(line[6:]), bad))
    return b"\n".join(lines)
