"""Which process began an open row, and whether that process still lives.

Each store that begins rows holds a lock on a file of its own beside the ledger. The kernel frees the lock when the process
ends, however it ends, so a lock that can be taken belongs to the dead. Unlike process ids, this also holds between
containers that share the directory.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path

from gateway.errors import LedgerUnavailable


class Owner:
    """One store's claim on the rows it leaves open."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._descriptor: int | None = None
        self.id = uuid.uuid4().hex

    def claim(self) -> str:
        """Take the lock, if it is not held yet; the id to store with rows."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._file(self.id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise LedgerUnavailable(
                    f"No lock file can be kept beside the ledger {self._ledger} ({error})"
                ) from error
        return self.id

    def lives(self, owner: str | None) -> bool:
        """Whether the process that began a row still runs; rows without an owner are nobody's."""
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

    def bury(self, owner: str | None) -> None:
        """Remove the lock file of a dead owner whose rows are closed."""
        if owner is not None:
            self._file(owner).unlink(missing_ok=True)

    def release(self) -> None:
        """Give the claim up; rows still open may then be closed by anyone."""
        if self._descriptor is not None:
            self._file(self.id).unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def _file(self, owner: str) -> Path:
        return self._ledger.with_name(f"{self._ledger.name}-owner-{owner}")
