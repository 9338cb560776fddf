"""`gateway export`."""

from __future__ import annotations

import csv
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # has no types
import pytest

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


def test_parquet_has_the_types_of_the_columns(invoke: Invoke, db: Path, tmp_path: Path) -> None:
    """Numbers, flags, times and JSON have their types even where every row has null, so that files can be read together."""
    write(db, ended("a"), ended("b", tags={"team": "x"}), ended("c", status="error"))
    file = tmp_path / "rows.parquet"
    result = invoke("export", "--parquet", str(file), "--status", "ok")
    assert (result.exit_code, result.stdout) == (0, "")
    found = pq.read_table(file)
    types = {field.name: str(field.type) for field in found.schema}
    names = ("actual_cost", "http_status", "streamed", "timestamp", "tags", "shadow_cost", "reasoning")
    assert [types[name] for name in names] == [
        "double",
        "int64",
        "bool",
        "timestamp[ms, tz=UTC]",
        "string",
        "double",
        "string",
    ]
    rows = found.to_pylist()
    assert [(row["request_id"], row["actual_cost"], row["streamed"]) for row in rows] == [
        ("b", 0.001, False),
        ("a", 0.001, False),
    ]
    assert orjson.loads(rows[0]["tags"]) == {"team": "x"}
    assert rows[0]["timestamp"].utcoffset() == timedelta(0)


def test_parquet_of_nothing_has_the_columns(invoke: Invoke, db: Path, tmp_path: Path) -> None:
    """A file without rows can be read too."""
    write(db)
    invoke("export", "--parquet", str(tmp_path / "rows.parquet"))
    found = pq.read_table(tmp_path / "rows.parquet")
    assert (found.num_rows, "request_id" in found.schema.names) == (0, True)


@pytest.mark.parametrize(
    ("stored", "read"), [("then", None), ("2026-11-30T01:02:03", datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC))]
)
def test_times_of_other_tools(invoke: Invoke, db: Path, tmp_path: Path, stored: str, read: datetime | None) -> None:
    """A time without a zone is UTC, a text that is no time is null."""
    write(db, ended("a"))
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("UPDATE routing_metrics SET timestamp = ?", (stored,))
        connection.commit()
    invoke("export", "--parquet", str(tmp_path / "rows.parquet"))
    assert pq.read_table(tmp_path / "rows.parquet")["timestamp"].to_pylist() == [read]


def test_parquet_that_cannot_be_written_leaves_nothing(invoke: Invoke, db: Path, tmp_path: Path) -> None:
    """A value that is not of its column's type, and a folder that does not exist, are told in a sentence."""
    write(db, ended("a"))
    missing = invoke("export", "--parquet", str(tmp_path / "none" / "rows.parquet"))
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("UPDATE routing_metrics SET http_status = 'teapot'")
        connection.commit()
    wrong = invoke("export", "--parquet", str(tmp_path / "rows.parquet"))
    assert (missing.exit_code, wrong.exit_code) == (1, 1)
    assert "rows.parquet cannot be written" in missing.stderr
    assert "teapot" in wrong.stderr
    assert list(tmp_path.glob("rows.parquet*")) == []


def test_parquet_without_its_extra_says_what_to_install(
    invoke: Invoke, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of pyarrow is needed for the other formats."""
    write(db, ended("a"))
    monkeypatch.setitem(sys.modules, "gateway.cli.parquet_file", None)
    result = invoke("export", "--parquet", str(tmp_path / "rows.parquet"))
    assert (result.exit_code, "pip install 'auto-gateway[parquet]'" in result.stderr) == (1, True)
    assert invoke("export").exit_code == 0
