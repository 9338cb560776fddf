"""OpenAI's chat completions as an inbound dialect."""

from __future__ import annotations

from typing import Any

from gateway.completion import ChatRequest, Completion, Json
from gateway.dialects.base import ErrorReply, InboundRequest, ResponseHead
from gateway.dialects.chat_completions.answers import ChunkWriter, completion_body, error_events
from gateway.dialects.chat_completions.request import parse_chat_request
from gateway.errors import GatewayError


class ChatCompletions:
    """https://platform.openai.com/docs/api-reference/chat"""

    name = "chat_completions"
    path = "/v1/chat/completions"
    request_id_header = ""

    def parse_request(self, inbound: InboundRequest) -> ChatRequest:
        return parse_chat_request(inbound.body)

    def response_body(self, completion: Completion, head: ResponseHead, *, usage: Json) -> dict[str, Any]:
        return completion_body(
            completion,
            id=head.id("chatcmpl-"),
            created=head.created,
            model=head.model,
            usage=usage,
            legacy_functions=head.request.legacy_functions,
        )

    def stream_writer(self, head: ResponseHead) -> ChunkWriter:
        return ChunkWriter(
            id=head.id("chatcmpl-"),
            created=head.created,
            model=head.model,
            include_usage=head.request.include_usage,
            legacy_functions=head.request.legacy_functions,
        )

    def error_reply(self, error: GatewayError, *, request_id: str) -> ErrorReply:
        return ErrorReply(error.status, error.body())

    def early_error_events(self, error: GatewayError, *, request_id: str) -> bytes:
        return error_events(error)
