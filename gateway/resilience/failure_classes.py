"""What each class of upstream error means for retry, failover and the upstream's health."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from gateway.errors import (
    ContextLengthExceeded,
    UpstreamAccountEmpty,
    UpstreamAuth,
    UpstreamDisconnected,
    UpstreamError,
    UpstreamInvalidResponse,
    UpstreamModelNotFound,
    UpstreamNotFound,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamStaleConnection,
    UpstreamTimeout,
    UpstreamTLS,
    UpstreamUnreachable,
    UpstreamUnsupportedMedia,
)


class FailureScope(Enum):
    """What a failure affects."""

    NOTHING = "the request, not the upstream"
    DEPLOYMENT = "this model at this provider"
    RATE = "this model's quota for now"
    MODEL = "the model is missing"
    PROVIDER = "the way to the provider"
    KEY = "the provider's key or account"

    @property
    def provider_wide(self) -> bool:
        return self in (FailureScope.PROVIDER, FailureScope.KEY)

    @property
    def is_load_related(self) -> bool:
        """Whether an immediate retry at the same provider would add to its load."""
        return self in (FailureScope.DEPLOYMENT, FailureScope.RATE, FailureScope.PROVIDER, FailureScope.KEY)


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """`failover`: which other candidates may succeed. `retry`: whether the same deployment may, after a wait.

    `at_once`: the same deployment is called a second time, before any other and without a wait.
    """

    failover: Literal["any", "larger", "none"]
    retry: bool
    scope: FailureScope
    at_once: bool = False


FAILURE_POLICIES: dict[type[BaseException], FailurePolicy] = {
    UpstreamError: FailurePolicy("any", retry=False, scope=FailureScope.DEPLOYMENT),
    UpstreamUnreachable: FailurePolicy("any", retry=True, scope=FailureScope.PROVIDER),
    UpstreamTLS: FailurePolicy("any", retry=False, scope=FailureScope.PROVIDER),
    UpstreamDisconnected: FailurePolicy("any", retry=False, scope=FailureScope.PROVIDER),
    # Upstreams may close idle connections at any time, so their health is not affected. This is the only failure that
    # may be billed and is repeated at the same deployment: once, as an attempt of its own.
    UpstreamStaleConnection: FailurePolicy("any", retry=False, scope=FailureScope.NOTHING, at_once=True),
    UpstreamOverloaded: FailurePolicy("any", retry=True, scope=FailureScope.DEPLOYMENT),
    UpstreamRateLimited: FailurePolicy("any", retry=True, scope=FailureScope.RATE),
    UpstreamAccountEmpty: FailurePolicy("any", retry=False, scope=FailureScope.KEY),
    UpstreamAuth: FailurePolicy("any", retry=False, scope=FailureScope.KEY),
    UpstreamModelNotFound: FailurePolicy("any", retry=False, scope=FailureScope.MODEL),
    UpstreamNotFound: FailurePolicy("any", retry=False, scope=FailureScope.NOTHING),
    UpstreamRejected: FailurePolicy("none", retry=False, scope=FailureScope.NOTHING),
    UpstreamUnsupportedMedia: FailurePolicy("any", retry=False, scope=FailureScope.NOTHING),
    ContextLengthExceeded: FailurePolicy("larger", retry=False, scope=FailureScope.NOTHING),
    # These two may be billed: another candidate may answer, but the same one is not paid twice.
    UpstreamInvalidResponse: FailurePolicy("any", retry=False, scope=FailureScope.DEPLOYMENT),
    UpstreamTimeout: FailurePolicy("any", retry=False, scope=FailureScope.DEPLOYMENT),
}


def failure_policy(error: UpstreamError) -> FailurePolicy:
    """The policy of the error's nearest base class in the table."""
    return next(FAILURE_POLICIES[base] for base in type(error).__mro__ if base in FAILURE_POLICIES)
