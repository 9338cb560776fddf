"""Labels from the answer alone: weak estimates of its quality that need nobody's opinion.

A label has a source, a quality and a weight relative to a person's explicit score, which has weight 1 (weak supervision). Learning from
failures alone would punish the models that are used most, because they also fail most often. So good answers count too: every answer
that satisfies a prescribed format, and one in sixteen of the others, with the prior quality of its model's tier. A label never changes
an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from gateway.catalog.catalog import Model
from gateway.routing.estimation.difficulty import failure_prior, typical_quality
from gateway.routing.feedback.format_check import Validity

# One in this many unremarkable answers gets a label.
_SAMPLING_INTERVAL = 16
# In tokens. A client with a lower limit intends to cut the answer.
_LOW_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Label:
    """`quality` is 0 to 1, `weight` above 0 to 1."""

    source: str
    quality: float
    weight: float


FAILED_VALIDATION = Label("failed_validation", 0.0, 0.5)
PASSED_VALIDATION = Label("passed_validation", 0.9, 0.3)
EMPTY = Label("empty", 0.0, 0.1)
REFUSED = Label("refused", 0.1, 0.05)
TRUNCATED = Label("truncated", 0.3, 0.05)
UPSTREAM_ERROR = Label("upstream_error", 0.0, 0.05)
RESENT = Label("resent", 0.3, 0.1)
OVERRIDDEN = Label("overridden", 0.2, 0.2)
UNREMARKABLE_WEIGHT = 0.1


class AnswerFacts(NamedTuple):
    """The facts of a complete answer. `validity` is None where no format was prescribed or the answer was cut short."""

    finish_reason: str | None = None
    empty: bool = False
    refused: bool = False
    validity: Validity | None = None


def label_of(answer: AnswerFacts, *, max_tokens: int | None, model: Model | None, request_id: str) -> Label | None:
    """The most informative label of a complete answer. `max_tokens` is the client's limit, `model` the answering one."""
    if answer.validity == "invalid":
        return FAILED_VALIDATION
    if answer.refused or answer.finish_reason == "content_filter":
        return REFUSED
    if answer.finish_reason == "length":
        return TRUNCATED if max_tokens is None or max_tokens >= _LOW_LIMIT else None
    if answer.empty:
        return EMPTY
    if answer.validity == "valid":
        return PASSED_VALIDATION
    if model is None or not _sampled(request_id):
        return None
    return Label("unremarkable", typical_quality(failure_prior(model)), UNREMARKABLE_WEIGHT)


def _sampled(request_id: str) -> bool:
    """Selects one request in sixteen, deterministically by its id."""
    return blake2b(request_id.encode(errors="replace"), digest_size=1).digest()[0] % _SAMPLING_INTERVAL == 0
