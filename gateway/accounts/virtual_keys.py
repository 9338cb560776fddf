"""Virtual keys: what a key that the gateway gave out may do, and until when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from gateway.accounts.budgets import Budget
from gateway.catalog.catalog import TIERS, Model, Tier

PREFIX = "gw-"
ADMIN_PREFIX = "gw-admin-"
SHOWN = 4


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """One key by its SHA-256 digest; the key itself is nowhere. `rpm` is requests a minute, `max_cost_nano` per request.

    `models` are full names, `*` standing for anything (`gemini/*`); None leaves all. Limits that are None do not limit.
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

    def live(self, now: datetime) -> bool:
        """Whether it opens anything now."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    @property
    def is_restricted(self) -> bool:
        """Whether some models are not for it."""
        return self.models is not None or self.max_tier is not None

    def denial_reason(self, full_name: str, listed: Model | None) -> str | None:
        """Why this key may not use a model; None when it may. Below the highest tier a model without a known tier is refused."""
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
        """Those that this key may use."""
        return [model for model in models if self.denial_reason(model.full_name, model) is None]


@dataclass(frozen=True, slots=True)
class AdminKey:
    """The admin key that the ledger keeps, by its SHA-256 digest; the key itself is nowhere."""

    digest: bytes = field(repr=False)
    last4: str
    created: datetime


def digest_of(key: str) -> bytes:
    """What is stored of a key, and what it is looked up by: with 192 random bits or more it needs no salt."""
    return hashlib.sha256(key.encode()).digest()
