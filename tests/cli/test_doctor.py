"""`gateway doctor`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import KEYS, Invoke


def test_doctor_finds_nothing_to_mend(invoke: Invoke, db: Path) -> None:
    """With keys and a ledger nothing has to be fixed, and the start's own lines are shown."""
    SqliteStore(db).close()
    result = invoke("doctor", **KEYS)
    assert result.exit_code == 0
    assert "providers: gemini, claude, openrouter" in result.output
    assert result.output.endswith("nothing has to be fixed\n")


def test_doctor_warns_where_no_provider_has_a_key(invoke: Invoke) -> None:
    """Without any provider `make run` serves the demo, so that is a warning which says what real providers need, and no failure."""
    result = invoke("doctor")
    assert result.exit_code == 0
    assert "warning: no provider can be used, so `make run` runs the demo" in result.output
    assert "GEMINI_API_KEY, ANTHROPIC_API_KEY or OPENROUTER_API_KEY" in result.output


def test_doctor_reads_the_demo_ledger_where_it_is_the_only_one(invoke: Invoke, db: Path) -> None:
    """Where only the demo has a ledger, that is the one which is looked at."""
    db.with_name("gateway-demo.db").write_text(
        "this is text, and long enough not to be taken for an empty database" * 20
    )
    assert "wrong: The ledger" in invoke("doctor").output


def test_doctor_accepts_an_older_ledger_unchanged(invoke: Invoke, db: Path) -> None:
    """A ledger that the next start brings up to date needs no mending, and the doctor does not change it."""
    SqliteStore(db).close()
    with closing(apsw.Connection(str(db))) as other:
        other.execute("PRAGMA user_version = 10")
    result = invoke("doctor", **KEYS)
    assert result.exit_code == 0
    assert "has schema 10" in result.output


def test_doctor_accepts_a_missing_ledger_and_makes_none(invoke: Invoke, db: Path) -> None:
    """A ledger that is not there yet is no fault, and looking for it does not make it."""
    assert f"note: the ledger {db} is new" in invoke("doctor", **KEYS).output
    assert not db.exists()


def test_doctor_fails_where_no_ledger_can_be_made(invoke: Invoke, tmp_path: Path) -> None:
    """A directory that cannot be written, or is not there, has to be fixed."""
    result = invoke("doctor", **KEYS, GATEWAY_DB=str(tmp_path / "absent" / "gateway.db"))
    assert result.exit_code == 1
    assert "its directory cannot be written" in result.output


def test_doctor_fails_on_a_file_that_is_no_ledger(invoke: Invoke, db: Path) -> None:
    """A file in the ledger's place that is not a ledger has to be fixed."""
    db.write_text("this is text, and long enough not to be taken for an empty database" * 20)
    assert "wrong: The ledger" in invoke("doctor", **KEYS).output


def test_doctor_fails_on_a_locked_ledger(invoke: Invoke, db: Path) -> None:
    """A ledger whose lock another program holds cannot be written now."""
    SqliteStore(db).close()
    with closing(apsw.Connection(str(db))) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "cannot be written" in invoke("doctor", **KEYS).output


def test_warnings_are_shown_once(invoke: Invoke) -> None:
    """What is not wrong but worth knowing is a warning, not a reason to fail."""
    result = invoke("doctor", **KEYS, GATEWAY_API_KEY="short")
    assert result.output.count("can be guessed") == 1


def test_doctor_notes_a_provider_without_models(invoke: Invoke, tmp_path: Path) -> None:
    """A provider whose models the catalogue does not list is served by name only, which is noted."""
    (tmp_path / "gateway.yaml").write_text("")
    (tmp_path / "providers.yaml").write_text(
        "providers:\n  - {name: gemini, kind: gemini, base_url: 'https://g.example', api_key_env: GEMINI_API_KEY}\n"
        "  - {name: claude, kind: claude, base_url: 'https://c.example', api_key_env: ANTHROPIC_API_KEY}\n"
        "  - {name: openrouter, kind: openrouter, base_url: 'https://o.example', api_key_env: OPENROUTER_API_KEY}\n"
        "  - {name: local, kind: openai, base_url: 'http://127.0.0.1:11434/v1'}\n"
    )
    result = invoke("doctor", **KEYS, GATEWAY_CONFIG=str(tmp_path / "gateway.yaml"))
    assert "note: local has no model in the catalogue" in result.output


def test_doctor_names_the_sqlite_in_use(invoke: Invoke) -> None:
    """The doctor says which SQLite writes the ledger: not the one that came with Python."""
    assert f"note: the ledger is written with SQLite {apsw.sqlite_lib_version()}" in invoke("doctor", **KEYS).output
