"""The command line in this process, and as a process of its own."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

KEYS = dict.fromkeys(("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"), "simulated")
# What the machine that runs the tests may have set.
OURS = re.compile(r"(GATEWAY|OTEL)_\w+|\w+_BASE_URL|(GEMINI|ANTHROPIC|OPENROUTER)_API_KEY")
_DROP_BOUND_CAPABILITY, _OVERRIDE, _READ_SEARCH = 24, 1, 2  # linux/prctl.h, linux/capability.h
URL = re.compile(r"running on (http://127\.0\.0\.1:\d+)")

Invoke = Callable[..., Result]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def invoke(db: Path) -> Invoke:
    """`invoke("report", "--json", GATEWAY_CONFIG=...)`: the command's end, its ledger in `db` unless said otherwise.

    It runs in the directory of `db`, where no `.env` of the machine's is found.
    """

    def invoked(*arguments: str, **environment: str) -> Result:
        unset: dict[str, str | None] = dict.fromkeys(filter(OURS.fullmatch, os.environ))
        with chdir(db.parent):
            return CliRunner().invoke(main, arguments, env={**unset, "GATEWAY_DB": str(db), **environment})

    return invoked


@dataclass(slots=True)
class Running:
    """A started `gateway` process; `lines` is what it has said so far."""

    process: subprocess.Popen[str]
    url: str = ""
    lines: list[str] = field(default_factory=list)

    def end(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status after the signal."""
        self.process.send_signal(sig)
        _, rest = self.process.communicate(timeout=20)
        self.lines += rest.splitlines()
        return self.process.returncode


class Start(Protocol):
    def __call__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Running: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start("serve", "--port", "0")`: the process, once it listens. It runs in `tmp_path` and is killed if the test leaves it.

    Without a configuration of the test's own it drains without delay, so that no end takes a second.
    """
    started: list[Running] = []
    without_delay = tmp_path / "without_delay.yaml"
    without_delay.write_text("drain_delay: 0\n")

    def running(*arguments: str, environment: Mapping[str, str] | None = None) -> Running:
        inherited = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name)}
        has_config = (tmp_path / "config").exists() or (tmp_path / "gateway.yaml").exists()
        defaults = {} if has_config else {"GATEWAY_CONFIG": str(without_delay)}
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments that stand in tests
            [sys.executable, "-m", "gateway", *arguments],
            cwd=tmp_path,
            env={**inherited, **defaults, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        began = Running(process)
        started.append(began)
        assert process.stderr is not None
        for line in iter(process.stderr.readline, ""):
            began.lines.append(line.rstrip("\n"))
            if found := URL.search(line):
                began.url = found[1]
                return began
        raise AssertionError("\n".join(began.lines))

    yield running
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        with each.process:  # waits, and closes what is left of its output
            pass


def without_privilege() -> None:
    """Before a program starts: root obeys permissions too. Others cannot give up what they do not have."""
    libc = ctypes.CDLL(None)
    for capability in (_OVERRIDE, _READ_SEARCH):
        libc.prctl(_DROP_BOUND_CAPABILITY, capability, 0, 0, 0)
