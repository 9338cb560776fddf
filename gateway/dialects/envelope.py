"""Packs what a model needs back of its own reasoning into one opaque string, for dialects that have a place for one.

Anthropic's `signature` and `redacted_thinking.data`, and OpenAI's `encrypted_content`, are strings that a client returns unread.
The envelope holds the `reasoning_details` of the assistant message and the model that wrote them. They come back as members of
the message, and each provider takes only details of its own format, so nothing reaches an upstream that did not write it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from gateway.completion import Json

PREFIX = "gw1."  # followed by URL-safe base64 of JSON; no vendor's strings contain a dot


class Envelope(NamedTuple):
    """`model` is the full name of the model that wrote the details."""

    model: str
    details: Sequence[Json]


def seal(envelope: Envelope) -> str:
    """The string for the client."""
    packed = orjson.dumps({"model": envelope.model, "details": envelope.details})
    return PREFIX + base64.urlsafe_b64encode(packed).decode()


def is_sealed(text: object) -> bool:
    """Whether a string looks like one of the gateway's envelopes; it may be broken all the same."""
    return isinstance(text, str) and text.startswith(PREFIX)


def unseal(text: object) -> Envelope | None:
    """What a client returned; None for anything else than an unbroken envelope."""
    if not isinstance(text, str) or not text.startswith(PREFIX):
        return None
    try:
        packed = orjson.loads(base64.urlsafe_b64decode(text.removeprefix(PREFIX)))
    except (binascii.Error, ValueError):  # also orjson's and ASCII's errors
        return None
    if not isinstance(packed, dict):
        return None
    model, details = packed.get("model"), packed.get("details")
    if not isinstance(model, str) or not isinstance(details, list):
        return None
    return Envelope(model, [detail for detail in details if isinstance(detail, dict)])
