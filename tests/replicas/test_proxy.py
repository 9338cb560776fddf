"""nginx with the configuration of Compose, in front of two replicas."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.documents import ROOT
from tests.postgres import free_port
from tests.serving import MODEL
from tests.soak.clients import hold, status_of
from tests.soak.replicas import Replicas, until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
CONFIG = (ROOT / "config" / "nginx.conf").read_text()
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
QUICK = {"model": MODEL, "messages": [{"role": "user", "content": "quick"}]}

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@contextmanager
def nginx(folder: Path, replicas: Replicas) -> Iterator[int]:
    """The port of an nginx with the configuration, which knows the replicas by their ports."""
    port = free_port()
    config = CONFIG.replace("listen 8080", f"listen 127.0.0.1:{port}")
    for number, replica in enumerate(replicas.running, start=1):
        config = config.replace(f"replica-{number}:8000", f"127.0.0.1:{replica.port}")
    folders = "".join(f"{name}_temp_path {folder}/{name}; " for name in TEMPORARY)
    path = folder / "nginx.conf"
    path.write_text(config.replace("access_log off;", f"access_log off; {folders}"))
    directives = f"daemon off; master_process off; pid {folder}/nginx.pid;"
    command = [NGINX or "", "-p", str(folder), "-c", str(path), "-e", str(folder / "error.log"), "-g", directives]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own words
        try:
            yield port
        finally:
            process.kill()


async def test_streams_pass_at_once_and_a_dead_replica_is_left_out(replicas: Replicas, tmp_path: Path) -> None:
    """The first word of a stream that goes on arrives through nginx; after kill -9 of one replica every request is answered by the other.

    Slow: real processes. The configuration is a file for people, and only nginx can say whether it does what it says.
    """
    await replicas.start_all(2)
    with nginx(tmp_path, replicas) as port:

        async def is_up() -> bool:
            try:
                return await asyncio.wait_for(status_of(port, "/readyz"), 2) == 200
            except OSError:
                return False

        await until(is_up, seconds=10)
        _, writer = await asyncio.wait_for(hold(port), 5)
        writer.close()
        await asyncio.to_thread(replicas.kill, replicas.running[0])
        async with httpx2.AsyncClient(base_url=f"http://localhost:{port}", timeout=5) as client:
            answers = [await client.post("/v1/chat/completions", json=QUICK) for _ in range(20)]
        assert {each.status_code for each in answers} == {200}
