"""Commands that only read leave no trace and need no leave to write; `.env` counts for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import KEYS, OURS, Invoke, without_privilege

READING = (
    ("report",),
    ("report", "--shadow"),
    ("keys", "list"),
    ("learning", "show"),
    ("route", "Hello"),
    ("doctor",),
    ("models",),
    ("requests",),
    ("export",),
)
ON_A_LEDGER = (
    *(("report",), ("keys", "list"), ("keys", "rotate", "a"), ("keys", "revoke", "a")),
    *(("learning", "show"), ("learning", "rollback", "1"), ("learning", "reset"), ("route", "Hello")),
    *(("requests",), ("export",), ("prune", "--older-than", "90d")),
)


def contents(folder: Path) -> Mapping[str, tuple[int, int, bytes]]:
    return {
        each.name: (each.stat().st_mtime_ns, each.stat().st_ino, each.read_bytes())
        for each in sorted(folder.iterdir())
        if each.is_file()
    }


def gateway(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command as its own process in `folder`."""
    inherited = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name)}
    return subprocess.run(  # noqa: S603 - this interpreter, and arguments that stand in tests
        [sys.executable, "-m", "gateway", *arguments],
        cwd=folder,
        env={**inherited, **(environment or {})},
        capture_output=True,
        text=True,
        preexec_fn=without_privilege,
    )


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_reading_creates_nothing(invoke: Invoke, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """In a directory without a ledger no file appears."""
    invoke(*arguments, GATEWAY_DB="")
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_reading_changes_nothing(invoke: Invoke, db: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A ledger stays as it is, byte by byte, with no file beside it."""
    SqliteStore(db).close()
    before = contents(tmp_path)
    assert invoke(*arguments, **KEYS).exit_code == 0
    assert contents(tmp_path) == before


def test_reading_needs_no_write_access(tmp_path: Path) -> None:
    """A ledger without write permission, in a directory without write permission, can be looked at."""
    SqliteStore(tmp_path / "gateway.db").close()
    (tmp_path / "gateway.db").chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        ended = gateway("report", "--json", folder=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert orjson.loads(ended.stdout)["requests"] == 0
        diagnosed = gateway("doctor", folder=tmp_path)
        assert diagnosed.returncode == 1
        assert "wrong: the ledger gateway.db cannot be written" in diagnosed.stdout
    finally:
        tmp_path.chmod(0o755)


def test_reading_while_the_gateway_writes(invoke: Invoke, db: Path) -> None:
    """What another process has open, with rows in its write-ahead log, is read as it stands."""
    with closing(SqliteStore(db)) as store:
        store.probe()
        assert invoke("report").exit_code == 0
        assert "nothing has to be fixed" in invoke("doctor", **KEYS).output


@pytest.mark.parametrize("arguments", ON_A_LEDGER, ids=" ".join)
def test_mistyped_db_ends_with_1_and_makes_no_file(invoke: Invoke, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A `--db` that names no file ends with 1 and names it, and no file is made."""
    result = invoke(*arguments, "--db", "gatway.db")
    assert result.exit_code == 1
    assert "There is no ledger at gatway.db" in result.output
    assert contents(tmp_path) == {}


def test_reading_commands_do_not_migrate_an_older_ledger(invoke: Invoke, db: Path) -> None:
    """A ledger of an older schema is not migrated by who only reads: the sentence says what does."""
    with closing(SqliteStore(db)) as store:
        store._writer.submit(lambda connection: connection.execute("PRAGMA user_version = 10")).result()
    result = invoke("report")
    assert result.exit_code == 1
    assert "start `gateway serve` on it once" in result.output


def test_keys_create_beside_the_demo_says_for_which_ledger(invoke: Invoke, tmp_path: Path) -> None:
    """Where only the demo has a ledger, a new key says which ledger it is for and how to make one for the demo."""
    SqliteStore(tmp_path / "gateway-demo.db").close()
    assert "for the demo add --db gateway-demo.db" in invoke("keys", "create", "--name", "a").stderr
    assert "for the demo" not in invoke("keys", "create", "--name", "b").stderr


@pytest.mark.parametrize("arguments", [("doctor",), ("models",), ("route", "Hello", "--json")], ids=" ".join)
def test_every_command_reads_dotenv(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A key in `.env` enables its provider in every command, and the environment wins over the file."""
    (tmp_path / ".env").write_text("ANTHROPIC_API_KEY=from-the-file\nGEMINI_API_KEY=from-the-file\n")
    told = gateway(*arguments, folder=tmp_path, environment={"GEMINI_API_KEY": ""}).stdout
    if arguments == ("doctor",):
        assert "providers: claude\n" in told
    elif arguments == ("models",):
        assert [line for line in told.splitlines() if line.startswith("  claude/")]
        assert not [line for line in told.splitlines() if line.startswith("  gemini/")]
    else:
        assert {each["provider"] for each in orjson.loads(told)["candidates"]} == {"claude"}


def test_dotenv_runs_nothing_and_refuses_other_lines(tmp_path: Path) -> None:
    """A value is never run, and what is no assignment ends the command with 2, naming the line and not what it says."""
    (tmp_path / ".env").write_text("OTHER=x; touch pwned\nGATEWAY_PORT=$(touch pwned)\n")
    ended = gateway("doctor", folder=tmp_path)
    assert ended.returncode == 2
    assert "GATEWAY_PORT: '$(touch pwned)' is not a number" in ended.stderr
    (tmp_path / ".env").write_text("A=1\nnot an assignment\n")
    ended = gateway("doctor", folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, "error: .env:2: this line is not of the form NAME=value\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == [".env"]
