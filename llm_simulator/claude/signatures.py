"""Signs thinking blocks, and rejects changed or foreign signatures."""

from __future__ import annotations

import base64
import json
from hashlib import blake2b

from llm_simulator.models import ClaudeModel
from llm_simulator.validators import decode_base64

SALT = b"simulated-claude"


def sign(thinking: str, model: str, *, shown: bool = True) -> str:
    """A signature that binds the text to the model; it contains a hidden text."""
    digest = blake2b(thinking.encode(), key=SALT, digest_size=16).hexdigest()
    sealed = {"model": model, "digest": digest, "hidden": None if shown else thinking}
    seal = blake2b(json.dumps(sealed).encode(), key=SALT, digest_size=16).hexdigest()
    return base64.b64encode(json.dumps([sealed, seal]).encode()).decode()


def valid(signature: str, thinking: str, model: ClaudeModel) -> bool:
    """Whether the signature belongs to this text; for models that always think also to this model."""
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
