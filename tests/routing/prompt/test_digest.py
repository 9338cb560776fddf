"""The digest of a prompt: which prompts differ, and how it is hashed."""

from __future__ import annotations

from hashlib import blake2b

import pytest

from gateway.routing.prompt.digest import END, prompt_digest, update

HUGE = "x" * (3 * END)


@pytest.mark.parametrize("length", [0, 1, 2047, 2048, 4094, 10_000])
def test_pieces_give_the_digest_of_the_whole(length: int) -> None:
    """How octets are cut does not change the hash, so stored hashes and draws keep their values."""
    octets = bytes(range(256)) * 40
    digest = blake2b(key=b"k", digest_size=12)
    update(digest, octets[:length])

    assert digest.digest() == blake2b(octets[:length], key=b"k", digest_size=12).digest()


@pytest.mark.parametrize(
    ("one", "other"),
    [("Explain HTTP", "Explain TCP"), ("", " "), (HUGE, f"{HUGE}x"), (HUGE, f"y{HUGE[1:]}"), (HUGE, f"{HUGE[1:]}y")],
    ids=["text", "empty", "length", "head", "tail"],
)
def test_different_prompts_have_different_digests(one: str, other: str) -> None:
    """The length, the head and the tail of a prompt count."""
    assert prompt_digest(one, secret=b"s") != prompt_digest(other, secret=b"s")


def test_digest_reads_a_bounded_part() -> None:
    """The middle of a huge prompt is not hashed."""
    other = f"{HUGE[:END]}{'y' * END}{HUGE[-END:]}"

    assert prompt_digest(HUGE, secret=b"s") == prompt_digest(other, secret=b"s")


def test_digest_depends_on_the_secret() -> None:
    """Without the secret, a guess of the prompt cannot be checked. Lone surrogates can be hashed."""
    assert prompt_digest("\ud800 prompt", secret=b"s") != prompt_digest("\ud800 prompt", secret=b"t")
