"""URLs of PostgreSQL ledgers, and what messages show of them."""

from __future__ import annotations

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.postgres.address import PostgresAddress, is_postgres


@pytest.mark.parametrize(
    ("url", "name", "database"),
    [
        ("postgresql://ann:secret@db:5433/ledger", "postgresql://ann@db:5433/ledger", "ledger"),
        ("postgres://ann:s%40cret@db/a%20b", "postgresql://ann@db/a b", "a b"),
        ("postgresql://ann@/ledger?host=/run/postgresql", "postgresql://ann@/run/postgresql/ledger", "ledger"),
        ("postgresql://db", "postgresql://db/postgres", "postgres"),
        ("postgresql://ann@db", "postgresql://ann@db/ann", "ann"),
        ("postgresql://?dbname=x&password=secret", "postgresql://localhost/x", "x"),
    ],
)
def test_name_has_no_password(url: str, name: str, database: str) -> None:
    """People are shown user, host, port and database."""
    address = PostgresAddress.parse(url)
    assert (address.name, address.database) == (name, database)
    assert "secret" not in repr(address)


@pytest.mark.parametrize("url", ["postgresql://ann:hid@den@h:port/d", "postgresql://[h/d", "postgresql://h/d?hidden"])
def test_unreadable_url_is_not_quoted(url: str) -> None:
    """A URL that cannot be read may have its password anywhere, so the message says how to write one instead."""
    with pytest.raises(LedgerUnavailable, match="write it as postgresql://user:password@host:5432/database") as raised:
        PostgresAddress.parse(url)
    assert "hid" not in raised.value.message


def test_messages_lose_the_password() -> None:
    """The password is taken out of any text, as it was written and as it is meant."""
    address = PostgresAddress.parse("postgresql://ann:s%40cret@db/d")
    assert address.redacted("s%40cret s@cret other") == "*** *** other"


def test_paths_are_no_postgres() -> None:
    """Only a URL of PostgreSQL's schemes is one."""
    assert [is_postgres(db) for db in ("postgresql://h", "postgres://h", "gateway.db", ":memory:", None)] == [
        True, True, False, False, False,
    ]  # fmt: skip
