"""Anthropic's Messages as an inbound dialect."""

from __future__ import annotations

from typing import Any

from gateway.completion import ChatRequest, Completion, Json
from gateway.dialects.base import ErrorReply, InboundRequest, ResponseHead
from gateway.dialects.messages.errors import error_events, error_reply
from gateway.dialects.messages.request import NAME, parse_messages_request
from gateway.dialects.messages.response import message_body
from gateway.dialects.messages.stream import MessagesWriter
from gateway.errors import GatewayError


class Messages:
    """https://platform.claude.com/docs/en/api/messages"""

    name = NAME
    path = "/v1/messages"
    request_id_header = "request-id"

    def parse_request(self, inbound: InboundRequest) -> ChatRequest:
        return parse_messages_request(inbound)

    def response_body(self, completion: Completion, head: ResponseHead, *, usage: Json) -> dict[str, Any]:
        return message_body(completion, head, usage=usage)

    def stream_writer(self, head: ResponseHead) -> MessagesWriter:
        return MessagesWriter(head)

    def error_reply(self, error: GatewayError, *, request_id: str) -> ErrorReply:
        return error_reply(error, request_id=request_id)

    def early_error_events(self, error: GatewayError, *, request_id: str) -> bytes:
        return error_events(error)
