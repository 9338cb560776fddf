"""Whose labels count for everybody."""

from __future__ import annotations

import pytest

from gateway.catalog import ModelKey
from gateway.routing.feedback.corroboration import PROVOKED, Corroboration, KeysPerModel

MODEL = ModelKey("gemini", "flash")


def rule(*keys: str, issued: int = 9, needed: int = 3) -> Corroboration:
    witnesses = KeysPerModel()
    witnesses.add_all((MODEL, key) for key in keys)
    return Corroboration(witnesses, issued=lambda: issued, needed=needed)


@pytest.mark.parametrize("source", sorted(PROVOKED))
def test_a_few_keys_teach_nothing(source: str) -> None:
    """What a caller can provoke counts once enough different keys have used the model; one key's many requests are one key."""
    assert not rule("a", "b", "b", "b").accepts(source, MODEL, "a")
    assert rule("a", "b", "c").accepts(source, MODEL, "a")
    assert not rule("a", "b", "c").accepts(source, ModelKey("gemini", "other"), "a")


@pytest.mark.parametrize("source", ["served", "upstream_error", "unremarkable"])
def test_what_nobody_can_provoke_always_counts(source: str) -> None:
    """Costs, broken deployments and the tier's own prior need no second key."""
    assert rule().accepts(source, MODEL, "a")


@pytest.mark.parametrize(("issued", "key_id"), [(1, "a"), (0, None), (9, None)])
def test_a_gateway_of_one(issued: int, key_id: str | None) -> None:
    """The only key there is, and callers without a key, are the operator's own: they teach alone."""
    assert rule(issued=issued).needed(key_id) == 1
    assert rule(issued=issued).accepts("failed_validation", MODEL, key_id)


def test_witnesses_are_bounded() -> None:
    """Of each model so many keys are remembered and no more; callers without a key are none."""
    witnesses = KeysPerModel(most=2)
    witnesses.add_all((MODEL, key) for key in (None, "a", "b", "c"))
    assert witnesses.of(MODEL) == 2
