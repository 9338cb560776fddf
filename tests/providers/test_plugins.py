"""Names to classes."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from gateway.providers import PROVIDERS
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.providers.plugins import PROVIDER_GROUP, provider_kinds


def offered(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, PROVIDER_GROUP)


def test_built_in_dialects_need_no_packages() -> None:
    """Without other packages there are the built-in dialects."""
    assert provider_kinds() == PROVIDERS


def test_other_packages_add_dialects() -> None:
    """An entry point adds a dialect, but cannot take a built-in one's name."""
    path = "gateway.providers.openai_compatible:OpenAICompatible"
    kinds = provider_kinds([offered("other", path), offered("claude", path)])
    assert kinds["other"] is OpenAICompatible
    assert kinds["claude"] is PROVIDERS["claude"]


def test_entry_point_that_is_no_provider_is_refused() -> None:
    """An entry point that is no Provider is refused by name."""
    with pytest.raises(TypeError, match="other"):
        provider_kinds([offered("other", "gateway.errors:GatewayError")])
