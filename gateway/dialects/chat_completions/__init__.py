"""OpenAI's chat completions: parsing of requests, and encoding of responses and chunks."""

from gateway.dialects.chat_completions.answers import ChunkWriter, completion_body, error_events
from gateway.dialects.chat_completions.dialect import ChatCompletions
from gateway.dialects.chat_completions.request import parse_chat_request

__all__ = ["ChatCompletions", "ChunkWriter", "completion_body", "error_events", "parse_chat_request"]
