"""`gateway requests`: the rows of the ledger, and new ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.requests import following
from gateway.records import RequestRecord
from gateway.store import InsertRequest, SettleRequest
from gateway.store.opening import open_store
from tests.cli.conftest import OURS, Invoke
from tests.store.cases import begun, ended


def write(db: Path, *records: RequestRecord) -> None:
    with closing(open_store(db)) as store:
        for record in records:
            store.submit(SettleRequest(record)).result()


def test_rows_are_listed_oldest_first(invoke: Invoke, db: Path) -> None:
    """Each row is a line with its model, cost and saving; the newest is the last one, and --limit cuts the oldest."""
    write(db, ended("a"), ended("b", actual_cost=None), ended("c", status="error", error_code="upstream_error"))
    lines = invoke("requests", "--limit", "2").stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["b", "upstream_error"]
    assert "gemini/flash" in lines[0]
    assert "unknown" in lines[0]
    first = invoke("requests").stdout.splitlines()[0]
    assert first.split() == [
        "2026-11-22T10:00:00",
        "ok",
        "gemini/flash",
        "$0.001000",
        "saved",
        "$0.003000",
        "hybrid",
        "a",
    ]


@pytest.mark.parametrize(("arguments", "said"), [((), "is empty"), (("--status", "error"), "no such request")])
def test_no_rows_are_told(invoke: Invoke, db: Path, arguments: tuple[str, ...], said: str) -> None:
    """Nothing to list is told on standard error; standard output stays empty for programs."""
    write(db)
    result = invoke("requests", *arguments)
    assert (result.exit_code, result.stdout, said in result.stderr) == (0, "", True)


def test_following_gives_each_request_once_when_it_ends(db: Path) -> None:
    """What is followed are requests that end, whenever they began, and none of them twice."""
    with closing(open_store(db)) as store:
        store.submit(InsertRequest(begun("slow"))).result()
        store.submit(SettleRequest(ended("old"))).result()
        ends = iter((ended("new"), ended("slow"), ended("last")))
        rows = following(
            str(db), store.requests(), filters={}, sleep=lambda _: store.submit(SettleRequest(next(ends))).result()
        )
        assert [[row["request_id"] for row in next(rows)] for _ in range(3)] == [["new"], ["slow"], ["last"]]


def test_follow_ends_with_ctrl_c(db: Path) -> None:
    """--follow prints what is there, goes on with new rows and ends with 0 at Ctrl-C."""
    write(db, ended("a"))
    environment = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name)}
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of this test
        [sys.executable, "-m", "gateway", "requests", "--follow", "--db", str(db)],
        cwd=db.parent,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        first = process.stdout.readline()
        write(db, ended("b"))
        second = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert [line.split()[-1] for line in (first, second)] == ["a", "b"]
