"""Responses that are kept in the ledger."""

from __future__ import annotations

import apsw

from gateway.store import StoredResponse
from gateway.store.stored_responses import delete, delete_expired, insert, read

FIRST = StoredResponse("resp_1", "k1", 1.0, 10.0, None, b"{}", b"[]", b"[1]")
SECOND = FIRST._replace(id="resp_2", previous="resp_1", expires=20.0)


def test_response_is_read_as_it_was_written(connection: apsw.Connection) -> None:
    """All of its members come back; an unknown one is None."""
    insert(connection, FIRST)
    assert read(connection, "resp_1") == FIRST
    assert read(connection, "resp_9") is None


def test_continued_responses_are_kept_as_long(connection: apsw.Connection) -> None:
    """A response renews all that it continues, and shortens none."""
    for response in (FIRST, SECOND, SECOND._replace(id="resp_3", previous="resp_2", expires=15.0)):
        insert(connection, response)
    assert [read(connection, f"resp_{n}")._asdict()["expires"] for n in (1, 2, 3)] == [20.0, 20.0, 15.0]  # type: ignore[union-attr]  # they are there


def test_only_the_own_response_is_deleted(connection: apsw.Connection) -> None:
    """Another key's response is not there; without keys the owner is nobody."""
    insert(connection, FIRST)
    insert(connection, SECOND._replace(key_id=None, previous=None))
    assert not delete(connection, "resp_1", "k2")
    assert not delete(connection, "resp_1", None)
    assert delete(connection, "resp_1", "k1")
    assert delete(connection, "resp_2", None)
    assert read(connection, "resp_1") is None


def test_expired_responses_are_deleted(connection: apsw.Connection) -> None:
    """What is kept until now is gone, what is kept longer stays."""
    insert(connection, FIRST)
    insert(connection, SECOND._replace(previous=None))
    delete_expired(connection, 10.0)
    assert [read(connection, id) is None for id in ("resp_1", "resp_2")] == [True, False]
