"""OpenAI's chat completions as an inbound dialect."""

from __future__ import annotations

from typing import Any

from gateway.completion import ChatRequest, Completion, Json
from gateway.dialects.base import ResponseHead
from gateway.dialects.chat_completions.answers import ChunkWriter, completion_body
from gateway.dialects.chat_completions.request import parse_chat_request
from gateway.errors import GatewayError


class ChatCompletions:
    """https://platform.openai.com/docs/api-reference/chat"""

    name = "chat_completions"

    def parse_request(self, raw: bytes) -> ChatRequest:
        return parse_chat_request(raw)

    def response_body(self, completion: Completion, head: ResponseHead, *, usage: Json | None) -> dict[str, Any]:
        return completion_body(
            completion,
            id=head.id,
            created=head.created,
            model=head.model,
            usage=usage,
            legacy_functions=head.request.legacy_functions,
        )

    def stream_writer(self, head: ResponseHead) -> ChunkWriter:
        return ChunkWriter(
            id=head.id,
            created=head.created,
            model=head.model,
            include_usage=head.request.include_usage,
            legacy_functions=head.request.legacy_functions,
        )

    def error_body(self, error: GatewayError) -> Json:
        return error.body()
