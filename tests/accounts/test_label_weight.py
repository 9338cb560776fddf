"""How much opinions weigh."""

from __future__ import annotations

import pytest

from gateway.accounts.label_weight import FULL_LABELS_KEYLESS, FULL_WEIGHT_LABELS, damped_weight


@pytest.mark.parametrize(("key_id", "full"), [("k", FULL_WEIGHT_LABELS), (None, FULL_LABELS_KEYLESS)])
def test_label_weight_falls_after_the_daily_number(key_id: str | None, full: int) -> None:
    """Up to a number a day each label counts in full, later ones less and less; without keys the number is higher."""
    weights = [damped_weight(0.5, earlier=number, key_id=key_id) for number in range(3 * full)]
    assert weights[:full] == [0.5] * full
    assert weights[full:] == sorted(weights[full:], reverse=True)
    assert weights[2 * full - 1] == pytest.approx(0.25)
    assert sum(weights) < 2.2 * full * 0.5
