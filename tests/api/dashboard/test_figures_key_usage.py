"""Which keys are routed to the strongest models unusually often."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.api.dashboard.figures import MIN_REQUESTS, StrongModelShare, strong_model_shares


def row(key_id: str | None, model: str, count: int) -> dict[str, Any]:
    return {"key_id": key_id, "provider": "p", "model": model, "count": count}


def shares(*rows: dict[str, Any]) -> list[StrongModelShare]:
    return strong_model_shares(rows, strong=lambda provider, model: (provider, model) == ("p", "strong"))


def test_key_shares_count_all_requests_and_strongest_models() -> None:
    """Each key's requests are counted over all models, those of the strongest apart; the busiest key comes first."""
    found = shares(row(None, "weak", 1), row("a", "weak", 30), row("a", "strong", 10))
    assert found == [StrongModelShare("a", 40, 0.25, False), StrongModelShare(None, 1, 0.0, False)]
    assert shares() == []


@pytest.mark.parametrize(
    ("own", "others", "unusual"),
    [
        ((10, 10), (10, 90), True),
        ((10, 10), (30, 70), False),
        ((5, 15), (10, 90), False),
        ((MIN_REQUESTS - 1, 0), (0, 100), False),
        ((MIN_REQUESTS, 0), (0, 100), True),
        ((100, 0), (0, MIN_REQUESTS - 1), False),
    ],
    ids=["five times", "less than twice", "too little more", "too few", "just enough", "too few others"],
)
def test_unusual_share_needs_twice_the_others_in_twenty_requests(
    own: tuple[int, int], others: tuple[int, int], unusual: bool
) -> None:
    """Unusual is at least twice the others' share, by a fifth of all requests or more, in twenty requests or more."""
    found = shares(
        row("x", "strong", own[0]), row("x", "weak", own[1]), row("y", "strong", others[0]), row("y", "weak", others[1])
    )
    assert {each.key_id: each.unusual for each in found} == {"x": unusual, "y": False}


def test_a_single_key_is_never_unusual() -> None:
    """A key that has nobody to be compared with is never unusual."""
    assert not shares(row("x", "strong", 100))[0].unusual
