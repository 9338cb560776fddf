"""What each class of error says about trying on."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.fallback import Harm, verdict


@pytest.mark.parametrize(
    ("kind", "elsewhere", "again", "harm"),
    [
        (errors.UpstreamError, "any", False, Harm.DEPLOYMENT),
        (errors.UpstreamUnreachable, "any", True, Harm.PROVIDER),
        (errors.UpstreamDisconnected, "any", False, Harm.PROVIDER),
        (errors.UpstreamStaleConnection, "any", False, Harm.NOTHING),
        (errors.UpstreamTLS, "any", False, Harm.PROVIDER),
        (errors.UpstreamOverloaded, "any", True, Harm.DEPLOYMENT),
        (errors.UpstreamFailed, "any", True, Harm.DEPLOYMENT),
        (errors.UpstreamRateLimited, "any", True, Harm.RATE),
        (errors.UpstreamAccountEmpty, "any", False, Harm.KEY),
        (errors.UpstreamAuth, "any", False, Harm.KEY),
        (errors.UpstreamModelNotFound, "any", False, Harm.MODEL),
        (errors.UpstreamNotFound, "any", False, Harm.NOTHING),
        (errors.UpstreamRejected, "none", False, Harm.NOTHING),
        (errors.UpstreamUnsupportedMedia, "any", False, Harm.NOTHING),
        (errors.ContextLengthExceeded, "larger", False, Harm.NOTHING),
        (errors.UpstreamInvalidResponse, "any", False, Harm.DEPLOYMENT),
        (errors.UpstreamTruncated, "any", False, Harm.DEPLOYMENT),
        (errors.UpstreamTimeout, "any", False, Harm.DEPLOYMENT),
    ],
)
def test_verdict(kind: type[errors.UpstreamError], elsewhere: str, again: bool, harm: Harm) -> None:
    """Each class has its verdict; one that is not listed has its parent's."""
    said = verdict(kind("broken"))
    assert (said.elsewhere, said.again, said.harm) == (elsewhere, again, harm)


def test_paid_twice() -> None:
    """What may have been billed is never asked of the same deployment again, but once where a kept connection was closed."""
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.UpstreamError)
    ]
    assert not [kind for kind in kinds if kind.maybe_billed and verdict(kind("broken")).again]
    assert [kind for kind in kinds if verdict(kind("broken")).at_once] == [errors.UpstreamStaleConnection]
