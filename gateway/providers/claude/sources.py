"""What stands beside the text of a Claude message: citations as OpenAI's `annotations`, and the kinds of blocks that have no place there.

https://platform.claude.com/docs/en/build-with-claude/citations, https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
"""

from __future__ import annotations

from typing import Any

from gateway.completion import Json
from gateway.providers.annotations import url_citation

# Blocks that are read elsewhere.
_READ = frozenset(("text", "tool_use", "thinking", "redacted_thinking"))
# Citations of the web and of search results name an address; those of documents name characters or pages, which OpenAI's
# chat completions cannot.
_ADDRESS = {"web_search_result_location": "url", "search_result_location": "source"}
MOST_ANNOTATIONS = 1_000


class Sources:
    """Follows the blocks of a message, whole or streamed; places are in characters of the content."""

    def __init__(self) -> None:
        self.annotations: list[Json] = []
        self.dropped: list[str] = []
        self._length = 0
        self._from = 0

    def block(self, block: Json) -> None:
        """A whole block."""
        self.begin(block)
        text = block.get("text") if block.get("type") == "text" else None
        self.text(text if isinstance(text, str) else "")
        citations = block.get("citations")
        for citation in citations if isinstance(citations, list) else ():
            self.cite(citation)

    def begin(self, block: Json) -> None:
        """The start of a block; its citations are of the text from here."""
        self._from = self._length
        kind = block.get("type")
        if not isinstance(kind, str) or kind not in _READ:
            self.dropped.append(kind if isinstance(kind, str) else "block without a type")

    def text(self, text: str) -> None:
        self._length += len(text)

    def cite(self, citation: Any) -> list[Json]:
        """What a citation adds to the annotations; one that stands for the text of its block up to now."""
        kind = citation.get("type") if isinstance(citation, dict) else None
        member = _ADDRESS.get(kind) if isinstance(kind, str) else None
        found = (
            []
            if member is None
            else [
                *url_citation(
                    citation.get(member),
                    citation.get("title"),
                    self._from,
                    self._length,
                    quote=citation.get("cited_text"),
                )
            ]
        )
        if not found:
            self.dropped.append(f"citation {kind}")
        elif len(self.annotations) < MOST_ANNOTATIONS:
            self.annotations += found
            return found
        return []
