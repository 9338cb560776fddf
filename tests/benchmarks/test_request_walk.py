"""How far a request walks through the code, as it is counted."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.documents import ROOT


def test_walk_of_each_kind_of_request_is_counted() -> None:
    """Each of the four kinds of request has a row of figures; a named model walks less far than `auto`.

    It starts a gateway and the simulated vendors as processes (about five seconds), since it counts what users run.
    """
    command = [sys.executable, "-m", "benchmarks.request_walk"]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)  # noqa: S603 - our own module
    rows = re.findall(
        r"^\| `([\w/.-]+)`, (whole|stream) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", ended.stdout, re.MULTILINE
    )
    modules = {(model, form): int(count) for model, form, _, _, count, _ in rows}
    assert len(modules) == 4
    assert all(0 < modules["claude/claude-haiku-4-5", form] <= modules["auto", form] for form in ("whole", "stream"))
