"""OpenAI's chat completions as values: requests, answers, chunks, usage."""

from gateway.wire.answers import ChunkWriter, completion_body
from gateway.wire.request import parse_chat_request
from gateway.wire.sessions import with_client_session
from gateway.wire.types import (
    ChatRequest,
    Chunk,
    Completion,
    Json,
    RoutingHints,
    UpstreamRequest,
    Usage,
    count,
    text_chunk,
)

__all__ = [
    "ChatRequest",
    "Chunk",
    "ChunkWriter",
    "Completion",
    "Json",
    "RoutingHints",
    "UpstreamRequest",
    "Usage",
    "completion_body",
    "count",
    "parse_chat_request",
    "text_chunk",
    "with_client_session",
]
