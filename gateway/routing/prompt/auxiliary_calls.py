"""Recognises auxiliary calls of chat clients and coding agents: titles, tags, topics, summaries, compaction of the context.

Clients send them in the middle of a conversation, but they are not part of it, so they must not move it to another model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.completion import Json
from gateway.routing.prompt.user_text import last_user_text

# Characters. The instruction is at the start or at the end of a message, the conversation that it is about in between.
_END = 800
# Prefilter: a text without a word of each list cannot match, which is true of nearly all texts.
_OUTPUTS = ("title", "tag", "topic", "follow-up", "followup", "summar", "compact", "prefix", "path", "suggest")
_SUBJECTS = ("conversation", "chat", "session", "dialog", "message", "thread", "checkpoint", "command", "user")
# The wording of harnesses, in a system prompt or a single user message. People do not phrase tasks like this.
_INSTRUCTION = re.compile(
    r"(?:generat|creat|writ|provid|suggest|com(?:e|ing) up with)\w*\s.{0,60}?"
    r"\b(?:titles?|tags?|follow-?up questions?|topics?)\b.{0,40}?\b(?:chat|conversations?|sessions?|dialogu?e|messages?|threads?)\b"
    r"|\b(?:concise|short|brief|\d-\d word)\b.{0,30}\btitles?\b.{0,80}?\b(?:chat|conversations?|sessions?|messages?|threads?)\b"
    r"|\bindicates? a new conversation topic\b"
    r"|\bsummari[sz]\w*\s(?:\w+\s){0,4}?(?:this|the|our|your)\s(?:\w+\s){0,2}?(?:chat|conversations?|session|dialogu?e|thread)\b"
    r"|\bsummar(?:y|ies) of (?:this|the|our|your) (?:\w+ ){0,2}?(?:chat|conversation|session|dialogu?e|thread)\b"
    r"|\btasked with summari[sz]ing conversations\b"
    r"|\bsummari[sz]es internal chat history\b"  # Gemini CLI and its forks
    r"|\bcontext checkpoint compaction\b"  # Codex
    r"|\bprefix of the command\b|\bcommand prefix detection\b"  # Claude Code, before it runs a command
    r"|\bextract any file paths that this command\b"
    r"|\bsuggest what the user might (?:naturally )?type next\b",
    re.IGNORECASE | re.DOTALL,
)


# A turn without a task: the model that answers it is not chosen for the conversation. Characters and words of the longest.
_TRIVIAL, _TRIVIAL_WORDS = 24, 3


def is_warm_up(output_limit: int | None) -> bool:
    """Whether the request wants no answer: a check of the key or the quota, or a request that only fills a cache."""
    return output_limit is not None and output_limit <= 1


def is_trivial_opening(messages: Sequence[Json]) -> bool:
    """Whether a conversation begins with a turn that says nothing about its task: a greeting, a test."""
    if any(message.get("role") in ("assistant", "tool") for message in messages):
        return False
    text = last_user_text(messages)
    return len(text) <= _TRIVIAL and len(text.split()) <= _TRIVIAL_WORDS


def is_auxiliary_call(messages: Sequence[Json]) -> bool:
    """Linear in a bounded part of the system prompt and of the last message."""
    return any(_may_match(text) and _INSTRUCTION.search(text) for text in _instructions(messages))


def _may_match(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _OUTPUTS) and any(word in lower for word in _SUBJECTS)


def _instructions(messages: Sequence[Json]) -> list[str]:
    system = next((message for message in messages if message.get("role") in ("system", "developer")), None)
    last = messages[-1] if messages and messages[-1].get("role") == "user" else None
    texts = [_ends(message) for message in (system, last) if message is not None]
    return [text for pair in texts for text in pair if text]


def _ends(message: Json) -> tuple[str, str]:
    """The head and the tail of a message's text. The tail is empty if the head is the whole text."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [part.get("text") or "" for part in content if part.get("type") == "text"]
        head, tail = (texts[0], texts[-1]) if texts else ("", "")
    else:
        head = tail = content or ""
    rest = tail[-_END:] if len(tail) > _END or tail is not head else ""
    return head[:_END], rest
