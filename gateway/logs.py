"""JSON lines on standard error that never hold up the event loop, and the ledger's rows as such lines."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from gateway.fallback import Cooled
from gateway.records import RequestRecord

QUEUE_SIZE = 10_000  # lines
INTERVAL = 0.1  # seconds
log = logging.getLogger("gateway.requests")


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
        return orjson.dumps(line, default=str).decode()


class LogWriter(logging.Handler):
    """Writes from a thread of its own, everything of `interval` seconds at once, because waking a thread costs more than a line does.

    Drops and counts what does not fit into `size` lines: a blocked reader of our output must not block the gateway.
    """

    def __init__(self, stream: TextIO, *, size: int = QUEUE_SIZE, interval: float = INTERVAL) -> None:
        super().__init__()
        self.dropped = 0
        self._stream = stream
        self._size = size
        self._interval = interval
        self._waiting: deque[logging.LogRecord] = deque()
        self._news = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._waiting) >= self._size:
            self.dropped += 1
            return
        self._waiting.append(record)
        if not self._news.is_set():
            self._news.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting, then end."""
        self._ended.set()
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._news.wait()
            self._ended.wait(self._interval)
            self._news.clear()
            self._write()

    def _write(self) -> None:
        lines = []
        while self._waiting:
            lines.append(self.format(self._waiting.popleft()) + "\n")
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except (OSError, ValueError):  # gone or closed: there is nowhere left to tell it
            self.dropped += len(lines)


@contextmanager
def logging_to(stream: TextIO, *, level: str = "INFO") -> Iterator[LogWriter]:
    """Write the process's log to `stream` from a thread."""
    writer = LogWriter(stream)
    writer.setFormatter(JsonLines())
    root = logging.getLogger()
    root.addHandler(writer)
    root.setLevel(level)
    writer.start()
    try:
        yield writer
    finally:
        root.removeHandler(writer)
        writer.stop()


def dropped_lines() -> int:
    """Lines that this process's log has lost so far."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, LogWriter))


def log_request(record: RequestRecord) -> None:
    """An observer: ids, names, counts and times of a settled row; never texts or keys."""
    if not log.isEnabledFor(logging.INFO):
        return
    facts = {
        "request_id": record.request_id,
        "strategy": record.strategy_used,
        "model": f"{record.selected_provider}/{record.selected_model}",
        "status": record.status,
        "error": record.error_code,
        "attempts": len(record.attempts),
        "fallback": record.fallback_reason if record.fallback_used else None,
        "cost_usd": record.actual_cost,
        "baseline_usd": record.baseline_cost,
        "prompt_tokens": record.usage.prompt_tokens if record.usage else None,
        "completion_tokens": record.usage.completion_tokens if record.usage else None,
        "seconds": record.duration,
        "streamed": record.streamed,
        "key_id": record.key_id,
    }
    log.info("request settled", extra={"facts": {name: value for name, value in facts.items() if value is not None}})


def log_rest(cooled: Cooled) -> None:
    """A provider or model begins to rest: once for each rest, not for each request that failed."""
    facts = {"provider": cooled.provider, "model": cooled.model, "code": cooled.code, "seconds": cooled.seconds}
    log.warning("upstream rests", extra={"facts": facts})
