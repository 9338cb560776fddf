"""`.env` as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings.environment import add_dotenv, read_dotenv


def test_dotenv_syntax_is_understood(tmp_path: Path) -> None:
    """Quotes, `export`, comments and references are dotenv's; a name without a value sets nothing."""
    path = tmp_path / ".env"
    path.write_text(
        "\ufeff# comment\nA=1 # one\nexport B='two words'\nC=\"x\\ny\"\nD=${A}2\nE\nF=\nG=not a real key; touch pwned\n"
    )
    assert read_dotenv(path) == {
        "A": "1",
        "B": "two words",
        "C": "x\ny",
        "D": "12",
        "F": "",
        "G": "not a real key; touch pwned",
    }


def test_missing_dotenv_sets_nothing(tmp_path: Path) -> None:
    """Without a file nothing is set."""
    assert read_dotenv(tmp_path / ".env") == {}


def test_wrong_lines_are_named_and_not_quoted(tmp_path: Path) -> None:
    """Every line that is no assignment is named; none is shown, for it may hold a key."""
    path = tmp_path / ".env"
    path.write_text("A=1\n\n\nsecret one\nB='secret two\nC=3\n")
    with pytest.raises(ConfigError) as refused:
        read_dotenv(path)
    assert refused.value.problems == [
        f"{path}:4: this line is not of the form NAME=value",
        f"{path}:5: this line is not of the form NAME=value",
    ]


@pytest.mark.parametrize("content", [None, b"A=\xff\n"], ids=["a directory", "not UTF-8"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """What cannot be read is a problem that names the file."""
    path = tmp_path / ".env"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_dotenv(path)


def test_environment_wins_over_dotenv(tmp_path: Path) -> None:
    """A variable that is set, even to nothing, keeps its value."""
    (tmp_path / ".env").write_text("A=file\nB=file\nC=file\n")
    environment = {"A": "environment", "B": ""}
    add_dotenv(environment, tmp_path / ".env")
    assert environment == {"A": "environment", "B": "", "C": "file"}
