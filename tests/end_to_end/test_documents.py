"""What the documents show can be done as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from tests.documents import ROOT, Block, blocks
from tests.end_to_end.conftest import Served

PYTHON = blocks("python")
SHOWN = "http://127.0.0.1:8000"


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
