"""Warnings about answers that people who run the gateway should know of: once for each cause, not for each request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from gateway.records import RequestRecord

log = logging.getLogger(__name__)
MOST_CAUSES = 1_000  # remembered; models and kinds are named by clients and providers


class OperatorWarnings:
    """Hears of settled rows, and of answers that were passed on without some of their content."""

    def __init__(self, *, count_incomplete: Callable[[str], None] = lambda provider: None) -> None:
        self._count_incomplete = count_incomplete
        self._told: set[tuple[str, str]] = set()

    def observe(self, record: RequestRecord) -> None:
        """Warn where what an attempt cost is not known."""
        if record.actual_cost is None:
            for attempt in record.attempts:
                if attempt.usage is not None and attempt.cost is None:
                    self._unpriced(f"{attempt.provider}/{attempt.model}")

    def incomplete(self, provider: str, kinds: Sequence[str]) -> None:
        """Count an answer, and warn of the kinds of its content that could not be passed on."""
        self._count_incomplete(provider)
        for kind in kinds:
            if self._is_new(f"content of {provider}", kind):
                log.warning(
                    "%s answered content of the kind %r, which chat completions have no place for; it is not passed on",
                    provider,
                    kind[:80],
                )

    def _unpriced(self, model: str) -> None:
        if self._is_new("cost", model):
            log.warning(
                "the cost of an answer of %s is not known: there is no price for the model or for a kind of its output; "
                "give its `prices` in models.yaml",
                model,
            )

    def _is_new(self, topic: str, name: str) -> bool:
        cause = (topic, name[:200])
        if cause in self._told or len(self._told) >= MOST_CAUSES:
            return False
        self._told.add(cause)
        return True
