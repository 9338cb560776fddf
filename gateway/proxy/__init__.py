"""From a checked request to an answer and its row."""

from gateway.proxy.chat import ChatError, ChatProxy, ChatResult, ChatStream
from gateway.proxy.exchange import LedgerServices, Observer
from gateway.proxy.plan import AutoRoute, Caller, Plan, Planner

__all__ = [
    "AutoRoute",
    "Caller",
    "ChatError",
    "ChatProxy",
    "ChatResult",
    "ChatStream",
    "LedgerServices",
    "Observer",
    "Plan",
    "Planner",
]
