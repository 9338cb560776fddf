"""Virtual keys as the gateway knows them without asking the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.accounts.key_cache import VirtualKeyCache
from gateway.accounts.virtual_keys import AdminKey, VirtualKey, digest_of
from gateway.errors import LedgerUnavailable

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = VirtualKey(
    id="key_1", name="team", digest=digest_of("one"), last4="one", created=NOW, expires=NOW + timedelta(hours=1)
)


class World:
    def __init__(self) -> None:
        self.keys: list[VirtualKey] | None = [KEY]
        self.time = NOW

    def load(self) -> list[VirtualKey]:
        if self.keys is None:
            raise LedgerUnavailable("gone")
        return self.keys

    def now(self) -> datetime:
        return self.time


def test_keys_are_known_from_a_refresh_on() -> None:
    """A key counts from the refresh that told of it until one that does not, or until it expires."""
    world = World()
    key_cache = VirtualKeyCache(world.load, now=world.now)
    assert not key_cache.any_keys
    assert key_cache.lookup(KEY.digest) is None
    key_cache.refresh()
    assert key_cache.lookup(KEY.digest) == KEY
    assert key_cache.lookup(digest_of("two")) is None
    world.time += timedelta(hours=2)
    assert key_cache.lookup(KEY.digest) is None


def test_a_gateway_with_keys_never_opens_again() -> None:
    """Once there was a key the gateway stays closed, even if the ledger that had it is gone."""
    world = World()
    key_cache = VirtualKeyCache(world.load, now=world.now)
    key_cache.refresh()
    world.keys = []
    key_cache.refresh()
    assert key_cache.any_keys
    assert key_cache.lookup(KEY.digest) is None


def test_while_the_store_fails() -> None:
    """While the store cannot be read, what was known still counts."""
    world = World()
    key_cache = VirtualKeyCache(world.load, now=world.now)
    key_cache.refresh()
    world.keys = None
    with pytest.raises(LedgerUnavailable):
        key_cache.refresh()
    assert key_cache.lookup(KEY.digest) == KEY


class Marker:
    def __init__(self, *, is_set: bool = False) -> None:
        self.is_set = is_set

    def set(self, reason: str) -> None:
        self.is_set = True


def test_lost_keys_close_the_gateway() -> None:
    """Where keys were lost with an earlier ledger, the gateway is closed from the start, and later when another process says so."""
    ring_of_lost = VirtualKeyCache(list, now=lambda: NOW, lost=Marker(is_set=True))
    ring_of_lost.refresh()
    assert ring_of_lost.any_keys
    marker = Marker()
    key_cache = VirtualKeyCache(list, now=lambda: NOW, lost=marker)
    key_cache.refresh()
    assert not key_cache.any_keys
    marker.is_set = True
    key_cache.refresh()
    assert key_cache.any_keys


def test_a_ledger_that_loses_its_keys_is_marked() -> None:
    """A ledger that has no key any more (it was deleted and begun anew) leaves a mark for the next start."""
    world, marker = World(), Marker()
    key_cache = VirtualKeyCache(world.load, now=world.now, lost=marker)
    key_cache.refresh()
    key_cache.refresh()
    assert not marker.is_set
    world.keys = []
    key_cache.refresh()
    assert marker.is_set


def test_the_admin_key_stays_known() -> None:
    """The ledger's admin key is known from a refresh on, changes with it, and stays when the ledger has none any more."""
    kept: list[AdminKey | None] = [AdminKey(digest_of("one"), "one", NOW)]
    key_cache = VirtualKeyCache(list, now=lambda: NOW, load_admin=lambda: kept[0])
    key_cache.refresh()
    assert key_cache.admin == kept[0]
    kept[0] = second = AdminKey(digest_of("two"), "two", NOW)
    key_cache.refresh()
    assert key_cache.admin == second
    kept[0] = None
    key_cache.refresh()
    assert key_cache.admin == second
