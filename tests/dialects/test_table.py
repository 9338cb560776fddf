"""The table of inbound dialects."""

from __future__ import annotations

import pytest

from gateway.dialects import CHAT_COMPLETIONS, DIALECTS, Dialect, dialect_of


@pytest.fixture(params=list(DIALECTS.values()), ids=list(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


def test_the_table_has_each_dialect_under_its_name(dialect: Dialect) -> None:
    """A dialect's name is its key."""
    assert DIALECTS[dialect.name] is dialect


def test_a_dialect_is_found_by_its_path(dialect: Dialect) -> None:
    """Errors of a route and of what lies below it are told in its dialect, with and without `/v1`."""
    short = dialect.path.removeprefix("/v1")
    assert all(dialect_of(path) is dialect for path in (dialect.path, short, f"{dialect.path}/more"))


def test_other_paths_are_answered_in_openais_words() -> None:
    """A path that no dialect claims has the errors of chat completions."""
    assert dialect_of("/v1/models") is CHAT_COMPLETIONS
