"""The names of a candidate, and when two are the same."""

from __future__ import annotations

from gateway.resilience import Candidate, deployment


def test_first_key_adds_no_number_to_the_name() -> None:
    """A deployment is named after its provider, and from the second key on with the key's number."""
    assert [Candidate("gemini", "flash", key=key).deployment for key in (1, 2)] == ["gemini", "gemini#2"]
    assert deployment("gemini", 1) == "gemini"


def test_candidates_at_two_keys_are_the_same_model() -> None:
    """The key is no part of a candidate's identity: what was tried at one key was tried."""
    assert Candidate("gemini", "flash", key=1) == Candidate("gemini", "flash", key=2)
    assert Candidate("gemini", "flash").full_name == "gemini/flash"
