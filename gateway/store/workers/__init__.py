"""One process that writes an SQLite ledger for several workers, and the `Store` of a worker, which sends its changes there."""

from gateway.store.workers.listening import listen_for_workers
from gateway.store.workers.worker_store import WorkerStore
from gateway.store.workers.writer_process import WriterProcess

__all__ = ["WorkerStore", "WriterProcess", "listen_for_workers"]
