"""A disk that fails when it is told to, and one that loses what was not synchronised: SQLite's own files on top of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw


class Disk:
    """What happens to writes and to synchronising (`fsync`); each is asked before it is done.

    `writes` and `syncs` answer the exception that the disk reports, or None. `read_only` makes files open for reading only. With
    `platter` set, a copy of each file as it was last synchronised is kept there: what is left after a power cut.
    """

    def __init__(self) -> None:
        self.writes: Callable[[], Exception | None] = lambda: None
        self.syncs: Callable[[], Exception | None] = lambda: None
        self.read_only = False
        self.platter: Path | None = None

    def fails(self, error: type[Exception]) -> None:
        """Nothing can be written from here on."""
        self.writes = lambda: error("the disk fails")

    def is_well(self) -> None:
        self.writes = self.syncs = lambda: None
        self.read_only = False


class _File(apsw.VFSFile):
    def __init__(self, filename: Any, flags: list[int], *, beneath: str, disk: Disk) -> None:
        super().__init__(beneath, filename, flags)
        self._disk = disk
        self._name = filename if isinstance(filename, str) else filename.filename()

    def xWrite(self, data: Any, offset: int) -> None:
        _raise(self._disk.writes())
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        _raise(self._disk.syncs())
        super().xSync(flags)
        if self._disk.platter is not None:
            (self._disk.platter / Path(self._name).name).write_bytes(self.xRead(self.xFileSize(), 0))


class _System(apsw.VFS):
    def __init__(self, disk: Disk, *, beneath: str) -> None:
        super().__init__("faulty", beneath, makedefault=True)
        self._beneath = beneath
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        if self._disk.read_only:
            flags[0] = flags[0] & ~(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE) | apsw.SQLITE_OPEN_READONLY
        return _File(name, flags, beneath=self._beneath, disk=self._disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        if self._disk.platter is not None:
            (self._disk.platter / Path(filename).name).unlink(missing_ok=True)


def _raise(failure: Exception | None) -> None:
    if failure is not None:
        raise failure


@contextmanager
def faulty_disk() -> Iterator[Disk]:
    """Every ledger opened within the block lies on this disk."""
    disk = Disk()
    usual = apsw.vfs_names()[0]
    system = _System(disk, beneath=usual)
    try:
        yield disk
    finally:
        apsw.set_default_vfs(usual)
        system.unregister()
