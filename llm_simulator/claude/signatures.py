"""Signatures of thinking blocks: made by the simulator, and refused when they come back changed or from elsewhere."""

from __future__ import annotations

import base64
import json
from hashlib import blake2b

from llm_simulator.models import ClaudeModel
from llm_simulator.validators import decode_base64

SALT = b"simulated-claude"


def sign(thinking: str, model: str, *, shown: bool = True) -> str:
    """A signature that binds the text to the model; a hidden text is inside it."""
    digest = blake2b(thinking.encode(), key=SALT, digest_size=16).hexdigest()
    sealed = {"model": model, "digest": digest, "hidden": None if shown else thinking}
    seal = blake2b(json.dumps(sealed).encode(), key=SALT, digest_size=16).hexdigest()
    return base64.b64encode(json.dumps([sealed, seal]).encode()).decode()


def valid(signature: str, thinking: str, model: ClaudeModel) -> bool:
    """Whether it was made here for this text; models that always think also insist on their own name."""
    try:
        sealed, seal = json.loads(decode_base64(signature))
    except (ValueError, TypeError):
        return False
    if seal != blake2b(json.dumps(sealed).encode(), key=SALT, digest_size=16).hexdigest():
        return False
    if model.always_thinks and sealed["model"] != model.id:
        return False
    if sealed["hidden"] is not None:
        return thinking == ""
    return bool(sealed["digest"] == blake2b(thinking.encode(), key=SALT, digest_size=16).hexdigest())
