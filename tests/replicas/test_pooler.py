"""A gateway behind PgBouncer, which gives each transaction another server and passes no notifications on."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.postgres import PostgresServer, free_port, run
from tests.soak.replicas import Replicas, answers, status_with, until

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
CONFIG = """
[databases]
* = host={host} port={port} user=owner
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = extra_float_digits
"""

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")


@pytest.fixture
def pooled() -> Iterator[str]:
    """The URL of a database through PgBouncer in transaction mode."""
    server = PostgresServer()
    port = free_port()
    path = server.folder / "pgbouncer.ini"
    path.write_text(CONFIG.format(host=server.folder, port=server.port, listen=port))
    user = server.folder.owner() if os.getuid() == 0 else None  # it does not run as root
    with subprocess.Popen([PGBOUNCER or "", path], user=user, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own words
        try:
            yield f"postgresql://owner@127.0.0.1:{port}/postgres"
        finally:
            process.kill()
            server.close()


@pytest.fixture
def replicas(pooled: str, tmp_path: Path, upstream_port: int) -> Iterator[Replicas]:
    replicas = Replicas(tmp_path, url=pooled, upstream_port=upstream_port)
    yield replicas
    replicas.end()


async def test_gateways_behind_a_pooler_poll_keys_and_keep_limits(replicas: Replicas) -> None:
    """Behind PgBouncer in transaction mode requests a minute are exact, and a revoked key is refused within 10 s.

    Slow: real processes, and keys are polled every two seconds.
    """

    async def is_up() -> bool:
        try:
            await asyncio.to_thread(run, replicas.url, lambda connection: connection.execute("SELECT 1"))
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    async def is_refused() -> bool:
        return all([await status_with(each, "gw-pooled") == 401 for each in replicas.running])

    await until(is_up, seconds=10)
    key_id = await asyncio.to_thread(replicas.issue, "gw-pooled", rpm=50)
    await replicas.start_all(2)
    statuses = await answers(replicas, "gw-pooled", requests=150)
    assert set(statuses) == {200, 429}
    assert 25 < statuses[200] <= 50
    await asyncio.to_thread(replicas.revoke, key_id)
    assert await until(is_refused, seconds=10) < 10
