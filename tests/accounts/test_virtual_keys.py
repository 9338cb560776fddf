"""What a virtual key may do, and until when."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.catalog.catalog import Model, Tier

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = VirtualKey(id="key_1", name="team", digest=digest_of("gw-secret"), last4="cret", created=NOW)
FLASH = Model("gemini", "flash", "simple", 0.1, 0.4)
HAIKU = Model("claude", "haiku", "moderate", 1.0, 5.0)
OPUS = Model("claude", "opus", "complex", 5.0, 25.0)
ALL = [FLASH, HAIKU, OPUS]


def test_a_key_lives_until_it_is_revoked_or_expires() -> None:
    """A key opens nothing from the moment it is revoked or expires."""
    assert KEY.live(NOW)
    assert not replace(KEY, revoked=NOW).live(NOW)
    expiring = replace(KEY, expires=NOW + timedelta(days=1))
    assert expiring.live(NOW)
    assert not expiring.live(NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("models", "tier", "allowed"),
    [
        (None, None, ALL),
        (("claude/*",), None, [HAIKU, OPUS]),
        (("gemini/flash", "claude/opus"), None, [FLASH, OPUS]),
        (None, "moderate", [FLASH, HAIKU]),
        (None, "complex", ALL),
        (("claude/*",), "simple", []),
        ((), None, []),
    ],
)
def test_a_key_may_use_its_models_up_to_its_tier(
    models: tuple[str, ...] | None, tier: Tier | None, allowed: list[Model]
) -> None:
    """A key may use the models that it names, up to its tier."""
    key = replace(KEY, models=models, max_tier=tier)
    assert key.allowed(ALL) == allowed
    assert key.is_restricted == (models is not None or tier is not None)


def test_unlisted_models_have_no_tier() -> None:
    """Below the highest tier a model that the catalogue does not list is refused: it could be any."""
    assert "not in the catalogue" in (replace(KEY, max_tier="moderate").denial_reason("openrouter/new/one", None) or "")
    assert replace(KEY, max_tier="complex").denial_reason("openrouter/new/one", None) is None
    assert replace(KEY, models=("openrouter/*",)).denial_reason("openrouter/new/one", None) is None


def test_model_names_are_compared_with_case() -> None:
    """Names are compared as they are written, so that no other spelling passes a limit."""
    assert replace(KEY, models=("claude/opus",)).denial_reason("claude/OPUS", None) is not None


def test_only_the_digest_is_kept() -> None:
    """A key is its SHA-256 digest, and not even that is shown."""
    assert digest_of("gw-secret") == hashlib.sha256(b"gw-secret").digest()
    assert "gw-secret" not in repr(KEY)
    assert "digest" not in repr(KEY)
