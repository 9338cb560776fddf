"""Telling the rows of the living from those of the dead."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.process_lease import ProcessLease

HOLD = """
import sys
from pathlib import Path
from gateway.store.process_lease import ProcessLease
print(ProcessLease(Path(sys.argv[1])).acquire(), flush=True)
sys.stdin.read()
"""


def test_a_claim_lives_until_it_is_released(path: Path) -> None:
    """While a store holds its claim it lives, for itself and for others; afterwards it does not."""
    mine, other = ProcessLease(path), ProcessLease(path)
    name = mine.acquire()

    assert mine.acquire() == name
    assert mine.is_alive(name)
    assert other.is_alive(name)
    mine.release()
    mine.release()
    assert not other.is_alive(name)
    assert list(path.parent.iterdir()) == []


def test_nobody_is_dead(path: Path) -> None:
    """Rows without an owner belong to nobody."""
    assert not ProcessLease(path).is_alive(None)


def test_a_killed_process_is_dead(path: Path) -> None:
    """A process that was killed gives its claim up, and its file can be removed."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        owner = ProcessLease(path)
        assert owner.is_alive(name)
        process.kill()
        process.wait()

        assert not owner.is_alive(name)
    assert [file.name for file in path.parent.iterdir()] == [f"gateway.db-owner-{name}"]
    owner.remove_stale()
    assert list(path.parent.iterdir()) == []


def test_the_living_are_not_buried(path: Path) -> None:
    """A claim that is held keeps its file, and what cannot be looked at is left alone."""
    mine = ProcessLease(path)
    name = mine.acquire()
    (path.parent / "gateway.db-owner-odd").mkdir()

    ProcessLease(path).remove_stale()

    assert ProcessLease(path).is_alive(name)
    assert (path.parent / "gateway.db-owner-odd").exists()
    mine.release()


def test_a_claim_is_made_again(path: Path) -> None:
    """A lock file that somebody took for a dead one's, before it was locked, is made anew."""
    mine = ProcessLease(path)
    file = path.with_name(f"gateway.db-owner-{mine.id}")
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as pool:
        claim = pool.submit(mine.acquire)
        try:
            assert any(opened(file) == 2 for _ in range(10_000))
            file.unlink()
        finally:
            os.close(descriptor)
        name = claim.result(10)

    assert ProcessLease(path).is_alive(name)
    mine.release()


def opened(file: Path) -> int:
    """How many descriptors this process has of it."""
    return sum(os.path.realpath(f"/proc/self/fd/{number}") == str(file) for number in os.listdir("/proc/self/fd"))


def test_in_doubt_alive(path: Path) -> None:
    """An owner whose file cannot be looked at counts as alive: its rows are left alone."""
    (path.parent / "gateway.db-owner-odd").mkdir()

    assert ProcessLease(path).is_alive("odd")


def test_no_lock_file(tmp_path: Path) -> None:
    """Where no lock file can be kept, no row is begun."""
    with pytest.raises(LedgerUnavailable, match="No lock file"):
        ProcessLease(tmp_path / "nowhere" / "gateway.db").acquire()
