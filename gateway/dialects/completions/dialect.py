"""OpenAI's completions as an inbound dialect."""

from __future__ import annotations

from typing import Any

from gateway.completion import ChatRequest, Completion, Json
from gateway.dialects.base import ErrorReply, InboundRequest, ResponseHead
from gateway.dialects.chat_completions.answers import error_events
from gateway.dialects.completions.answers import TextWriter, completion_body
from gateway.dialects.completions.request import parse_completion_request
from gateway.errors import GatewayError


class Completions:
    """https://platform.openai.com/docs/api-reference/completions"""

    name = "completions"
    path = "/v1/completions"
    request_id_header = ""

    def parse_request(self, inbound: InboundRequest) -> ChatRequest:
        return parse_completion_request(inbound.body)

    def response_body(self, completion: Completion, head: ResponseHead, *, usage: Json) -> dict[str, Any]:
        return completion_body(completion, head, usage=usage)

    def stream_writer(self, head: ResponseHead) -> TextWriter:
        return TextWriter(head)

    def error_reply(self, error: GatewayError, *, request_id: str) -> ErrorReply:
        return ErrorReply(error.status, error.body())

    def early_error_events(self, error: GatewayError, *, request_id: str) -> bytes:
        return error_events(error)
