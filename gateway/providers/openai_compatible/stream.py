"""Parses a stream of chat completion chunks and normalizes roles, indexes, ids and finish reasons.

What an upstream repeats in every chunk (role, call ids, formats of details) is sent once, because clients concatenate
strings. The finish reason is held back until the end of the stream, so that nothing follows it. An empty first delta is held
back until there is content, so that an upstream that fails at once can still be replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from gateway.completion import Chunk, Json, Usage, text_chunk
from gateway.errors import UpstreamInvalidResponse, UpstreamTruncated
from gateway.json_body import parse_answer
from gateway.providers.base import StreamParser
from gateway.providers.openai_compatible.answer import (
    EXTRA,
    argument_text,
    finish_reason,
    images_of,
    native_reason,
    objects,
    raise_for_error,
    text_of,
    thoughts_of,
    unsupported_parts,
)
from gateway.providers.text_fast_path import TextDeltaFastPath
from gateway.sse import ServerSentEvent

# Members of a `reasoning_details` entry that are streamed or may repeat; all others are sent once.
_STREAMED_MEMBERS = frozenset({"type", "index", "text", "summary", "data", "signature"})

# Fast path: a text delta, perhaps with a role that was already sent.
_TEXT_DELTA = frozenset({"role", "content"})


class ChoiceDeltaReader:
    """Normalizes the deltas of one choice; keeps what was already sent."""

    def __init__(self, index: int, *, detail_extra: Json) -> None:
        self.index = index
        self.reason: object = None
        self.native_reason: object = None
        self.started = False
        self.call_prefix = "call"
        self.dropped: list[str] = []
        self._detail_extra = detail_extra
        self._calls: dict[object, tuple[int, str]] = {}
        self._entries: dict[str, int] = {}
        self._details: dict[object, set[str]] = {}

    @property
    def called(self) -> bool:
        return bool(self._calls)

    def read(self, given: Json) -> dict[str, Any]:
        """The new members of a delta; empty where nothing is new."""
        if self.started and given.keys() <= _TEXT_DELTA and type(text := given.get("content")) is str:
            return {"content": text} if text else {}
        delta: dict[str, Any] = {}
        for name, value in given.items():
            if name == "content":
                self._content(value, delta)
            elif name in ("reasoning_content", "reasoning"):
                if isinstance(value, str) and value:
                    delta["reasoning_content"] = value
            elif isinstance(value, list):
                entries = self._list(name, value)
                if entries:
                    delta[name] = [*delta.get(name, ()), *entries]
            elif name != "role" and value is not None and value != "":
                delta[name] = value
        if delta and not self.started:
            self.started = True
            return {"role": "assistant", **delta}
        return delta

    def _content(self, value: object, delta: dict[str, Any]) -> None:
        """Text or parts. Mistral sends thinking in parts, and some upstreams images."""
        text = text_of(value)
        if text:
            delta["content"] = text
        if not isinstance(value, list):
            return
        thoughts = thoughts_of(value)
        if thoughts:
            delta["reasoning_content"] = thoughts
        images = images_of(value)
        if images:
            delta["images"] = [*delta.get("images", ()), *self._list("images", images)]
        self.dropped += unsupported_parts(value)

    def final_choice(self) -> Json:
        """The last chunk's choice, with the finish reason."""
        delta = {} if self.started else {"role": "assistant", "content": ""}
        reason = finish_reason(self.reason, called=self.called)
        native = native_reason(self.native_reason)
        return {"index": self.index, "delta": delta, "finish_reason": reason, "logprobs": None, **native}

    def _list(self, name: str, value: list[Any]) -> list[dict[str, Any]]:
        if name == "tool_calls":
            return [call for call in map(self._call, objects(value)) if call is not None]
        if name == "reasoning_details":
            return [self._detail(detail) for detail in objects(value)]
        return [self._indexed(name, entry) for entry in objects(value)]

    def _call(self, entry: Json) -> dict[str, Any] | None:
        kind, text = ("custom", "input") if isinstance(entry.get("custom"), dict) else ("function", "arguments")
        called = entry.get(kind)
        called = called if isinstance(called, dict) else {}
        key = self._key(entry, named=bool(called.get("name")))
        fragment = argument_text(called.get(text))
        if key in self._calls:
            return {"index": self._calls[key][0], kind: {text: fragment}} if fragment else None
        index = len(self._calls)
        given_id = entry.get("id")
        call_id = given_id if isinstance(given_id, str) and given_id else f"{self.call_prefix}_{self.index}_{index}"
        self._calls[key] = (index, call_id)
        return {
            **entry,
            "index": index,
            "id": call_id,
            "type": kind,
            kind: {"name": str(called.get("name") or ""), text: fragment},
        }

    def _key(self, entry: Json, *, named: bool) -> object:
        """Identifies the call of an entry by its index. Some upstreams use index 0 for all calls; then the id identifies it."""
        index, call_id = entry.get("index"), entry.get("id")
        if not isinstance(index, int):
            return call_id if isinstance(call_id, str) else (len(self._calls) if named else len(self._calls) - 1)
        known = self._calls.get(index)
        if known is not None and named and isinstance(call_id, str) and call_id not in ("", known[1]):
            return (index, call_id)
        return index

    def _detail(self, detail: Json) -> dict[str, Any]:
        index = detail.get("index")
        if not isinstance(index, int):
            index = self._entries.setdefault(f"reasoning_details {detail.get('type')}", len(self._entries))
        already_sent = self._details.setdefault(index, set())
        new = {
            name: value
            for name, value in {**self._detail_extra, **detail}.items()
            if name in _STREAMED_MEMBERS or name not in already_sent
        }
        already_sent.update(new)
        return {**new, "index": index}

    def _indexed(self, name: str, entry: Json) -> dict[str, Any]:
        if isinstance(entry.get("index"), int):
            return dict(entry)
        index = self._entries[name] = self._entries.get(name, -1) + 1
        return {"index": index, **entry}


class OpenAIStream(StreamParser):
    """Parses one response, with one JSON parse per event.

    `usage` parses the usage of an event, `reported_model` finds the answering model, `detail_extra` is added to
    `reasoning_details`.
    """

    def __init__(
        self,
        *,
        provider: str,
        key: str,
        usage: Callable[[Json], Usage | None],
        detail_extra: Json,
        reported_model: Callable[[Json], str | None] = lambda body: None,
    ) -> None:
        self._provider = provider
        self._key = key
        self._usage = usage
        self._detail_extra = detail_extra
        self._reported_model = reported_model
        self._first_chunk_sent = False
        self._readers: dict[int, ChoiceDeltaReader] = {}
        self._extra: dict[str, Any] = {}
        self._upstream_id: str | None = None
        self._done = False
        self._fast_path = TextDeltaFastPath(_delta_text)

    def feed(self, event: ServerSentEvent) -> Sequence[Chunk]:
        if self._done:
            return ()
        if not event.event and (text := self._fast_path.match_data(event.data)) is not None:
            return [text_chunk(text)] if text else ()
        try:
            body: Any = parse_answer(event.data)
        except orjson.JSONDecodeError:
            return self._unparsed(event.data.strip())
        if not isinstance(body, dict):
            return ()
        if event.event == "error":
            body = {"error": body}
        raise_for_error(body, provider=self._provider, key=self._key)
        self._store_metadata(body)
        choices = [
            parsed_choice
            for choice in objects(body.get("choices"))
            if (parsed_choice := self._choice(choice)) is not None
        ]
        usage = self._usage(body) if body.get("usage") else None
        if choices and not self._first_chunk_sent:
            self._first_chunk_sent = True
            return [Chunk(choices, usage, upstream_id=self._upstream_id, model=self._reported_model(body))]
        if usage is None and len(choices) == 1:
            return [self._text_step(event, body, choices)]
        dropped = self._dropped()
        return [Chunk(choices, usage, dropped=dropped)] if choices or usage or dropped else ()

    def _dropped(self) -> Sequence[str]:
        """Unsupported part types since the last chunk."""
        kinds = [kind for reader in self._readers.values() for kind in reader.dropped]
        for reader in self._readers.values():
            reader.dropped.clear()
        return kinds

    def fast_path(self, piece: bytes) -> Chunk | None:
        text = None if self._done else self._fast_path.match(piece)
        return text_chunk(text) if text else None

    def close(self) -> Sequence[Chunk]:
        if not self._done:
            raise UpstreamTruncated(f"{self._provider}'s stream ended before its answer did.", provider=self._provider)
        return ()

    def _unparsed(self, data: bytes) -> Sequence[Chunk]:
        """Handle an event that is not JSON: `[DONE]`, empty, or an error."""
        if data == b"[DONE]":
            return self._end()
        if data:
            message = f"{self._provider} sent an event that is not JSON."
            raise UpstreamInvalidResponse(message, provider=self._provider)
        return ()

    def _text_step(self, event: ServerSentEvent, body: Json, choices: Sequence[Json]) -> Chunk:
        """The chunk of an event; a text-only event becomes the template of the fast path."""
        text = _delta_text(body)
        if not isinstance(text, str) or (chunk := text_chunk(text)).choices != choices:
            return Chunk(choices)
        self._fast_path.learn(event, text)
        return chunk

    def _store_metadata(self, body: Json) -> None:
        if self._upstream_id is None and isinstance(body.get("id"), str):
            self._upstream_id = body["id"]
        for name in EXTRA:
            value = body.get(name)
            if value is not None and value != self._extra.get(name):
                self._extra[name] = value
                self._fast_path.forget()  # learned from an event with the previous value

    def _choice(self, choice: Json) -> Json | None:
        raise_for_error(choice, provider=self._provider, key=self._key)
        index = choice.get("index")
        reader = self._reader(index if isinstance(index, int) and index >= 0 else 0)
        if choice.get("finish_reason") is not None:
            reader.reason = choice["finish_reason"]
            reader.native_reason = choice.get("native_finish_reason")
        given = choice.get("delta")
        delta = reader.read(given) if isinstance(given, dict) else {}
        logprobs = choice.get("logprobs") or None
        if not delta and not logprobs:
            return None
        return {"index": reader.index, "delta": delta, "finish_reason": None, "logprobs": logprobs}

    def _reader(self, index: int) -> ChoiceDeltaReader:
        reader = self._readers.get(index)
        if reader is None:
            reader = self._readers[index] = ChoiceDeltaReader(index, detail_extra=self._detail_extra)
            reader.call_prefix = f"call_{self._upstream_id}"
        return reader

    def _end(self) -> Sequence[Chunk]:
        if not self._readers:
            raise UpstreamInvalidResponse(f"{self._provider} sent a stream without choices.", provider=self._provider)
        self._done = True
        return [
            Chunk([self._readers[index].final_choice()], extra=self._extra, dropped=self._dropped())
            for index in sorted(self._readers)
        ]


def _delta_text(body: Json) -> object:
    """The text in the delta of an event's first choice."""
    choice = next(iter(objects(body.get("choices"))), {})
    delta = choice.get("delta")
    return delta.get("content") if isinstance(delta, dict) else None
