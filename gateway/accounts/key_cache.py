"""Virtual keys and the ledger's admin key in memory, so that authentication does not wait for the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.accounts.virtual_keys import AdminKey, VirtualKey


class LossMarker(Protocol):
    """Records across restarts that keys were lost with a ledger."""

    @property
    def is_set(self) -> bool: ...

    def set(self, reason: str) -> None:
        """Idempotent. Raises LedgerUnavailable."""


class VirtualKeyCache:
    """The keys that `load` and `load_admin` returned at the last successful `refresh`; `live` of them were usable then.

    `any_keys` becomes true with the first key and stays true until a restart, even when all keys are revoked: a gateway that has had
    a key does not become open. It is also true if `lost` records that the keys of an earlier ledger were lost.
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
        self._had_keys = False
        self.any_keys = False
        self.admin: AdminKey | None = None
        self.live = 0

    def refresh(self) -> None:
        """Load the keys. If all known keys are gone, set the marker, so that the gateway also stays closed after a restart. Blocks."""
        if self._lost is not None:
            self.any_keys = self.any_keys or self._lost.is_set
        keys, admin = self._load(), self._load_admin()
        all_gone = self._had_keys and not keys and admin is None
        self._keys = {key.digest: key for key in keys}
        self._had_keys = self._had_keys or bool(keys) or admin is not None
        self.any_keys = self.any_keys or bool(keys)
        self.admin = admin or self.admin
        if all_gone and self._lost is not None:
            self._lost.set("a running gateway found its ledger without the keys that it had")
        now = self._now()
        self.live = sum(key.live(now) for key in keys)

    @property
    def names(self) -> Mapping[str, str]:
        """The name of each key, revoked ones too, by id."""
        return {key.id: key.name for key in self._keys.values()}

    def lookup(self, digest: bytes) -> VirtualKey | None:
        """The usable key with this SHA-256 digest."""
        key = self._keys.get(digest)
        return key if key is not None and key.live(self._now()) else None
