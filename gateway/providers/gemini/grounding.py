"""Sources of an answer: grounding and citations as OpenAI's `annotations`, everything else beside them as Google sent it.

Google counts bytes of the part's UTF-8 text, OpenAI characters of the content.
https://ai.google.dev/gemini-api/docs/google-search, https://platform.openai.com/docs/guides/tools-web-search
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import Any

from gateway.completion import Json, count
from gateway.providers.annotations import url_citation

MAX_ANNOTATIONS = 1_000  # of one answer; all that Google sent stands in `extra_content` too
_BLOCK = 4_096
_CONTINUED = bytes(range(0x80, 0xC0))  # bytes of UTF-8 that do not begin a character

# Members of a candidate that have no counterpart in OpenAI's shape; they are passed on under Google's name.
PASSED_ON = {
    "groundingMetadata": "grounding_metadata",
    "citationMetadata": "citation_metadata",
    "urlContextMetadata": "url_context_metadata",
    "finishMessage": "finish_message",
}


class Sources:
    """What the events of one choice say of its sources; a later event's word replaces an earlier one's."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}

    def read(self, candidate: Json) -> None:
        for name in PASSED_ON:
            told = candidate.get(name)
            if isinstance(told, dict | str) and told:
                self._told[name] = told

    def members(self, texts: Sequence[str]) -> dict[str, Any]:
        """`annotations` and `extra_content` of the message whose text came in these parts; nothing without sources."""
        if not self._told:
            return {}
        grounding, citations = (
            told if isinstance(told := self._told.get(name), dict) else {}
            for name in ("groundingMetadata", "citationMetadata")
        )
        places = _Places(texts)
        found = [*islice(chain(_grounded(grounding, places), _cited(citations, places)), MAX_ANNOTATIONS)]
        google = {PASSED_ON[name]: told for name, told in self._told.items()}
        return {**({"annotations": found} if found else {}), "extra_content": {"google": google}}


class _Places:
    """Where a place that Google counts in bytes of a part is in the characters of the content; each byte is read once."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._starts = [0, *accumulate(len(text) for text in texts)]
        self._texts = texts
        self._parts: dict[int, tuple[bytes, list[int]]] = {}

    @property
    def end(self) -> int:
        return self._starts[-1]

    def span(self, segment: Json) -> tuple[int, int]:
        """First character and the one after the last; `partIndex` says in which part the bytes are counted."""
        part = count(segment.get("partIndex")) or 0
        part = part if part < len(self._texts) else 0
        start, stop = count(segment.get("startIndex")) or 0, count(segment.get("endIndex"))
        first = self._character(part, start)
        return first, self.end if stop is None else max(first, self._character(part, stop))

    def _character(self, part: int, at: int) -> int:
        if part not in self._parts:
            text = "".join(self._texts[part:]).encode("utf-8", "surrogatepass")
            blocks = (len(text[i : i + _BLOCK].translate(None, _CONTINUED)) for i in range(0, len(text), _BLOCK))
            self._parts[part] = text, [0, *accumulate(blocks)]
        text, before = self._parts[part]
        at = min(at, len(text))
        block = at // _BLOCK
        return self._starts[part] + before[block] + len(text[block * _BLOCK : at].translate(None, _CONTINUED))


def _grounded(grounding: Json, places: _Places) -> Iterator[Json]:
    """One annotation for each source of each supported segment; sources without a segment stand for the whole text."""
    chunks = _list(grounding.get("groundingChunks"))
    supported: set[int] = set()
    for support in _objects(grounding.get("groundingSupports")):
        segment = support.get("segment")
        start, end = places.span(segment if isinstance(segment, dict) else {})
        for index in _list(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(chunks):
                supported.add(index)
                yield from _annotation(chunks[index], start, end)
    for index, chunk in enumerate(chunks):
        if index not in supported:
            yield from _annotation(chunk, 0, places.end)


def _annotation(chunk: Any, start: int, end: int) -> Iterator[Json]:
    for kind in ("web", "maps", "retrievedContext", "image"):
        source = chunk.get(kind) if isinstance(chunk, dict) else None
        if isinstance(source, dict):
            yield from url_citation(source.get("uri") or source.get("sourceUri"), source.get("title"), start, end)


def _cited(citations: Json, places: _Places) -> Iterator[Json]:
    # Named `citations` or, in the Gemini API's REST reference, `citationSources`.
    for source in _objects(citations.get("citations") or citations.get("citationSources")):
        yield from url_citation(source.get("uri"), source.get("title"), *places.span(source))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[Json]:
    return (each for each in _list(value) if isinstance(each, dict))
