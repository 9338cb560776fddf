"""JSON lines on standard error that never hold up the event loop, and the ledger's rows as such lines."""

from __future__ import annotations

import logging
import logging.handlers
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from gateway.fallback import Cooled
from gateway.records import RequestRecord

QUEUE_SIZE = 10_000
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


class DroppingQueueHandler(logging.handlers.QueueHandler):
    """Drops and counts what does not fit: a blocked reader of our output must not block the gateway."""

    dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """As it is: the reader is a thread of this process, so nothing has to be flattened into text first."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


@contextmanager
def logging_to(stream: TextIO, *, level: str = "INFO") -> Iterator[DroppingQueueHandler]:
    """Write the process's log to `stream` from a thread of its own."""
    writer = logging.StreamHandler(stream)
    writer.setFormatter(JsonLines())
    handler = DroppingQueueHandler(queue.Queue(QUEUE_SIZE))
    listener = logging.handlers.QueueListener(handler.queue, writer)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    listener.start()
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        listener.stop()


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
