"""`gateway export --parquet`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # has no types
import pytest

from tests.cli.conftest import Invoke
from tests.cli.test_requests import write
from tests.store.cases import ended


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
