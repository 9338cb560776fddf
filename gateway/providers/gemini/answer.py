"""Parses Gemini's candidates into OpenAI deltas; shared by whole responses and streams."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import orjson

from gateway.completion import Json, UpstreamRequest
from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import SignatureCache
from gateway.providers.gemini import signatures
from gateway.providers.gemini.grounding import PASSED_ON, Sources
from gateway.providers.gemini.parts import (
    EXPIRED,
    AudioData,
    audio_id,
    audio_of,
    image_of,
    joined_audio,
    unsupported_kind,
)
from gateway.providers.gemini.request import RequestContext
from gateway.providers.gemini.tools import CUSTOM_INPUT

FILTERED_REASONS = frozenset(
    [
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MODEL_ARMOR",
        "JAILBREAK",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_OTHER",
        "IMAGE_RECITATION",
        "NO_IMAGE",
    ]
)
# The model failed at its own output format; a retry often helps.
FAILED_REASONS = frozenset(
    [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "OTHER",
    ]
)
# Characters of a response that are kept to compute the offsets of its sources.
MAX_TEXT = 1_000_000
# Members of a delta that count as content.
_CONTENT_MEMBERS = frozenset(("content", "tool_calls", "images", "audio"))
TRUNCATED_REASONS = frozenset(("MAX_TOKENS", "CONTINUATION"))


class ContentKinds:
    """Content of one response beside its text: the output `modalities`, as Google names them, and the `dropped` kinds."""

    __slots__ = ("dropped", "modalities")

    def __init__(self) -> None:
        self.modalities: set[str] = set()
        self.dropped: list[str] = []

    def take_dropped(self) -> Sequence[str]:
        """Kinds of content since the last call that OpenAI's format cannot carry."""
        if not self.dropped:
            return ()
        kinds, self.dropped = self.dropped, []
        return kinds


class CandidateReader:
    """Parses one candidate, whole or streamed. `ids` creates ids for calls without one."""

    def __init__(
        self,
        index: int,
        *,
        context: RequestContext,
        ids: GeneratedCallIds,
        signature_cache: SignatureCache,
        content_kinds: ContentKinds,
    ) -> None:
        self.index = index
        self.reason: str | None = None
        self.calls = 0
        self.has_content = False
        self._context = context
        self._ids = ids
        self._signature_cache = signature_cache
        self._details = 0
        self._images = 0
        self._audio_started = False
        self._texts: list[str] = []
        self._text_budget = MAX_TEXT
        self._sources = Sources()
        self._content_kinds = content_kinds

    def sources(self, *, parts: bool) -> dict[str, Any]:
        """Message members for the sources. `parts`: the collected texts are the parts that Google's offsets refer to."""
        return self._sources.members(self._texts if parts else ["".join(self._texts)])

    def read(self, candidate: Json) -> dict[str, Any]:
        """The delta that this candidate adds; empty where it adds nothing."""
        reason = candidate.get("finishReason")
        if isinstance(reason, str):
            self.reason = reason
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        delta: dict[str, Any] = {}
        audio_parts: list[AudioData] = []
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self._part(part, delta, audio_parts)
        if audio_parts:
            delta["audio"] = self._audio(audio_parts)
        if not PASSED_ON.keys().isdisjoint(candidate):
            self._sources.read(candidate)
        self.has_content = self.has_content or not _CONTENT_MEMBERS.isdisjoint(delta)
        return delta

    def _part(self, part: Json, delta: dict[str, Any], audio_parts: list[AudioData]) -> None:
        signature = part.get("thoughtSignature")
        if not isinstance(signature, str) or not signature:
            signature = None
        call = part.get("functionCall")
        if isinstance(call, dict):
            self._call(call, signature, delta)
            return
        text = part.get("text")
        if isinstance(text, str) and text:
            member = "reasoning_content" if part.get("thought") is True else "content"
            delta[member] = delta.get(member, "") + text
            if member == "content" and self._text_budget > 0:
                self._texts.append(text)
                self._text_budget -= len(text)
        elif self._media(part, delta, audio_parts):
            return
        if signature:
            delta.setdefault("reasoning_details", []).append(signatures.detail(signature, index=self._details))
            self._details += 1

    def _media(self, part: Json, delta: dict[str, Any], audio_parts: list[AudioData]) -> bool:
        """Parse a part that is not text. Returns whether its signature is already in the delta."""
        kind = unsupported_kind(part)
        if kind is None:
            return False
        image = image_of(part)
        audio = audio_of(part)
        if part.get("thought") is True and (image or audio):
            # A draft made while thinking; it is not part of the response.
            self._content_kinds.dropped.append(f"thought {kind}")
        elif image is not None:
            delta.setdefault("images", []).append({"index": self._images, **image})
            self._images += 1
            self._content_kinds.modalities.add("IMAGE")
            return True
        elif audio is not None:
            audio_parts.append(audio)
        else:
            self._content_kinds.dropped.append(kind)
        return False

    def _audio(self, audio_parts: list[AudioData]) -> dict[str, Any]:
        """OpenAI's `audio` member. A stream sends the id once, because clients concatenate strings."""
        data = joined_audio(audio_parts, wav=self._context.wav)
        self._content_kinds.modalities.add("AUDIO")
        if self._audio_started:
            return {"data": data}
        self._audio_started = True
        name = audio_id(self._ids.response_id, self.index)
        return {"id": name, "data": data, "transcript": "", "expires_at": EXPIRED}

    def _call(self, call: Json, signature: str | None, delta: dict[str, Any]) -> None:
        if self._context.one_call and self.calls:
            return
        call_id = self._ids.of(call.get("id"))
        name = str(call.get("name") or "")
        name = self._context.renamed.get(name, name)
        args = call.get("args") or {}
        built: dict[str, Any] = {"index": self.calls, "id": call_id}
        if name in self._context.custom:
            built |= {"type": "custom", "custom": {"name": name, "input": _custom_input(args)}}
        else:
            built |= {"type": "function", "function": {"name": name, "arguments": orjson.dumps(args).decode()}}
        if signature:
            built |= signatures.extension(signature)
            self._signature_cache.put(call_id, signatures.ThoughtSignature(signature))
        delta.setdefault("tool_calls", []).append(built)
        self.calls += 1

    def finish_reason(self) -> str:
        """OpenAI's finish reason; an unknown one is `stop`."""
        if self.reason in FILTERED_REASONS:
            return "content_filter"
        if self.reason in TRUNCATED_REASONS:
            return "length"
        return "tool_calls" if self.calls else "stop"


def _custom_input(args: Any) -> str:
    value = args.get(CUSTOM_INPUT) if isinstance(args, dict) else None
    return value if isinstance(value, str) else orjson.dumps(args).decode()


class GeneratedCallIds:
    """Unique ids for the tool calls of one response.

    Gemini's own id where it sends one (3.5 and later). Otherwise a hash of the newest content, the request number in this
    process and the response id.
    """

    def __init__(self, sent: UpstreamRequest, *, number: int) -> None:
        self._sent = sent
        self._number = number
        self._used: set[str] = set()
        self._seed: bytes | None = None
        self.response_id = ""

    def of(self, upstream_id: Any) -> str:
        is_usable = isinstance(upstream_id, str) and upstream_id and upstream_id not in self._used
        call_id: str = upstream_id if is_usable else self._generate()
        self._used.add(call_id)
        return call_id

    def _generate(self) -> str:
        if self._seed is None:
            newest = orjson.dumps(list(self._sent.json.get("contents", ()))[-1:])
            self._seed = sha256(b"%d\n%s\n%s" % (self._number, self.response_id.encode(), newest)).digest()
        return "call_" + sha256(b"%s%d" % (self._seed, len(self._used))).hexdigest()[:24]


def raise_if_failed(readers: Sequence[CandidateReader], *, provider: str) -> None:
    """Raises UpstreamInvalidResponse where the model failed before it produced any content."""
    failed = next((reader for reader in readers if reader.reason in FAILED_REASONS), None)
    if failed is not None and not any(reader.has_content for reader in readers):
        message = f"The model ended without an answer: {failed.reason}."
        raise UpstreamInvalidResponse(message, provider=provider, upstream_code=failed.reason)


def blocked_reason(body: Json) -> str | None:
    """The text for `refusal` where the prompt was blocked, else None."""
    feedback = body.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if not isinstance(feedback, dict) or not reason:
        return None
    return str(feedback.get("blockReasonMessage") or f"The prompt was blocked by the provider ({reason}).")
