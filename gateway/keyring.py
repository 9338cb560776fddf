"""The virtual keys in memory, so that nobody waits for the store to know a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway.keys import VirtualKey


class KeyRing:
    """What `load` told at the last `refresh`. While that fails, what was known still counts. `live` keys could be used then."""

    def __init__(self, load: Callable[[], Sequence[VirtualKey]], *, now: Callable[[], datetime]) -> None:
        self._load = load
        self._now = now
        self._keys: Mapping[bytes, VirtualKey] = {}
        self.keyed = False
        self.live = 0

    def refresh(self) -> None:
        """Blocks. A gateway that has had a key, revoked or not, is not open again before it is started anew."""
        keys = self._load()
        self._keys = {key.digest: key for key in keys}
        self.keyed = self.keyed or bool(keys)
        now = self._now()
        self.live = sum(key.live(now) for key in keys)

    def lookup(self, digest: bytes) -> VirtualKey | None:
        """The live key of this SHA-256 digest."""
        key = self._keys.get(digest)
        return key if key is not None and key.live(self._now()) else None
