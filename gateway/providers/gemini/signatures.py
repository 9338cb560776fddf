"""Thought signatures: where an answer carries them to the client, and where a history brings them back.

A tool call has its own in `extra_content.google.thought_signature` (Google's own place in its OpenAI-compatible API). Any
other part's goes into `reasoning_details`, marked with our format so that other providers' entries are never sent here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.completion import Json
from gateway.providers.base import SignatureCache

FORMAT = "google-gemini-v1"
# For calls that Gemini did not make or whose signature is lost: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
# In base64, as every signature is: the field holds bytes.
SENTINEL = base64.b64encode(b"skip_thought_signature_validator").decode()


@dataclass(frozen=True, slots=True)
class ThoughtSignature:
    """What is kept by tool-call id; its own type, so that another provider's is never taken for one."""

    value: str


def extension(signature: str) -> dict[str, Any]:
    """The member that carries a signature beside a tool call or an image."""
    return {"extra_content": {"google": {"thought_signature": signature}}}


def echoed(value: Json) -> str | None:
    """The signature of a tool call or image that a client sends back whole."""
    extra = value.get("extra_content")
    google = extra.get("google") if isinstance(extra, Mapping) else None
    signature = google.get("thought_signature") if isinstance(google, Mapping) else None
    return signature if isinstance(signature, str) and signature else None


def of_call(call: Json, *, signature_cache: SignatureCache) -> str | None:
    """A tool call's signature: as the client echoes it, else as it was kept."""
    signature = echoed(call)
    if signature is not None:
        return signature
    remembered = signature_cache.get(str(call.get("id")))
    return remembered.value if isinstance(remembered, ThoughtSignature) else None


def of_message(message: Json) -> str | None:
    """The last signature that an assistant message carries for its text."""
    return next(reversed([*_details(message.get("reasoning_details"))]), None)


def _details(details: Any) -> Iterator[str]:
    for entry in details if isinstance(details, list) else ():
        # An entry with an id belongs to a tool call, in OpenRouter's way of writing them.
        if isinstance(entry, Mapping) and entry.get("format") == FORMAT and not entry.get("id"):
            signature = entry.get("signature") or entry.get("data")
            if isinstance(signature, str) and signature:
                yield signature


def detail(signature: str, *, index: int) -> Json:
    """One entry of `reasoning_details`; each needs its own index, or clients that add up deltas fail."""
    return {"type": "reasoning.text", "text": "", "signature": signature, "format": FORMAT, "index": index}
