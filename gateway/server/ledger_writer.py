"""Runs the process that writes an SQLite ledger for several workers, until its parent ends it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from gateway.settings import Settings
from gateway.store.connection import DatabaseFile
from gateway.store.workers import WriterProcess


def run_writer(settings: Settings, listening: socket.socket, *, needs: int) -> None:
    """Write until SIGTERM; when `needs`, the process id of the parent, is no longer the parent, until the last worker has ended."""
    source = DatabaseFile(Path(settings.db).absolute(), durability=settings.durability)
    process = WriterProcess(source, listening, needed=lambda: os.getppid() == needs)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.stop())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process.run()
