"""Reloads the configuration while the gateway serves: after SIGHUP, and when one of its files has changed."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.app import Gateway
from gateway.errors import ConfigError
from gateway.settings import Settings, files_of

log = logging.getLogger(__name__)
INTERVAL = 2.0  # seconds between two checks of the files
# Settings that take effect at the next start; a change is logged.
NEEDS_RESTART = ("host", "port", "workers", "db", "durability", "transport", "limits", "drain_delay", "grace")
Stamp = tuple[tuple[int, int, int] | None, ...]


class Reloader:
    """`read` loads the settings from flags, environment and files, as at the start. If they have a problem the old ones stay."""

    def __init__(
        self,
        gateway: Gateway,
        read: Callable[[], Settings],
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._read = read
        self._interval = interval
        self._clock = clock
        self._files = files_of(gateway.runtime.settings.config)
        self._stamp = stamp(self._files)
        self._next = clock() + interval
        self._requested = False

    def request(self) -> None:
        """Read the configuration at the next check, changed or not; safe in a signal handler."""
        self._requested = True

    async def check(self) -> None:
        """Reload if requested or if a file has changed. Checks the files every `interval` seconds."""
        if not self._requested and self._clock() < self._next:
            return
        requested, self._requested = self._requested, False
        self._next = self._clock() + self._interval
        now = stamp(self._files)
        if requested or now != self._stamp:
            self._stamp = now
            await self._reload()

    async def _reload(self) -> None:
        before = self._gateway.runtime.settings
        try:
            settings = await asyncio.to_thread(self._read)
            if not settings.providers:
                raise ConfigError(["no provider is enabled"])
        except ConfigError as error:
            self._gateway.services.exporter.reload_failed = True
            for problem in error.problems:
                log.error("the configuration was not reloaded, the old one stays: %s", problem)
            return
        await self._gateway.reload(settings)
        self._gateway.services.exporter.reload_failed = False
        log.info("the configuration was reloaded from %s", settings.config)
        for warning in settings.warnings:
            log.warning("%s", warning)
        for name in NEEDS_RESTART:
            if getattr(settings, name) != getattr(before, name):
                log.warning("%s has changed; that takes a restart", name)


def stamp(files: tuple[Path, ...]) -> Stamp:
    """What changes when a file is written, replaced, made or removed."""
    return tuple(_stat(path) for path in files)


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@contextmanager
def on_hangup(action: Callable[[], None]) -> Iterator[None]:
    """SIGHUP calls `action`, where there is such a signal."""
    if not hasattr(signal, "SIGHUP"):  # pragma: no cover - Windows
        yield
        return
    before = signal.signal(signal.SIGHUP, lambda *_: action())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
