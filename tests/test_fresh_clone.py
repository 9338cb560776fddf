"""The README's first steps, walked in a fresh copy of the checkout with the environment that is installed already."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import OURS, URL
from tests.documents import ROOT, blocks, repository_files

NEEDED = ("git", "make", "sh", "curl")
pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not all(map(shutil.which, NEEDED)),
    reason=f"needs a checkout and {', '.join(NEEDED)}",
)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows or would add, and a `.venv` whose programs are those of this interpreter's."""
    clone = tmp_path_factory.mktemp("clone")
    for name in repository_files():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name)
    (clone / ".venv").mkdir()
    (clone / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (clone / ".venv" / "run.stamp").touch()  # what the lock names is installed
    return clone


def variables(clone: Path, **further: str) -> Mapping[str, str]:
    """A newcomer's environment; the package is the clone's, not that of the checkout which is installed."""
    inherited = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name)}
    return {**inherited, "PYTHONPATH": str(clone), **further}


@contextmanager
def make_run(clone: Path, **further: str) -> Iterator[tuple[str, list[str]]]:
    """`make run`: its URL and what it printed until it listened. It ends as with Ctrl-C."""
    process = subprocess.Popen(
        ["make", "run"],  # noqa: S607 - the make of the developer
        cwd=clone,
        env=variables(clone, **further),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            if found := URL.search(line):
                yield found[1], said
                break
        else:
            raise AssertionError("\n".join(said))
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=20)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])


def run(clone: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Lines of the README in a shell in the clone."""
    return subprocess.run(
        ["sh", "-e"],  # noqa: S607 - as a newcomer's terminal
        input=script,
        cwd=clone,
        env=variables(clone),
        capture_output=True,
        text=True,
    )


def test_first_steps_of_the_readme_work_as_written(clone: Path) -> None:
    """`make run` on another port, and then the README's request and commands, work as written: the request is in the report, and all is well.

    Slow: it starts the demo and runs every command of the README; it is what a newcomer does first.
    """
    port = free_port()
    readme = [block.text for block in blocks("sh") if block.document == "README.md"]
    (asking,) = (text for text in readme if text.startswith("curl "))
    (telling,) = (text for text in readme if text.startswith(".venv/bin/gateway "))
    assert re.findall(r"^\.venv/bin/gateway (\w+)", telling, re.MULTILINE) == ["route", "report", "doctor"]
    with make_run(clone, GATEWAY_PORT=port) as (url, said):
        assert url == f"http://127.0.0.1:{port}"
        assert any("running the demo" in line for line in said)
        asked = run(clone, asking.replace("http://127.0.0.1:8000", url))
        assert asked.returncode == 0, asked.stderr
        assert "x-gateway-demo: true" in asked.stdout
        told = run(clone, telling)
        assert told.returncode == 0, told.stdout + told.stderr
        assert re.search(r"Requests +1, 1 routed", told.stdout)
        assert re.search(r"Saved +\S+, -?[0-9.]+ % of the baseline", told.stdout)
        assert "warning: no provider can be used" in told.stdout
        assert "nothing has to be fixed" in told.stdout
    assert not (clone / "gateway.db").exists()


def test_keys_in_dotenv(clone: Path) -> None:
    """A provider of `.env` is served by `make run` and known to `doctor`; the environment's port wins over the file's."""
    port = free_port()
    (clone / ".env").write_text("GEMINI_API_KEY=made-up\nGEMINI_BASE_URL=http://127.0.0.1:9\nGATEWAY_PORT=1\n")
    try:
        with make_run(clone, GATEWAY_PORT=port) as (url, said):
            assert "providers: gemini" in said
            assert "x-gateway-demo" not in httpx2.get(f"{url}/healthz").headers
            assert url.endswith(f":{port}")
        assert "providers: gemini\n" in run(clone, ".venv/bin/gateway doctor").stdout
    finally:
        (clone / ".env").unlink()
