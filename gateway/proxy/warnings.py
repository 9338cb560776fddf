"""Logs warnings for operators about answers: unknown costs and dropped content, once per cause."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from gateway.dialects.embeddings import ENDPOINT as EMBEDDINGS
from gateway.records import RequestRecord

log = logging.getLogger(__name__)
MAX_CAUSES = 1_000  # limits the memory, since clients and providers choose the names


class OperatorWarnings:
    """Observes settled rows, and answers that were passed on without some of their content."""

    def __init__(self, *, count_incomplete: Callable[[str], None] = lambda provider: None) -> None:
        self._count_incomplete = count_incomplete
        self._seen: set[tuple[str, str]] = set()

    def observe(self, record: RequestRecord) -> None:
        """Warn if the cost of an attempt is unknown."""
        if record.actual_cost is None:
            for attempt in record.attempts:
                if attempt.usage is not None and attempt.cost is None:
                    self._unpriced(f"{attempt.provider}/{attempt.model}", endpoint=record.endpoint)

    def incomplete(self, provider: str, kinds: Sequence[str]) -> None:
        """Count an answer from which content of these kinds was dropped, and warn about each new kind."""
        self._count_incomplete(provider)
        for kind in kinds:
            if self._is_new(f"content of {provider}", kind):
                log.warning(
                    "%s answered content of the kind %r, which chat completions cannot carry; it is dropped",
                    provider,
                    kind[:80],
                )

    def _unpriced(self, model: str, *, endpoint: str | None) -> None:
        if not self._is_new("cost", model):
            return
        if endpoint == EMBEDDINGS:  # models.yaml lists what `auto` chooses from
            log.warning("the cost of embeddings of %s is not known: the price snapshot does not have the model", model)
        else:
            log.warning(
                "the cost of an answer of %s is not known: there is no price for the model or for a kind of its output; "
                "give its `prices` in models.yaml",
                model,
            )

    def _is_new(self, topic: str, name: str) -> bool:
        cause = (topic, name[:200])
        if cause in self._seen or len(self._seen) >= MAX_CAUSES:
            return False
        self._seen.add(cause)
        return True
