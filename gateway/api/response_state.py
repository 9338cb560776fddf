"""Keeps responses of `/v1/responses` for their clients: in this process's memory, or in the ledger."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Protocol

from gateway.errors import InvalidRequest, RequestTooLarge
from gateway.store import DeleteResponse, InsertResponse, Store, StoredResponse
from gateway.store.mutations import MAX_TURNS

MEMORY_BYTES = 100_000_000  # of all responses in memory
MEMORY_RESPONSES = 20_000
MAX_BYTES = MEMORY_BYTES // 4  # of one response with its input
EXPIRY_SECONDS = 60.0  # between two looks for expired responses
_OVERHEAD = 1000  # bytes of an entry beside its content

_ID = re.compile(r"resp_[A-Za-z0-9_-]{1,200}")
Find = Callable[[str], StoredResponse | None]


def size_of(response: StoredResponse) -> int:
    """Bytes of its content."""
    return len(response.response) + len(response.input) + len(response.output)


class ResponseState(Protocol):
    """Keys see only their own responses. What has expired is not found."""

    async def find(
        self, ids: Collection[str], *, key_id: str | None, most: int = MAX_BYTES
    ) -> Mapping[str, StoredResponse]:
        """Those of the responses that are there. Raises RequestTooLarge when they have more than `most` bytes together."""

    async def conversation(self, id: str, *, key_id: str | None, most: int) -> Sequence[StoredResponse]:
        """A response and all that it continues, oldest first; empty when one of them is not there.

        Raises RequestTooLarge above `most` bytes, InvalidRequest above MAX_TURNS responses.
        """

    async def keep(self, response: StoredResponse) -> None:
        """Keep a response of at most MAX_BYTES, and those that it continues as long. Raises LedgerUnavailable."""

    async def delete(self, id: str, *, key_id: str | None) -> bool:
        """Whether there was such a response."""


class ResponseMemory:
    """ResponseState in this process. `now` is Unix time in seconds. What was not used for longest makes room."""

    def __init__(
        self, now: Callable[[], float], *, most_bytes: int = MEMORY_BYTES, most_responses: int = MEMORY_RESPONSES
    ) -> None:
        self._now = now
        self._most_bytes = most_bytes
        self._most_responses = most_responses
        self._responses: OrderedDict[str, StoredResponse] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._responses)

    async def find(
        self, ids: Collection[str], *, key_id: str | None, most: int = MAX_BYTES
    ) -> Mapping[str, StoredResponse]:
        return _found(ids, partial(self._read, key_id=key_id), most=most)

    async def conversation(self, id: str, *, key_id: str | None, most: int) -> Sequence[StoredResponse]:
        return _turns(id, partial(self._read, key_id=key_id), most=most)

    async def keep(self, response: StoredResponse) -> None:
        self._remove(response.id)
        previous = response.previous
        renewed: list[StoredResponse] = []
        while previous is not None and len(renewed) < MAX_TURNS and (turn := self._responses.get(previous)) is not None:
            renewed.append(turn._replace(expires=max(turn.expires, response.expires)))
            previous = turn.previous
        for turn in reversed(renewed):
            self._responses[turn.id] = turn
            self._responses.move_to_end(turn.id)
        self._responses[response.id] = response
        self._bytes += size_of(response) + _OVERHEAD
        while self._bytes > self._most_bytes or len(self._responses) > self._most_responses:
            self._remove(next(iter(self._responses)))

    async def delete(self, id: str, *, key_id: str | None) -> bool:
        found = self._read(id, key_id=key_id) is not None
        if found:
            self._remove(id)
        return found

    async def run(self, *, pause: float = EXPIRY_SECONDS) -> None:
        """Delete what has expired every `pause` seconds, until cancelled."""
        while True:
            await asyncio.sleep(pause)
            self.delete_expired()

    def delete_expired(self) -> None:
        now = self._now()
        for id in [id for id, response in self._responses.items() if response.expires <= now]:
            self._remove(id)

    def _read(self, id: str, *, key_id: str | None) -> StoredResponse | None:
        return _usable(self._responses.get(id), key_id=key_id, now=self._now())

    def _remove(self, id: str) -> None:
        response = self._responses.pop(id, None)
        if response is not None:
            self._bytes -= size_of(response) + _OVERHEAD


class LedgerResponses:
    """ResponseState in the ledger: for all processes that use it, and after a restart. `now` is Unix time in seconds."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def find(
        self, ids: Collection[str], *, key_id: str | None, most: int = MAX_BYTES
    ) -> Mapping[str, StoredResponse]:
        return await asyncio.to_thread(_found, ids, partial(self._read, key_id=key_id), most=most) if ids else {}

    async def conversation(self, id: str, *, key_id: str | None, most: int) -> Sequence[StoredResponse]:
        return await asyncio.to_thread(_turns, id, partial(self._read, key_id=key_id), most=most)

    async def keep(self, response: StoredResponse) -> None:
        await self._store.write(InsertResponse(response))

    async def delete(self, id: str, *, key_id: str | None) -> bool:
        return _ID.fullmatch(id) is not None and await self._store.write(DeleteResponse(id, key_id))

    def _read(self, id: str, *, key_id: str | None) -> StoredResponse | None:
        return _usable(self._store.response(id), key_id=key_id, now=self._now())


def _usable(response: StoredResponse | None, *, key_id: str | None, now: float) -> StoredResponse | None:
    if response is None or response.key_id != key_id or response.expires <= now:
        return None
    return response


def _found(ids: Collection[str], read: Find, *, most: int) -> Mapping[str, StoredResponse]:
    found: dict[str, StoredResponse] = {}
    size = 0
    for id in ids:
        if _ID.fullmatch(id) and (response := read(id)) is not None:
            found[id] = response
            size += size_of(response)
            if size > most:
                raise _too_large(most)
    return found


def _turns(id: str, read: Find, *, most: int) -> Sequence[StoredResponse]:
    turns: list[StoredResponse] = []
    size = 0
    previous: str | None = id
    while previous is not None:
        response = read(previous) if _ID.fullmatch(previous) else None
        if response is None:
            return ()
        turns.append(response)
        size += size_of(response)
        if size > most:
            raise _too_large(most)
        if len(turns) > MAX_TURNS:
            raise InvalidRequest(
                f"The conversation has more than {MAX_TURNS} responses; send its items instead.",
                param="previous_response_id",
                code="conversation_too_long",
            )
        previous = response.previous
    return turns[::-1]


def _too_large(most: int) -> RequestTooLarge:
    return RequestTooLarge(f"The earlier responses have more than the {most} bytes that the body leaves to them.")
