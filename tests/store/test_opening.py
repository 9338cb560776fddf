"""Ledgers by their address."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.opening import ledger_name, open_read_only, open_store
from gateway.store.sqlite import SqliteStore

WITHOUT_DRIVER = """
import sys
sys.modules["asyncpg"] = None
from gateway.store.opening import open_read_only, open_store
for opened in (open_store, open_read_only):
    try:
        opened("postgresql://ann:secret@h/d")
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_path_is_a_file(tmp_path: Path) -> None:
    """A path names an SQLite file."""
    with closing(open_store(tmp_path / "gateway.db")) as store:
        assert isinstance(store, SqliteStore)
    open_read_only(tmp_path / "gateway.db").close()


def test_name_has_no_password() -> None:
    """People are shown a path as it is, and a URL without its password."""
    assert ledger_name("gateway.db") == "gateway.db"
    assert ledger_name("postgresql://ann:secret@h/d") == "postgresql://ann@h/d"
    assert ledger_name("postgresql://ann:secret@h:port/d") == "an unreadable URL"


@pytest.mark.parametrize("opened", [open_store, open_read_only])
def test_wrong_url_is_refused(opened: object) -> None:
    """A URL that cannot be read is refused before a driver is needed."""
    with pytest.raises(LedgerUnavailable, match="is no PostgreSQL URL"):
        (open_store if opened is open_store else open_read_only)("postgresql://h:port/d")


def test_missing_driver_is_told() -> None:
    """Without the extra the message says what to install; an SQLite ledger needs none of it."""
    command = [sys.executable, "-c", WITHOUT_DRIVER]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own text
    told = "LedgerUnavailable The ledger postgresql://ann@h/d needs the PostgreSQL driver, which is not installed: "
    assert found.stdout.splitlines() == [f"{told}`pip install 'auto-gateway[postgres]'`."] * 2


def test_driver_is_imported_for_a_url_only() -> None:
    """A gateway on SQLite does not import the PostgreSQL driver."""
    text = "import sys, gateway.app, gateway.cli.launch; print('asyncpg' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own text
    assert found.stdout == "False\n"
