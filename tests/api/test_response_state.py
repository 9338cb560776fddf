"""Responses are kept for their keys, in memory or in the ledger, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.api import response_state
from gateway.api.response_state import LedgerResponses, ResponseMemory, ResponseState
from gateway.errors import InvalidRequest, RequestTooLarge
from gateway.store import StoredResponse
from gateway.store.sqlite import SqliteStore

FIRST = StoredResponse("resp_1", "k1", 0.0, 100.0, None, b"{}", b"[1]", b"[2]")
SECOND = FIRST._replace(id="resp_2", previous="resp_1")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "ledger"])
def state(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Iterator[ResponseState]:
    if request.param == "memory":
        yield ResponseMemory(clock)
    else:
        with closing(SqliteStore(tmp_path / "gateway.db")) as store:
            yield LedgerResponses(store, clock)


async def test_conversation_is_oldest_first(state: ResponseState) -> None:
    """A response comes with all that it continues."""
    for response in (FIRST, SECOND):
        await state.keep(response)
    turns = await state.conversation("resp_2", key_id="k1", most=100)
    assert [turn.id for turn in turns] == ["resp_1", "resp_2"]
    assert list(await state.find(["resp_2", "resp_9", "no id"], key_id="k1")) == ["resp_2"]
    assert await state.find([], key_id="k1") == {}


@pytest.mark.parametrize("key", ["k2", None])
async def test_keys_see_only_their_own(state: ResponseState, key: str | None) -> None:
    """Another key's response is not found, not continued and not deleted; nobody is not everybody."""
    await state.keep(FIRST)
    assert await state.find(["resp_1"], key_id=key) == {}
    assert await state.conversation("resp_1", key_id=key, most=100) == ()
    assert not await state.delete("resp_1", key_id=key)
    assert await state.find(["resp_1"], key_id="k1")


async def test_use_keeps_a_conversation(state: ResponseState, clock: Clock) -> None:
    """Responses expire, but not while they are continued."""
    await state.keep(FIRST)
    clock.now = 90.0
    await state.keep(SECOND._replace(expires=190.0))
    clock.now = 150.0
    assert len(await state.conversation("resp_2", key_id="k1", most=100)) == 2
    clock.now = 190.0
    assert await state.find(["resp_1", "resp_2"], key_id="k1") == {}


async def test_deleting_ends_what_follows(state: ResponseState) -> None:
    """A conversation with a gap is not found; ids that this gateway cannot have made are not found either."""
    for response in (FIRST, SECOND):
        await state.keep(response)
    assert await state.delete("resp_1", key_id="k1")
    assert not await state.delete("../x", key_id="k1")
    assert await state.conversation("resp_2", key_id="k1", most=100) == ()


async def test_conversation_is_bounded(state: ResponseState) -> None:
    """Earlier items count against the limit of a body."""
    for response in (FIRST, SECOND):
        await state.keep(response)
    with pytest.raises(RequestTooLarge):
        await state.conversation("resp_2", key_id="k1", most=15)
    with pytest.raises(RequestTooLarge):
        await state.find(["resp_1", "resp_2"], key_id="k1", most=15)


def test_responses_that_follow_each_other_are_bounded() -> None:
    """A conversation has a limited number of responses, also one that leads back to itself."""
    with pytest.raises(InvalidRequest, match="more than 1000 responses"):
        response_state._turns("resp_1", lambda id: FIRST._replace(id=id, previous=id), most=100_000)


async def test_memory_is_bounded(clock: Clock) -> None:
    """What was unused for longest makes room, by bytes and by number; a conversation in use stays."""
    memory = ResponseMemory(clock, most_bytes=2 * (response_state._OVERHEAD + 8))
    other = FIRST._replace(id="resp_other")
    for response in (FIRST, other, FIRST, SECOND):
        await memory.keep(response)
    assert list(await memory.find(["resp_1", "resp_2", "resp_other"], key_id="k1")) == ["resp_1", "resp_2"]
    few = ResponseMemory(clock, most_responses=1)
    for response in (FIRST, other):
        await few.keep(response)
    assert list(await few.find(["resp_1", "resp_other"], key_id="k1")) == ["resp_other"]


async def test_memory_forgets_what_expired(clock: Clock) -> None:
    """Expired responses leave memory by themselves."""
    memory = ResponseMemory(clock)
    await memory.keep(FIRST)
    await memory.keep(SECOND._replace(expires=200.0, previous=None))
    clock.now = 100.0
    task = asyncio.create_task(memory.run(pause=0.0))
    await wait_until(lambda: len(memory) == 1)
    task.cancel()
    assert list(await memory.find([FIRST.id, SECOND.id], key_id="k1")) == [SECOND.id]


async def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")
