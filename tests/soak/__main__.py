"""`python -m tests.soak [PART ...]`: the parts, one after another on loopback, and a table of their figures.

The parts are kills, workers, crowd, refused, idle, drain, stalled, long, storage, heavy, and on PostgreSQL replicas, rolling, database; all of
them take about eight minutes. Ends with 1 when a promise is broken.
With SOAK_REAL_TIME set the stream of `long` takes its twelve minutes; else everything about it is sixty times as fast.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from tests.postgres import PostgresServer
from tests.soak.crowds import crowd, drain, idle_streams, stalled_readers
from tests.soak.heavy import heavy
from tests.soak.kills import kill_rounds, worker_kill_rounds
from tests.soak.long import MINUTES, long_stream
from tests.soak.processes import raise_file_limit, upstream
from tests.soak.replicas import Replicas, closed_within, database_away, kill_one, rolling_restart
from tests.soak.storage import DISK, Stored

STREAMS = 10_000
HEALTHY = 0.1  # seconds that /healthz may take beside a body of up to 18 MB; twice that beside one of 49 MB
MEMORY = 300.0  # MB that idle streams may take
SILENCE = 8.0  # seconds that a request may take where the database does not answer: 6 are promised

Part = Callable[[Path, int], Coroutine[Any, Any, tuple[str, bool]]]


async def kills(folder: Path, port: int) -> tuple[str, bool]:
    came = await kill_rounds(folder, upstream_port=port, rounds=12, clients=40, seconds=1.5)
    kept = not came.lost and not came.rowless and not came.repeated and not came.settlement_retries
    return (
        (
            f"kill -9, {came.rounds} rounds, 40 clients: {came.finished} answers seen to finish, {len(came.lost)} not in the ledger, "
            f"{came.repeated} twice; {came.cut} cut after their head, {len(came.rowless)} without a row; {came.interrupted} rows found "
            f"open at the next start, {came.settlement_retries} left open"
        ),
        kept,
    )


async def worker_kills(folder: Path, port: int) -> tuple[str, bool]:
    came = await worker_kill_rounds(folder, upstream_port=port, rounds=12, clients=40, seconds=1.5)
    kept = not came.lost and not came.rowless and not came.repeated and not came.settlement_retries
    return (
        (
            f"kill -9 of the process that writes for two workers and of a worker, in turns, {came.rounds} rounds, 40 clients: "
            f"{came.finished} answers seen to finish, {len(came.lost)} not in the ledger, {came.repeated} twice; {came.cut} cut after "
            f"their head, {len(came.rowless)} without a row; {came.interrupted} rows closed as interrupted, {came.settlement_retries} left open"
        ),
        kept,
    )


async def thousand(folder: Path, port: int) -> tuple[str, bool]:
    came = await crowd(folder, upstream_port=port, requests=1000, limits="{}")
    return (
        (
            f"1,000 requests at once: {told(came.ends)} in {came.seconds:.1f} s; slowest /healthz {1000 * came.slowest_health:.0f} ms, "
            f"longest event-loop lag {1000 * came.lag:.0f} ms; rows: {told(came.rows)}"
        ),
        came.ends == {"finished": 1000} and came.rows == {"ok": 1000},
    )


async def refused(folder: Path, port: int) -> tuple[str, bool]:
    limits = "{in_flight: 100, queue: 200, queue_wait: 1}"
    came = await crowd(folder, upstream_port=port, requests=1000, limits=limits)
    kept = came.ends["finished"] + came.ends["refused"] == 1000 and came.rows == {"ok": came.ends["finished"]}
    return (
        (
            f"1,000 at once with 100 places and a line of 200: {told(came.ends)} in {came.seconds:.1f} s; slowest /healthz "
            f"{1000 * came.slowest_health:.0f} ms, longest event-loop lag {1000 * came.lag:.0f} ms; rows: {told(came.rows)}"
        ),
        kept,
    )


async def idle(folder: Path, port: int) -> tuple[str, bool]:
    streams = min(STREAMS, raise_file_limit() // 2 - 200)
    came = await idle_streams(folder, upstream_port=port, streams=streams)
    used = came.with_streams - came.before
    kept = came.streams == streams and used < MEMORY and came.rows["cancelled"] == streams
    return (
        (
            f"{came.streams:,} idle streams: {came.with_streams:.0f} MB, {1024 * used / came.streams:.1f} KB each over {came.before:.0f} MB; "
            f"{100 * came.cpu:.1f} % CPU and {1000 * came.lag:.0f} ms of event-loop lag with a comment to each every 10 s; a new request beside them {1000 * came.new_request:.0f} ms; "
            f"all left at once, /healthz then {1000 * came.health:.0f} ms; rows: {told(came.rows)}"
        ),
        kept,
    )


async def drained(folder: Path, port: int) -> tuple[str, bool]:
    came = await drain(folder, upstream_port=port, streams=100)
    kept = (came.finishing, came.holding, came.status) == ({"finished": 50}, {"told": 50}, 0)
    return (
        (
            f"SIGTERM with 100 streams, grace 2 s: of 50 that could finish {told(came.finishing)}, of 50 that could not "
            f"{told(came.holding)}; exit {came.status} after {came.seconds:.1f} s; rows: {told(came.rows)}"
        ),
        kept and came.rows == {"ok": 50, "interrupted": 50},
    )


async def stalled(folder: Path, port: int) -> tuple[str, bool]:
    came = await stalled_readers(folder, upstream_port=port, readers=20)
    return (
        (
            f"{came.readers} readers that read nothing of endless streams: {came.before:.0f} MB before, {came.after:.0f} MB after 10 s; "
            f"cut after {came.seconds:.0f} s; rows: {told(came.rows)}"
        ),
        came.rows["cancelled"] == came.readers and came.after - came.before < 100,
    )


async def long(folder: Path, port: int) -> tuple[str, bool]:
    scale = 1.0 if os.environ.get("SOAK_REAL_TIME") else 1 / 60
    came = await long_stream(folder, upstream_port=port, scale=scale)
    kept = came.end == "finished" and came.rows == {"ok": 1} and came.silence < 15 * scale + 0.5
    return (
        (
            f"a stream of {came.seconds:.1f} s (limits and times are those of {MINUTES} minutes by {scale:.3g}): {came.end}, status 200 after "
            f"{came.head:.2f} s, first content after {came.content:.1f} s; longest silence {came.silence:.2f} s; rows: {told(came.rows)}"
        ),
        kept,
    )


async def stored(folder: Path, port: int) -> tuple[str, bool]:
    """In a mount namespace of its own, which not every machine gives."""
    command = ["unshare", "-m" if os.geteuid() == 0 else "-rm", sys.executable, "-m", "tests.soak.storage"]
    ran = await asyncio.create_subprocess_exec(*command, str(folder), str(port), stdout=asyncio.subprocess.PIPE)
    came = Stored(**orjson.loads((await ran.communicate())[0]))
    kept = (
        came.full == {"/readyz": 503, "/v1/routing/summary": 200, "refused": 50}
        and came.free == {"/readyz": 200, "/v1/routing/summary": 200, "finished": 100}
        and not came.lost
        and not came.repeated
        and not came.settlement_retries
        and came.refused_start
        and came.after - came.before < 50
        and came.log_bytes < 1000
    )
    return (
        (
            f"a full disk of {DISK} MB: of 50 requests {told(came.full)}; with room again of 100 {told(came.free)}. Disk and provider "
            f"failing half of 10 s each: {told(came.flapped)}; {came.lost} finished ones not in the ledger, {came.repeated} twice, "
            f"{came.settlement_retries} left open after kill -9; {came.before:.0f} MB before, {came.after:.0f} MB after; {came.log_bytes:.0f} bytes of log a request. "
            f"A start on the disk mounted read-only {'is refused' if came.refused_start else 'WAS NOT REFUSED'}"
        ),
        kept,
    )


async def weighed(folder: Path, port: int) -> tuple[str, bool]:
    """Large bodies, which the upstream of the other parts is not made for."""
    came = await asyncio.to_thread(heavy, folder, tries=3)
    name, slowest = came.slowest(huge=False)
    huge_name, huge_slowest = came.slowest(huge=True)
    return (
        (
            f"{len(came.waits)} requests that are heavy to parse or to translate: slowest /healthz meanwhile {1000 * slowest:.0f} ms up to "
            f"18 MB ({name}), {1000 * huge_slowest:.0f} ms at 49 MB ({huge_name})"
        ),
        slowest < HEALTHY and huge_slowest < 2 * HEALTHY,
    )


async def replicas_killed(folder: Path, port: int) -> tuple[str, bool]:
    """kill -9 of one of three; another one closes its rows."""
    async with three_replicas(folder, port) as (replicas, _):
        await replicas.start_all(3)
        came = await kill_one(replicas, clients=20, seconds=4.0)
        closed = await closed_within(replicas, seconds=90)
    kept = not came.lost and not came.rowless and set(came.on_others) == {"finished"} and closed is not None
    return (
        (
            f"kill -9 of one of three replicas, 60 clients: {told(came.on_killed)} on it, {told(came.on_others)} on the others; "
            f"{len(came.lost)} finished ones not in the ledger; {came.open} rows left open, closed by another after "
            f"{'more than 90' if closed is None else round(closed)} s"
        ),
        kept,
    )


async def rolled(folder: Path, port: int) -> tuple[str, bool]:
    async with three_replicas(folder, port) as (replicas, _):
        await replicas.start_all(3)
        ends = await rolling_restart(replicas, clients=20)
    return f"rolling restart of three replicas, 20 clients: {told(ends)}", set(ends) == {"finished"}


async def database(folder: Path, port: int) -> tuple[str, bool]:
    """SIGSTOP of PostgreSQL, then kill -9."""
    figures, kept = [], True
    async with three_replicas(folder, port) as (replicas, server):
        await replicas.start_all(3)
        for name, take_away, bring_back in (
            ("SIGSTOP", partial(server.signal_all, signal.SIGSTOP), partial(server.signal_all, signal.SIGCONT)),
            ("kill -9", server.kill, server.start),
        ):
            came = await database_away(replicas, clients=30, seconds=12, take_away=take_away, bring_back=bring_back)
            kept = kept and not came.lost and not came.left_open and set(came.ends) <= {"finished", "refused", "told"}
            kept = kept and came.slowest < SILENCE
            figures.append(
                f"{name} of PostgreSQL for 12 s, three replicas: {told(came.ends)}, slowest {came.slowest:.1f} s; ready {came.back:.1f} s "
                f"after its return; {len(came.lost)} finished ones not in the ledger, {came.interrupted} closed as interrupted, "
                f"{came.left_open} left open"
            )
    return ". ".join(figures), kept


@asynccontextmanager
async def three_replicas(folder: Path, port: int) -> AsyncIterator[tuple[Replicas, PostgresServer]]:
    """A PostgreSQL of its own, which waits for its disk, and no replica yet."""
    server = await asyncio.to_thread(PostgresServer, {"fsync": "on"})
    replicas = Replicas(folder, url=server.url(), upstream_port=port)
    try:
        yield replicas, server
    finally:
        await asyncio.to_thread(replicas.end)
        await asyncio.to_thread(server.close)


PARTS: dict[str, Part] = {
    "kills": kills,
    "workers": worker_kills,
    "crowd": thousand,
    "refused": refused,
    "idle": idle,
    "drain": drained,
    "stalled": stalled,
    "long": long,
    "storage": stored,
    "heavy": weighed,
    "replicas": replicas_killed,
    "rolling": rolled,
    "database": database,
}


def told(counts: Mapping[str, int]) -> str:
    """`50 refused, /readyz 503`."""
    words = [
        f"{name} {count}" if name.startswith("/") else f"{count} {name}"
        for name, count in Counter(counts).most_common()
    ]
    return ", ".join(words) or "none"


def main() -> int:
    raise_file_limit()
    broken = 0
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder, upstream() as port:
            figures, kept = asyncio.run(PARTS[name](Path(folder), port))
        broken += not kept
        sys.stdout.write(f"| {name} | {figures} | {'kept' if kept else 'BROKEN'} |\n")
        sys.stdout.flush()
    return min(broken, 1)


if __name__ == "__main__":
    raise SystemExit(main())
