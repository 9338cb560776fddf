"""The log: JSON lines, from a thread, never in the way."""

from __future__ import annotations

import io
import json
import logging
import threading
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from gateway.completion import Usage
from gateway.observability.logs import LogWriter, log_cooldown, log_request, logging_to, unlocked
from gateway.records import RequestRecord
from gateway.resilience import CooldownStarted

RECORD = RequestRecord(
    request_id="req_1",
    timestamp="2026-11-22T00:00:00+00:00",
    strategy_used="hybrid",
    selected_provider="gemini",
    selected_model="gemini-3.8-flash",
    baseline_provider="gemini",
    baseline_model="gemini-3.8-flash",
    actual_cost=Decimal("0.001"),
    usage=Usage(prompt_tokens=3, completion_tokens=4),
)


def test_lines_are_json() -> None:
    """Every line is one JSON object, with the facts of what happened and tracebacks as text."""
    stream = io.StringIO()
    with logging_to(stream):
        log_request(RECORD)
        log_cooldown(CooldownStarted("gemini", None, "upstream_auth", 30.0))
        try:
            raise ValueError("a bug\nof two lines")
        except ValueError:
            logging.getLogger("gateway.test").exception("it broke")
    settled, rest, broke = (orjson.loads(line) for line in stream.getvalue().splitlines())
    assert (settled["request_id"], settled["model"], settled["completion_tokens"]) == (
        "req_1",
        "gemini/gemini-3.8-flash",
        4,
    )
    assert (rest["level"], rest["provider"], rest["code"]) == ("warning", "gemini", "upstream_auth")
    assert "a bug\nof two lines" in broke["traceback"]


@pytest.mark.parametrize("odd", ["a file named \udcff", 2**70], ids=["half a surrogate", "large"])
def test_any_fact_can_be_written(odd: object) -> None:
    """What JSON's fast writer refuses is written all the same."""
    stream = io.StringIO()
    with logging_to(stream):
        logging.getLogger("gateway.test").warning("odd", extra={"facts": {"odd": odd}})
    assert json.loads(stream.getvalue())["odd"] == odd


def test_a_line_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A faulty record costs its own line, is counted and told on standard error; the log goes on."""
    stream = io.StringIO()
    writer = LogWriter(stream, interval=0)
    writer.start()
    for facts in ({"msg": "%d of %d", "args": (1,)}, {"msg": "after"}):
        writer.handle(logging.makeLogRecord(facts))
    writer.stop()
    assert stream.getvalue() == "after\n"
    assert writer.dropped == 1
    assert "not enough arguments" in capsys.readouterr().err


def test_lines_below_the_level_are_not_written() -> None:
    """Below the level nothing is written."""
    stream = io.StringIO()
    with logging_to(stream, level="WARNING"):
        log_request(RECORD)
    assert stream.getvalue() == ""


def test_the_level_is_given_back() -> None:
    """Once the log is no longer written, the process logs what it did before."""
    before = logging.getLogger().level
    with logging_to(io.StringIO(), level="DEBUG"):
        assert logging.getLogger().level == logging.DEBUG
    assert logging.getLogger().level == before


def test_a_full_queue_drops() -> None:
    """When nobody reads the log, lines are dropped and counted; nobody waits."""
    writer = LogWriter(io.StringIO(), size=1)
    for _ in range(3):
        writer.handle(logging.makeLogRecord({"msg": "x"}))
    assert writer.dropped == 2


def test_the_last_lines_are_written() -> None:
    """What was logged before the end is written before the end, however short the time."""
    stream = io.StringIO()
    writer = LogWriter(stream, interval=3600)
    writer.start()
    for text in ("one", "two"):
        writer.handle(logging.makeLogRecord({"msg": text}))
    writer.stop()
    assert stream.getvalue() == "one\ntwo\n"


def test_closed_output_drops_and_counts_lines() -> None:
    """When the output is closed, lines are dropped and counted."""
    stream = io.StringIO()
    stream.close()
    writer = LogWriter(stream, interval=0)
    writer.start()
    writer.handle(logging.makeLogRecord({"msg": "x"}))
    writer.stop()
    assert writer.dropped == 1


class Blocked(io.StringIO):
    """Nobody reads it until `read_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.read_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.read_on.wait(10)
        return super().write(text)


def test_blocked_output_does_not_block_logging() -> None:
    """While nobody reads, who logs goes on; the end waits for a moment only."""
    stream = Blocked()
    writer = LogWriter(stream, interval=0)
    writer.start()
    writer.handle(logging.makeLogRecord({"msg": "one"}))
    assert stream.reached.wait(10)
    writer.handle(logging.makeLogRecord({"msg": "two"}))
    writer.stop(timeout=0.01)
    assert stream.getvalue() == ""
    stream.read_on.set()
    writer.stop()
    assert stream.getvalue().startswith("one")


def test_no_lock_is_held(tmp_path: Path) -> None:
    """What goes to a file or pipe is written at once and as it is, through no buffer; other streams are taken as they are."""
    path = tmp_path / "log"
    with path.open("w") as file:
        log = unlocked(file)
        log.write("schön\n")
        assert path.read_text(encoding="utf-8") == "schön\n"
    memory = io.StringIO()
    assert unlocked(memory) is memory
