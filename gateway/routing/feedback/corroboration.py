"""Whose labels count for everybody: with several keys, one key's labels of a model count once enough different keys have used that model.

Else a few clicks of one tenant on a young ledger would change where everybody's requests go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.store import Store

# So many different keys make a label more than one tenant's word.
CORROBORATING_KEYS = 5
# What a caller can bring about by what it sends. Costs, broken deployments and the tier's prior (`unremarkable`) always count.
PROVOKED = frozenset(
    {"failed_validation", "passed_validation", "empty", "refused", "truncated", "resent", "overridden"}
)

# From so many rows a start takes which keys' requests each model has answered.
WITNESSING = 5_000

Model = tuple[str, str]


class KeysPerModel:
    """Which keys' routed requests each model has answered, as far as it matters: `most` keys of a model are kept."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._keys: dict[Model, set[str]] = {}

    def add(self, model: Model, key_id: str | None) -> None:
        if key_id is None:
            return
        known = self._keys.setdefault(model, set())
        if len(known) < self._most:
            known.add(key_id)

    def add_all(self, seen: Iterable[tuple[Model, str | None]]) -> None:
        for model, key_id in seen:
            self.add(model, key_id)

    def of(self, model: Model) -> int:
        return len(self._keys.get(model, ()))


def keys_per_model(store: Store, *, newest: int = WITNESSING) -> KeysPerModel:
    """Those of the ledger's newest rows, for a start."""
    witnesses = KeysPerModel()
    witnesses.add_all(
        ((row["provider"], row["model"]), row["key_id"]) for row in store.strong_share_by_key(newest=newest)
    )
    return witnesses


class Corroboration:
    """The rule for one configuration. `issued` tells how many keys may call now: a single key, or none, is the operator's own and needs no other."""

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
        """How many keys have to have spoken before what this one says of a model counts for all."""
        return 1 if key_id is None or self._issued() <= 1 else self._needed

    def accepts(self, source: str, model: Model, key_id: str | None) -> bool:
        """Whether a label that the gateway makes of this key's request is learned."""
        return source not in PROVOKED or self.witnesses.of(model) >= self.needed(key_id) or self.needed(key_id) == 1
