"""From a checked request to an answer and its row."""

from gateway.proxy.chat import ChatAnswer, ChatFailed, ChatProxy, ChatStream
from gateway.proxy.exchange import Books, Observer
from gateway.proxy.plan import AutoRoute, Caller, Plan, Planner

__all__ = [
    "AutoRoute",
    "Books",
    "Caller",
    "ChatAnswer",
    "ChatFailed",
    "ChatProxy",
    "ChatStream",
    "Observer",
    "Plan",
    "Planner",
]
