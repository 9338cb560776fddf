"""What the documents show can be done as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from gateway.store.sqlite import SqliteStore
from tests.documents import ROOT, Block, blocks, run_example
from tests.end_to_end.conftest import Served

PYTHON = blocks("python")
SHOWN = "http://127.0.0.1:8000"
COMMANDS = [block for block in blocks("sh") if block.runs and block.document == "clients.md"]
SCRIPTS = [block for block in blocks("js") if block.runs]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_blocks_of_the_documents_compile(block: Block) -> None:
    """Every block marked as Python is Python."""
    assert compile(block.text, block.document, "exec").co_code


@pytest.mark.parametrize("block", [block for block in PYTHON if block.runs], ids=str)
def test_runnable_python_blocks_run_against_a_gateway(block: Block, served: Served, tmp_path: Path) -> None:
    """A block that is marked to run does, against a gateway and with its files in an empty directory."""
    text = re.sub(r'"(\w+\.db)"', lambda name: repr(str(tmp_path / name[1])), block.text.replace(SHOWN, served.url))
    made: dict[str, Any] = {"__name__": "example"}
    try:
        exec(compile(text, block.document, "exec"), made)  # noqa: S102 - our own documents
    finally:
        if "client" in made:  # as the end of a program would
            made["client"].close()
    assert made.keys() - {"__name__", "__builtins__"}  # its names are bound: it ran to its end


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_runnable_commands_succeed_against_a_gateway(block: Block, served: Served) -> None:
    """A shell block that is marked to run ends with 0, without more settings, and names the model that answered."""
    done = run_example("sh", "-ec", block.text.replace(SHOWN, served.url))
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"model":' in done.stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_runnable_javascript_runs_without_packages(block: Block, served: Served, tmp_path: Path) -> None:
    """A JavaScript block that is marked to run does so in Node with nothing installed."""
    script = tmp_path / "example.mjs"
    script.write_text(block.text.replace(SHOWN, served.url))
    done = run_example("node", str(script))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_backup_of_upgrading_md(served: Served, tmp_path: Path) -> None:
    """The backup in Python copies a ledger in use, and the copy opens."""
    served.openai.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])
    (backup,) = (block.text for block in blocks("sh") if block.runs and block.document == "upgrading.md")
    copy = tmp_path / "copy.db"
    command = backup.replace("gateway.db", str(served.db)).replace("copy.db", str(copy))
    done = run_example("sh", "-ec", command)
    assert done.returncode == 0, done.stderr
    with closing(SqliteStore(copy)) as store:
        assert store.summary(days=30)["total_requests"] > 0


def test_a_runnable_block_of_each_language_is_found() -> None:
    """Python, shell and JavaScript blocks are found by their marks, so that the tests above cannot pass by finding none."""
    assert [block for block in PYTHON if block.runs]
    assert COMMANDS
    assert SCRIPTS


def test_readme_curl_is_answered_with_the_listed_headers(served: Served) -> None:
    """The README's curl is answered, and its answer carries the headers that the README lists."""
    command = next(block.text for block in blocks("sh") if block.text.startswith("curl"))
    words = shlex.split(command.replace("\\\n", " "))
    url = next(word for word in words if word.startswith(SHOWN)).replace(SHOWN, served.url)
    name, _, value = words[words.index("-H") + 1].partition(": ")
    body = words[words.index("-d") + 1]
    assert orjson.loads(body)["model"] == "auto"
    response = httpx2.post(url, headers={name: value}, content=body)
    assert response.status_code == 200
    listed = re.findall(r"`(x-[a-z-]+)`", (ROOT / "README.md").read_text())
    assert {name for name in listed if name not in response.headers} <= {"x-gateway-demo"}
