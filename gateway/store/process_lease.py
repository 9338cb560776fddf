"""Which process owns an open row, and whether that process is still alive.

Each store that inserts rows holds a lock on its own file beside the ledger. The kernel releases the lock when the process ends,
however it ends, so the owner of a lock that is free is dead. Unlike process ids, this also works between containers that share the
directory.
"""

from __future__ import annotations

import fcntl
import glob
import os
import uuid
from contextlib import suppress
from pathlib import Path

from gateway.errors import LedgerUnavailable


class ProcessLease:
    """The ownership of one store over the rows that it inserts. The lock is taken with the first row."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._descriptor: int | None = None
        self.id = uuid.uuid4().hex

    def acquire(self) -> str:
        """Take the lock, if it is not held yet; returns the owner id to store with rows. Raises LedgerUnavailable."""
        try:
            while self._descriptor is None:
                self._descriptor = _locked(self._file(self.id))
        except OSError as error:
            raise LedgerUnavailable(f"No lock file can be kept beside the ledger {self._ledger} ({error})") from error
        return self.id

    def is_alive(self, owner: str | None) -> bool:
        """Whether the owner of a row still runs; False for a row without an owner."""
        if owner is None:
            return False
        if owner == self.id:
            return True
        try:
            descriptor = os.open(self._file(owner), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def remove_stale(self) -> None:
        """Remove the lock files of dead processes."""
        for file in self._ledger.parent.glob(f"{glob.escape(self._ledger.name)}-owner-*"):
            with suppress(OSError):
                descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    file.unlink(missing_ok=True)
                finally:
                    os.close(descriptor)

    def release(self) -> None:
        """Release the lock; other processes may then close the rows that are still open."""
        if self._descriptor is not None:
            self._file(self.id).unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def _file(self, owner: str) -> Path:
        return self._ledger.with_name(f"{self._ledger.name}-owner-{owner}")


def _locked(path: Path) -> int | None:
    """Create and lock the file; None when another process removed it between the two."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except OSError:  # pragma: no cover - file systems without locks
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
