"""What a row says of a request in headers."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.api.headers import cost_headers, encode_headers, gateway_headers, header_text
from gateway.records import RequestRecord

RECORD = RequestRecord(
    request_id="req_1",
    timestamp="2026-11-22T00:00:00+00:00",
    strategy_used="hybrid",
    selected_provider="gemini",
    selected_model="gemini-3.8-flash",
    baseline_provider="claude",
    baseline_model="claude-haiku-5-5",
    confidence="low",
    pattern_detected="code",
    complexity_score=0.25,
    reasoning="Short question.",
    fallback_used=True,
)


def read(head: str) -> dict[str, str]:
    """Its lines by name."""
    assert head.endswith("\r\n")
    return dict(line.split(": ", 1) for line in head.removesuffix("\r\n").split("\r\n"))


def test_each_routing_fact_has_its_header() -> None:
    """Every fact of the decision has its header."""
    assert read(gateway_headers(RECORD)) == {
        "x-gateway-provider": "gemini",
        "x-gateway-model": "gemini-3.8-flash",
        "x-gateway-strategy": "hybrid",
        "x-gateway-confidence": "low",
        "x-gateway-pattern": "code",
        "x-gateway-complexity": "0.250",
        "x-gateway-reason": "Short question.",
        "x-gateway-baseline-model": "claude-haiku-5-5",
        "x-gateway-attempts": "1",
        "x-gateway-fallback": "true",
    }


def test_a_held_back_answer_says_so() -> None:
    """`x-gateway-holdback: true` where the holdback chose the baseline, and no such header otherwise."""
    assert read(gateway_headers(RECORD._replace(holdback=True)))["x-gateway-holdback"] == "true"
    assert "x-gateway-holdback" not in read(gateway_headers(RECORD._replace(holdback=False)))


def test_null_facts_are_written_as_none() -> None:
    """What is null in the ledger says `none`."""
    headers = read(
        gateway_headers(RECORD._replace(confidence=None, pattern_detected=None, complexity_score=None, reasoning=None))
    )
    assert headers["x-gateway-confidence"] == headers["x-gateway-pattern"] == headers["x-gateway-complexity"] == "none"
    assert headers["x-gateway-reason"] == ""


def test_costs_are_plain_decimals() -> None:
    """Costs never use an exponent, and an unknown one says so."""
    headers = read(cost_headers(RECORD._replace(actual_cost=Decimal("0.0000000123"), baseline_cost=None)))
    assert headers == {"x-gateway-cost": "0.000000012", "x-gateway-baseline-cost": "unknown"}


@given(st.text())
def test_header_text_is_printable_ascii(text: str) -> None:
    """Whatever a model or prompt says, a header stays one line of printable ASCII."""
    shown = header_text(text)
    assert shown.isascii()
    assert all(" " <= char <= "~" for char in shown)
    assert len(shown) <= 300


def test_header_pairs_make_the_same_head_as_a_mapping() -> None:
    """Headers as pairs make the same kind of head."""
    assert encode_headers([(b"a", b"1"), (b"b", b"")]) == b"a: 1\r\nb: \r\n"
