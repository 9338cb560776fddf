"""`gateway statusline`."""

from __future__ import annotations

import os
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.cli.conftest import OURS
from tests.cli.test_requests import write
from tests.store.cases import ended


def line(db: Path, text: str) -> Result:
    unset: dict[str, str | None] = dict.fromkeys(filter(OURS.fullmatch, os.environ))
    with chdir(db.parent):
        return CliRunner().invoke(main, ["statusline", "--db", str(db)], input=text, env=unset)


def test_the_line_sums_up_the_session(db: Path) -> None:
    """One line has what the session and its subagents have spent and saved, and the model that answered last."""
    own, agent = {"session_id": "s"}, {"session_id": "s/agent"}
    write(db, ended("a", **own), ended("b", **agent, selected_model="pro"), ended("c", session_id="other"))
    write(db, ended("d", **own, status="error", actual_cost=None, baseline_cost=None, selected_model="broken"))
    result = line(db, '{"session_id": "s", "model": {"id": "auto"}}')
    assert (result.exit_code, result.stdout) == (0, "$0.002000 spent, $0.006000 saved, gemini/pro\n")


def test_a_session_without_an_answer_names_no_model(db: Path) -> None:
    """Before the first request the line says so; before the first answer it has no model."""
    write(db, ended("a", session_id="s", status="error"))
    assert line(db, '{"session_id": "new"}').stdout == "no requests yet\n"
    assert line(db, '{"session_id": "s"}').stdout == "$0.001000 spent, $0.003000 saved\n"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"session_id": 7}', "{"], ids=repr)
def test_input_without_a_session_is_wrong_use(db: Path, text: str) -> None:
    """What is no JSON with a session id is status 2, with what is expected."""
    write(db)
    result = line(db, text)
    assert (result.exit_code, "Standard input must be JSON" in result.output) == (2, True)


def test_a_status_line_stays_while_the_ledger_is_away(db: Path) -> None:
    """Without a ledger, or with one that cannot be read, the line is two words and the status 0; the reason is on standard error."""
    missing = line(db, '{"session_id": "s"}')
    db.write_text("no database" * 100)
    broken = line(db, '{"session_id": "s"}')
    assert (missing.exit_code, missing.stdout, "There is no ledger at" in missing.stderr) == (0, "no ledger\n", True)
    assert (broken.exit_code, broken.stdout, str(db) in broken.stderr) == (0, "no ledger\n", True)
