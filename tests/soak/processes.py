"""The gateway and its upstream as processes that can be killed."""

from __future__ import annotations

import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

URL = re.compile(r"running on http://127\.0\.0\.1:(\d+)")
SETTINGS = """
drain_delay: 0
grace: 2
timeouts: {connect: 5, first_byte: 500, idle: 500, total: 599}
"""


def raise_file_limit() -> int:
    """As many open files as this machine lets us; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextmanager
def upstream() -> Iterator[int]:
    """The port of an upstream that ends with the block."""
    process = subprocess.Popen([sys.executable, "-m", "tests.soak.upstream"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class GatewayProcess:
    """`gateway serve` on a port of its own; one at a time for a folder, whose ledger they share, unless `db` names a database. `logged` is how many characters it said."""

    def __init__(
        self,
        folder: Path,
        *,
        upstream_port: int,
        limits: str = "{}",
        settings: str = SETTINGS,
        every_provider: bool = False,
        db: str | None = None,
    ) -> None:
        config = folder / "gateway.yaml"
        config.write_text(f"{settings}limits: {limits}\n")
        self.db = folder / "gateway.db"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        upstream_url = f"http://127.0.0.1:{upstream_port}"
        vendors = ("OPENROUTER", "ANTHROPIC", "GEMINI") if every_provider else ("OPENROUTER",)
        upstreams = {f"{name}_API_KEY": "simulated" for name in vendors} | {
            f"{name}_BASE_URL": upstream_url for name in vendors
        }
        self.process = subprocess.Popen(  # noqa: S603 - our own module
            [
                sys.executable,
                "-m",
                "gateway",
                "serve",
                "--port",
                "0",
                "--config",
                str(config),
                "--db",
                db or str(self.db),
            ],
            env={**environment, **upstreams},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self._stderr = self.process.stderr
        self.logged = 0
        self.port = self._port()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _port(self) -> int:
        said = []
        for line in self._stderr:
            said.append(line)
            if found := URL.search(line):
                return int(found[1])
        raise RuntimeError("".join(said))

    def _drain(self) -> None:
        for line in self._stderr:
            self.logged += len(line)

    def children(self) -> list[int]:
        """With several workers: the process that writes the ledger, then the workers, while none was replaced."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in listed.read_text().split()]

    def kill_child(self, pid: int) -> int:
        """Kill one; returns the one that takes its place."""
        before = self.children()
        os.kill(pid, signal.SIGKILL)
        while not (new := set(self.children()) - set(before)):
            time.sleep(0.05)
        return new.pop()

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status after the signal."""
        self.process.send_signal(sig)
        status = self.process.wait(60)
        self._reader.join()
        self._stderr.close()
        return status

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ledger(db: Path) -> tuple[dict[str, str], int]:
    """The state of each request in the file, and how many rows are there twice."""
    with closing(sqlite3.connect(db)) as connection:
        rows = connection.execute("SELECT request_id, status FROM routing_metrics").fetchall()
    repeated = sum(count - 1 for count in Counter(name for name, _ in rows).values())
    return dict(rows), repeated
