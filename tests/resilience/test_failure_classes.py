"""What each class of error says about trying on."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.resilience import FailureScope, failure_policy


@pytest.mark.parametrize(
    ("kind", "elsewhere", "again", "scope"),
    [
        (errors.UpstreamError, "any", False, FailureScope.DEPLOYMENT),
        (errors.UpstreamUnreachable, "any", True, FailureScope.PROVIDER),
        (errors.UpstreamDisconnected, "any", False, FailureScope.PROVIDER),
        (errors.UpstreamStaleConnection, "any", False, FailureScope.NOTHING),
        (errors.UpstreamTLS, "any", False, FailureScope.PROVIDER),
        (errors.UpstreamOverloaded, "any", True, FailureScope.DEPLOYMENT),
        (errors.UpstreamFailed, "any", True, FailureScope.DEPLOYMENT),
        (errors.UpstreamRateLimited, "any", True, FailureScope.RATE),
        (errors.UpstreamAccountEmpty, "any", False, FailureScope.KEY),
        (errors.UpstreamAuth, "any", False, FailureScope.KEY),
        (errors.UpstreamModelNotFound, "any", False, FailureScope.MODEL),
        (errors.UpstreamNotFound, "any", False, FailureScope.NOTHING),
        (errors.UpstreamRejected, "none", False, FailureScope.NOTHING),
        (errors.UpstreamUnsupportedMedia, "any", False, FailureScope.NOTHING),
        (errors.ContextLengthExceeded, "larger", False, FailureScope.NOTHING),
        (errors.UpstreamInvalidResponse, "any", False, FailureScope.DEPLOYMENT),
        (errors.UpstreamTruncated, "any", False, FailureScope.DEPLOYMENT),
        (errors.UpstreamTimeout, "any", False, FailureScope.DEPLOYMENT),
    ],
)
def test_each_failure_class_has_its_verdict(
    kind: type[errors.UpstreamError], elsewhere: str, again: bool, scope: FailureScope
) -> None:
    """Each class has its verdict; one that is not listed has its parent's."""
    said = failure_policy(kind("broken"))
    assert (said.failover, said.retry, said.scope) == (elsewhere, again, scope)


def test_possibly_billed_attempt_is_not_repeated() -> None:
    """What may have been billed is never asked of the same deployment again, but once where a kept connection was closed."""
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.UpstreamError)
    ]
    assert not [kind for kind in kinds if kind.maybe_billed and failure_policy(kind("broken")).retry]
    assert [kind for kind in kinds if failure_policy(kind("broken")).at_once] == [errors.UpstreamStaleConnection]
