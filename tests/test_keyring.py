"""Virtual keys as the gateway knows them without asking the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import LedgerUnavailable
from gateway.keyring import KeyRing
from gateway.keys import VirtualKey, digest_of

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
    ring = KeyRing(world.load, now=world.now)
    assert not ring.keyed
    assert ring.lookup(KEY.digest) is None
    ring.refresh()
    assert ring.lookup(KEY.digest) == KEY
    assert ring.lookup(digest_of("two")) is None
    world.time += timedelta(hours=2)
    assert ring.lookup(KEY.digest) is None


def test_a_gateway_with_keys_never_opens_again() -> None:
    """Once there was a key the gateway stays closed, even if the ledger that had it is gone."""
    world = World()
    ring = KeyRing(world.load, now=world.now)
    ring.refresh()
    world.keys = []
    ring.refresh()
    assert ring.keyed
    assert ring.lookup(KEY.digest) is None


def test_while_the_store_fails() -> None:
    """While the store cannot be read, what was known still counts."""
    world = World()
    ring = KeyRing(world.load, now=world.now)
    ring.refresh()
    world.keys = None
    with pytest.raises(LedgerUnavailable):
        ring.refresh()
    assert ring.lookup(KEY.digest) == KEY
