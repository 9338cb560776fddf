"""Parses the events of streamGenerateContent into chunks.

Every event is a small generateContent response. Gemini may repeat a finish reason or send a signature after it, so the
finish reason is sent at the end of the stream, once per choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.completion import Chunk, Json
from gateway.errors import UpstreamInvalidResponse, UpstreamTruncated
from gateway.json_body import parse_answer
from gateway.providers.base import SignatureCache, StreamParser
from gateway.providers.gemini.answer import (
    CandidateReader,
    ContentKinds,
    GeneratedCallIds,
    blocked_reason,
    raise_if_failed,
)
from gateway.providers.gemini.errors import find_error
from gateway.providers.gemini.request import RequestContext
from gateway.providers.gemini.usage import extra_of, logprobs_of, parse_usage
from gateway.sse import ServerSentEvent


class GeminiStream(StreamParser):
    """Keeps one reader per choice; tool calls are numbered across events."""

    def __init__(
        self,
        *,
        context: RequestContext,
        ids: GeneratedCallIds,
        signature_cache: SignatureCache,
        provider: str,
        key: str,
    ) -> None:
        self._context = context
        self._ids = ids
        self._signature_cache = signature_cache
        self._provider = provider
        self._key = key
        self._readers: dict[int, CandidateReader] = {}
        self._content_kinds = ContentKinds()

    def feed(self, event: ServerSentEvent) -> Sequence[Chunk]:
        if event.data.strip() in (b"", b"[DONE]"):
            return ()
        body = self._body(event.data)
        response_id = body.get("responseId")
        if isinstance(response_id, str) and not self._ids.response_id:
            self._ids.response_id = response_id
        choices = [*self._choices(body), *self._blocked(body)]
        # Raised at once: before any content the request can be retried.
        raise_if_failed([*self._readers.values()], provider=self._provider)
        usage, extra = parse_usage(body, modalities=self._content_kinds.modalities), extra_of(body)
        dropped = self._content_kinds.take_dropped()
        return [Chunk(choices, usage, extra=extra, dropped=dropped)] if choices or usage or dropped else ()

    def close(self) -> Sequence[Chunk]:
        readers = [self._readers[index] for index in sorted(self._readers)]
        if not readers or any(reader.reason is None for reader in readers):
            raise UpstreamTruncated("Gemini's stream ended before its answer did.", provider=self._provider)
        sources = [(reader, reader.sources(parts=False)) for reader in readers]
        choices = [self._choice(reader, _indexed(delta), logprobs=None) for reader, delta in sources if delta]
        end = [{"index": reader.index, "delta": {}, "finish_reason": reader.finish_reason()} for reader in readers]
        return [*([Chunk(choices)] if choices else ()), Chunk(end)]

    def _body(self, data: bytes) -> Json:
        try:
            body = parse_answer(data)
        except orjson.JSONDecodeError:
            raise UpstreamInvalidResponse("Gemini sent an event that is not JSON.", provider=self._provider) from None
        error = find_error(body, provider=self._provider, key=self._key)
        if error is not None:
            raise error
        if not isinstance(body, dict):
            raise UpstreamInvalidResponse("Gemini sent an event that is not an object.", provider=self._provider)
        return body

    def _choices(self, body: Json) -> Sequence[Json]:
        candidates = body.get("candidates")
        choices = []
        for candidate in candidates if isinstance(candidates, list) else ():
            if not isinstance(candidate, dict):
                continue
            index = candidate.get("index")
            reader, first = self._reader(index if isinstance(index, int) and index >= 0 else 0)
            delta = reader.read(candidate)
            if first or delta:
                choices.append(self._choice(reader, first | delta, logprobs=logprobs_of(candidate)))
        return choices

    def _blocked(self, body: Json) -> Sequence[Json]:
        """A blocked prompt is one choice with a refusal."""
        refusal = blocked_reason(body)
        if refusal is None:
            return ()
        for reader in self._readers.values():
            reader.reason = reader.reason or "SAFETY"
        if self._readers:
            return ()
        reader, first = self._reader(0)
        reader.reason = "SAFETY"
        return [self._choice(reader, first | {"refusal": refusal}, logprobs=None)]

    def _reader(self, index: int) -> tuple[CandidateReader, dict[str, Any]]:
        """The reader of a choice, and the members of its first delta (empty afterwards)."""
        known = self._readers.get(index)
        if known is not None:
            return known, {}
        reader = self._readers[index] = CandidateReader(
            index,
            context=self._context,
            ids=self._ids,
            signature_cache=self._signature_cache,
            content_kinds=self._content_kinds,
        )
        return reader, {"role": "assistant"}

    @staticmethod
    def _choice(reader: CandidateReader, delta: dict[str, Any], *, logprobs: Json | None) -> Json:
        choice: dict[str, Any] = {"index": reader.index, "delta": delta, "finish_reason": None}
        return choice | {"logprobs": logprobs} if logprobs else choice


def _indexed(delta: dict[str, Any]) -> dict[str, Any]:
    """Add an index to each annotation, because clients merge deltas by index."""
    annotations = delta.get("annotations")
    if not annotations:
        return delta
    return delta | {"annotations": [{"index": i, **annotation} for i, annotation in enumerate(annotations)]}
