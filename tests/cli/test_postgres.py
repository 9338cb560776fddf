"""Commands on a PostgreSQL ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import orjson
import pytest

from gateway.store import SettleRequest
from gateway.store.opening import open_store
from tests.cli.conftest import KEYS, Invoke
from tests.postgres import drop_database, new_database
from tests.store.cases import ended


@pytest.fixture
def url() -> Iterator[str]:
    database = new_database()
    yield database.replace("owner@", "owner:s3cret@")  # a socket's user needs no password
    drop_database(database)


def test_commands_take_a_url(invoke: Invoke, url: str) -> None:
    """Keys, reports, routes and the doctor work on a database, and none shows its password."""
    store = open_store(url)
    store.submit(SettleRequest(ended())).result()
    store.close()
    results = [
        invoke("keys", "create", "--name", "team", GATEWAY_DB=url),
        invoke("keys", "list", "--json", "--db", url),
        invoke("report", "--days", "3000", "--db", url),
        invoke("report", "--days", "3000", "--json", GATEWAY_DB=url),
        invoke("route", "hello", GATEWAY_DB=url, **KEYS),
        invoke("requests", "--db", url),
        invoke("export", "--db", url),
        invoke("prune", "--older-than", "2026-09-01", "--db", url),
        invoke("doctor", GATEWAY_DB=url, **KEYS),
    ]
    assert [result.exit_code for result in results] == [0] * 9
    assert orjson.loads(results[1].stdout)["name"] == "team"
    assert orjson.loads(results[3].stdout)["requests"] == 1
    assert "the ledger is postgresql://owner@" in results[8].output
    assert not any("s3cret" in result.output for result in results)


@pytest.mark.parametrize("command", [("prune", "--older-than", "2026-09-01"), ("reprice",)], ids=lambda words: words[0])
def test_one_process_changes_many_rows_at_a_time(invoke: Invoke, url: str, command: tuple[str, ...]) -> None:
    """While another process prunes or reprices the same database, the command ends and says so; afterwards it works."""
    with closing(open_store(url)) as other:
        assert other.replicas is not None
        assert other.replicas.leads(command[0])
        result = invoke(*command, "--db", url, **KEYS)
        assert (result.exit_code, "Another process does the same on this ledger" in result.output) == (1, True)
    assert invoke(*command, "--db", url, **KEYS).exit_code == 0


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("postgresql://ann:s3cret@h:port/d", "GATEWAY_DB is no PostgreSQL URL"),
        ("postgresql://ann:s3cret@127.0.0.1:1/d", "nothing answers there"),
    ],
)
@pytest.mark.parametrize("command", [("report",), ("keys", "list"), ("serve",), ("doctor",)], ids=" ".join)
def test_unusable_database_ends_a_command(
    invoke: Invoke, address: str, sentence: str, command: tuple[str, ...]
) -> None:
    """A database that cannot be used is exit 1 with one sentence, without a traceback or the password."""
    port = ("--port", "0") if command == ("serve",) else ()
    result = invoke(*command, *port, GATEWAY_DB=address, **KEYS)
    assert result.exit_code == 1
    assert sentence in result.output
    assert not any(word in result.output for word in ("s3cret", "Traceback"))


def test_empty_database_is_told_by_the_doctor(invoke: Invoke) -> None:
    """A database without a ledger is named; nothing is made in it."""
    empty = new_database(empty=True)
    assert "wrong: There is no ledger in postgresql://" in invoke("doctor", GATEWAY_DB=empty, **KEYS).output
    drop_database(empty)
