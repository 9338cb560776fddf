"""Two workers and their writer process, as `gateway serve --workers 2` has them: the workers write row after row until they are ended.

python -m tests.store.workers.supervised LEDGER SOCKET    says an id only once that row is committed
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gateway.server.ledger_writer import run_writer
from gateway.server.workers import Workers
from gateway.settings import load
from gateway.store.workers import WorkerStore, listen_for_workers
from tests.store.writing import write

if __name__ == "__main__":
    settings, path, first = load({"GATEWAY_DB": sys.argv[1]}), Path(sys.argv[2]), os.getpid()
    listening = listen_for_workers(path)
    workers = Workers(
        lambda: write(WorkerStore(settings.db, writer=path), str(os.getpid())),
        count=2,
        write=lambda: run_writer(settings, listening, needs=first),
    )
    sys.exit(workers.run())
