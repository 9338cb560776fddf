"""Virtual keys as rows: limits, rotation, revocation."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from gateway.accounts.budgets import Budget
from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.errors import Conflict, NotFound
from gateway.store import InsertVirtualKey, LimitVirtualKey, RevokeVirtualKey, RotateVirtualKey
from gateway.store.sqlite import SqliteStore
from tests.store.cases import NOW

KEY = VirtualKey(id="key_1", name="team", digest=digest_of("one"), last4="-one", created=NOW)
FULL = replace(
    KEY,
    id="key_2",
    name="all limits",
    digest=digest_of("two"),
    expires=NOW + timedelta(days=1),
    budget=Budget(5, "hour"),
    rpm=60,
    models=("gemini/*", "claude/haiku"),
    max_tier="moderate",
    max_cost_nano=7,
    session_budget_nano=8,
    holdback=False,
)


def test_keys_are_read_back_with_their_limits(ledger: SqliteStore) -> None:
    """Keys come back as they were added, oldest first; names of keys that are not revoked are unique."""
    ledger.submit(InsertVirtualKey(KEY)).result()
    ledger.submit(InsertVirtualKey(FULL)).result()
    assert ledger.virtual_keys() == [KEY, FULL]
    with pytest.raises(Conflict):
        ledger.submit(InsertVirtualKey(replace(KEY, id="key_3", digest=digest_of("three")))).result()


def test_rotation_keeps_everything_but_the_secret(ledger: SqliteStore) -> None:
    """A rotated key has another digest and the same id, so what it spent is still spent."""
    ledger.submit(InsertVirtualKey(FULL)).result()
    ledger.submit(RotateVirtualKey("key_2", digest=digest_of("new"), last4="-new")).result()
    assert ledger.virtual_keys() == [replace(FULL, digest=digest_of("new"), last4="-new")]
    with pytest.raises(NotFound):
        ledger.submit(RotateVirtualKey("key_9", digest=digest_of("x"), last4="x")).result()


def test_revoked_keys_stay_listed(ledger: SqliteStore) -> None:
    """A revoked key stays in the list and cannot be rotated or revoked again; its name is free."""
    ledger.submit(InsertVirtualKey(KEY)).result()
    ledger.submit(RevokeVirtualKey("key_1", at=NOW)).result()
    assert ledger.virtual_keys() == [replace(KEY, revoked=NOW)]
    with pytest.raises(NotFound):
        ledger.submit(RevokeVirtualKey("key_1", at=NOW)).result()
    with pytest.raises(NotFound):
        ledger.submit(RotateVirtualKey("key_1", digest=digest_of("x"), last4="x")).result()
    ledger.submit(InsertVirtualKey(replace(KEY, id="key_3", digest=digest_of("three")))).result()


def test_unreadable_limits_become_strict(path: Path, ledger: SqliteStore) -> None:
    """A tier, window or list of models that this version does not know limits as much as possible."""
    ledger.submit(InsertVirtualKey(FULL)).result()
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE virtual_keys SET max_tier = 'x', budget_window = 'x', models = '{'")
    (key,) = ledger.virtual_keys()
    assert (key.max_tier, key.models, key.budget) == ("simple", (), Budget(5, "total"))


def test_session_limit_of_a_key_is_changed_and_removed(ledger: SqliteStore) -> None:
    """A limit that is raised lets sessions go on; an unknown key has none to raise."""
    ledger.submit(InsertVirtualKey(KEY)).result()
    for limit in (9, None):
        ledger.submit(LimitVirtualKey("key_1", session_budget_nano=limit)).result()
        assert ledger.virtual_keys() == [replace(KEY, session_budget_nano=limit)]
    with pytest.raises(NotFound):
        ledger.submit(LimitVirtualKey("key_9", session_budget_nano=1)).result()
