"""Sessions of the dashboard, which begin by signing in with the admin key and expire."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

COOKIE = "gateway_session"
LIFETIME = 12 * 3600.0  # seconds
MAX_SESSIONS = 200  # a new one then ends the oldest
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_RECORD = struct.Struct("<d32s")


class AdminSessions:
    """The browser holds a random token; here are its digest, its expiry and the digest of the admin key it was made with.

    The authenticator compares that key with the current admin key, so a change of the key ends all sessions. `clock` is
    monotonic seconds. Sessions end with the process.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: dict[str, bytes] = {}

    def begin(self, admin_digest: bytes) -> str:
        """Start a session; returns its token."""
        token = secrets.token_urlsafe(32)
        self._make_room()
        self._write(_name(token), _RECORD.pack(self._clock() + LIFETIME, admin_digest))
        return token

    def admin_digest(self, token: str) -> bytes | None:
        """The digest of the key that a live session began with."""
        if not _TOKEN.fullmatch(token):
            return None
        record = self._read(_name(token))
        if record is None or len(record) != _RECORD.size:
            return None
        expires, digest = _RECORD.unpack(record)
        return bytes(digest) if self._clock() < expires else None

    def end(self, token: str) -> None:
        """Idempotent."""
        self._remove(_name(token))

    def _make_room(self) -> None:
        """Drop the oldest sessions above the limit."""
        while len(self._sessions) >= MAX_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))

    def _write(self, name: str, record: bytes) -> None:
        self._sessions[name] = record

    def _read(self, name: str) -> bytes | None:
        return self._sessions.get(name)

    def _remove(self, name: str) -> None:
        self._sessions.pop(name, None)


class SharedAdminSessions(AdminSessions):
    """The same for several processes: each session is a file in `folder`, which belongs to this user alone.

    `clock` has to be the machine's, not the process's, as `time.monotonic` is.
    """

    def __init__(self, clock: Callable[[], float], folder: Path) -> None:
        super().__init__(clock)
        self._folder = folder

    def _make_room(self) -> None:
        found = []
        for path in self._folder.glob("session-*"):
            with suppress(FileNotFoundError):  # another process was faster
                found.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(found)[: max(0, len(found) - MAX_SESSIONS + 1)]:
            path.unlink(missing_ok=True)

    def _write(self, name: str, record: bytes) -> None:
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, record)
        finally:
            os.close(descriptor)

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def _remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


def form_token(session: str) -> str:
    """The token in this session's forms, so that only its own pages can send them."""
    return hashlib.sha256(b"form:" + session.encode()).hexdigest()


def _name(token: str) -> str:
    return "session-" + hashlib.sha256(token.encode()).hexdigest()
