"""Text of strangers on an operator's terminal."""

from __future__ import annotations

import unicodedata
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.virtual_keys import VirtualKey
from gateway.cli.terminal import interruptible, shown
from gateway.store import InsertVirtualKey, SettleRequest
from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import KEYS, Invoke
from tests.store.cases import ended

STEERING = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\u202eevil\u2066\u200b\x7f"
NO_TEXT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def steers(text: str) -> set[str]:
    return {char for char in text if char != "\n" and unicodedata.category(char) in NO_TEXT}


@given(st.text() | st.text("\x1b\x9b[2Jm\r\n\u202e\U000e0041"))
def test_control_characters_are_escaped(text: str) -> None:
    """Of control, bidirectional and other invisible characters only the line's end is written as it is."""
    assert steers(shown(text)) == set()


@given(st.dictionaries(st.text(), st.text()))
def test_escaped_json_reads_as_the_same_value(value: dict[str, str]) -> None:
    """What is escaped in JSON is read as what it was."""
    assert orjson.loads(shown(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())) == value


@pytest.fixture
def hostile(db: Path) -> None:
    """A ledger whose names an upstream, or another tool, chose to steer terminals with."""
    now = datetime.now(UTC)
    row = ended(
        timestamp=now.isoformat(timespec="milliseconds"),
        selected_model=STEERING,
        pattern_detected=STEERING,
        shadow_provider=STEERING,
        shadow_model=STEERING,
    )
    key = VirtualKey(id="key_1", name=STEERING, digest=bytes(32), last4="abcd", created=now)
    with closing(SqliteStore(db)) as store:
        store.submit(SettleRequest(row)).result()
        store.submit(InsertVirtualKey(key)).result()


@pytest.mark.parametrize(
    "command",
    [
        ("report", "--by", "model"),
        ("report", "--by", "model", "--md"),
        ("report", "--by", "pattern", "--csv"),
        ("report", "--by", "model", "--json"),
        ("report", "--shadow"),
        ("keys", "list"),
        ("keys", "list", "--json"),
        ("keys", "rotate", "key_1"),
        ("keys", "revoke", "key_1"),
    ],
    ids=" ".join,
)
def test_commands_show_what_is_stored_as_text(invoke: Invoke, hostile: None, command: tuple[str, ...]) -> None:
    """Names in the ledger reach the terminal as text, whatever they are made of."""
    result = invoke(*command, **KEYS)
    assert result.exit_code == 0
    assert "evil" in result.output
    assert steers(result.output) == set()


def test_an_interrupted_command_says_what_was_done() -> None:
    """Ctrl-C ends the command with what was done until then, as that stands when it is pressed."""
    done = [0]

    def interrupted() -> None:
        with interruptible(lambda: f"{done[0]} rows were changed."):
            done[0] = 7
            raise KeyboardInterrupt

    with pytest.raises(click.ClickException, match=r"Interrupted\. 7 rows were changed\."):
        interrupted()
