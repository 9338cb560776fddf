"""Recognises the calls that chat clients and coding agents make for themselves: titles, tags, topics, summaries.

They come in the middle of a conversation and are not part of it, so they must not move it to another model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.completion import Json

# Instructions stand at the start or at the end, the conversation that they are about between.
_END = 800
# Without one of each there is nothing to look at more closely, which is nearly always so.
_ABOUT = ("title", "tag", "topic", "follow-up", "followup", "summar")
_OF = ("conversation", "chat", "session", "dialog", "message", "thread")
# No task that a person would give: the wording of harnesses, in their system prompts or their one user turn.
_INSTRUCTIONS = re.compile(
    r"(?:generat|creat|writ|provid|suggest|com(?:e|ing) up with)\w*\s.{0,60}?"
    r"\b(?:titles?|tags?|follow-?up questions?|topics?)\b.{0,40}?\b(?:chat|conversations?|sessions?|dialogu?e|messages?|threads?)\b"
    r"|\b(?:concise|short|brief|\d-\d word)\b.{0,30}\btitles?\b.{0,80}?\b(?:chat|conversations?|sessions?|messages?|threads?)\b"
    r"|\bindicates? a new conversation topic\b"
    r"|\bsummari[sz]\w*\s(?:\w+\s){0,4}?(?:this|the|our|your)\s(?:\w+\s){0,2}?(?:chat|conversations?|session|dialogu?e|thread)\b"
    r"|\bsummar(?:y|ies) of (?:this|the|our|your) (?:\w+ ){0,2}?(?:chat|conversation|session|dialogu?e|thread)\b"
    r"|\btasked with summari[sz]ing conversations\b",
    re.IGNORECASE | re.DOTALL,
)


def is_auxiliary_call(messages: Sequence[Json]) -> bool:
    """Linear in a bounded part of the system prompt and of the newest message."""
    return any(_may_be(text) and _INSTRUCTIONS.search(text) for text in _instructions(messages))


def _may_be(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _ABOUT) and any(word in lower for word in _OF)


def _instructions(messages: Sequence[Json]) -> list[str]:
    system = next((message for message in messages if message.get("role") in ("system", "developer")), None)
    newest = messages[-1] if messages and messages[-1].get("role") == "user" else None
    texts = [_ends(message) for message in (system, newest) if message is not None]
    return [text for pair in texts for text in pair if text]


def _ends(message: Json) -> tuple[str, str]:
    """The head and the tail of its text; the tail is empty where the head is all."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [part.get("text") or "" for part in content if part.get("type") == "text"]
        first, last = (texts[0], texts[-1]) if texts else ("", "")
    else:
        first = last = content or ""
    tail = last[-_END:] if len(last) > _END or last is not first else ""
    return first[:_END], tail
