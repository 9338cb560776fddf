"""What the Gemini tests share: a provider, requests as a client sends them, and the check against Google's own types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from google.genai import types
from pydantic import BaseModel

from gateway.completion import ChatRequest, Chunk, Completion, UpstreamRequest
from gateway.dialects.chat_completions import parse_chat_request
from gateway.providers.base import UpstreamEndpoint
from gateway.providers.gemini import Gemini
from gateway.sse import SSEDecoder

KEY = "AIza-made-up-key-000"
MADE_ID = re.compile(r"call_[0-9a-f]{24}")
NEW, OLD = "gemini-3.5-flash", "gemini-2.5-flash"


def gemini() -> Gemini:
    return Gemini(UpstreamEndpoint("https://gemini.test", KEY))


def request(**body: Any) -> ChatRequest:
    """A checked request; `messages` is one user message unless given."""
    whole = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}], **body}
    return parse_chat_request(orjson.dumps(whole))


def sent(model: str = NEW, *, by: Gemini | None = None, **body: Any) -> UpstreamRequest:
    return (by or gemini()).build_request(request(**body), model)


def body_sent(model: str = NEW, *, by: Gemini | None = None, **body: Any) -> Any:
    """The JSON that goes to Google, checked against its types."""
    made = sent(model, by=by, **body).json
    check_request(made)
    return made


def answered(body: Mapping[str, Any], *, model: str = NEW, **asked: Any) -> Completion:
    provider = gemini()
    return provider.parse_response(body, sent(model, by=provider, **asked))


def said(*parts: Mapping[str, Any], finish: str | None = "STOP", **candidate: Any) -> dict[str, Any]:
    """An answer, or a stream's event, of one candidate."""
    whole = {
        "content": {"role": "model", "parts": [*parts]},
        **({"finishReason": finish} if finish else {}),
        **candidate,
    }
    return {"candidates": [whole]}


def wire(events: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in events)


def streamed(pieces: Sequence[bytes], *, by: Gemini | None = None, to: UpstreamRequest | None = None) -> list[Chunk]:
    """The chunks of a stream that came in these pieces, in answer to the request `to`."""
    provider = by or gemini()
    parser = provider.stream_parser(to or sent(by=provider, stream=True))
    decoder = SSEDecoder()
    chunks: list[Chunk] = []
    for piece in pieces:
        for event in decoder.feed(piece):
            chunks.extend(parser.feed(event))
    return [*chunks, *parser.close()]


def check_request(body: Mapping[str, Any]) -> None:
    """Every name and value is one of the official SDK's types, which forbid what they do not know."""
    models: dict[str, Any] = {
        "contents": types.Content,
        "systemInstruction": types.Content,
        "tools": types.Tool,
        "toolConfig": types.ToolConfig,
        "generationConfig": types.GenerationConfig,
    }
    for name, value in body.items():
        if name == "serviceTier":
            assert value in [tier.value for tier in types.ServiceTier]
            continue
        for item in value if isinstance(value, list) else [value]:
            _same(models[name], item)


def check_answer(body: Mapping[str, Any]) -> None:
    """A made-up answer is one that the official SDK could have read."""
    types.GenerateContentResponse.model_validate(body)


def _same(model: type[BaseModel], value: Any) -> None:
    """Read by the SDK and written again it is the same: names are in camel case, nothing is lost or converted."""
    again = model.model_validate(value).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert _plain(again) == _plain(value)


def _plain(value: Any) -> Any:
    """With base64 in one alphabet."""
    if isinstance(value, dict):
        return {
            name: _alphabet(inner) if name in ("data", "thoughtSignature") else _plain(inner)
            for name, inner in value.items()
        }
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _alphabet(text: Any) -> Any:
    return text.replace("+", "-").replace("/", "_").rstrip("=") if isinstance(text, str) else text
