"""One completion, from a checked request to an answer and its settled row."""

from gateway.proxy.buffered_stream import BufferedStream
from gateway.proxy.chat import ChatProxy, ChatResult
from gateway.proxy.embeddings import EmbeddingProxy
from gateway.proxy.receiver import PendingResponse
from gateway.proxy.request_end import ChatError
from gateway.proxy.services import LedgerServices, Observer
from gateway.proxy.stream import ChatStream, EventSink

__all__ = [
    "BufferedStream",
    "ChatError",
    "ChatProxy",
    "ChatResult",
    "ChatStream",
    "EmbeddingProxy",
    "EventSink",
    "LedgerServices",
    "Observer",
    "PendingResponse",
]
