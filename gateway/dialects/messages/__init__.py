"""Anthropic's Messages API: parsing of requests, and encoding of responses and events."""

from gateway.dialects.messages.dialect import Messages
from gateway.dialects.messages.request import parse_messages_request

__all__ = ["Messages", "parse_messages_request"]
