"""Tells what a person wrote from what their harness wrapped around it."""

from __future__ import annotations

import re

# Elements that coding agents and chat clients put into the user's turn.
_TAGS = (
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
_OPENING = re.compile(f"<({'|'.join(map(re.escape, _TAGS))})(?=[\\s>])[^<>]{{0,500}}>")
# Characters of a turn that are looked through, half at each end: a turn of megabytes must not hold up the others.
MOST_READ = 65_536
# Elements that hold what the person wrote.
_SPOKEN = ("user_query", "task", "user_message", "userRequest", "feedback")


def strip_harness_text(text: str) -> str:
    """The text without harness elements, stripped; what stands in an element of the person's own words wins.

    Linear in the text, of which only the ends are looked through, and left, when it is very long and has such elements at all.
    """
    if "<" not in text:
        return text.strip()
    if len(text) > MOST_READ:
        text = f"{text[: MOST_READ // 2]}\n{text[-MOST_READ // 2 :]}"
    for tag in _SPOKEN:
        inner = _inside(text, tag)
        if inner:
            return inner
    return _without_envelopes(text).strip()


def _inside(text: str, tag: str) -> str:
    """The last such element's content, when the element is whole."""
    end = text.rfind(f"</{tag}>")
    start = text.rfind(f"<{tag}>", 0, end) if end >= 0 else -1
    return text[start + len(tag) + 2 : end].strip() if start >= 0 else ""


def _without_envelopes(text: str) -> str:
    kept: list[str] = []
    unclosed: set[str] = set()
    position = 0
    while opening := _OPENING.search(text, position):
        tag = opening[1]
        end = -1 if tag in unclosed else text.find(f"</{tag}>", opening.end())
        if end < 0:
            # None further on either: whoever writes about a tag means it, and it is not looked for again.
            unclosed.add(tag)
            kept.append(text[position : opening.end()])
            position = opening.end()
            continue
        kept.append(text[position : opening.start()])
        position = end + len(tag) + 3
    return "".join((*kept, text[position:]))
