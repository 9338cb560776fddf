"""Looking after several processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx2
import pytest

from gateway.server.workers import FAILED_START, PAUSE, Workers
from llm_simulator import Simulator
from tests.cli.conftest import KEYS, Running, Start

KILLED = int(signal.SIGKILL)
EXITED = 256  # times the status, as `wait` tells it


@pytest.fixture(autouse=True)
def usual_signals() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


class System:
    """An operating system in which workers end as `ends` says: each the process and how, or what happens before the next."""

    def __init__(self, *ends: tuple[int, int] | Callable[[], None]) -> None:
        self.ends = list(ends)
        self.forked = 0
        self.told: list[tuple[int, int]] = []
        self.slept: list[float] = []
        self.time = 0.0

    def fork(self) -> int:
        self.forked += 1
        return self.forked

    def wait(self) -> tuple[int, int]:
        while not isinstance(end := self.ends.pop(0), tuple):
            end()
        return end

    def kill(self, pid: int, sig: int) -> None:
        self.told.append((pid, sig))


def workers(
    system: System,
    count: int = 2,
    at_end: Callable[[], None] = lambda: None,
    write: Callable[[], None] | None = None,
) -> Workers:
    return Workers(
        lambda: None,
        count=count,
        write=write,
        at_end=at_end,
        fork=system.fork,
        wait=system.wait,
        kill=system.kill,
        clock=lambda: system.time,
        sleep=system.slept.append,
    )


def test_a_signal_reaches_every_worker() -> None:
    """The first signal is passed on to all, the listening ends, and when all have ended with 0, so does the first process."""
    ended: list[bool] = []
    system = System(lambda: os.kill(os.getpid(), signal.SIGTERM), (1, 0), (2, 0))
    assert workers(system, at_end=lambda: ended.append(True)).run() == 0
    assert system.told == [(1, signal.SIGTERM), (2, signal.SIGTERM)]
    assert (system.forked, ended) == (2, [True])


def test_a_second_signal_is_passed_on_too() -> None:
    """A second signal reaches those that are still there."""
    system = System(
        lambda: os.kill(os.getpid(), signal.SIGINT), (1, 0), lambda: os.kill(os.getpid(), signal.SIGINT), (2, EXITED)
    )
    assert workers(system).run() == 1
    assert system.told == [(1, signal.SIGINT), (2, signal.SIGINT), (2, signal.SIGINT)]


def test_hangup_is_passed_on_and_ends_no_worker() -> None:
    """SIGHUP is passed on, so that every worker reads the configuration again; who dies afterwards is still replaced."""
    system = System(
        lambda: os.kill(os.getpid(), signal.SIGHUP),
        (1, KILLED),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
        (2, 0),
        (3, 0),
    )
    assert workers(system).run() == 0
    assert system.told[:2] == [(1, signal.SIGHUP), (2, signal.SIGHUP)]
    assert system.forked == 3


def test_a_dead_worker_is_replaced() -> None:
    """Another worker takes the place of one that died; after a short life not at once."""
    system = System((1, KILLED))

    def later() -> None:
        system.time = 100.0

    system.ends += [later, (2, EXITED), lambda: os.kill(os.getpid(), signal.SIGTERM), (3, 0), (4, KILLED)]
    assert workers(system).run() == KILLED
    assert (system.forked, system.slept) == (4, [PAUSE])


def test_a_start_that_fails_ends_all() -> None:
    """Where a worker cannot start, another one could not either: all end, with that status."""
    system = System((1, FAILED_START * EXITED), (2, 0))
    assert workers(system).run() == FAILED_START
    assert system.told == [(2, signal.SIGTERM)]
    assert system.forked == 2


def test_no_worker_is_forked_after_the_signal() -> None:
    """A signal between a death and the replacement leaves it at that."""
    system = System((1, KILLED), (2, 0))
    system.slept = Ending()
    assert workers(system).run() == 0
    assert system.forked == 2


class Ending(list[float]):
    """A pause in which the end is asked for."""

    def append(self, seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_the_writer_begins_first_and_ends_last() -> None:
    """The process that writes for the workers begins before them, and is told to end when the last of them has ended."""
    told_before: list[int] = []
    system = System(
        lambda: os.kill(os.getpid(), signal.SIGTERM),
        (2, 0),
        lambda: told_before.extend(pid for pid, _ in system.told),
        (3, 0),
        (1, 0),
    )
    assert workers(system, write=lambda: None).run() == 0
    assert told_before == [2, 3]
    assert system.told == [(2, signal.SIGTERM), (3, signal.SIGTERM), (1, signal.SIGTERM)]


def test_a_dead_writer_is_replaced_while_workers_end() -> None:
    """Workers that are ending still write, so their writer is replaced even then; a worker is not."""
    system = System((1, KILLED), lambda: os.kill(os.getpid(), signal.SIGTERM), (4, KILLED), (2, 0), (3, 0), (5, 0))
    assert workers(system, write=lambda: None).run() == 0
    assert system.forked == 5
    assert system.told[-1] == (5, signal.SIGTERM)


def test_a_dead_writer_is_not_replaced_without_workers() -> None:
    """When it dies after the last worker, it has done its work; its end counts as any other."""
    system = System(lambda: os.kill(os.getpid(), signal.SIGTERM), (2, 0), (3, 0), (1, KILLED))
    assert workers(system, write=lambda: None).run() == KILLED
    assert system.forked == 3


def test_forked_writer_writes() -> None:
    """In the forked process `run` is the writer's life, with signals of its own."""
    script = """
import os, signal
from gateway.server.workers import Workers
def write():
    print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, os.getpgrp() == os.getpid())
raise SystemExit(Workers(lambda: None, count=1, write=write, fork=lambda: 0).run())
"""
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)  # noqa: S603 - shown above
    assert ended.stdout == "True True\n"


@pytest.mark.parametrize("ends", [(), ((1, KILLED),)])
def test_forked_worker_has_its_own_signals(ends: tuple[tuple[int, int], ...]) -> None:
    """In the forked process `run` is the worker's life, and the signals are its own; so in one that replaces another."""
    script = """
import os, signal, sys
from gateway.server.workers import Workers
births = [0] if sys.argv[1] == "0" else [7, 0]
def work():
    print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, os.getpgrp() == os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, ()))
system = dict(fork=lambda: births.pop(0), wait=lambda: (7, 9), sleep=lambda _: None, clock=lambda: 0.0)
raise SystemExit(Workers(work, count=1, **system).run())
"""
    ended = subprocess.run([sys.executable, "-c", script, str(len(ends))], check=True, capture_output=True, text=True)  # noqa: S603 - shown above
    assert ended.stdout == "True True set()\n"


def told(gateway: Running, words: str, times: int) -> None:
    """Read what the processes say until they have said `words` so often."""
    assert gateway.process.stderr is not None
    while sum(words in line for line in gateway.lines) < times:
        line = gateway.process.stderr.readline()
        assert line, f"all processes have ended without saying {words!r} {times} times: {gateway.lines}"
        gateway.lines.append(line)


def children(gateway: Running) -> list[int]:
    """The processes that the first one started, the oldest first: the writer process, then the workers."""
    listed = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    return [int(pid) for pid in listed.read_text().split()]


def test_two_workers_serve_replace_a_dead_one_and_drain(start: Start, db: Path) -> None:
    """Both serve; one that is killed is replaced; a signal drains all, and every answered request has its settled row.

    Slow: three processes start, and the metrics of other workers are up to a second old. Only real processes can die.
    """
    with Simulator(seed=1) as upstreams, httpx2.Client(timeout=20, headers={"connection": "close"}) as client:
        gateway = start("serve", "--port", "0", "--workers", "2", "--db", str(db), environment={**KEYS, **upstreams})
        ask = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
        told(gateway, "startup complete", 2)
        for _ in range(10):
            assert client.post(f"{gateway.url}/v1/chat/completions", json=ask).is_success
        os.kill(children(gateway)[1], signal.SIGKILL)
        told(gateway, "another one takes its place", 1)
        told(gateway, "startup complete", 3)
        for _ in range(10):
            assert client.post(f"{gateway.url}/v1/chat/completions", json=ask).is_success
        until = time.monotonic() + 20  # what the other worker published last may be of the middle of a request
        while "gateway_in_flight 0.0\n" not in (metrics := client.get(f"{gateway.url}/metrics").text):
            assert time.monotonic() < until, metrics
            time.sleep(0.05)
        assert gateway.end() == 0
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT status, count(*) FROM routing_metrics GROUP BY 1").fetchall() == [("ok", 20)]


def test_a_killed_writer_process_is_replaced_and_waited_for(start: Start, db: Path) -> None:
    """Requests wait while the process that writes the ledger is replaced; every row is settled once.

    Slow: a process that lived shorter than a second is replaced a second later. Only real processes can die.
    """
    with Simulator(seed=1) as upstreams, httpx2.Client(timeout=20) as client:
        gateway = start("serve", "--port", "0", "--workers", "2", "--db", str(db), environment={**KEYS, **upstreams})
        told(gateway, "startup complete", 2)
        ask = {"model": "claude/claude-haiku-5-5", "messages": [{"role": "user", "content": "Hello"}]}
        for number in range(1, 4):
            os.kill(children(gateway)[0 if number == 1 else -1], signal.SIGKILL)
            assert client.post(f"{gateway.url}/v1/chat/completions", json=ask).is_success
            told(gateway, "another one takes its place", number)
        assert sum("a writer (process" in line for line in gateway.lines) == 3
        assert gateway.end() == 0
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT status, count(*) FROM routing_metrics GROUP BY 1").fetchall() == [("ok", 3)]


def counted(metrics: str) -> float:
    """How many requests the metrics tell of, over all labels."""
    lines = [line for line in metrics.splitlines() if line.startswith("gateway_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_metrics_of_two_workers_add_up(start: Start, db: Path) -> None:
    """Whichever worker is asked, the metrics soon tell of every request that any of them served, once.

    Slow: each worker publishes its metrics once a second.
    """
    with Simulator(seed=1) as upstreams, httpx2.Client(timeout=20, headers={"connection": "close"}) as client:
        gateway = start("serve", "--port", "0", "--workers", "2", "--db", str(db), environment={**KEYS, **upstreams})
        told(gateway, "startup complete", 2)
        ask = {"model": "claude/claude-haiku-5-5", "messages": [{"role": "user", "content": "Hello"}]}
        for _ in range(12):
            assert client.post(f"{gateway.url}/v1/chat/completions", json=ask).is_success
        asked = [counted(client.get(f"{gateway.url}/metrics").text)]
        until = time.monotonic() + 20
        while asked[-4:] != [12.0] * 4 and time.monotonic() < until:
            asked.append(counted(client.get(f"{gateway.url}/metrics").text))
        assert asked[-4:] == [12.0] * 4
        assert max(asked) == 12.0
        assert gateway.end() == 0


def test_open_streams_of_two_workers_finish(start: Start, db: Path) -> None:
    """At a signal every worker lets its open streams come to their end, and their rows with them.

    Slow: the streams have to outlast the signal in processes of their own.
    """
    words = "[[fault:slow=0.05]] Write a story of a hundred words."
    ask = {"model": "claude/claude-haiku-5-5", "stream": True, "messages": [{"role": "user", "content": words}]}
    with Simulator(seed=1) as upstreams, httpx2.Client(timeout=30) as client, ExitStack() as streams:
        gateway = start("serve", "--port", "0", "--workers", "2", "--db", str(db), environment={**KEYS, **upstreams})
        told(gateway, "startup complete", 2)
        url = f"{gateway.url}/v1/chat/completions"
        opened = [streams.enter_context(client.stream("POST", url, json=ask)).iter_text() for _ in range(6)]
        begun = [next(each) for each in opened]
        gateway.process.send_signal(signal.SIGTERM)
        whole = [first + "".join(rest) for first, rest in zip(begun, opened, strict=True)]
        assert all(text.endswith("data: [DONE]\n\n") for text in whole)
        _, rest = gateway.process.communicate(timeout=20)
        assert (gateway.process.returncode, rest.count("Finished server process")) == (0, 2)
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT status, count(*) FROM routing_metrics GROUP BY 1").fetchall() == [("ok", 6)]


def test_workers_do_not_outlive_the_first_process(start: Start, db: Path) -> None:
    """When the first process is killed, the workers end as after a signal."""
    gateway = start("serve", "--port", "0", "--workers", "2", "--db", str(db), environment=KEYS)
    told(gateway, "startup complete", 2)
    gateway.process.kill()
    told(gateway, "Finished server process", 2)
    assert sum("Finished server process" in line for line in gateway.lines) == 2
