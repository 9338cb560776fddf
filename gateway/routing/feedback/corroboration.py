"""Corroboration of labels: with several virtual keys, a label from one key is learned only for models that enough keys have used.

Without this rule, a few clicks of one tenant on a new ledger could change the routing of everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.catalog import ModelKey
from gateway.store import Store

# A label needs this many different keys with routed requests to its model.
CORROBORATING_KEYS = 5
# Sources of labels that a caller can provoke by what it sends. Costs, broken deployments and the tier's prior (`unremarkable`) always count.
PROVOKED = frozenset(
    {
        "failed_validation", "passed_validation", "agreed", "differed", "empty", "refused", "truncated", "resent", "overridden",
        "judge",
    }
)  # fmt: skip

# The number of the ledger's newest rows that are read at a start.
_ROWS_READ = 5_000


class KeysPerModel:
    """The keys whose routed requests each model has answered, at most `most` of a model."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._keys: dict[ModelKey, set[str]] = {}

    def add(self, model: ModelKey, key_id: str | None) -> None:
        if key_id is None:
            return
        keys = self._keys.setdefault(model, set())
        if len(keys) < self._most:
            keys.add(key_id)

    def add_all(self, pairs: Iterable[tuple[ModelKey, str | None]]) -> None:
        for model, key_id in pairs:
            self.add(model, key_id)

    def of(self, model: ModelKey) -> int:
        """The number of keys."""
        return len(self._keys.get(model, ()))


def keys_per_model(store: Store, *, newest: int = _ROWS_READ) -> KeysPerModel:
    """From the newest rows of the ledger, at a start."""
    keys = KeysPerModel()
    keys.add_all(
        (ModelKey(row["provider"], row["model"]), row["key_id"]) for row in store.strong_share_by_key(newest=newest)
    )
    return keys


class Corroboration:
    """The rule for one configuration. `issued` returns the number of valid keys.

    With one key or none, all labels are the operator's own and need no corroboration.
    """

    def __init__(
        self,
        witnesses: KeysPerModel | None = None,
        *,
        issued: Callable[[], int] = lambda: 1,
        needed: int = CORROBORATING_KEYS,
    ) -> None:
        self.witnesses = witnesses or KeysPerModel()
        self._issued = issued
        self._needed = needed

    def needed(self, key_id: str | None) -> int:
        """The number of keys that must have used a model before a label from this key is learned."""
        return 1 if key_id is None or self._issued() <= 1 else self._needed

    def accepts(self, source: str, model: ModelKey, key_id: str | None) -> bool:
        """Whether a label that was derived from a request of this key is learned."""
        return source not in PROVOKED or self.witnesses.of(model) >= self.needed(key_id) or self.needed(key_id) == 1
