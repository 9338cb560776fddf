"""What the form for a new key accepts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.api.dashboard.key_pages import make_key, revoke_key, rotate_key, state
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.store.sqlite import SqliteStore

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "gateway.db")) as opened:
        yield opened


def test_a_key_has_the_limits_of_the_form(store: SqliteStore) -> None:
    """Every field of the form is a limit of the key; empty fields are no limit."""
    fields = {"name": "bot", "budget": "5/day", "rpm": "7", "models": "gemini/*, a/b", "max_tier": "simple"}
    make_key(store, {**fields, "max_cost": "0.05", "days": "2"}, now=NOW)
    make_key(store, {"name": "free"}, now=NOW)
    limited, free = sorted(store.virtual_keys(), key=lambda key: key.name)
    assert limited.budget is not None
    assert (limited.budget.limit_nano, limited.budget.window) == (5 * 10**9, "day")
    assert (limited.rpm, limited.models, limited.max_tier) == (7, ("gemini/*", "a/b"), "simple")
    assert (limited.max_cost_nano, limited.expires) == (5 * 10**7, NOW + timedelta(days=2))
    assert (free.budget, free.rpm, free.models, free.max_tier, free.max_cost_nano) == (None, None, None, None, None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("name", ""),
        ("name", "x" * 65),
        ("name", "a\nb"),
        ("budget", "lots"),
        ("rpm", "0"),
        ("rpm", "1.5"),
        ("days", "9999"),
        ("models", "haiku"),
        ("max_tier", "highest"),
        ("max_cost", "x"),
        ("max_cost", "0"),
        ("max_cost", "NaN"),
    ],
)
def test_wrong_fields_are_named(store: SqliteStore, name: str, text: str) -> None:
    """A field that cannot be read is an error that names it, and no key is made."""
    with pytest.raises(InvalidRequest) as raised:
        make_key(store, {"name": "bot", name: text}, now=NOW)
    assert raised.value.param == name
    assert store.virtual_keys() == []


def test_names_are_unique_and_unknown_keys_not_found(store: SqliteStore) -> None:
    """A name that is taken is a conflict; a key that does not exist is neither rotated nor revoked."""
    make_key(store, {"name": "bot"}, now=NOW)
    with pytest.raises(Conflict):
        make_key(store, {"name": "bot"}, now=NOW)
    with pytest.raises(NotFound):
        rotate_key(store, "nobody")
    with pytest.raises(NotFound):
        revoke_key(store, "nobody", now=NOW)


def test_a_key_is_live_until_it_expires_or_is_revoked(store: SqliteStore) -> None:
    """The state that the page shows."""
    make_key(store, {"name": "bot", "days": "1"}, now=NOW)
    (key,) = store.virtual_keys()
    assert (state(key, NOW), state(key, NOW + timedelta(days=2))) == ("live", "expired")
    revoke_key(store, key.id, now=NOW)
    assert state(store.virtual_keys()[0], NOW) == "revoked"
