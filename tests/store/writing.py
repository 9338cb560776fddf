"""A process that writes rows until it is killed, for the tests that do so: it says an id only once that row is committed.

python -m tests.store.writing LEDGER PREFIX    row after row
python -m tests.store.writing PATH           one row, one on a full disk (no file may grow), one when there is room again
"""

from __future__ import annotations

import resource
import sys
from itertools import count

from gateway.store import InsertRequest, SettleRequest, Store
from gateway.store.opening import open_store
from gateway.store.sqlite import SqliteStore
from tests.store.cases import begun, ended

PAGE = 4096


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def write(store: Store, prefix: str) -> None:
    """Begin and settle row after row; of each, say what is safe."""
    for number in count():
        request_id = f"{prefix}-{number}"
        store.submit(InsertRequest(begun(request_id))).result()
        say("begun", request_id)
        store.submit(SettleRequest(ended(request_id))).result()
        say("ended", request_id)


def write_on_a_full_disk(store: SqliteStore) -> None:
    """Say of each row how it ended, and whether the store believes that it can write."""
    soft, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for request_id, size in (("before", soft), ("full", PAGE), ("after", soft)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
        refused = store.submit(SettleRequest(ended(request_id))).exception()
        say(request_id, type(refused).__name__, store.writable(), len(store.requests()))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        write_on_a_full_disk(SqliteStore(sys.argv[1]))
    else:
        write(open_store(sys.argv[1]), sys.argv[2])
