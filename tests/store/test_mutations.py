"""What a mutation gives to the ledger."""

from __future__ import annotations

from gateway.store import SettleRequest, StoredOutcome
from tests.store.cases import ended


def test_features_of_the_row_are_not_stored_twice() -> None:
    """An outcome with the features of its row is stored without them, one with others with its own."""
    own = StoredOutcome("gemini", "flash", "code", 0.2, request_id="r1", features={"words": 12.0})
    other = own._replace(features={"words": 7.0})
    settlement = SettleRequest(ended(), (own, other))
    assert [outcome.features for outcome in settlement.stored_outcomes] == [None, {"words": 7.0}]
