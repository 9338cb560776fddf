"""`gateway backup`: a copy beside a running gateway."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import orjson

from gateway.store import SettleRequest
from gateway.store.opening import open_store
from tests.cli.conftest import Invoke
from tests.store.cases import ended


def test_backup_is_a_ledger(invoke: Invoke, db: Path) -> None:
    """The backup can be used as a ledger; a second one into the same file is refused."""
    with closing(open_store(db)) as store:
        store.submit(SettleRequest(ended())).result()
    done = invoke("backup", "copy.db")
    assert done.exit_code == 0, done.output
    assert "checked" in done.stdout
    assert orjson.loads(invoke("report", "--days", "3000", "--json", "--db", "copy.db").stdout)["requests"] == 1
    again = invoke("backup", "copy.db")
    assert (again.exit_code, "exists already" in again.output) == (1, True)


def test_backup_of_postgres_names_pg_dump(invoke: Invoke) -> None:
    """A ledger in PostgreSQL is backed up by its own program, which the message names; the password is not shown."""
    result = invoke("backup", "copy.dump", "--db", "postgresql://ann:s3cret@db.example/gateway")
    assert result.exit_code == 1
    assert "pg_dump --format=custom --file=copy.dump" in result.output
    assert "s3cret" not in result.output


def test_backup_of_what_is_no_ledger_is_told(invoke: Invoke, db: Path) -> None:
    """A file that is no ledger is named, and no backup is made."""
    db.write_text("not a database, and long enough to be read as one" * 30)
    result = invoke("backup", "copy.db")
    assert result.exit_code == 1
    assert "is not an SQLite database" in result.output
    assert not (db.parent / "copy.db").exists()
