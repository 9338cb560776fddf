"""The weight of the labels that one key gives: it falls with their number per day, so that no client can dominate what is learned."""

from __future__ import annotations

# The first FULL_WEIGHT_LABELS labels of a key per day have weight 1, the n-th after that FULL_WEIGHT_LABELS / n.
FULL_WEIGHT_LABELS = 100
# Without keys all callers share one limit, so it is higher.
FULL_LABELS_KEYLESS = 1_000
# Feedback that waited for other keys: only the newest labels of each key are learned, so that no key can accumulate influence.
MAX_HELD_PER_KEY = 10
# Late enough for a review or a merge. Older answers came from models and prices that say little about today's.
MAX_FEEDBACK_AGE_DAYS = 30


def damped_weight(weight: float, *, earlier: int, key_id: str | None) -> float:
    """The weight of a key's next label, after `earlier` labels on the same day."""
    full = FULL_LABELS_KEYLESS if key_id is None else FULL_WEIGHT_LABELS
    return weight * min(1.0, full / (earlier + 1))
