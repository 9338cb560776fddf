"""LiteLLM's prefixes."""

from __future__ import annotations

import pytest

from gateway.cli.litellm.vendors import NAMES, VENDORS, split
from gateway.settings.upstreams import KINDS, base_url_problem


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("openai/Qwen/Qwen3-32B", ("openai", "Qwen/Qwen3-32B")),
        ("claude-sonnet-5-5", ("anthropic", "claude-sonnet-5-5")),
        ("gpt-5", ("openai", "gpt-5")),
        ("command-r", ("", "command-r")),
    ],
)
def test_a_model_is_split_as_litellm_does(model: str, parts: tuple[str, str]) -> None:
    """The first segment is the prefix; without one LiteLLM knows some families by their names."""
    assert split(model) == parts


def test_every_vendor_can_be_a_row() -> None:
    """Each vendor has a kind that the gateway speaks and a base URL that a row may have."""
    assert {vendor.kind for vendor in VENDORS.values()} <= {*KINDS}
    assert [vendor for vendor in VENDORS.values() if vendor.base_url and base_url_problem(vendor.base_url)] == []
    assert NAMES.keys() <= VENDORS.keys()
