"""`POST /v1/responses`: a completion whose request may refer to earlier responses, and whose response may be kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson

from gateway.api.chat import ReceivedRequest, Serve
from gateway.api.response_state import MAX_BYTES, ResponseState, size_of
from gateway.completion import Json
from gateway.dialects.client_sessions import with_client_session
from gateway.dialects.client_tags import TAG_HEADER, with_client_tags
from gateway.dialects.responses import (
    NOTHING_EARLIER,
    EarlierItems,
    Responses,
    ResponsesRequest,
    parse_body,
    references,
    response_of,
)
from gateway.errors import InvalidRequest
from gateway.json_body import MAX_VALUES, holds_too_many_values, parse_object
from gateway.proxy import ChatProxy
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.routing import with_prompt_tokens
from gateway.store import StoredResponse

MAX_REFERENCED = 1000  # responses whose items one input may name
_NOTHING_KEPT = "This gateway keeps no responses (`responses.store` is off)"


class ResponsesService:
    """Completes a request with what it refers to, serves it, and keeps the response.

    `state` is None where nothing is kept, `ttl` in seconds, `now` Unix time in seconds.
    """

    def __init__(
        self,
        proxy: ChatProxy,
        *,
        state: ResponseState | None,
        ttl: float,
        now: Callable[[], float],
        max_body_bytes: int,
        worker: BodyExecutor,
        tag_header: str = TAG_HEADER,
    ) -> None:
        self._tag_header = tag_header.encode()
        self._proxy = proxy
        self._state = state
        self._ttl = ttl
        self._now = now
        self._max_body_bytes = max_body_bytes
        self._worker = worker
        self._kept = _NOTHING_KEPT if state is None else f"A response is kept for {ttl:g} seconds after its last use"

    async def prepare(self, received: ReceivedRequest) -> Serve:
        inbound, key_id = received.inbound, received.caller.key_id
        size = len(inbound.body)
        body = await self._worker.run(size, partial(parse_object, inbound.body))
        turns, named = await self._earlier(body, key_id, most=max(0, self._max_body_bytes - size))
        size += sum(len(turn.input) + len(turn.output) for turn in turns) + sum(len(other.output) for other in named)
        received.share.cover(size, limit=max(size, self._max_body_bytes))
        parsed = await self._worker.run(size, partial(_parsed, body, turns, named, kept=self._kept, size=size))
        keeper = self._keeper(body, parsed.items, key_id)
        keep = keeper.keep if keeper is not None else None
        dialect = Responses(paths=parsed.paths, keep=keep, unix_time=self._unix_time)
        received.response.dialect = dialect
        if parsed.chat.dropped:
            received.response.tell_dropped(parsed.chat.dropped)
        request = with_client_session(parsed.chat, inbound.headers)
        return partial(
            self._proxy.serve,
            with_client_tags(request, inbound.headers, header=self._tag_header),
            dialect=dialect,
            request_id=received.request_id,
            mode=received.mode,
            caller=received.caller,
            response=received.response,
            before_end=keeper.commit if keeper is not None else None,
        )

    def _keeper(self, body: Json, items: Sequence[Json], key_id: str | None) -> ResponseToKeep | None:
        if self._state is None or body.get("store") is False:
            return None
        return ResponseToKeep(
            self._state,
            key_id,
            previous=body.get("previous_response_id"),
            items=items,
            created=self._now(),
            ttl=self._ttl,
        )

    async def _earlier(
        self, body: Json, key_id: str | None, *, most: int
    ) -> tuple[Sequence[StoredResponse], Sequence[StoredResponse]]:
        """The responses before this one, and those whose items its input names."""
        wanted = references(body)
        if self._state is None or not (wanted.previous or wanted.items):
            return (), ()
        ids = {id for id in map(response_of, wanted.items) if id is not None}
        if len(ids) > MAX_REFERENCED:
            raise InvalidRequest(f"The input names items of more than {MAX_REFERENCED} responses.", param="input")
        named = [*(await self._state.find(ids, key_id=key_id, most=most)).values()]
        if wanted.previous is None:
            return (), named
        return await self._state.conversation(wanted.previous, key_id=key_id, most=most), named

    def _unix_time(self) -> int:
        return int(self._now())


class ResponseToKeep:
    """Keeps one request's response: `keep` says whether it will, `commit` does it."""

    def __init__(
        self,
        state: ResponseState,
        key_id: str | None,
        *,
        previous: str | None,
        items: Sequence[Json],
        created: float,
        ttl: float,
    ) -> None:
        self._state = state
        self._key_id = key_id
        self._previous = previous
        self._items = items
        self._created = created
        self._ttl = ttl
        self._response: StoredResponse | None = None

    def keep(self, response: Json, output: list[Json]) -> bool:
        """Whether the response is small enough to be kept."""
        stored = StoredResponse(
            id=response["id"],
            key_id=self._key_id,
            created=self._created,
            expires=self._created + self._ttl,
            previous=self._previous,
            response=_encoded(response),
            input=_encoded(self._items),
            output=_encoded(output),
        )
        if size_of(stored) > MAX_BYTES:
            return False
        self._response = stored
        return True

    async def commit(self) -> None:
        """Raises LedgerUnavailable; the client must not be told that the response is kept then."""
        if self._response is not None:
            await self._state.keep(self._response)


def _parsed(
    body: dict[str, Any], turns: Sequence[StoredResponse], named: Sequence[StoredResponse], *, kept: str, size: int
) -> ResponsesRequest:
    if turns or named:
        if holds_too_many_values(
            b",".join([*(turn.input + turn.output for turn in turns), *(other.output for other in named)])
        ):
            raise InvalidRequest(
                f"The request holds more than {MAX_VALUES} values with its earlier responses.",
                param="input",
                code="too_many_values",
            )
        before = [item for turn in turns for part in (turn.input, turn.output) for item in _items(part)]
        by_id = {item["id"]: item for response in named for item in _items(response.output)}
        earlier = EarlierItems(before, by_id, found=bool(turns), kept=kept)
    else:
        earlier = NOTHING_EARLIER._replace(kept=kept)
    parsed = parse_body(body, earlier, size=size)
    return parsed if size <= LARGE else parsed._replace(chat=with_prompt_tokens(parsed.chat))


def _encoded(value: Any) -> bytes:
    """JSON in a block of its own size: what orjson returns keeps its whole buffer, which is 8 KB for a text of 1.5 KB."""
    return bytes(memoryview(orjson.dumps(value)))


def _items(encoded: bytes) -> list[Any]:
    items: list[Any] = orjson.loads(encoded)
    return items
