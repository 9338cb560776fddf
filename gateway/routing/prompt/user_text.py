"""Extracts what a person wrote from a user message, without the elements that a harness added to it."""

from __future__ import annotations

import re

# Elements that coding agents and chat clients add to the user message.
_HARNESS_TAGS = (
    "system-reminder",
    "system_reminder",
    "environment_details",
    "environment_context",
    "user_instructions",
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
# Elements that contain what the person wrote.
_USER_TAGS = ("user_query", "task", "user_message", "userRequest", "feedback")


def strip_harness_text(text: str) -> str:
    """The content of the last element that holds the user's own words, else the text without harness elements; stripped.

    Linear in the text. If the text contains `<` and is longer than MOST_READ, only its two ends are searched and returned.
    """
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
