"""Virtual keys: what a key issued by the gateway may do, and until when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from gateway.accounts.budgets import Budget
from gateway.catalog.catalog import TIERS, Model, Tier
from gateway.completion import Cascading

PREFIX = "gw-"
ADMIN_PREFIX = "gw-admin-"
SHOWN = 4


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """One key, identified by its SHA-256 digest; the secret itself is not stored.

    `rpm` is requests per minute, `max_cost_nano` nano-dollars per request,
    `session_budget_nano` per session. `models` are full names with `*` as a wildcard (`gemini/*`).
    A limit of None is no limit. Without `holdback` no conversation of the key is held back to the baseline.
    `cascade` replaces the configured one, where a request does not say.
    """

    id: str
    name: str
    digest: bytes = field(repr=False)
    last4: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    budget: Budget | None = None
    rpm: int | None = None
    models: tuple[str, ...] | None = None
    max_tier: Tier | None = None
    max_cost_nano: int | None = None
    session_budget_nano: int | None = None
    holdback: bool = True
    cascade: Cascading | None = None

    def live(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    @property
    def is_restricted(self) -> bool:
        """Whether some models are denied."""
        return self.models is not None or self.max_tier is not None

    def denial_reason(self, full_name: str, listed: Model | None) -> str | None:
        """Why this key may not use a model; None if it may. With a `max_tier` below the highest, an unlisted model is denied."""
        if self.models is not None and not any(fnmatchcase(full_name, pattern) for pattern in self.models):
            return f"{full_name} is not among the models of this key"
        if self.max_tier is None or self.max_tier == TIERS[-1]:
            return None
        if listed is None:
            return (
                f"{full_name} is not in the catalogue, so it is not known to be within this key's tier {self.max_tier}"
            )
        if listed.rank > TIERS.index(self.max_tier):
            return f"{full_name} is of tier {listed.tier}, above this key's {self.max_tier}"
        return None

    def allowed(self, models: Iterable[Model]) -> list[Model]:
        """The models that this key may use."""
        return [model for model in models if self.denial_reason(model.full_name, model) is None]


@dataclass(frozen=True, slots=True)
class AdminKey:
    """The admin key of the ledger, identified by its SHA-256 digest; the secret itself is not stored."""

    digest: bytes = field(repr=False)
    last4: str
    created: datetime


def digest_of(key: str) -> bytes:
    """The SHA-256 digest under which a key is stored and looked up. Secrets have at least 192 random bits, so no salt is needed."""
    return hashlib.sha256(key.encode()).digest()
