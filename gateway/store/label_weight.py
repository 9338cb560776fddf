"""How much one key's opinions count: every further one of a day less, so that no client can bend what is learned."""

from __future__ import annotations

# So many labels of a key count in full on one day; the n-th counts this many n-ths, so their sum grows ever slower.
FULL_WEIGHT_LABELS = 100
# Without keys all callers are one, so that one may say more.
FULL_LABELS_KEYLESS = 1_000
# Of the opinions that waited for other keys so many of each key are learned, the newest: nobody can save up influence.
HELD_OF_A_KEY = 10


def damped_weight(weight: float, *, earlier: int, key_id: str | None) -> float:
    """The weight of a key's next label, of which it has given `earlier` ones on this day."""
    full = FULL_LABELS_KEYLESS if key_id is None else FULL_WEIGHT_LABELS
    return weight * min(1.0, full / (earlier + 1))
