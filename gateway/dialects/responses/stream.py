"""Writes a response as server-sent events: https://platform.openai.com/docs/api-reference/responses-streaming.

    response.created, response.in_progress, the items' events, then one of response.completed, .incomplete and .failed

The last one, and `[DONE]` after a whole response, are only in `end`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.completion import Chunk, Json
from gateway.dialects.base import ResponseHead
from gateway.dialects.responses.answer import echoed, response_head, status_of, visible_items
from gateway.dialects.responses.earlier import RESPONSE_PREFIX
from gateway.dialects.responses.output import OutputBuilder
from gateway.dialects.responses.parameters import wants_encrypted, wants_summary
from gateway.dialects.responses.tools import tool_names
from gateway.errors import GatewayError
from gateway.sse import COMMENT, DONE, one_line

# Called with the response without its output, and all of its items; whether they are kept.
Keep = Callable[[Json, list[Json]], bool]


def output_builder(head: ResponseHead, body: Json, tell: Callable[[str, dict[str, Any]], None]) -> OutputBuilder:
    return OutputBuilder(
        head.id(""),
        head.model,
        tool_names(body),
        summary=wants_summary(body),
        encrypted=wants_encrypted(body),
        tell=tell,
    )


class ResponseEventWriter:
    """Encodes one stream. `unix_time` is in seconds; `stores` says whether the response is meant to be kept."""

    keep_alive = COMMENT

    def __init__(
        self, head: ResponseHead, body: Json, *, stores: bool, keep: Keep, unix_time: Callable[[], int] | None
    ) -> None:
        self._id = head.id(RESPONSE_PREFIX)
        self._created, self._model = head.created, head.model
        self._encrypted = wants_encrypted(body)
        self._stores = stores
        self._echoed = echoed(body)
        self._echo = one_line(self._echoed)[1:]
        self._keep = keep
        self._unix_time = unix_time
        self._output = output_builder(head, body, self._event)
        self._events: list[bytes] = []
        self._number = 0
        self._finish_reason: str | None = None
        # The open text part, and the bytes before its text in an event.
        self._text: list[str] | None = None
        self._before_text = b""

    def write(self, chunk: Chunk) -> bytes:
        """The events of a chunk. Raises UpstreamInvalidResponse for tool calls that are mixed with each other."""
        if chunk.text is not None and self._text is not None:
            self._text.append(chunk.text)
            self._number += 1
            return b'%b%b,"sequence_number":%d}\n\n' % (self._before_text, one_line(chunk.text), self._number - 1)
        if not chunk.choices:
            return b""
        self._begin()
        for choice in chunk.choices:
            self._output.add(choice.get("delta") or {}, choice.get("logprobs"))
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
        self._note_open_text()
        return self._taken()

    def end(self, usage: Json, gateway: Json) -> bytes:
        """The events that close the last item, the response with its usage, and `[DONE]`."""
        self._begin()
        status, incomplete = status_of(self._finish_reason)
        self._output.finish(status)
        completed_at = self._now() if incomplete is None else None
        head = self._head(status, completed_at=completed_at, incomplete=incomplete, usage=usage)
        head["gateway"] = gateway
        self._stores = self._keep({**head, **self._echoed}, self._output.items)
        self._lifecycle(f"response.{status}", head, visible_items(self._output.items, encrypted=self._encrypted))
        return self._taken() + DONE

    def error(self, error: GatewayError) -> bytes:
        """The response with the items that were finished, as failed. An unfinished call must not look finished: clients run calls."""
        self._begin()
        self._stores = False
        items = visible_items(self._output.items, encrypted=self._encrypted)
        self._lifecycle("response.failed", self._head("failed", error=error), items)
        return self._taken()

    def _begin(self) -> None:
        if self._number == 0:
            head = self._head("in_progress")
            self._lifecycle("response.created", head, [])
            self._lifecycle("response.in_progress", head, [])

    def _head(self, status: str, **members: Any) -> dict[str, Any]:
        return response_head(self._id, self._created, self._model, status=status, **members)

    def _now(self) -> int:
        return self._created if self._unix_time is None else self._unix_time()

    def _note_open_text(self) -> None:
        item = self._output.open
        if item is None or item.part is None or item.part.kind != "text" or item.place is None:
            self._text = None
        elif self._text is not item.part.pieces:
            self._text = item.part.pieces
            type = "response.output_text.delta"
            known = {"type": type, **item.place, "content_index": len(item.content), "logprobs": []}
            self._before_text = b'event: %b\ndata: %b,"delta":' % (type.encode(), one_line(known)[:-1])

    def _lifecycle(self, type: str, head: Json, output: list[Json]) -> None:
        response = b"%b,%b" % (one_line({**head, "store": self._stores, "output": output})[:-1], self._echo)
        self._append(type, b'{"type":"%b","response":%b' % (type.encode(), response))

    def _event(self, type: str, members: dict[str, Any]) -> None:
        self._append(type, one_line({"type": type, **members})[:-1])

    def _append(self, type: str, data: bytes) -> None:
        """`data` is an object without its last brace."""
        self._events.append(b'event: %b\ndata: %b,"sequence_number":%d}\n\n' % (type.encode(), data, self._number))
        self._number += 1

    def _taken(self) -> bytes:
        events, self._events = self._events, []
        return b"".join(events)
