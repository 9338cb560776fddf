"""OpenAI's chat completions: the shape of requests, answers, chunks and usage that clients see."""

from gateway.dialects.chat_completions.answers import ChunkWriter, completion_body
from gateway.dialects.chat_completions.request import parse_chat_request

__all__ = ["ChunkWriter", "completion_body", "parse_chat_request"]
