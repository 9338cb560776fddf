"""Prompts and answers that are kept in the ledger."""

from __future__ import annotations

import apsw

from gateway.store import StoredContent
from gateway.store.stored_contents import delete, insert, read

FIRST = StoredContent("r1", "2026-11-22T10:00:00.000+00:00", "2+2?", "four")


def test_the_first_content_of_a_request_stays(connection: apsw.Connection) -> None:
    """A second write for the same request changes nothing; an unknown request has none."""
    insert(connection, FIRST)
    insert(connection, FIRST._replace(answer="five"))
    assert read(connection, "r1") == FIRST
    assert read(connection, "r2") is None


def test_deletion_counts(connection: apsw.Connection) -> None:
    """The number of deleted contents is the result, so that the caller knows whether there may be more."""
    insert(connection, FIRST)
    assert delete(connection, before="2026-11-22", limit=5) == 0
    assert delete(connection, before="2026-11-23", limit=5) == 1
