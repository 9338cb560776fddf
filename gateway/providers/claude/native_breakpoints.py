"""Places cache breakpoints in a Messages request whose client sent none.

The places are those of the gateway's own requests (`gateway.routing.sessions.prompt_caching`): after the instructions, at the end of
the previous request, and at the end. The second makes sure that the prefix is found: the API looks back over 20 blocks only.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gateway.completion import Json, end_of_previous_request

_BREAKPOINT: Json = MappingProxyType({"type": "ephemeral"})
_UNMARKED = ("thinking", "redacted_thinking")  # the API takes no breakpoint on them


def with_breakpoints(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with at most three breakpoints; the given one is not changed."""
    messages = list(body["messages"])
    for place in {len(messages) - 1, end_of_previous_request(messages)}:
        if place is not None:
            messages[place] = {**messages[place], "content": _marked(messages[place]["content"])}
    marked = {**body, "messages": messages}
    if body.get("system"):
        marked["system"] = _marked(body["system"])
    elif body.get("tools"):
        marked["tools"] = [*body["tools"][:-1], {**body["tools"][-1], "cache_control": dict(_BREAKPOINT)}]
    return marked


def _marked(content: str | Sequence[Json]) -> str | list[Json]:
    """The content with a breakpoint on its last block that may have one. An empty text may not."""
    if isinstance(content, str):
        return [{"type": "text", "text": content, "cache_control": dict(_BREAKPOINT)}] if content.strip() else content
    blocks = list(content)
    for index in range(len(blocks) - 1, -1, -1):
        block = blocks[index]
        if block.get("type") not in _UNMARKED and (block.get("type") != "text" or block.get("text", "").strip()):
            blocks[index] = {**block, "cache_control": dict(_BREAKPOINT)}
            break
    return blocks
