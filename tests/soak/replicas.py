"""Replicas on one PostgreSQL: kill -9 of one under load, a rolling restart, and a budget that all of them spend from."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.store import InsertVirtualKey, RevokeVirtualKey
from gateway.store.opening import open_store
from tests.postgres import rows
from tests.serving import MODEL
from tests.soak.clients import Asked, ask, status_of, stream_without_end
from tests.soak.processes import GatewayProcess

# A drain that load balancers have the time to notice.
SETTINGS = """
drain_delay: 1
grace: 5
timeouts: {connect: 5, first_byte: 500, idle: 500, total: 599}
"""
_STATUSES = "SELECT request_id, status FROM routing_metrics"


class Replicas:
    """Gateways on the database at `url`; what the load balancer knows of them is `ready`."""

    def __init__(self, folder: Path, *, url: str, upstream_port: int) -> None:
        self._folder = folder
        self.url = url
        self._upstream_port = upstream_port
        self.running: list[GatewayProcess] = []
        self.ready: list[GatewayProcess] = []

    def start(self) -> GatewayProcess:
        replica = GatewayProcess(self._folder, upstream_port=self._upstream_port, settings=SETTINGS, db=self.url)
        self.running.append(replica)
        return replica

    async def start_all(self, count: int) -> None:
        await asyncio.gather(*(asyncio.to_thread(self.start) for _ in range(count)))
        while len(self.ready) < count:
            await self.look()

    async def look(self) -> None:
        """Ask each replica whether it is ready, as a load balancer does."""
        await asyncio.sleep(0.1)
        self.ready = [replica for replica in self.running if await _is_ready(replica)]

    def kill(self, replica: GatewayProcess) -> None:
        self.running.remove(replica)
        replica.kill()

    def stop(self, replica: GatewayProcess) -> int:
        status = replica.end()
        self.running.remove(replica)
        return status

    def end(self) -> None:
        while self.running:
            self.kill(self.running[0])

    def statuses(self) -> dict[str, str]:
        """The state of each request in the database, by its id, which is unique there."""
        return dict(rows(self.url, _STATUSES))

    def issue(self, secret: str, **limits: Any) -> str:
        """The id of a new key."""
        key = VirtualKey(
            id=f"key_{secret}",
            name=secret,
            digest=digest_of(secret),
            last4=secret[-4:],
            created=datetime.now(UTC),
            **limits,
        )
        with closing(open_store(self.url)) as store:
            store.submit(InsertVirtualKey(key)).result()
        return key.id

    def revoke(self, key_id: str) -> None:
        with closing(open_store(self.url)) as store:
            store.submit(RevokeVirtualKey(key_id, at=datetime.now(UTC))).result()


async def _is_ready(replica: GatewayProcess) -> bool:
    try:
        return await status_of(replica.port, "/readyz") == 200
    except (OSError, asyncio.IncompleteReadError):
        return False


@dataclass(slots=True)
class ReplicaKilled:
    """`lost` are answers that a client saw finish and that have no settled row, `rowless` cut ones without any row."""

    on_killed: Counter[str] = field(default_factory=Counter)
    on_others: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    rowless: list[str] = field(default_factory=list)
    open: int = 0


async def kill_one(replicas: Replicas, *, clients: int, seconds: float) -> ReplicaKilled:
    """Kill a replica after `seconds` of load on all; the others go on for as long again."""
    killed, *others = replicas.running
    on_killed: list[Asked] = []
    on_others: list[Asked] = []
    stop = asyncio.Event()
    asking = [
        asyncio.create_task(_ask_until(stop, replica, asked, number))
        for number in range(clients)
        for replica, asked in [(killed, on_killed), *((other, on_others) for other in others)]
    ]
    asking.append(await stream_without_end(killed.port, on_killed))
    await asyncio.sleep(seconds)
    await asyncio.to_thread(replicas.kill, killed)
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.gather(*asking)
    statuses = await asyncio.to_thread(replicas.statuses)
    came = ReplicaKilled(Counter(each.end for each in on_killed), Counter(each.end for each in on_others))
    for each in (*on_killed, *on_others):
        if each.id is not None and each.end == "finished" and statuses.get(each.id) != "ok":
            came.lost.append(each.id)
        if each.id is not None and each.id not in statuses:
            came.rowless.append(each.id)
    came.open = sum(status == "open" for status in statuses.values())
    return came


async def closed_within(replicas: Replicas, *, seconds: float) -> float | None:
    """Seconds until no row is open any more; None where that takes longer."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if "open" not in (await asyncio.to_thread(replicas.statuses)).values():
            return time.monotonic() - began
        await asyncio.sleep(1)
    return None


async def rolling_restart(replicas: Replicas, *, clients: int) -> Counter[str]:
    """Replace each replica by a new one, under load that a load balancer sends to those that are ready. How requests ended."""
    asked: list[Asked] = []
    stop = asyncio.Event()

    async def client(number: int) -> None:
        while not stop.is_set():
            replica = replicas.ready[len(asked) % len(replicas.ready)]
            asked.append(await ask(replica.port, "slow", stream=bool(number % 2)))

    async def balance() -> None:
        while not stop.is_set():
            await replicas.look()

    async def is_known(replica: GatewayProcess) -> bool:
        return replica in replicas.ready

    balancing = asyncio.create_task(balance())
    asking = [asyncio.create_task(client(number)) for number in range(clients)]
    for old in tuple(replicas.running):
        new = await asyncio.to_thread(replicas.start)
        await until(partial(is_known, new), seconds=60)
        await asyncio.to_thread(replicas.stop, old)
    stop.set()
    await asyncio.gather(balancing, *asking)
    return Counter(each.end for each in asked)


@dataclass(slots=True)
class DatabaseAway:
    """`lost` are finished answers without a settled row, `refused_within` the longest wait for a refusal, in seconds."""

    ends: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    slowest: float = 0.0
    back: float | None = None
    interrupted: int = 0
    left_open: int = 0


async def database_away(
    replicas: Replicas, *, clients: int, seconds: float, take_away: Callable[[], None], bring_back: Callable[[], None]
) -> DatabaseAway:
    """Take the database away for `seconds` under load, bring it back, and wait until all replicas are ready again."""
    asked: list[Asked] = []
    came = DatabaseAway()
    stop = asyncio.Event()

    async def client(number: int) -> None:
        prompt, stream = [("quick", False), ("quick", True), ("slow", True), ("slow", False)][number % 4]
        while not stop.is_set():
            began = time.monotonic()
            each = await ask(replicas.running[number % len(replicas.running)].port, prompt, stream=stream)
            asked.append(each)
            came.slowest = max(came.slowest, time.monotonic() - began)
            if each.end == "refused":
                await asyncio.sleep(0.2)

    asking = [asyncio.create_task(client(number)) for number in range(clients)]
    await asyncio.sleep(2)
    await asyncio.to_thread(take_away)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(bring_back)

    async def all_ready() -> bool:
        await replicas.look()
        return len(replicas.ready) == len(replicas.running)

    came.back = await until(all_ready, seconds=30)
    await asyncio.sleep(2)
    stop.set()
    await asyncio.gather(*asking)
    await closed_within(replicas, seconds=15)
    statuses = await asyncio.to_thread(replicas.statuses)
    came.ends = Counter(each.end for each in asked)
    came.lost = [
        each.id for each in asked if each.id is not None and each.end == "finished" and statuses.get(each.id) != "ok"
    ]
    came.interrupted = sum(status == "interrupted" for status in statuses.values())
    came.left_open = sum(status == "open" for status in statuses.values())
    return came


async def answers(replicas: Replicas, key: str, *, requests: int, model: str = MODEL) -> Counter[int]:
    """The statuses of as many requests at once with one key, spread over the replicas."""
    places = asyncio.Semaphore(200)

    async def one(number: int) -> int:
        async with places:
            return await status_with(replicas.running[number % len(replicas.running)], key, model=model)

    return Counter(await asyncio.gather(*(one(number) for number in range(requests))))


async def status_with(replica: GatewayProcess, key: str, *, model: str = MODEL) -> int:
    """The status of one request with a key."""
    body = b'{"model": "%s", "messages": [{"role": "user", "content": "quick"}], "max_tokens": 2000}' % model.encode()
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    try:
        writer.write(head % (key.encode(), len(body)) + body)
        return int((await reader.readuntil(b"\r\n\r\n")).split()[1])
    finally:
        await reader.read()
        writer.close()


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float) -> float:
    """Seconds until an awaited condition is true. Raises TimeoutError."""
    began = time.monotonic()
    while not await condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def _ask_until(stop: asyncio.Event, replica: GatewayProcess, asked: list[Asked], number: int) -> None:
    prompt, stream = [("quick", False), ("quick", True), ("slow", True), ("slow", False)][number % 4]
    while not stop.is_set():
        each = await ask(replica.port, prompt, stream=stream)
        asked.append(each)
        if each.end == "unanswered":
            return
