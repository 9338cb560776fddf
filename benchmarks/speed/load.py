"""Load on a gateway: a closed loop of connections, or requests that arrive at random times."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

LONGEST = 60.0  # seconds that a busy machine is given for the first answer


class Client(asyncio.Protocol):
    """A connection that counts whole answers; anything but 200 is a failure. `on_answer` is called after each."""

    def __init__(self, on_answer: Callable[[Client], None]) -> None:
        self._on_answer = on_answer
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None
        self._asked_at = self._first_at = 0.0
        self.answers = 0
        self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection gives a Transport; uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        if body and not self._first_at:
            self._first_at = time.monotonic()
        length = head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]
        if body.endswith(b"0\r\n\r\n") if not length else len(body) >= int(length):
            self._buffer = b""
            self.answers += 1
            self.failures += not head.startswith(b"HTTP/1.1 200")
            self._on_answer(self)

    def ask(self, request: bytes) -> None:
        """Send a whole request."""
        if self._transport is not None:
            self._asked_at, self._first_at = time.monotonic(), 0.0
            self._transport.write(request)

    def timing(self) -> Timing:
        """Of the last answer, now that it is there."""
        return Timing(self._first_at - self._asked_at, time.monotonic() - self._asked_at)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def requests_of(port: int, bodies: Sequence[bytes], *, path: str = "/v1/chat/completions") -> Iterator[bytes]:
    """The bodies as requests, again and again."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    return itertools.cycle([head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body for body in bodies])


async def run(
    port: int, bodies: Sequence[bytes], *, path: str, connections: int, seconds: float
) -> tuple[int, int, float]:
    """Answers, failures and seconds of a closed loop: until `seconds` are over and one answer has come, a minute at most."""
    requests = requests_of(port, bodies, path=path)
    clients = await _connected(port, connections, lambda client: client.ask(next(requests)))
    for client in clients:
        client.ask(next(requests))
    await asyncio.sleep(min(0.3, seconds))  # the first requests open connections and fill caches
    before, began = sum(client.answers for client in clients), time.monotonic()
    answers = 0
    while (took := time.monotonic() - began) < seconds or (not answers and took < LONGEST):
        await asyncio.sleep(max(0.05, seconds - took))
        answers = sum(client.answers for client in clients) - before
    for client in clients:
        client.close()
    return answers, sum(client.failures for client in clients), took


class Timing(NamedTuple):
    """Seconds from a request until the first bytes of its answer's body, and until the whole answer."""

    first: float
    whole: float


async def arrivals(
    port: int, bodies: Sequence[bytes], *, rate: float, seconds: float, seed: int = 1
) -> Sequence[Timing]:
    """Of requests that arrive at random, `rate` a second (a Poisson process).

    A request that finds no idle connection opens one, so that a slow answer does not hold back those behind it.
    """
    chance, requests, timings, idle = random.Random(seed), requests_of(port, bodies), [], list[Client]()

    def answered(client: Client) -> None:
        timings.append(client.timing())
        idle.append(client)

    idle += await _connected(port, 8, answered)
    everyone = list(idle)
    ends = at = time.monotonic()
    ends += seconds
    while (at := at + chance.expovariate(rate)) < ends:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        if not idle:
            everyone += await _connected(port, 1, answered)
            idle.append(everyone[-1])
        idle.pop().ask(next(requests))
    await asyncio.sleep(0.5)  # for the last answers
    return _checked(timings, everyone)


async def in_step(port: int, bodies: Sequence[bytes], *, count: int, seconds: float) -> Sequence[Timing]:
    """Of `count` requests at the same moment, again and again once all are answered."""
    requests, timings = requests_of(port, bodies), list[Timing]()
    all_answered = asyncio.Event()

    def answered(client: Client) -> None:
        timings.append(client.timing())
        if len(timings) % count == 0:
            all_answered.set()

    clients = await _connected(port, count, answered)
    ends = time.monotonic() + seconds
    while not timings or time.monotonic() < ends:
        all_answered.clear()
        for client in clients:
            client.ask(next(requests))
        await asyncio.wait_for(all_answered.wait(), LONGEST)
    return _checked(timings, clients)


def _checked(timings: Sequence[Timing], clients: Sequence[Client]) -> Sequence[Timing]:
    for client in clients:
        client.close()
    failures = sum(client.failures for client in clients)
    if not timings or failures:
        raise RuntimeError(f"{len(timings)} answers, {failures} failures")
    return timings


async def _connected(port: int, count: int, on_answer: Callable[[Client], None]) -> list[Client]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Client(on_answer), "127.0.0.1", port) for _ in range(count)]
    return [client for _, client in made]
