"""What an operator is told when PostgreSQL cannot be used: one sentence with advice, and never the password."""

from __future__ import annotations

import asyncio
import socket

import asyncpg
import pytest

from gateway.errors import Conflict, LedgerUnavailable
from gateway.store.postgres import failures
from gateway.store.postgres.address import PostgresAddress

from gateway.store.opening import open_store  # isort: skip
from tests.postgres import ENCODED_PASSWORD, PASSWORD, PostgresServer

ADDRESS = PostgresAddress.parse("postgresql://ann:secret@db/ledger")


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (("p%40ss", "wr%40ng"), "does not accept this user or password"),
        (("owner:", "nobody:"), "does not accept this user or password"),
        (("/postgres", "/missing"), "there is no such database: create it"),
        (("127.0.0.1", "no-such-host.invalid"), "its host is not known"),
        (("127.0.0.1", "127.0.0.1:1,127.0.0.1"), "GATEWAY_DB is no PostgreSQL URL"),
        (("/postgres", "/postgres?sslmode=nonsense"), "a part of the URL is not understood"),
        (("/postgres", "/postgres?colour=blue"), "a part of the URL is not understood"),
    ],
    ids=["password", "user", "database", "host", "port", "sslmode", "parameter"],
)
def test_wrong_url_is_told(server: PostgresServer, change: tuple[str, str], advice: str) -> None:
    """Each part of the URL that is wrong is named in a sentence without the password."""
    with pytest.raises(LedgerUnavailable) as raised:
        open_store(server.url().replace(*change))
    assert advice in raised.value.message
    assert "\n" not in raised.value.message
    assert not any(secret in raised.value.message for secret in (PASSWORD, ENCODED_PASSWORD, "ss:w/rd", "wr@ng"))


def test_percent_encoded_password_and_socket_are_accepted(server: PostgresServer) -> None:
    """A password with special characters, and a folder with a socket instead of a host."""
    for url in (server.url(), server.socket_url()):
        store = open_store(url)
        store.probe()
        store.close()


def test_closed_port_and_missing_socket_are_told() -> None:
    """Where nothing listens, the message says so."""
    for url in ("postgresql://u:secret@127.0.0.1:1/d", "postgresql:///d?host=/nonexistent"):
        with pytest.raises(LedgerUnavailable, match="nothing answers there: start PostgreSQL"):
            open_store(url)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (TimeoutError(), "it does not answer"),
        (socket.gaierror(-2, "Name or service not known"), "its host is not known"),
        (asyncpg.TooManyConnectionsError("sorry, too many clients already"), "it has no connection left"),
        (asyncpg.CannotConnectNowError("the database system is starting up"), "it is starting, stopping"),
        (asyncpg.DiskFullError("could not extend file"), "its disk is full"),
        (asyncpg.QueryCanceledError("canceling statement due to statement timeout"), "took too long"),
        (asyncpg.UndefinedTableError('relation "x" does not exist'), "the database refused"),
        (asyncpg.InternalClientError("cannot switch to state 15"), "it is starting, stopping"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_advice(error: Exception, advice: str) -> None:
    """The advice follows from the kind of error; a client is told to wait some seconds."""
    told = failures.unavailable(ADDRESS, error)
    assert advice in told.message
    assert (told.retry_after, failures.concerns_database(error)) == (failures.RETRY_AFTER, True)


def test_password_in_an_error_is_hidden() -> None:
    """Whatever quotes the password, the message does not."""
    told = failures.unavailable(ADDRESS, OSError("cannot reach ann:secret@db\nat all"))
    assert told.message.endswith("(cannot reach ann:***@db at all)")


def test_errors_of_values_do_not_concern_the_database() -> None:
    """A value that does not fit, or a refusal, says nothing about the database."""
    for error in (asyncpg.DataError("x"), asyncpg.UniqueViolationError("x"), Conflict("x"), ValueError("x")):
        assert not failures.concerns_database(error)
        assert not failures.is_lost(error)


def test_lost_connections_and_deadlocks() -> None:
    """An ended connection is lost; a deadlock is repeated on the same one."""
    for error in (ConnectionResetError(), TimeoutError(), asyncpg.AdminShutdownError("x"), asyncio.CancelledError()):
        assert failures.is_lost(error)
    deadlock = asyncpg.DeadlockDetectedError("x")
    assert (failures.is_lost(deadlock), failures.is_repeatable(deadlock)) == (False, True)
