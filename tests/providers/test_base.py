"""What all dialects start from."""

from __future__ import annotations

from gateway.errors import UpstreamFailed
from gateway.providers.base import SignatureCache, UpstreamEndpoint
from gateway.providers.openai_compatible import OpenAICompatible


def test_signatures_are_bounded() -> None:
    """Of the signatures kept the oldest are forgotten first; one that is kept anew is not old."""
    signatures = SignatureCache(size=2)
    for call_id in ("a", "b", "a", "c"):
        signatures.put(call_id, call_id.upper())
    assert [signatures.get(call_id) for call_id in ("a", "b", "c")] == ["A", None, "C"]


def test_endpoint_hides_its_secrets() -> None:
    """Neither the key nor the fixed headers are shown where an endpoint is printed."""
    assert (
        repr(UpstreamEndpoint("https://x", "hunter2", {"x-secret": "hunter3"}))
        == "UpstreamEndpoint(base_url='https://x')"
    )


def test_provider_has_its_own_name_and_signature_cache() -> None:
    """A provider has its dialect's name unless it is given one, and its own signatures unless they are shared."""
    shared = SignatureCache()
    named = OpenAICompatible(UpstreamEndpoint("https://x", ""), name="acme", signatures=shared)
    assert (named.name, named.signatures) == ("acme", shared)
    assert OpenAICompatible(UpstreamEndpoint("https://x", "")).name == "openai"


def test_error_page_is_judged_by_its_status() -> None:
    """A page without JSON is judged by its status, in the provider's name."""
    error = OpenAICompatible(UpstreamEndpoint("https://x", ""), name="acme").parse_error(502, {}, b"<html>")
    assert isinstance(error, UpstreamFailed)
    assert error.provider == "acme"
