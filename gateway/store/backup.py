"""A copy of an SQLite ledger while gateways use it, by SQLite's online backup (https://sqlite.org/backup.html)."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw

from gateway.errors import LedgerUnavailable
from gateway.store.read_only import ReadOnlySource

# Pages of 4,096 bytes between two calls of `progress`.
_STEP_PAGES = 1_000

# Called with the pages that were copied and the pages there are.
Progress = Callable[[int, int], object]


def back_up(source: Path, target: Path, *, progress: Progress = lambda done, pages: None) -> int:
    """Write the ledger as it stands into a new file, complete and checked or not at all; returns its size in bytes.

    Only the owner can read the file: it has the digests of the keys. Raises LedgerUnavailable.
    """
    source, target = source.absolute(), target.absolute()
    if target.exists():
        raise LedgerUnavailable(f"{target} exists already: name a new file for the backup.")
    part = target.with_name(f".{target.name}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise LedgerUnavailable(
            f"{part} is there: another backup is being written, or was interrupted; remove it then."
        ) from None
    except OSError as error:
        raise _not_written(target, error) from error
    try:
        _copy_pages(ReadOnlySource(source), part, progress=progress)
        ReadOnlySource(part).check()
        _synchronize(part)
        os.link(part, target)  # fails where another backup wrote the file meanwhile
        _synchronize(target.parent)
        return target.stat().st_size
    except (apsw.Error, OSError) as error:
        raise _not_written(target, error) from error
    finally:
        for suffix in ("", "-wal", "-shm"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)


def _copy_pages(source: ReadOnlySource, part: Path, *, progress: Progress) -> None:
    """The source is held in one snapshot, so that commits of a gateway do not make SQLite begin again."""
    with closing(source.open_reader()) as reader, closing(apsw.Connection(str(part))) as writer:
        reader.execute("BEGIN; SELECT count(*) FROM sqlite_schema")
        with writer.backup("main", reader, "main") as backup:
            while not backup.done:
                backup.step(_STEP_PAGES)
                progress(backup.page_count - backup.remaining, backup.page_count)


def _synchronize(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(target: Path, error: Exception) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"The backup {target} cannot be written: its directory has to exist, to be writable and to have space ({error})."
    )
