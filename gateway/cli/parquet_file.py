"""Rows of the ledger as a Parquet file, for pandas, DuckDB, Spark and others. Needs the extra `parquet` (pyarrow)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa  # type: ignore[import-untyped]  # has no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from gateway.store.encoding import BOOLEAN_COLUMNS
from gateway.store.ledger_tables import ledger_tables
from gateway.store.sql import REQUEST_COLUMNS

Row = Mapping[str, Any]
_TYPES = {"INTEGER": pa.int64(), "REAL": pa.float64(), "TEXT": pa.string()}


def write_parquet(path: Path, pages: Iterable[Sequence[Row]]) -> int:
    """Write the rows, one row group a page, and return how many there are.

    Every column of the ledger has its type whatever the rows have in it, so that files can be read together. Flags are
    booleans, times are UTC timestamps in milliseconds, JSON is text. The file appears when it is whole.
    """
    schema, unfinished, count = _schema(), path.with_name(f"{path.name}.{os.getpid()}.part"), 0
    try:
        with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            for page in pages:
                columns = [
                    pa.array([_value(row.get(field.name), field) for row in page], field.type) for field in schema
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                count += len(page)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _schema() -> Any:
    kinds = next(table.columns for table in ledger_tables() if table.name == "routing_metrics")
    return pa.schema([(name, _type(name, kinds[name])) for name in REQUEST_COLUMNS])


def _type(name: str, kind: str) -> Any:
    if name == "timestamp":
        return pa.timestamp("ms", tz="UTC")
    return pa.bool_() if name in BOOLEAN_COLUMNS else _TYPES[kind]


def _value(value: Any, field: Any) -> Any:
    if value is None:
        return None
    if pa.types.is_timestamp(field.type):
        return _time(value)
    return value if not pa.types.is_string(field.type) or isinstance(value, str) else orjson.dumps(value).decode()


def _time(text: str) -> datetime | None:
    """None for a text that is no time, written by another tool."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
