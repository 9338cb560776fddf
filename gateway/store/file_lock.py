"""Prevents a second SQLite library in this process from deleting the ledger's write-ahead log.

The gateway uses its own SQLite (apsw); a program that uses the Python API may open the same file with `sqlite3` of the standard
library. SQLite detects other users of a file by POSIX locks, which never conflict within one process. When the other library
closes its connection, it assumes that it was the last one, and deletes the log that apsw still writes to
(https://sqlite.org/howtocorrupt.html, 2.2.1). Open file description locks do conflict with POSIX locks within a process, so one
such lock on the bytes that SQLite locks for reading prevents this. It does not serialize writes: a program must not write with
another SQLite library in the same process while the gateway writes.
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

# Offset and length of the bytes that SQLite locks in an open file (https://sqlite.org/src/file/src/os.h) and in its shared memory.
_SHARED = (0x40000002, 510)
_SHARED_MEMORY = (128, 1)
_SUPPORTED = sys.platform == "linux"


class WalGuard:
    """One lock per ledger that this process has open, with a reference count.

    Closing any descriptor of a file releases all POSIX locks of the process on it. So the descriptors of the lock may be closed only
    when no connection is left that could be writing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[File, tuple[int, Sequence[int]]] = {}

    def acquire(self, path: Path) -> File:
        """Lock the file for one more connection, which has already read from it. Raises OSError when it is locked exclusively."""
        with self._lock:
            status = path.stat()
            file = status.st_dev, status.st_ino
            count, descriptors = self._held.get(file, (0, None))
            self._held[file] = count + 1, _locked(path) if descriptors is None else descriptors
        return file

    def release(self, file: File) -> None:
        """Call this before closing the connection, so that SQLite can detect the last connection and clean up."""
        with self._lock:
            count, descriptors = self._held.pop(file)
            if count > 1:
                self._held[file] = count - 1, descriptors
            else:
                _close(descriptors)


def _locked(path: Path) -> Sequence[int]:
    """Descriptors of the file and its shared memory, locked."""
    if not _SUPPORTED:  # pragma: no cover - Linux only
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
