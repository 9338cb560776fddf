"""The `x-gateway-*` headers: what a row says of a request, for the client that made it."""

from __future__ import annotations

from decimal import Decimal

from gateway.records import RequestRecord

REASON_LIMIT = 300


def gateway_headers(record: RequestRecord) -> dict[str, str]:
    """The decision's facts, as the ledger's columns hold them; `none` where a column is null (a pinned request's confidence)."""
    return {
        "x-gateway-provider": header_text(record.selected_provider),
        "x-gateway-model": header_text(record.selected_model),
        "x-gateway-strategy": record.strategy_used,
        "x-gateway-confidence": record.confidence or "none",
        "x-gateway-pattern": header_text(record.pattern_detected or "none"),
        "x-gateway-complexity": "none" if record.complexity_score is None else f"{record.complexity_score:.3f}",
        "x-gateway-reason": header_text(record.reasoning or ""),
        "x-gateway-baseline-model": header_text(record.baseline_model),
        "x-gateway-attempts": str(max(1, len(record.attempts))),
        "x-gateway-fallback": "true" if record.fallback_used else "false",
    }


def cost_headers(record: RequestRecord) -> dict[str, str]:
    """USD, in plain decimal notation; `unknown` where there is no price."""
    return {"x-gateway-cost": _usd(record.actual_cost), "x-gateway-baseline-cost": _usd(record.baseline_cost)}


def header_text(text: str) -> str:
    """`text` with everything but printable ASCII replaced: a header must not carry line ends or foreign bytes."""
    text = text[:REASON_LIMIT]
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(char if " " <= char <= "~" else "?" for char in text).strip()


def _usd(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount:.9f}"
