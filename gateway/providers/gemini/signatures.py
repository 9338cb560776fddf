"""Thought signatures: how responses carry them to the client, and how messages bring them back.

The signature of a tool call is in `extra_content.google.thought_signature` (Google's own place in its OpenAI-compatible API). All
others are in `reasoning_details`, with the gateway's own format so that entries of other providers are never sent to Gemini.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.completion import Json
from gateway.providers.base import SignatureCache

FORMAT = "google-gemini-v1"
# For calls of other models, or with a lost signature: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
# In base64, because the field holds bytes.
SENTINEL = base64.b64encode(b"skip_thought_signature_validator").decode()


@dataclass(frozen=True, slots=True)
class ThoughtSignature:
    """A cached signature; its own type, so that it is never confused with another provider's."""

    value: str


def extension(signature: str) -> dict[str, Any]:
    """The member that carries the signature of a tool call or an image."""
    return {"extra_content": {"google": {"thought_signature": signature}}}


def echoed(value: Json) -> str | None:
    """The signature of a tool call or image that the client sent back; None without one."""
    extra = value.get("extra_content")
    google = extra.get("google") if isinstance(extra, Mapping) else None
    signature = google.get("thought_signature") if isinstance(google, Mapping) else None
    return signature if isinstance(signature, str) and signature else None


def of_call(call: Json, *, signature_cache: SignatureCache) -> str | None:
    """A tool call's signature: the client's, else the cached one."""
    signature = echoed(call)
    if signature is not None:
        return signature
    cached = signature_cache.get(str(call.get("id")))
    return cached.value if isinstance(cached, ThoughtSignature) else None


def of_message(message: Json) -> str | None:
    """The last signature in the `reasoning_details` of an assistant message."""
    return next(reversed([*_details(message.get("reasoning_details"))]), None)


def _details(details: Any) -> Iterator[str]:
    for entry in details if isinstance(details, list) else ():
        # In OpenRouter's format an entry with an id belongs to a tool call.
        if isinstance(entry, Mapping) and entry.get("format") == FORMAT and not entry.get("id"):
            signature = entry.get("signature") or entry.get("data")
            if isinstance(signature, str) and signature:
                yield signature


def detail(signature: str, *, index: int) -> Json:
    """One entry of `reasoning_details`. Each needs its own index, because clients merge deltas by index."""
    return {"type": "reasoning.text", "text": "", "signature": signature, "format": FORMAT, "index": index}
