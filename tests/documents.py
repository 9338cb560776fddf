"""The documents at the root and in docs/ as text, tables and code blocks."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOT_DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PATHS = (*(ROOT / name for name in ROOT_DOCUMENTS), *sorted((ROOT / "docs").rglob("*.md")))
_LIST_FILES = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
_BLOCK = re.compile(r"(?P<mark><!-- runs -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `runs` says that it is marked to be run by a test."""

    document: str
    language: str
    text: str
    runs: bool

    def __str__(self) -> str:
        return f"{self.document}: {self.text.strip().splitlines()[0][:40]}"


def text_of(name: str) -> str:
    """A document by its name. `README.md` is the one at the root; name others like it by their path: `docs/README.md`."""
    return next(path for path in PATHS if path.name == name or path == ROOT / name).read_text()


def repository_files() -> list[str]:
    """The paths of the files that git knows or would add, and that exist."""
    listed = subprocess.run(_LIST_FILES, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603 - the git of the developer
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def everything() -> str:
    return "\n".join(path.read_text() for path in PATHS)


def blocks(language: str) -> list[Block]:
    found = ((path.name, block) for path in PATHS for block in _BLOCK.finditer(path.read_text()))
    return [
        Block(name, block["language"], block["text"], bool(block["mark"]))
        for name, block in found
        if block["language"] == language
    ]


def table(name: str, heading: str) -> list[list[str]]:
    """The cells of the first table in a document with that first heading cell, without its two heading rows."""
    lines = text_of(name).splitlines()
    begins = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    return list(_rows(lines[begins + 2 :]))


def _rows(lines: list[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


def quoted(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def run_example(
    program: str, *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run an example of the documents with `sh` or `node`."""
    command = [shutil.which(program) or program, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)  # noqa: S603 - our documents
