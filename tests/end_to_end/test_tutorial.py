"""docs/tutorial.md can be followed as it stands there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.clients.__main__ import free_port
from tests.documents import blocks, run_example

SHOWN = "http://127.0.0.1:8000"
STEPS = [block for block in blocks("sh") if block.runs and block.document == "tutorial.md"]
READY_SECONDS = 30


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_each_command_of_the_tutorial_succeeds(tmp_path: Path) -> None:
    """The marked blocks run one after the other beside a demo in an empty folder; each ends with 0 and prints something.

    Takes some seconds: it starts the real demo and seven commands.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    gateway = Path(sys.executable).parent
    environment = {"PATH": f"{gateway}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    demo = [str(gateway / "gateway"), "demo", "--port", str(port), "--traffic", "20"]
    with subprocess.Popen(  # noqa: S603 - our own command
        demo, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_until_ready(url)
            for step in STEPS:
                script = step.text.replace(SHOWN, url)
                done = run_example("sh", "-ec", script, folder=tmp_path, environment=environment)
                assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
                assert done.stdout.strip()
                assert not done.stdout.startswith("HTTP/1.1") or done.stdout.startswith("HTTP/1.1 200"), done.stdout
        finally:
            process.terminate()
    assert len(STEPS) >= 7


def _wait_until_ready(url: str) -> None:
    ends = time.monotonic() + READY_SECONDS
    while time.monotonic() < ends:
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return
        except httpx2.ConnectError:
            pass
        time.sleep(0.1)
    pytest.fail("The demo did not become ready.")
