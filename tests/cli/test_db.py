"""`gateway db copy`: a ledger in another database, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from gateway.store import SettleRequest
from gateway.store.opening import open_store
from tests.cli.conftest import Invoke
from tests.postgres import drop_database, new_database
from tests.store.cases import ended


@pytest.fixture
def url() -> Iterator[str]:
    database = new_database(empty=True)
    yield database.replace("owner@", "owner:s3cret@")
    drop_database(database)


@pytest.fixture
def filled(db: Path) -> Path:
    with closing(open_store(db)) as store:
        store.submit(SettleRequest(ended())).result()
    return db


def test_copy_to_postgres_and_back(invoke: Invoke, filled: Path, url: str) -> None:
    """Both ways end with a table of what was copied and summed; the password is not shown."""
    there = invoke("db", "copy", str(filled), url)
    assert there.exit_code == 0, there.output
    assert "counts and sums are equal" in there.stdout
    assert "routing_metrics             1 rows  spent $0.001" in there.stdout
    back = invoke("db", "copy", url, "back.db", "--json")
    assert {"table": "routing_metrics", "rows": 1, "spent_usd": 0.001} in orjson.loads(back.stdout)
    assert orjson.loads(invoke("report", "--days", "3000", "--json", "--db", "back.db").stdout)["requests"] == 1
    assert "s3cret" not in there.output + back.output


def test_copy_that_cannot_be_is_told(invoke: Invoke, filled: Path, url: str) -> None:
    """A missing source, a target that is the source, and keys that were lost are refused with exit 1 and one sentence."""
    assert (
        "There is no ledger" in (missing := invoke("db", "copy", "missing.db", "b.db")).output
        or "cannot be opened" in missing.output
    )
    same = [invoke("db", "copy", str(filled), filled.name), invoke("db", "copy", url, url)]
    assert all("is both SOURCE and TARGET" in each.output for each in same)
    filled.with_name(f"{filled.name}.keys-lost").write_text("")
    lost = invoke("db", "copy", str(filled), "b.db")
    assert "--accept-lost-keys" in lost.output
    assert [each.exit_code for each in (missing, *same, lost)] == [1] * 4
    assert not (filled.parent / "b.db").exists()


def test_copy_says_that_there_is_no_source(invoke: Invoke, tmp_path: Path) -> None:
    """A SOURCE that is not there is told, and TARGET is not created."""
    result = invoke("db", "copy", str(tmp_path / "absent.db"), str(tmp_path / "new.db"))
    assert (result.exit_code, "There is no ledger at" in result.output) == (1, True)
    assert not (tmp_path / "new.db").exists()
