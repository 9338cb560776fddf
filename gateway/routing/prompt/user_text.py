"""Extracts what a person wrote from a user message, without the elements that a harness added to it, and which turn counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from gateway.completion import Json

# Elements that coding agents and chat clients add to the user message.
_HARNESS_TAGS = (
    "system-reminder",
    "system_reminder",
    "environment_details",
    "environment_context",
    "env",
    "user_instructions",
    "INSTRUCTIONS",
    "turn_aborted",
    "task-notification",
    "local-command-caveat",
    "local-command-stdout",
    "local-command-stderr",
    "command-name",
    "command-message",
    "bash-stdout",
    "bash-stderr",
    "tool_result",
    "tool_response",
    "tool_output",
    "function_results",
    "attached_files",
    "file_contents",
    "context",
    "additional_data",
    "current_file",
    "open_and_recently_viewed_files",
    "ide_selection",
    "ide_opened_file",
    "workspace_info",
    "editorContext",
    "reminderInstructions",
)
_OPENING = re.compile(f"<({'|'.join(map(re.escape, _HARNESS_TAGS))})(?=[\\s>])[^<>]{{0,500}}>")
# Characters of a message that are searched, half at each end, so that a message of megabytes does not delay other requests.
MOST_READ = 65_536
# Texts that a harness puts in place of a user's: Claude Code's first system block (it differs from request to request), and
# its note of an interruption.
BILLING_HEADER = "x-anthropic-billing-header:"
_HARNESS_TEXTS = (BILLING_HEADER, "[Request interrupted by user")
# Elements that contain what the person wrote.
_USER_TAGS = ("user_query", "task", "user_message", "userRequest", "feedback")

# At most this many of the newest user messages are searched for text that a person wrote.
_SEARCHED_MESSAGES = 8
# A turn that only agrees has no task of its own: it continues the one before. Characters of the longest that is looked at.
_LONGEST_ASSENT = 40
_ASSENT_WORD = re.compile(
    r"y|yes|yep|yeah|yup|ok|okay|k|sure|fine|good|right|correct|agreed|exactly|please|continue|proceed|go|on|ahead|with|it|do"
    r"|that|this|next|resume|keep|going|looks|sounds|to|me|lgtm|ship|approved|ja|weiter|mach|si|sí|vale|oui|continuez|sim"
)
_WORDS = re.compile(r"[^\W_]+")


def last_user_text(messages: Sequence[Json]) -> str:
    """The text of the newest turn with a task. Skipped are user messages with nothing but harness text, tool results, and a
    bare "yes" or "go on": its task is that of the turn before.

    If the newest user messages have none, the last text of the user, else of any role.
    """
    assent = ""
    for text in islice(_own_texts(messages), _SEARCHED_MESSAGES):
        if text and not is_assent(text):
            return text
        assent = assent or text
    return assent or _last_text(messages)


def is_new_turn(messages: Sequence[Json]) -> bool:
    """Whether the newest message has the text that `last_user_text` returns: a person wrote a task just now."""
    if not messages or messages[-1].get("role") != "user":
        return False
    text = strip_harness_text(text_of(messages[-1]))
    return bool(text) and not is_assent(text)


def ends_with_tool_result(messages: Sequence[Json]) -> bool:
    """Whether the request is between a tool's call and the next turn; reminders of a harness after the result do not count."""
    for message in reversed(messages):
        role = message.get("role")
        if role == "tool":
            return True
        if role == "assistant" or (role == "user" and strip_harness_text(text_of(message))):
            return False
    return False


def is_assent(text: str) -> bool:
    """Whether a turn only agrees or says to go on: "yes", "ok, do it", "1." (the choice of an option)."""
    if len(text) > _LONGEST_ASSENT:
        return False
    words = _WORDS.findall(text.lower())
    if len(words) == 1 and len(words[0]) == 1 and "?" not in text:
        return True
    return bool(words) and "?" not in text and all(map(_ASSENT_WORD.fullmatch, words))


def text_of(message: Json) -> str:
    """The text of a message; that of its text parts, a line each."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") or "" for part in content if part.get("type") == "text"]
    return texts[0] if len(texts) == 1 else "\n".join(texts)


def _own_texts(messages: Sequence[Json]) -> Iterator[str]:
    """What a person wrote in each user message, newest first."""
    return (strip_harness_text(text_of(message)) for message in reversed(messages) if message.get("role") == "user")


def _last_text(messages: Sequence[Json]) -> str:
    for role in ("user", "system", "developer", "assistant"):
        for message in reversed(messages):
            if message.get("role") == role and (text := text_of(message)):
                return text
    return ""


def strip_harness_text(text: str) -> str:
    """The content of the last element that holds the user's own words, else the text without harness elements; stripped.

    Linear in the text. If the text contains `<` and is longer than MOST_READ, only its two ends are searched and returned.
    """
    if text.startswith(_HARNESS_TEXTS) and "\n" not in text:
        return ""
    if "<" not in text:
        return text.strip()
    if len(text) > MOST_READ:
        text = f"{text[: MOST_READ // 2]}\n{text[-MOST_READ // 2 :]}"
    for tag in _USER_TAGS:
        content = _content_of(text, tag)
        if content:
            return content
    return _without_harness_elements(text).strip()


def _content_of(text: str, tag: str) -> str:
    """The content of the last element with this tag, if it is closed."""
    end = text.rfind(f"</{tag}>")
    start = text.rfind(f"<{tag}>", 0, end) if end >= 0 else -1
    return text[start + len(tag) + 2 : end].strip() if start >= 0 else ""


def _without_harness_elements(text: str) -> str:
    parts: list[str] = []
    unclosed: set[str] = set()
    position = 0
    while opening := _OPENING.search(text, position):
        tag = opening[1]
        end = -1 if tag in unclosed else text.find(f"</{tag}>", opening.end())
        if end < 0:
            # Not closed: the user writes about the tag. Later occurrences are not closed either and are not searched again.
            unclosed.add(tag)
            parts.append(text[position : opening.end()])
            position = opening.end()
            continue
        parts.append(text[position : opening.start()])
        position = end + len(tag) + 3
    return "".join((*parts, text[position:]))
