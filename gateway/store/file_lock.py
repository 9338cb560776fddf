"""Keeps another SQLite in this process from taking the ledger's log away.

The gateway brings its own SQLite (apsw); a program that uses the Python API may open the same file with the standard library's.
SQLite tells other users of a file by POSIX locks, and those never conflict within one process: when the foreign connection
closes, it believes to be the last one, and deletes the write-ahead log that ours goes on writing into
(https://sqlite.org/howtocorrupt.html, 2.2.1). Locks of an open file description conflict with POSIX locks even within a process,
so one such lock on the bytes that SQLite locks to read says what has to be said. What it cannot do is make the two wait for
each other: who writes with another SQLite in the same process must not do so while the gateway writes.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

# Device and inode.
File = tuple[int, int]

# The bytes that SQLite locks: of the file while it is open (https://sqlite.org/src/file/src/os.h), of its shared memory likewise.
_SHARED = (0x40000002, 510)
_SHARED_MEMORY = (128, 1)
_WORKS_HERE = sys.platform == "linux"


class WalGuard:
    """One guard for each ledger that connections of this process have open.

    It is shared and counted, because closing any descriptor of a file frees all POSIX locks that the process has on it: the
    guard's may only be closed when no other connection is left that could be writing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[File, tuple[int, Sequence[int]]] = {}

    def acquire(self, path: Path) -> File:
        """Guard the file for one more connection, which has read from it; OSError when somebody has it for himself."""
        with self._lock:
            status = path.stat()
            file = status.st_dev, status.st_ino
            count, descriptors = self._held.get(file, (0, None))
            self._held[file] = count + 1, _locked(path) if descriptors is None else descriptors
        return file

    def release(self, file: File) -> None:
        """To be called before the connection is closed, so that SQLite can see whether it is the last one and tidy up."""
        with self._lock:
            count, descriptors = self._held.pop(file)
            if count > 1:
                self._held[file] = count - 1, descriptors
            else:
                _close(descriptors)


def _locked(path: Path) -> Sequence[int]:
    """Descriptors of the file and its shared memory, locked."""
    if not _WORKS_HERE:  # pragma: no cover - these locks are Linux's
        return ()
    descriptors: list[int] = []
    try:
        for part, (start, length) in ((path, _SHARED), (path.with_name(path.name + "-shm"), _SHARED_MEMORY)):
            if not part.exists():
                continue
            descriptors.append(os.open(part, os.O_RDONLY | os.O_CLOEXEC))
            lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, start, length, 0)
            fcntl.fcntl(descriptors[-1], fcntl.F_OFD_SETLK, lock)
    except OSError:
        _close(descriptors)
        raise
    return descriptors


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
