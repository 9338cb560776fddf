"""Which attempt's answer was used."""

from __future__ import annotations

from decimal import Decimal

from gateway.completion import Usage
from gateway.proxy.answering import answer_cost, answering_attempt
from gateway.records import Attempt

USED, LATER = Usage(10, 5), Usage(10, 7)
ATTEMPTS = (
    Attempt(1, "claude", "haiku", cost=Decimal(1), usage=USED),
    Attempt(2, "claude", "sonnet", cost=Decimal(2), usage=LATER),
    Attempt(3, "gemini", "flash", status="failed_free"),
)


def test_the_answer_is_known_by_its_usage() -> None:
    """The rejected answer may be the one that is given after all, though later attempts were made."""
    assert answering_attempt(ATTEMPTS, USED) is ATTEMPTS[0]
    assert answer_cost(ATTEMPTS, LATER) == 2


def test_without_a_billed_answer_there_is_none() -> None:
    assert answering_attempt(ATTEMPTS, None) is None
    assert answer_cost(ATTEMPTS, None) is None
