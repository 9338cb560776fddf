"""Citations of a Claude message as OpenAI's `annotations`, and the block types that OpenAI's format cannot carry.

https://platform.claude.com/docs/en/build-with-claude/citations, https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
"""

from __future__ import annotations

from typing import Any

from gateway.completion import Json
from gateway.providers.annotations import url_citation

# Block types that other modules parse.
_PARSED_ELSEWHERE = frozenset(("text", "tool_use", "thinking", "redacted_thinking"))
# Citation types with a URL, and its member. Citations of documents name characters or pages, which OpenAI's format cannot
# carry.
_URL_MEMBER = {"web_search_result_location": "url", "search_result_location": "source"}
MAX_ANNOTATIONS = 1_000


class Sources:
    """Collects citations while the blocks of a message are read, whole or streamed. Offsets are characters of the content."""

    def __init__(self) -> None:
        self.annotations: list[Json] = []
        self.dropped: list[str] = []
        self._length = 0
        self._block_start = 0

    def block(self, block: Json) -> None:
        """Read a complete block."""
        self.begin(block)
        text = block.get("text") if block.get("type") == "text" else None
        self.text(text if isinstance(text, str) else "")
        citations = block.get("citations")
        for citation in citations if isinstance(citations, list) else ():
            self.cite(citation)

    def begin(self, block: Json) -> None:
        """Start a block; its citations refer to the text from here on."""
        self._block_start = self._length
        kind = block.get("type")
        if not isinstance(kind, str) or kind not in _PARSED_ELSEWHERE:
            self.dropped.append(kind if isinstance(kind, str) else "block without a type")

    def text(self, text: str) -> None:
        self._length += len(text)

    def cite(self, citation: Any) -> list[Json]:
        """The annotations of a citation, which covers the text of its block so far."""
        kind = citation.get("type") if isinstance(citation, dict) else None
        member = _URL_MEMBER.get(kind) if isinstance(kind, str) else None
        added = (
            []
            if member is None
            else [
                *url_citation(
                    citation.get(member),
                    citation.get("title"),
                    self._block_start,
                    self._length,
                    quote=citation.get("cited_text"),
                )
            ]
        )
        if not added:
            self.dropped.append(f"citation {kind}")
        elif len(self.annotations) < MAX_ANNOTATIONS:
            self.annotations += added
            return added
        return []
