"""Inbound dialects: the APIs that clients use, by name."""

from collections.abc import Mapping

from gateway.dialects.base import Dialect, ResponseHead, StreamWriter
from gateway.dialects.chat_completions import ChatCompletions

DIALECTS: Mapping[str, Dialect] = {"chat_completions": ChatCompletions()}

__all__ = ["DIALECTS", "Dialect", "ResponseHead", "StreamWriter"]
