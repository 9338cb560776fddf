"""The `x-gateway-*` headers: facts of a request's row, for its client.

A head is header lines as they are sent, each with its line end.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from gateway.accounts.budgets import TOLD_FROM
from gateway.records import RequestRecord

REASON_LIMIT = 300
_HELD_BACK = "x-gateway-holdback: true\r\n"


def gateway_headers(record: RequestRecord) -> str:
    """The decision's facts, as the ledger's columns hold them; `none` where a column is null (a pinned request's confidence)."""
    return (
        f"x-gateway-provider: {header_text(record.selected_provider)}\r\n"
        f"x-gateway-model: {header_text(record.selected_model)}\r\n"
        f"{decision_head(record)}"
        f"x-gateway-attempts: {len(record.attempts) or 1}\r\n"
        f"x-gateway-fallback: {'true' if record.fallback_used else 'false'}\r\n"
    )


def decision_head(record: RequestRecord) -> str:
    """What is known once the request is routed, before any upstream has answered."""
    complexity = "none" if record.complexity_score is None else f"{record.complexity_score:.3f}"
    return (
        f"x-gateway-strategy: {record.strategy_used}\r\n"
        f"x-gateway-confidence: {record.confidence or 'none'}\r\n"
        f"x-gateway-pattern: {header_text(record.pattern_detected or 'none')}\r\n"
        f"x-gateway-complexity: {complexity}\r\n"
        f"x-gateway-reason: {header_text(record.reasoning or '')}\r\n"
        f"x-gateway-baseline-model: {header_text(record.baseline_model)}\r\n"
        f"{_session_budget(record)}"
        f"{_HELD_BACK if record.holdback else ''}"
    )


def _session_budget(record: RequestRecord) -> str:
    """The spent share of the session's budget, once it is worth a warning."""
    spending = record.session_spending
    share = 0.0 if spending is None else spending.share(record.actual_cost)
    return f"x-gateway-session-budget: {share:.2f}\r\n" if share >= TOLD_FROM else ""


def cost_headers(record: RequestRecord) -> str:
    """USD, in plain decimal notation; `unknown` where there is no price."""
    return f"x-gateway-cost: {_usd(record.actual_cost)}\r\nx-gateway-baseline-cost: {_usd(record.baseline_cost)}\r\n"


def header_text(text: str) -> str:
    """`text` with everything but printable ASCII replaced: a header must not carry line ends or foreign bytes."""
    text = text[:REASON_LIMIT]
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(char if " " <= char <= "~" else "?" for char in text).strip()


def encode_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header lines with these names and values."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


def _usd(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount:.9f}"
