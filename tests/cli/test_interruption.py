"""Interrupted commands."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest

from gateway.cli.interruption import interruptible
from tests.cli.conftest import OURS, Invoke
from tests.cli.test_requests import write
from tests.store.cases import ended


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, click.Abort], ids=["signal", "click"])
def test_an_interruption_is_a_sentence(interrupt: type[BaseException]) -> None:
    """What is left behind at that moment is told, with status 1."""

    def work() -> None:
        done = 0
        with interruptible(lambda: f"{done} are done"):
            done = 3
            raise interrupt

    with pytest.raises(click.ClickException, match="Interrupted: 3 are done") as caught:
        work()
    assert caught.value.exit_code == 1


def test_an_interrupted_export_says_that_it_is_not_complete(invoke: Invoke, db: Path) -> None:
    """SIGINT in the middle of an export of many rows ends it with status 1 and a sentence, and the ledger is whole.

    Slow: it exports until a pipe that nobody reads is full.
    """
    write(db, *(ended(f"r{n}") for n in range(500)))
    environment = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name)}
    command = [sys.executable, "-m", "gateway", "export", "--db", str(db)]
    with subprocess.Popen(  # noqa: S603 - this interpreter
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun, and waits until somebody reads on
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert (process.returncode, "Interrupted: the output is not complete." in said) == (1, True)
    with closing(sqlite3.connect(db)) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
