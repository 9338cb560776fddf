"""The virtual keys and the ledger's admin key in memory, so that nobody waits for the store to know a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.accounts.virtual_keys import AdminKey, VirtualKey


class LossMarker(Protocol):
    """Remembers, across restarts, that keys were lost with a ledger."""

    @property
    def is_set(self) -> bool: ...

    def set(self, reason: str) -> None:
        """Idempotent. Raises LedgerUnavailable."""


class VirtualKeyCache:
    """What `load` and `load_admin` told at the last `refresh`; `live` keys could be used then. While they fail, what was known still counts.

    `keyed` is true from the first key on, and stays true: a gateway that has had a key, revoked or not, is not open again
    before it is started anew. It is true from the start where `lost` says that the keys of an earlier ledger are gone.
    """

    def __init__(
        self,
        load: Callable[[], Sequence[VirtualKey]],
        *,
        now: Callable[[], datetime],
        load_admin: Callable[[], AdminKey | None] = lambda: None,
        lost: LossMarker | None = None,
    ) -> None:
        self._load = load
        self._load_admin = load_admin
        self._now = now
        self._lost = lost
        self._keys: Mapping[bytes, VirtualKey] = {}
        self._seen = False
        self.any_keys = False
        self.admin: AdminKey | None = None
        self.live = 0

    def refresh(self) -> None:
        """Blocks. Sets the marker where all keys that were known are gone, so that a restart stays closed too."""
        if self._lost is not None:
            self.any_keys = self.any_keys or self._lost.is_set
        keys, admin = self._load(), self._load_admin()
        gone = self._seen and not keys and admin is None
        self._keys = {key.digest: key for key in keys}
        self._seen = self._seen or bool(keys) or admin is not None
        self.any_keys = self.any_keys or bool(keys)
        self.admin = admin or self.admin
        if gone and self._lost is not None:
            self._lost.set("a running gateway found its ledger without the keys that it had")
        now = self._now()
        self.live = sum(key.live(now) for key in keys)

    def lookup(self, digest: bytes) -> VirtualKey | None:
        """The live key of this SHA-256 digest."""
        key = self._keys.get(digest)
        return key if key is not None and key.live(self._now()) else None
