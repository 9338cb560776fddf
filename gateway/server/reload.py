"""Reloads the configuration while the gateway serves: after SIGHUP, when one of its files has changed, and on days
on which a model retires or has another price."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from gateway.app import Gateway
from gateway.errors import ConfigError
from gateway.settings import Settings, files_of

log = logging.getLogger(__name__)
INTERVAL = 2.0  # seconds between two checks of the files
# Settings that take effect at the next start; a change is logged.
NEEDS_RESTART = (
    "host",
    "port",
    "workers",
    "db",
    "durability",
    "transport",
    "limits",
    "drain_delay",
    "grace",
    "telemetry",
)
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
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._gateway = gateway
        self._read = read
        self._interval = interval
        self._clock = clock
        self._today = today
        self._files = files_of(gateway.runtime.settings.config)
        self._stamp = stamp(self._files)
        self._next = clock() + interval
        self._requested = False
        self._day = today()

    def request(self) -> None:
        """Read the configuration at the next check, changed or not; safe in a signal handler."""
        self._requested = True

    async def check(self) -> None:
        """Reload if requested, if a file has changed, or if the catalogue is another one today. Looks every `interval` seconds."""
        if not self._requested and self._clock() < self._next:
            return
        requested, self._requested = self._requested or self._is_outdated(), False
        self._next = self._clock() + self._interval
        now = stamp(self._files)
        if requested or now != self._stamp:
            self._stamp = now
            await self._reload()

    def _is_outdated(self) -> bool:
        """Whether a day has begun that changes the catalogue; each day is looked at once."""
        before, self._day = self._day, self._today()
        return before != self._day and is_outdated(self._gateway.runtime.settings, since=before, today=self._day)

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


def is_outdated(settings: Settings, *, since: date, today: date) -> bool:
    """Whether a model of the catalogue retired after `since`, or has other list prices at the beginning of `today` (UTC)."""
    if any(since < day <= today for day in settings.retirements.values()):
        return True
    midnight = datetime.combine(today, datetime.min.time(), UTC)
    for model in settings.catalog:
        price = settings.prices.price(model.provider, model.name, midnight)
        listed = price and (float(price.input.base), float(price.output.base))
        if listed is not None and listed != (model.input_price, model.output_price):
            return True
    return False


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
