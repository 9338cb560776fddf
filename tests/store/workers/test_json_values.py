"""Values cross from one process to another unchanged."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import apsw
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.budgets import Budget, Hold, SessionSpending
from gateway.accounts.virtual_keys import AdminKey, VirtualKey, digest_of
from gateway.errors import BudgetExceeded, Conflict, LedgerUnavailable, SessionBudgetExceeded
from gateway.records import Attempt, Feedback, PricedAttempt, PricedRow, Repricing
from gateway.store import (
    AddRefusals,
    Checkpoint,
    InsertAdminKey,
    InsertCheckpoint,
    InsertFeedback,
    InsertOutcome,
    InsertRequest,
    InsertResponse,
    InsertVirtualKey,
    RefusalCount,
    RevokeVirtualKey,
    SettleRequest,
    StoredOutcome,
    StoredResponse,
    UpdateCosts,
    UpsertAttempt,
    mutations,
)
from gateway.store.connection import LedgerDamaged
from gateway.store.workers.json_values import dumps, from_json, loads, to_json
from tests.store.cases import CANDIDATES, NOW, USAGE, begun, ended

BEFORE = PricedRow._make([1, "r1", *([None] * 9), 0, *([None] * 14), (PricedAttempt(1, "gemini", "flash", "settled"),)])
MUTATIONS = (
    InsertRequest(begun(session_spending=SessionSpending(1, 2)), (Hold("k1", Budget(10, "day"), (6, 2), NOW),)),
    SettleRequest(ended(), (StoredOutcome("gemini", "flash", "code", 0.2, features={"words": 3.0}),)),
    UpsertAttempt("r1", Attempt(2, "claude", "haiku", cost=Decimal("1E-9"), usage=USAGE)),
    InsertOutcome(StoredOutcome("gemini", "flash", "code", 0.2)),
    InsertFeedback(Feedback("r1", 0.5, "2026-11-22T10:01:00Z", comment="fine")),
    InsertVirtualKey(VirtualKey("k1", "team", digest_of("one"), "-one", NOW, models=("gemini/*",))),
    RevokeVirtualKey("k1", NOW),
    InsertAdminKey(AdminKey(digest_of("one"), "-one", NOW)),
    InsertCheckpoint(Checkpoint("saved", "f1", learned_to=5, outcomes=5), b"\0\xff"),
    InsertResponse(StoredResponse("resp_1", None, 1.0, 2.0, None, b"{}", b"[]", b"[]")),
    AddRefusals((RefusalCount("2026-11-29T10", "rate_limited", "", 3),)),
    UpdateCosts(
        (Repricing(BEFORE, "new", USAGE, None, Decimal(1), None, None, None, None, attempts={1: (USAGE, None)}),),
        "2026",
    ),
)


def crossed(value: Any) -> Any:
    return from_json(loads(dumps(to_json(value))))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: type(mutation).__name__)
def test_a_mutation_comes_back_equal(mutation: mutations.Mutation[Any]) -> None:
    """Whatever a mutation is made of, the other process has the same."""
    assert crossed(mutation) == mutation


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(values)
def test_any_value_comes_back_equal(value: object) -> None:
    """Huge integers, infinities and any text are exact."""
    assert crossed(value) == value


def test_lone_surrogates_cross() -> None:
    """Text that is not valid Unicode does not stop a mutation."""
    assert crossed(["\ud800", {"\udfff": 2**70}]) == ("\ud800", {"\udfff": 2**70})


def test_other_mappings_sequences_and_objects() -> None:
    """A mapping is a dictionary, a sequence a tuple, a subclass of a number that number, and an unknown object its text."""

    class Real(float):
        """As NumPy's."""

    given = MappingProxyType({"rows": list(CANDIDATES), "real": Real(0.5), "path": datetime.now(UTC).date})
    there = crossed(given)
    assert (there["rows"], there["real"], type(there["real"])) == (CANDIDATES, 0.5, float)
    assert "date" in there["path"]
    assert str(crossed(float("nan"))) == "nan"


def test_an_error_keeps_its_class_and_members() -> None:
    """A refusal is answered to the client as if it had been raised here."""
    error = SessionBudgetExceeded("spent", retry_after=3.0, spent=False, window="day", resets_at=NOW)
    there = crossed(error)
    assert (type(there), vars(there), str(there)) == (SessionBudgetExceeded, vars(error), "spent")
    assert isinstance(there, BudgetExceeded)
    assert crossed(Conflict("known")).body() == Conflict("known").body()


def test_an_unknown_error_is_the_nearest_known() -> None:
    """An error of a class that only the store knows is one of its base class; a foreign one says what it was."""
    assert type(crossed(LedgerDamaged("damaged"))) is LedgerUnavailable
    foreign = crossed(apsw.TooBigError("string or blob too big"))
    assert (type(foreign), str(foreign)) == (RuntimeError, "TooBigError: string or blob too big")
    assert type(crossed(ValueError("open"))) is ValueError


def test_json_names_no_other_class() -> None:
    """Only the ledger's own classes are made, whatever the JSON names."""
    for name in ("object", "Path", "Mutation.x"):
        with pytest.raises(KeyError):
            from_json(orjson.loads(f'{{"{name}": []}}'))
