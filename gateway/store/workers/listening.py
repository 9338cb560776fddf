"""The socket at which workers find the writer process. It outlives the process, so that nothing is refused while that is replaced."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from gateway.errors import LedgerUnavailable

_BACKLOG = 256  # workers, of which there are at most 64, that come before the writer process takes them in


def listen_for_workers(path: Path) -> socket.socket:
    """Listen at `path`, in a folder that only this user may enter. Raises LedgerUnavailable."""
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(os.fspath(path))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise LedgerUnavailable(
            f"The process that writes the ledger cannot listen at {path} ({error}): set TMPDIR to a folder of your own "
            "with a short path, or serve with one worker."
        ) from error
    return listening
