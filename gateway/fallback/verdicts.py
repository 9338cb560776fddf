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


class Harm(Enum):
    """What is unwell after a failure."""

    NOTHING = "the request, not the upstream"
    DEPLOYMENT = "this model at this provider"
    RATE = "this model's quota for now"
    MODEL = "the model is not there"
    PROVIDER = "the way to the provider"
    KEY = "the provider's key or account"

    @property
    def provider_wide(self) -> bool:
        return self in (Harm.PROVIDER, Harm.KEY)

    @property
    def strains(self) -> bool:
        """Whether asking the same provider at once adds to its trouble."""
        return self in (Harm.DEPLOYMENT, Harm.RATE, Harm.PROVIDER, Harm.KEY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`elsewhere`: which other candidates may do better. `again`: whether the same deployment may, after a pause.

    `at_once`: the same deployment is asked a second time before any other and without a pause.
    """

    elsewhere: Literal["any", "larger", "none"]
    again: bool
    harm: Harm
    at_once: bool = False


VERDICTS: dict[type[BaseException], Verdict] = {
    UpstreamError: Verdict("any", again=False, harm=Harm.DEPLOYMENT),
    UpstreamUnreachable: Verdict("any", again=True, harm=Harm.PROVIDER),
    UpstreamTLS: Verdict("any", again=False, harm=Harm.PROVIDER),
    UpstreamDisconnected: Verdict("any", again=False, harm=Harm.PROVIDER),
    # Upstreams close idle connections as they like, which says nothing about their health. This is the only failure
    # that may have been billed and is repeated at the same deployment: once, as an attempt of its own.
    UpstreamStaleConnection: Verdict("any", again=False, harm=Harm.NOTHING, at_once=True),
    UpstreamOverloaded: Verdict("any", again=True, harm=Harm.DEPLOYMENT),
    UpstreamRateLimited: Verdict("any", again=True, harm=Harm.RATE),
    UpstreamAccountEmpty: Verdict("any", again=False, harm=Harm.KEY),
    UpstreamAuth: Verdict("any", again=False, harm=Harm.KEY),
    UpstreamModelNotFound: Verdict("any", again=False, harm=Harm.MODEL),
    UpstreamNotFound: Verdict("any", again=False, harm=Harm.NOTHING),
    UpstreamRejected: Verdict("none", again=False, harm=Harm.NOTHING),
    UpstreamUnsupportedMedia: Verdict("any", again=False, harm=Harm.NOTHING),
    ContextLengthExceeded: Verdict("larger", again=False, harm=Harm.NOTHING),
    # These two may be billed already: another candidate may answer, but the same one is not paid twice.
    UpstreamInvalidResponse: Verdict("any", again=False, harm=Harm.DEPLOYMENT),
    UpstreamTimeout: Verdict("any", again=False, harm=Harm.DEPLOYMENT),
}


def verdict(error: UpstreamError) -> Verdict:
    """That of the error's nearest listed class."""
    return next(VERDICTS[kind] for kind in type(error).__mro__ if kind in VERDICTS)
