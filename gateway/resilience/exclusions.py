"""What the failures of one request rule out among its other candidates."""

from __future__ import annotations

from typing import NamedTuple

from gateway.resilience.candidates import Candidate
from gateway.resilience.failure_classes import FailurePolicy, FailureScope


class Exclusions(NamedTuple):
    """Providers by what failed there, keys that failed as (provider, number), and the context window that was too small.

    A value: each failure makes a new one. Most requests have none, so they share `NO_EXCLUSIONS`.
    """

    overloaded: frozenset[str] = frozenset()
    unreachable: frozenset[str] = frozenset()
    unauthorized: frozenset[str] = frozenset()
    keys: frozenset[tuple[str, int]] = frozenset()
    window: int = 0  # tokens; only larger context windows are tried

    def after(self, candidate: Candidate, rule: FailurePolicy) -> Exclusions:
        """The exclusions after `candidate` failed in the way of `rule`."""
        provider, scope = {candidate.provider}, rule.scope
        is_second_overload = scope.is_load_related and candidate.provider in self.overloaded
        return Exclusions(
            overloaded=self.overloaded | provider if scope.is_load_related else self.overloaded,
            unreachable=(
                self.unreachable | provider
                if scope is FailureScope.PROVIDER or is_second_overload
                else self.unreachable
            ),
            unauthorized=self.unauthorized | provider if scope is FailureScope.KEY else self.unauthorized,
            keys=self.keys,
            window=max(self.window, candidate.context_window or 0) if rule.failover == "larger" else self.window,
        )

    def without_key(self, candidate: Candidate) -> Exclusions:
        """The exclusions after the candidate's key failed."""
        return self._replace(keys=self.keys | {(candidate.provider, candidate.key)})

    def keys_of(self, provider: str) -> frozenset[int]:
        """The provider's keys that failed."""
        return frozenset(key for name, key in self.keys if name == provider) if self.keys else frozenset()

    def exclude(self, candidate: Candidate) -> bool:
        """Whether the candidate cannot succeed: its provider refuses the key, or its context window is known to be too small."""
        if candidate.provider in self.unauthorized:
            return True
        return bool(self.window) and candidate.context_window is not None and candidate.context_window <= self.window


NO_EXCLUSIONS = Exclusions()
