"""From a checked request to an answer and its row."""

from gateway.proxy.chat import ChatError, ChatProxy, ChatResult, ChatStream
from gateway.proxy.transaction import LedgerServices, Observer

__all__ = [
    "ChatError",
    "ChatProxy",
    "ChatResult",
    "ChatStream",
    "LedgerServices",
    "Observer",
]
