"""Sources of a response: grounding and citations as OpenAI's `annotations`; all metadata also as Google sent it.

Google's offsets count bytes of a part's UTF-8 text, OpenAI's count characters of the content.
https://ai.google.dev/gemini-api/docs/google-search, https://platform.openai.com/docs/guides/tools-web-search
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import Any

from gateway.completion import Json, count
from gateway.providers.annotations import url_citation

MAX_ANNOTATIONS = 1_000  # per response; `extra_content` has everything that Google sent
_BLOCK = 4_096
_CONTINUATION = bytes(range(0x80, 0xC0))  # UTF-8 continuation bytes

# Members of a candidate without a counterpart in OpenAI's format; passed on under Google's name.
PASSED_ON = {
    "groundingMetadata": "grounding_metadata",
    "citationMetadata": "citation_metadata",
    "urlContextMetadata": "url_context_metadata",
    "finishMessage": "finish_message",
}


class Sources:
    """Source metadata of one choice; a later event replaces an earlier one."""

    __slots__ = ("_metadata",)

    def __init__(self) -> None:
        self._metadata: dict[str, Any] = {}

    def read(self, candidate: Json) -> None:
        for name in PASSED_ON:
            value = candidate.get(name)
            if isinstance(value, dict | str) and value:
                self._metadata[name] = value

    def members(self, texts: Sequence[str]) -> dict[str, Any]:
        """`annotations` and `extra_content` for a message with these text parts; empty without sources."""
        if not self._metadata:
            return {}
        grounding, citations = (
            value if isinstance(value := self._metadata.get(name), dict) else {}
            for name in ("groundingMetadata", "citationMetadata")
        )
        offsets = _OffsetMap(texts)
        annotations = [
            *islice(
                chain(_grounding_annotations(grounding, offsets), _citation_annotations(citations, offsets)),
                MAX_ANNOTATIONS,
            )
        ]
        google = {PASSED_ON[name]: value for name, value in self._metadata.items()}
        return {**({"annotations": annotations} if annotations else {}), "extra_content": {"google": google}}


class _OffsetMap:
    """Maps byte offsets in a part to character offsets in the content. Each byte is read once."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._starts = [0, *accumulate(len(text) for text in texts)]
        self._texts = texts
        self._parts: dict[int, tuple[bytes, list[int]]] = {}

    @property
    def end(self) -> int:
        return self._starts[-1]

    def span(self, segment: Json) -> tuple[int, int]:
        """Start and end of a segment in characters, end exclusive. `partIndex` names the part."""
        part = count(segment.get("partIndex")) or 0
        part = part if part < len(self._texts) else 0
        start, stop = count(segment.get("startIndex")) or 0, count(segment.get("endIndex"))
        first = self._character(part, start)
        return first, self.end if stop is None else max(first, self._character(part, stop))

    def _character(self, part: int, offset: int) -> int:
        if part not in self._parts:
            text = "".join(self._texts[part:]).encode("utf-8", "surrogatepass")
            blocks = (len(text[i : i + _BLOCK].translate(None, _CONTINUATION)) for i in range(0, len(text), _BLOCK))
            self._parts[part] = text, [0, *accumulate(blocks)]
        text, before = self._parts[part]
        offset = min(offset, len(text))
        block = offset // _BLOCK
        return self._starts[part] + before[block] + len(text[block * _BLOCK : offset].translate(None, _CONTINUATION))


def _grounding_annotations(grounding: Json, offsets: _OffsetMap) -> Iterator[Json]:
    """One annotation per source and supported segment. A source without a segment covers the whole text."""
    chunks = _list(grounding.get("groundingChunks"))
    supported: set[int] = set()
    for support in _objects(grounding.get("groundingSupports")):
        segment = support.get("segment")
        start, end = offsets.span(segment if isinstance(segment, dict) else {})
        for index in _list(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(chunks):
                supported.add(index)
                yield from _annotation(chunks[index], start, end)
    for index, chunk in enumerate(chunks):
        if index not in supported:
            yield from _annotation(chunk, 0, offsets.end)


def _annotation(chunk: Any, start: int, end: int) -> Iterator[Json]:
    for kind in ("web", "maps", "retrievedContext", "image"):
        source = chunk.get(kind) if isinstance(chunk, dict) else None
        if isinstance(source, dict):
            yield from url_citation(source.get("uri") or source.get("sourceUri"), source.get("title"), start, end)


def _citation_annotations(citations: Json, offsets: _OffsetMap) -> Iterator[Json]:
    # Named `citations` or, in the Gemini API's REST reference, `citationSources`.
    for source in _objects(citations.get("citations") or citations.get("citationSources")):
        yield from url_citation(source.get("uri"), source.get("title"), *offsets.span(source))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[Json]:
    return (item for item in _list(value) if isinstance(item, dict))
