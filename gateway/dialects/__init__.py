"""Inbound dialects: the APIs that clients use, by name."""

from gateway.dialects.base import Dialect, ErrorReply, InboundRequest, ResponseHead, StreamWriter
from gateway.dialects.table import CHAT_COMPLETIONS, DIALECTS, MESSAGES, RESPONSES, dialect_of

__all__ = [
    "CHAT_COMPLETIONS",
    "DIALECTS",
    "MESSAGES",
    "RESPONSES",
    "Dialect",
    "ErrorReply",
    "InboundRequest",
    "ResponseHead",
    "StreamWriter",
    "dialect_of",
]
