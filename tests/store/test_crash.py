"""What is acknowledged stays, whatever happens to the process a moment later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from gateway.store.sqlite import SqliteStore
from tests.store.conftest import MakeLedger

AT_EXIT = """
import sys
from gateway.store import SettleRequest
from gateway.store.sqlite import SqliteStore
from tests.store.cases import ended
store = SqliteStore(sys.argv[1])
for number in range(200):
    store.submit(SettleRequest(ended(str(number))))
"""


@pytest.fixture
def socket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("w") / "w"


def writing(path: str | Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.store.writing", str(path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module


def statuses(store: SqliteStore) -> dict[str, str]:
    found: dict[str, str] = {}
    before: int | None = None
    while page := store.requests(limit=1000, before=before):
        found |= {row["request_id"]: row["status"] for row in page}
        before = page[-1]["id"]
    return found


def test_killed_writer_loses_no_acknowledged_row(make_ledger: MakeLedger, path: Path) -> None:
    """Killed in the middle of writing, again and again, a ledger keeps every row it acknowledged, and closes what was open."""
    acknowledged: dict[str, str] = {}
    for number in range(3):
        with writing(path, f"k{number}") as process:
            assert process.stdout is not None
            lines = [*islice(process.stdout, 21 + 10 * number)]
            process.kill()
            lines += process.stdout.readlines()
        acknowledged |= {request_id: state for state, request_id in (line.split() for line in lines)}

    store = make_ledger()
    store.check()
    recovered = store.close_orphans(now="2026-11-22T11:00:00Z")

    found = statuses(store)
    assert recovered <= 3
    assert acknowledged.keys() <= found.keys()
    assert all(found[request_id] == "ok" for request_id, state in acknowledged.items() if state == "ended")
    assert all(status in ("ok", "interrupted") for status in found.values())
    assert not list(path.parent.glob("*-owner-*"))


def test_two_processes_lose_no_rows(make_ledger: MakeLedger, path: Path) -> None:
    """Two processes that write one file lose nothing, and the one that starts later closes no row of the other."""
    with writing(path, "a") as first, writing(path, "b") as second:
        assert first.stdout is not None
        assert second.stdout is not None
        lines = [*islice(first.stdout, 41), *islice(second.stdout, 41)]
        store = make_ledger()
        assert store.close_orphans(now="2026-11-22T11:00:00Z") == 0
        first.kill()
        second.kill()

    ended = {line.split()[1] for line in lines if line.startswith("ended")}
    assert {name[0] for name in ended} == {"a", "b"}
    assert ended <= statuses(store).keys()


def test_killed_writer_process_loses_and_repeats_nothing(make_ledger: MakeLedger, path: Path, socket: Path) -> None:
    """Workers whose writer process is killed again and again have every acknowledged row once, and so if a worker is killed.

    Slow: a process that lived shorter than a second is replaced a second later. Only real processes can die.
    """
    make_ledger()
    command = [sys.executable, "-m", "tests.store.workers.supervised", str(path), str(socket)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None
        lines = [*islice(process.stdout, 40)]
        writer, worker, _ = children(process.pid)
        writer = killed(process.pid, writer)
        killed(process.pid, worker)
        killed(process.pid, writer)
        lines += islice(process.stdout, 40)
        process.send_signal(signal.SIGTERM)
        lines += process.stdout.readlines()
    assert process.returncode == signal.SIGTERM

    store = make_ledger()
    store.check()
    store.close_orphans(now="2026-11-22T11:00:00Z")
    found = statuses(store)
    acknowledged = {line.split()[1] for line in lines if line.startswith("ended")}
    assert len({request_id.partition("-")[0] for request_id in acknowledged}) >= 3
    assert all(found[request_id] == "ok" for request_id in acknowledged)
    assert all(status in ("ok", "interrupted") for status in found.values())
    assert store.summary(days=1)["total_requests"] == len(found)
    assert not list(path.parent.glob("*-owner-*"))


def killed(first: int, pid: int) -> int:
    """Kill a process; returns the one that took its place."""
    before = children(first)
    os.kill(pid, signal.SIGKILL)
    while not (new := set(children(first)) - set(before)):
        time.sleep(0.02)
    return new.pop()


def children(pid: int) -> list[int]:
    """The processes that a process has started, the oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_full_disk_refuses_rows_and_serves_reports(make_ledger: MakeLedger, path: Path) -> None:
    """On a full disk rows are refused rather than lost and reports go on; with room again, so does writing."""
    with writing(path) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()

    assert lines == ["before NoneType True 1", "full LedgerUnavailable False 1", "after NoneType True 2"]
    assert statuses(make_ledger()) == {"before": "ok", "after": "ok"}


def test_exit_commits_waiting_rows(path: Path) -> None:
    """A program that ends without closing its store loses none of its rows."""
    subprocess.run([sys.executable, "-c", AT_EXIT, str(path)], check=True, timeout=60)  # noqa: S603 - our own text

    with closing(SqliteStore(path)) as store:
        assert len(store.requests(limit=1000)) == 200
