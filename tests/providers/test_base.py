"""What all dialects start from."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UpstreamFailed
from gateway.providers import PROVIDERS
from gateway.providers.base import Provider, SignatureCache, UpstreamEndpoint
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


@pytest.mark.parametrize(
    ("kind", "raw", "counts"),
    [
        ("gemini", {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1}, (5, 3)),
        ("claude", {"input_tokens": 3, "output_tokens": 3, "cache_read_input_tokens": 2}, (5, 3)),
        ("openrouter", {"prompt_tokens": 5, "completion_tokens": 3, "cost": 0.5}, (5, 3)),
        ("openai", {"prompt_tokens": 5, "completion_tokens": 3}, (5, 3)),
    ],
)
def test_usage_is_read_from_the_object_that_the_ledger_keeps(
    kind: str, raw: dict[str, Any], counts: tuple[int, int]
) -> None:
    """Each provider reads the usage object as it was received; anything else has no counts."""
    provider = PROVIDERS[kind](UpstreamEndpoint("", ""))
    usage = provider.usage(raw)
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.raw) == (*counts, raw)
    assert provider.usage({}) is None
    assert provider.usage(None) is None
    assert Provider.usage(provider, raw) is None
