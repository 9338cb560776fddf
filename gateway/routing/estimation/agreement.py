"""What is known about two models giving the same answer, and what their agreement says of their answers.

The agreement of any two models is estimated as the quality of one model is: 1 where they agree, 0 where they do not, linear in the
features of the prompt, shared difficulty included. So disagreements also teach which prompts are hard for all models, without anybody's
rating. Each pair has its own mean difference from that, shrunk to what is expected of its two models.

An answer on which two models agree counts as one that their escalation would have given. What a pair's answer is worth differs from
its escalation's by a hundredth at most (docs/routing.md), and without this the outcomes of the escalation would be those on disputed
prompts alone, which make it look bad.
"""

from __future__ import annotations

from gateway.catalog import ModelKey
from gateway.catalog.catalog import PREFIXES
from gateway.records import Agreement
from gateway.routing.estimation.difficulty import FailurePrior
from gateway.store import StoredOutcome

# Two models differ where one of them fails and the other does not, or both fail in different ways. Failures come together, so that is
# less than the sum of both: measured .55 to .63 of it for ten pairs of models on 2,840 prompts.
_OVERLAP = 0.6
# Labels of answers that nobody rated. On the same prompts the answers of an agreeing pair were right in .93 to .97 of the cases, those
# of a disagreeing one in .09 to .45. They count less than a rating, since the models of a pair can be wrong alike.
AGREED_QUALITY, DIFFERED_QUALITY = 0.95, 0.3
LABEL_WEIGHT = 0.2
MOST_DIFFERED = 0.6  # the most that an answer is worth with which another one differs
AGREED, DIFFERED = "agreed", "differed"  # the sources of these labels
# A rating that comes later repeats the comparison of the outcome that was stored with the answer.
LATER_SOURCES = frozenset({"feedback", "judge"})
DERIVED_SOURCES = frozenset({AGREED, DIFFERED})
# Two models of usual strength, on prompts of which a model of the moderate tier fails on so many.
ANY_RATE, _FAILURES = 2.0 * _OVERLAP, 0.25
# The pseudo-count of the expected difference, in comparisons.
PRIOR_COUNT = 12.0
_NO_PROVIDER, _SEPARATOR = "", "\n"
# The key under which the agreement of any two models is learned.
ANY_PAIR = ModelKey(_NO_PROVIDER, _SEPARATOR)


def agreement_key(one: ModelKey, other: ModelKey) -> ModelKey:
    """The key under which the difference of two models is kept, whatever their order. It is no model's key."""
    return ModelKey(_NO_PROVIDER, _SEPARATOR.join(sorted((one.full_name, other.full_name))))


def key_of(full_name: str) -> ModelKey:
    provider, _, name = full_name.partition("/")
    return ModelKey(provider, name)


def expected_difference(one: FailurePrior, other: FailurePrior) -> float:
    """How much more probable the agreement of two models is than that of any two, before any comparison."""
    return _FAILURES * (ANY_RATE - _OVERLAP * (one.rate + other.rate))


def family_of(key: ModelKey) -> str:
    """Whose model it is: models of one family share their mistakes, so their agreement says less.

    The vendor in an id such as `openai/gpt-6`, otherwise the first word of the id or the provider.
    """
    vendor, slash, _ = key.name.partition("/")
    if slash:
        return PREFIXES.get({"google": "gemini"}.get(vendor, vendor), vendor)
    return key.provider if key.provider in ("gemini", "claude") else vendor.split("-")[0].lower()


def compared_pair(agreement: Agreement | None, model: ModelKey) -> ModelKey | None:
    """The key of the pair whose agreement this outcome of a model tells: that of the first of two. None for all other outcomes."""
    return pair_of(agreement) if agreement is not None and model.full_name == agreement.models[0] else None


def pair_of(agreement: Agreement | None) -> ModelKey | None:
    """The key of the two models that were compared; None where that were not two, or nothing was compared."""
    if agreement is None or agreement.agreed is None or len(agreement.models) != 2:
        return None
    return agreement_key(*map(key_of, agreement.models))


def stands_for(agreement: Agreement | None, model: ModelKey, *, rated: bool) -> ModelKey | None:
    """The escalation whose answer the agreed answer counts as, where somebody rated it. Told once, by the first model's outcome."""
    if agreement is None or not agreement.agreed or agreement.escalation is None or not rated:
        return None
    return key_of(agreement.escalation) if model.full_name == agreement.models[0] else None


def with_derived_label(outcome: StoredOutcome) -> StoredOutcome:
    """The outcome of an answer that nobody rated, with the label that its comparison gives; unchanged where nothing was compared."""
    agreed = None if outcome.agreement is None else outcome.agreement.agreed
    if agreed is None:
        return outcome
    source, quality = (AGREED, AGREED_QUALITY) if agreed else (DIFFERED, DIFFERED_QUALITY)
    return outcome._replace(source=source, quality=quality, weight=LABEL_WEIGHT)
