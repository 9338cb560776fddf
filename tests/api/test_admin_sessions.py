"""Sessions of the dashboard, within a process and among several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.accounts.virtual_keys import digest_of
from gateway.api.admin_sessions import LIFETIME, MAX_SESSIONS, AdminSessions, SharedAdminSessions, form_token
from tests.resilience.clocks import Clock

ADMIN = digest_of("admin")
Make = Callable[[Clock], AdminSessions]


@pytest.fixture(params=["own", "shared"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return AdminSessions if request.param == "own" else lambda clock: SharedAdminSessions(clock, tmp_path)


def test_session_is_known_by_its_token_until_ended(make: Make) -> None:
    """A session is known by its token, with the key that it began with, until it is ended."""
    sessions = make(Clock())
    first, second = sessions.begin(ADMIN), sessions.begin(digest_of("other"))
    assert sessions.admin_digest(first) == ADMIN
    assert sessions.admin_digest(second) == digest_of("other")
    sessions.end(first)
    sessions.end(first)
    assert sessions.admin_digest(first) is None
    assert sessions.admin_digest(second) is not None


def test_session_expires_after_its_lifetime(make: Make) -> None:
    """After its lifetime a session is over."""
    clock = Clock()
    sessions = make(clock)
    token = sessions.begin(ADMIN)
    clock.pass_by(LIFETIME - 1)
    assert sessions.admin_digest(token) == ADMIN
    clock.pass_by(1)
    assert sessions.admin_digest(token) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "../" * 14 + "x", "\0" * 43, "x" * 10_000])
def test_unknown_token_opens_no_session(make: Make, token: str) -> None:
    """What is no token opens nothing."""
    assert make(Clock()).admin_digest(token) is None


def test_sessions_are_bounded(make: Make) -> None:
    """The newest sessions are kept; for each one too many the oldest ends."""
    sessions = make(Clock())
    tokens = [sessions.begin(ADMIN) for _ in range(MAX_SESSIONS + 5)]
    assert [sessions.admin_digest(token) for token in tokens].count(ADMIN) == MAX_SESSIONS
    assert sessions.admin_digest(tokens[-1]) == ADMIN


def test_processes_share_sessions(tmp_path: Path) -> None:
    """A session that one worker began is known to another, and ends for all; the token is in no file."""
    clock = Clock()
    one, other = SharedAdminSessions(clock, tmp_path), SharedAdminSessions(clock, tmp_path)
    token = one.begin(ADMIN)
    assert other.admin_digest(token) == ADMIN
    (file,) = tmp_path.iterdir()
    assert token not in file.name
    assert token.encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(b"cut")
    assert other.admin_digest(token) is None
    other.end(token)
    assert one.admin_digest(token) is None


def test_form_tokens_are_the_sessions_own() -> None:
    """A form's token follows from the session's and tells nothing of it."""
    assert form_token("a") == form_token("a") != form_token("b")
    assert "a-token" not in form_token("a-token")
