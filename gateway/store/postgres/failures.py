"""What errors of PostgreSQL mean: whose fault they are, and what the operator should do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

import asyncpg

from gateway.errors import LedgerUnavailable
from gateway.store.postgres.address import PostgresAddress

# Seconds after which a client should try again: a restart or a failover of the database takes about this long.
RETRY_AFTER = 5.0

_STOPPED = "it is starting, stopping or was restarted: wait"
_UNREACHABLE = "nothing answers there: start PostgreSQL, or correct host and port in GATEWAY_DB"
_NOT_UNDERSTOOD = "a part of the URL is not understood: correct GATEWAY_DB"
_SILENT = "it does not answer: look at the server and at the network between"
_REFUSED = "it does not accept this user or password: correct them in GATEWAY_DB, or allow the user in pg_hba.conf"
# By exception, a subclass before its base class.
_ADVICE: Mapping[type[BaseException], str] = {
    asyncpg.InvalidPasswordError: _REFUSED,
    asyncpg.InvalidAuthorizationSpecificationError: _REFUSED,
    asyncpg.InvalidCatalogNameError: "there is no such database: create it (`createdb NAME`), or name another one in GATEWAY_DB",
    asyncpg.TooManyConnectionsError: "it has no connection left: raise max_connections, or put PgBouncer in front of it",
    asyncpg.ReadOnlySQLTransactionError: "it is a read-only standby: name the primary in GATEWAY_DB",
    asyncpg.DiskFullError: "its disk is full: free some space, nothing is accepted until then",
    asyncpg.OutOfMemoryError: "it is out of memory",
    asyncpg.InsufficientPrivilegeError: "this user may not do that: GRANT it CONNECT on the database and CREATE on its schema",
    asyncpg.QueryCanceledError: "the statement took too long: ask for fewer days or rows, or look at the server's load",
    asyncpg.LockNotAvailableError: "another transaction holds a lock for too long: look at pg_stat_activity",
    asyncpg.CannotConnectNowError: _STOPPED,
    asyncpg.AdminShutdownError: _STOPPED,
    asyncpg.CrashShutdownError: _STOPPED,
    asyncpg.ClientConfigurationError: _NOT_UNDERSTOOD,
    asyncpg.UndefinedObjectError: _NOT_UNDERSTOOD,
    asyncpg.PostgresConnectionError: _STOPPED,
    socket.gaierror: "its host is not known: correct the name in GATEWAY_DB",
    TimeoutError: _SILENT,
    ConnectionRefusedError: _UNREACHABLE,
    FileNotFoundError: _UNREACHABLE,
    OSError: _UNREACHABLE,
    asyncpg.InterfaceError: _STOPPED,
    asyncpg.InternalClientError: _STOPPED,
}
_LOST = (
    OSError,  # TimeoutError included
    asyncio.CancelledError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection was ended while it was idle
)
# The values of one operation are at fault, not the database.
_VALUES = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.CardinalityViolationError)
_REPEATABLE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


def unavailable(address: PostgresAddress, error: BaseException) -> LedgerUnavailable:
    """The error for the operator, in one sentence and without the password."""
    advice = next((advice for kind, advice in _ADVICE.items() if isinstance(error, kind)), "the database refused")
    text = address.redacted(" ".join(str(error).split()))
    said = f" ({text})" if text else ""
    return LedgerUnavailable(f"The ledger {address.name} cannot be used: {advice}{said}", retry_after=RETRY_AFTER)


def concerns_database(error: BaseException) -> bool:
    """Whether the database or the connection failed, not the values of one operation."""
    if isinstance(error, _VALUES):
        return False
    return isinstance(error, LedgerUnavailable | asyncpg.PostgresError) or is_lost(error)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone; what it had not committed is rolled back."""
    return isinstance(error, _LOST) and not isinstance(error, _VALUES)


def is_repeatable(error: BaseException) -> bool:
    """Whether the transaction was ended in favour of another one and would succeed when repeated."""
    return isinstance(error, _REPEATABLE)
