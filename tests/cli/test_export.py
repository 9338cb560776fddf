"""`gateway export`."""

from __future__ import annotations

import csv
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson

from gateway.cli.export import pages
from gateway.store.opening import open_store
from tests.cli.conftest import Invoke
from tests.cli.test_requests import write
from tests.store.cases import ended


def test_export_writes_csv_with_one_header(invoke: Invoke, db: Path) -> None:
    """CSV is the default: one line of names, then a line for each row that the filters leave, the newest first."""
    write(db, ended("a"), ended("b", requested_model="=1+1"), ended("c", status="error"))
    lines = list(csv.DictReader(invoke("export", "--status", "ok").stdout.splitlines()))
    assert [line["request_id"] for line in lines] == ["b", "a"]
    assert lines[0]["requested_model"] == "'=1+1"  # a spreadsheet would calculate it
    assert invoke("export", "--csv", "--status", "ok").stdout == invoke("export", "--status", "ok").stdout


def test_export_writes_json_lines(invoke: Invoke, db: Path) -> None:
    """--json writes an object for each row, with the numbers as numbers."""
    write(db, ended("a"), ended("b"))
    rows = [orjson.loads(line) for line in invoke("export", "--json").stdout.splitlines()]
    assert [(row["request_id"], row["actual_cost"]) for row in rows] == [("b", 0.001), ("a", 0.001)]


def test_export_of_nothing_is_empty(invoke: Invoke, db: Path) -> None:
    """Without rows nothing is written, and the command succeeds."""
    write(db)
    result = invoke("export")
    assert (result.exit_code, result.output) == (0, "")


def test_pages_have_every_row_once(db: Path) -> None:
    """Pages follow each other without a gap or an overlap, and none is empty."""
    write(db, *(ended(name) for name in "abcd"))
    with closing(open_store(db)) as store:
        found = [[row["request_id"] for row in page] for page in pages(store, {}, size=2)]
    assert found == [["d", "c"], ["b", "a"]]


WITHOUT_PARQUET = """
import sys
sys.modules["pyarrow"] = None
from gateway.__main__ import main
sys.argv[1:] = ["export", *sys.argv[1:]]
main()
"""


def test_parquet_without_its_extra_says_what_to_install(db: Path, tmp_path: Path) -> None:
    """Nothing of pyarrow is needed for the other formats."""
    write(db, ended("a"))
    command = [sys.executable, "-c", WITHOUT_PARQUET, "--db", str(db)]
    csv_lines = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own text
    told = subprocess.run([*command, "--parquet", str(tmp_path / "x")], capture_output=True, text=True, timeout=60)  # noqa: S603 - it fails
    assert len(csv_lines.stdout.splitlines()) == 2
    assert (told.returncode, "pip install 'auto-gateway[parquet]'" in told.stderr) == (1, True)
