"""What can be told of an answer's quality without asking anyone: facts of the answer in, a weak label out.

A label is an outcome with a source, a quality and a weight: how much it counts beside a person's own score, which weighs 1.
Failures alone would teach that whatever is used is bad, since the model that answers most also fails most. So answers with
nothing wrong count too: those that keep a prescribed form as such, one in sixteen of the others as what is expected of the
model's tier anyway. No label ever changes what was answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from gateway.catalog.catalog import Tier
from gateway.routing.estimation.difficulty import PRIOR_QUALITY
from gateway.routing.feedback.format_check import Validity

_UNREMARKABLE_SHARE = 16
# A client that sets a lower limit wants its answer cut.
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
UNREMARKABLE: Mapping[Tier, Label] = {
    tier: Label("unremarkable", quality, 0.1) for tier, quality in PRIOR_QUALITY.items()
}


class AnswerFacts(NamedTuple):
    """What is known of a whole answer: why it ended, whether it said anything, whether it refused, whether it kept its form."""

    finish_reason: str | None = None
    empty: bool = False
    refused: bool = False
    form: Validity | None = None


def label_of(answer: AnswerFacts, *, max_tokens: int | None, tier: Tier | None, request_id: str) -> Label | None:
    """The most telling label of a finished answer. `tier` is the answering model's, `max_tokens` what the client asked for."""
    if answer.form == "broken":
        return FAILED_VALIDATION
    if answer.refused or answer.finish_reason == "content_filter":
        return REFUSED
    if answer.finish_reason == "length":
        return TRUNCATED if max_tokens is None or max_tokens >= _LOW_LIMIT else None
    if answer.empty:
        return EMPTY
    if answer.form == "kept":
        return PASSED_VALIDATION
    if tier is None or not _drawn(request_id):
        return None
    return UNREMARKABLE[tier]


def _drawn(request_id: str) -> bool:
    """One request in sixteen, the same ones whenever it is asked."""
    return blake2b(request_id.encode(errors="replace"), digest_size=1).digest()[0] % _UNREMARKABLE_SHARE == 0
