"""Hashes prompts in small pieces, so that the thread that hashes keeps the interpreter.

`hashlib` releases the GIL to hash 2,048 bytes or more. Another thread then runs for up to a switch interval, which delays the request
by far more than the hash takes: https://docs.python.org/3/library/hashlib.html.
"""

from __future__ import annotations

from hashlib import blake2b

_PIECE = 2047  # bytes
END = 32_768  # characters at each end of a prompt


def prompt_digest(prompt: str, *, secret: bytes) -> bytes:
    """16 bytes that identify a prompt, keyed with `secret`. Of its length, head and tail: bounded time for a huge prompt."""
    ends = prompt if len(prompt) <= 2 * END else prompt[:END] + prompt[-END:]
    digest = blake2b(b"%d:" % len(prompt), key=secret[:64], digest_size=16)
    update(digest, ends.encode(errors="surrogatepass"))
    return digest.digest()


def update(digest: blake2b, octets: bytes) -> None:
    """`digest.update(octets)`, piece by piece."""
    for start in range(0, len(octets), _PIECE):
        digest.update(octets[start : start + _PIECE])
