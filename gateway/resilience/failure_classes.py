"""What each class of upstream error says about trying on."""

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
    """What is unwell after a failure."""

    NOTHING = "the request, not the upstream"
    DEPLOYMENT = "this model at this provider"
    RATE = "this model's quota for now"
    MODEL = "the model is not there"
    PROVIDER = "the way to the provider"
    KEY = "the provider's key or account"

    @property
    def provider_wide(self) -> bool:
        return self in (FailureScope.PROVIDER, FailureScope.KEY)

    @property
    def is_load_related(self) -> bool:
        """Whether asking the same provider at once adds to its trouble."""
        return self in (FailureScope.DEPLOYMENT, FailureScope.RATE, FailureScope.PROVIDER, FailureScope.KEY)


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """`elsewhere`: which other candidates may do better. `again`: whether the same deployment may, after a pause.

    `at_once`: the same deployment is asked a second time before any other and without a pause.
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
    # Upstreams close idle connections as they like, which says nothing about their health. This is the only failure
    # that may have been billed and is repeated at the same deployment: once, as an attempt of its own.
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
    # These two may be billed already: another candidate may answer, but the same one is not paid twice.
    UpstreamInvalidResponse: FailurePolicy("any", retry=False, scope=FailureScope.DEPLOYMENT),
    UpstreamTimeout: FailurePolicy("any", retry=False, scope=FailureScope.DEPLOYMENT),
}


def failure_policy(error: UpstreamError) -> FailurePolicy:
    """That of the error's nearest listed class."""
    return next(FAILURE_POLICIES[kind] for kind in type(error).__mro__ if kind in FAILURE_POLICIES)
