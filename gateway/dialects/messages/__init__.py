"""Anthropic's Messages API: parsing of requests, and encoding of responses and events."""

from gateway.dialects.messages.dialect import Messages
from gateway.dialects.messages.request import AUTO_ALIAS, model_name, parse_count_request, parse_messages_request

__all__ = ["AUTO_ALIAS", "Messages", "model_name", "parse_count_request", "parse_messages_request"]
