"""The attempt whose answer was used, and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from gateway.completion import Usage
from gateway.records import Attempt


def answering_attempt(attempts: Sequence[Attempt], usage: Usage | None) -> Attempt | None:
    """The attempt whose answer was used; a later one may have failed."""
    return next((attempt for attempt in reversed(attempts) if usage is not None and attempt.usage is usage), None)


def answer_cost(attempts: Sequence[Attempt], usage: Usage | None) -> Decimal | None:
    """Cost of the answering attempt, USD."""
    attempt = answering_attempt(attempts, usage)
    return attempt.cost if attempt is not None else None
