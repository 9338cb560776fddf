"""Feeds the token counts of stored outcomes to the length ratios. Runs in the refresh thread, never on the path of a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.catalog import ModelKey
from gateway.routing import Pause
from gateway.savings import AnswerLength, LengthRatios
from gateway.store import Store, StoredOutcome

NEWEST = 20_000  # outcomes that a start reads
_PAGE = 100


class AnswerLengthReader:
    """Reads each outcome once; a start begins with the `newest`."""

    def __init__(self, store: Store, lengths: LengthRatios, *, newest: int = NEWEST) -> None:
        self._store = store
        self._newest = newest
        self._lengths = lengths
        self._read_to: int | None = None

    def refresh(self, pause: Pause) -> None:
        """Learn what is new in the ledger; `pause` is called between pages. Blocks."""
        after = self._read_to if self._read_to is not None else max(0, self._store.newest_outcome() - self._newest)
        learned = False
        while outcomes := self._store.outcomes(after=after, limit=_PAGE):
            self._lengths.learn(lengths_of(outcomes))
            after = self._read_to = outcomes[-1].id
            learned = True
            pause()
        if learned:
            self._lengths.publish()
        self._read_to = after


def lengths_of(outcomes: Sequence[StoredOutcome]) -> Iterator[AnswerLength]:
    """The outcomes of whole answers; labels carry no tokens, and a failed answer is cut short."""
    for outcome in outcomes:
        if outcome.output_tokens and outcome.error is None:
            estimated = (outcome.features or {}).get("tokens")
            yield AnswerLength(
                ModelKey(outcome.provider, outcome.model),
                outcome.pattern,
                outcome.complexity,
                outcome.output_tokens,
                outcome.input_tokens,
                estimated,
            )
