"""Creates and verifies thought signatures; also accepts the two documented sentinels."""

from __future__ import annotations

import base64
from hashlib import blake2b

from llm_simulator.validators import decode_base64

SALT = b"simulated-gemini"
SENTINELS = (b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go")


def sign(key: str) -> str:
    """A signature for one part of one answer."""
    nonce = blake2b(key.encode(), digest_size=18).digest()
    return base64.b64encode(nonce + _seal(nonce)).decode()


def valid(signature: str) -> bool:
    """Whether the simulator made the signature, or it is a sentinel (as text or in base64)."""
    if signature.encode() in SENTINELS:
        return True
    try:
        data = decode_base64(signature)
    except ValueError:
        return False
    return data in SENTINELS or (len(data) == 36 and data[18:] == _seal(data[:18]))


def _seal(nonce: bytes) -> bytes:
    return blake2b(nonce, key=SALT, digest_size=18).digest()
