"""Open pages are told that the ledger has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest

from gateway.api.dashboard.live import BEAT, BEAT_STEPS, MAX_VIEWERS, POLL_STEPS, LiveUpdates
from gateway.errors import LedgerUnavailable, Overloaded
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.store.cases import ended

KEYS = {"GEMINI_API_KEY": "k", "GATEWAY_API_KEY": "client", "GATEWAY_ADMIN_KEY": "admin"}
CHANGE = b"id: %d\nevent: change\ndata: 1\n\n"


class Ledger:
    """A ledger whose revision is a number; it counts how often it is asked."""

    def __init__(self) -> None:
        self.number = 1
        self.asked = 0
        self.fails = False

    def revision(self) -> str:
        self.asked += 1
        if self.fails:
            raise LedgerUnavailable("The disk is full.")
        return str(self.number)


class Steps:
    """The pauses of the watching task, which end when the test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self._turns = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.begun += 1
        await self._turns.acquire()

    async def take(self, count: int = 1) -> None:
        """Let so many pauses end, one after the other."""
        for _ in range(count):
            before = self.begun
            self.end_pause()
            await self.reached(before + 1)

    def end_pause(self) -> None:
        self._turns.release()

    async def reached(self, count: int) -> None:
        """Wait until so many pauses have begun."""
        async with asyncio.timeout(5):
            while self.begun < count:  # noqa: ASYNC110 - the task that pauses runs in between
                await asyncio.sleep(0)


class Watched:
    """Live updates that run, on a ledger and pauses of the test."""

    def __init__(self) -> None:
        self.ledger, self.steps, self.ending, self.allowed = Ledger(), Steps(), False, True
        self.updates = LiveUpdates(self.ledger.revision, ending=lambda: self.ending, sleep=self.steps.sleep)

    def events(self, seen: str | None = "1") -> AsyncGenerator[bytes, None]:
        return self.updates.events(seen=seen, allowed=lambda: self.allowed)

    async def begun(self, seen: str | None = "1") -> tuple[AsyncGenerator[bytes, None], asyncio.Future[bytes]]:
        """A viewer whose stream has begun, and its next event."""
        events = self.events(seen)
        assert await anext(events) == b"retry: 2000\n\n"
        following = asyncio.ensure_future(_next(events))
        await self.steps.reached(1)
        return events, following


async def _next(events: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(events, b"end")


async def watching(test: Callable[[Watched], Awaitable[None]]) -> None:
    watched = Watched()
    task = asyncio.create_task(watched.updates.run())
    try:
        async with asyncio.timeout(10):
            await test(watched)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_without_a_viewer_nothing_is_read() -> None:
    """A commit without viewers is only noted: neither a pause begins nor is the ledger asked."""

    async def test(watched: Watched) -> None:
        watched.updates.observe(ended())
        for _ in range(20):
            await asyncio.sleep(0)
        assert (watched.ledger.asked, watched.steps.begun) == (0, 0)

    await watching(test)


async def test_a_commit_is_told_at_the_next_step() -> None:
    """After a commit of this process the ledger is asked at once; the event names the revision."""

    async def test(watched: Watched) -> None:
        _, following = await watched.begun()
        watched.ledger.number = 2
        await watched.steps.take()
        assert not following.done()
        watched.updates.observe(ended())
        await watched.steps.take()
        assert await following == CHANGE % 2

    await watching(test)


async def test_changes_of_other_processes_are_found() -> None:
    """Without any commit here the ledger is asked after some steps, and not at each."""

    async def test(watched: Watched) -> None:
        _, following = await watched.begun()
        watched.ledger.number = 2
        await watched.steps.take(POLL_STEPS)
        assert await following == CHANGE % 2
        assert watched.ledger.asked == 2

    await watching(test)


async def test_a_viewer_with_an_older_revision_is_told_at_once() -> None:
    """Who connects again after a while is told that something has changed; who is up to date is not."""

    async def test(watched: Watched) -> None:
        watched.ledger.number = 7
        _, behind = await watched.begun("3")
        assert await behind == CHANGE % 7
        _, current = await watched.begun("7")
        await watched.steps.take(POLL_STEPS)
        assert not current.done()
        current.cancel()

    await watching(test)


async def test_many_changes_are_one_event_for_a_slow_viewer() -> None:
    """Nothing is queued for a viewer that does not read: it is told of the newest revision only."""

    async def test(watched: Watched) -> None:
        events, following = await watched.begun()
        for number in (2, 3, 4):
            watched.ledger.number = number
            watched.updates.observe(ended())
            await watched.steps.take()
        assert await following == CHANGE % 2
        assert await _next(events) == CHANGE % 4

    await watching(test)


async def test_a_quiet_stream_has_heartbeats() -> None:
    """A viewer without changes is sent a comment and an event from time to time."""

    async def test(watched: Watched) -> None:
        _, following = await watched.begun()
        await watched.steps.take(BEAT_STEPS)
        assert await following == BEAT

    await watching(test)


@pytest.mark.parametrize("end", ["session", "shutdown", "reload"])
async def test_streams_end_at_once(end: str) -> None:
    """With the session, the gateway, or the configuration that it began under."""

    async def test(watched: Watched) -> None:
        _, following = await watched.begun()
        if end == "reload":
            watched.updates.restart()
        elif end == "session":
            watched.allowed = False
            watched.updates.wake()
        else:
            watched.ending = True
            watched.steps.end_pause()
        assert await following == b"end"

    await watching(test)


async def test_a_ledger_that_is_away_ends_no_stream() -> None:
    """While the revision cannot be read nothing is told; afterwards it is."""

    async def test(watched: Watched) -> None:
        _, following = await watched.begun()
        watched.ledger.fails = True
        await watched.steps.take(POLL_STEPS + 1)
        watched.ledger.fails, watched.ledger.number = False, 2
        await watched.steps.take(POLL_STEPS + 1)
        assert await following == CHANGE % 2

    await watching(test)


async def test_viewers_are_limited_and_places_are_given_back() -> None:
    """One more than the limit is refused; a place is free again when a viewer has left."""

    async def test(watched: Watched) -> None:
        viewers = [watched.events() for _ in range(MAX_VIEWERS)]
        for events in viewers:
            await anext(events)
        with pytest.raises(Overloaded):
            await anext(watched.events())
        await viewers[0].aclose()
        assert await anext(watched.events()) == b"retry: 2000\n\n"

    await watching(test)


async def test_nobody_watches_after_the_last_viewer() -> None:
    """The ledger is not asked any more."""

    async def test(watched: Watched) -> None:
        _, following = await watched.begun()
        watched.allowed = False
        watched.updates.wake()
        assert await following == b"end"
        asked = watched.ledger.asked
        watched.updates.observe(ended())
        watched.steps.end_pause()
        for _ in range(20):
            await asyncio.sleep(0)
        assert watched.ledger.asked == asked

    await watching(test)


# --- over HTTP


@contextmanager
def live(gateway: GatewayUnderTest, query: str = "", **headers: str) -> Iterator[Iterator[str]]:
    with gateway.client.stream("GET", f"/dashboard/live{query}", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield response.iter_lines()


def until(lines: Iterator[str], wanted: str) -> None:
    assert any(line == wanted for line in lines), wanted


def test_a_request_is_told_to_open_pages(make_gateway: MakeGateway) -> None:
    """The page names its revision; a request after that is a change, and a page with an old revision is told at once."""
    gateway = make_gateway()
    page = gateway.client.get("/", headers={"accept": "text/html"}).text
    revision = page.partition('data-revision="')[2].partition('"')[0]
    assert revision == gateway.store.revision()
    with live(gateway, f"?revision={revision}") as lines:
        gateway.ask()
        until(lines, "event: change")
    with live(gateway, "", **{"last-event-id": revision}) as lines:
        until(lines, f"id: {gateway.store.revision()}")


def test_sign_out_ends_the_stream(make_gateway: MakeGateway) -> None:
    """The stream of a session ends with it, and a new one is refused."""
    gateway = make_gateway(environment=KEYS)
    form = gateway.client.get("/sign-in").text
    token = form.partition('name="form_token" value="')[2].partition('"')[0]
    page = gateway.client.post("/sign-in", data={"form_token": token, "key": "admin", "to": "/"})
    token = page.text.partition('name="form_token" value="')[2].partition('"')[0]
    with live(gateway) as lines:
        assert next(lines) == "retry: 2000"
        cookies = dict(gateway.client.cookies)
        other = httpx2.Client(base_url=gateway.client.base_url, cookies=cookies)
        with other:
            assert other.post("/sign-out", data={"form_token": token}).status_code == 303
        assert [line for line in lines if line.startswith("event: tick")] == []
    assert gateway.client.get("/dashboard/live").status_code == 401


def test_a_clients_key_opens_no_stream(make_gateway: MakeGateway) -> None:
    """The stream is for admins."""
    gateway = make_gateway(environment=KEYS)
    headers = {"authorization": "Bearer client"}
    assert gateway.client.get("/dashboard/live", headers=headers).status_code in (401, 403)
