"""The log: JSON lines written by a thread, so that the event loop never waits, and one line for each settled request."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TextIO

import orjson

from gateway.records import RequestRecord
from gateway.resilience import CooldownStarted

QUEUE_SIZE = 10_000  # lines
INTERVAL = 0.1  # seconds
FLUSH_SECONDS = 2.0  # how long `stop` waits for queued lines to be written
log = logging.getLogger("gateway.requests")
_SETTLED = MappingProxyType(
    logging.LogRecord(log.name, logging.INFO, __file__, 0, "request settled", args=None, exc_info=None).__dict__
)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the record's `facts`; a traceback as one string."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = getattr(record, "facts", {})
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # half a surrogate, as in names of files that are no text, or an integer beyond 64 bits
            return json.dumps(line, default=str)


class LogWriter(logging.Handler):
    """Writes from its own thread, in batches of `interval` seconds, because waking a thread costs more than writing a line.

    Lines beyond `size` queued ones are dropped and counted: a blocked reader of the log must not block the gateway.
    """

    def __init__(self, stream: TextIO, *, size: int = QUEUE_SIZE, interval: float = INTERVAL) -> None:
        super().__init__()
        self.dropped = 0
        self._stream = stream
        self._size = size
        self._interval = interval
        self._waiting: deque[logging.LogRecord] = deque()
        self._queued = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._waiting) >= self._size:
            self.dropped += 1
            return
        self._waiting.append(record)
        if not self._queued.is_set():
            self._queued.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = FLUSH_SECONDS) -> None:
        """Write the queued lines and end the thread. What cannot be written within `timeout` seconds is lost."""
        self._ended.set()
        self._queued.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._queued.wait()
            self._ended.wait(self._interval)
            self._queued.clear()
            self._write()

    def _write(self) -> None:
        lines = []
        while self._waiting:
            record = self._waiting.popleft()
            try:
                lines.append(self.format(record) + "\n")
            except Exception:  # a record that cannot be written must not end the log
                self.dropped += 1
                self.handleError(record)
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except (OSError, ValueError):  # the stream is closed: there is nowhere left to report it
            self.dropped += len(lines)


def unlocked(stream: TextIO) -> TextIO:
    """The same output without Python's buffer: its lock, held by a write that blocks, would abort the interpreter at its end."""
    try:
        raw = io.FileIO(stream.fileno(), "w", closefd=False)
    except io.UnsupportedOperation:
        return stream
    return io.TextIOWrapper(raw, encoding="utf-8", write_through=True)


@contextmanager
def logging_to(stream: TextIO, *, level: str = "INFO") -> Iterator[LogWriter]:
    """Write the process's log to `stream` from a thread."""
    writer = LogWriter(unlocked(stream))
    writer.setFormatter(JsonLines())
    root = logging.getLogger()
    before = root.level
    root.addHandler(writer)
    root.setLevel(level)
    writer.start()
    try:
        yield writer
    finally:
        root.removeHandler(writer)
        root.setLevel(before)
        writer.stop()


def dropped_lines() -> int:
    """Lines that this process's log has lost so far."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, LogWriter))


class RequestLogRecord(logging.LogRecord):
    """The line of a settled row, a copy of one made before: making a LogRecord costs more than all the rest of the line."""

    def __init__(self, row: RequestRecord) -> None:
        self.__dict__.update(_SETTLED)
        self.created = time.time()
        self.row = row

    @property
    def facts(self) -> dict[str, Any]:
        """Ids, names, counts and times; never texts or keys. What is not known is left out."""
        row, usage = self.row, self.row.usage
        facts = {
            "request_id": row.request_id,
            "trace_id": row.trace.trace_id if row.trace else None,
            "strategy": row.strategy_used,
            "model": f"{row.selected_provider}/{row.selected_model}",
            "status": row.status,
            "error": row.error_code,
            "attempts": len(row.attempts),
            "fallback": row.fallback_reason if row.fallback_used else None,
            "cost_usd": row.actual_cost,
            "baseline_usd": row.baseline_cost,
            "prompt_tokens": usage.prompt_tokens if usage else None,
            "completion_tokens": usage.completion_tokens if usage else None,
            "seconds": row.duration,
            "streamed": row.streamed,
            "key_id": row.key_id,
            "session_budget": None
            if row.session_spending is None
            else round(row.session_spending.share(row.actual_cost), 3),
        }
        return {name: value for name, value in facts.items() if value is not None}


def log_request(row: RequestRecord) -> None:
    """An observer: one line for each settled row."""
    if log.isEnabledFor(logging.INFO):
        log.handle(RequestLogRecord(row))


def log_cooldown(cooled: CooldownStarted) -> None:
    """An observer: one line for each cooldown that starts, not for each failed request."""
    facts = {"provider": cooled.provider, "model": cooled.model, "code": cooled.code, "seconds": cooled.seconds}
    log.warning("upstream cools down", extra={"facts": facts})
