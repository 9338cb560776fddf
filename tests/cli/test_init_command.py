"""`gateway init`."""

from __future__ import annotations

import stat
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.cli.init import EXAMPLES, filled
from gateway.settings.environment import read_dotenv
from tests.documents import ROOT


def init(folder: Path, answers: str) -> Result:
    with chdir(folder):
        return CliRunner().invoke(main, ["init"], input=answers)


def test_init_writes_the_given_keys(tmp_path: Path) -> None:
    """The keys that are given are set, the others stay comments; only the owner can read the file, and no key is shown."""
    result = init(tmp_path, "AIza-gemini\n\nsk-or-1\nn\n")
    assert result.exit_code == 0, result.output
    assert read_dotenv(tmp_path / ".env") == {"GEMINI_API_KEY": "AIza-gemini", "OPENROUTER_API_KEY": "sk-or-1"}
    assert "# ANTHROPIC_API_KEY=\n" in (tmp_path / ".env").read_text()
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert "Wrote .env with GEMINI_API_KEY, OPENROUTER_API_KEY." in result.output
    assert "AIza" not in result.output


def test_init_makes_client_keys_that_differ(tmp_path: Path) -> None:
    """On request a client key and an admin key are made; they are random, and not the same."""
    result = init(tmp_path, "\n\n\ny\n")
    made = read_dotenv(tmp_path / ".env")
    assert sorted(made) == ["GATEWAY_ADMIN_KEY", "GATEWAY_API_KEY"]
    assert len(set(made.values())) == 2
    assert not any(key in result.output for key in made.values())


def test_init_asks_again_for_a_wrong_key(tmp_path: Path) -> None:
    """What cannot be a key is refused with a sentence and asked for again."""
    result = init(tmp_path, "two words\nright\n\n\nn\n")
    assert "no spaces, quotes" in result.output
    assert read_dotenv(tmp_path / ".env") == {"GEMINI_API_KEY": "right"}


def test_init_changes_no_file(tmp_path: Path) -> None:
    """A `.env` that is there stays as it is, before any question and also when it appears meanwhile."""
    (tmp_path / ".env").write_text("MINE=1\n")
    result = init(tmp_path, "key\n\n\nn\n")
    assert (result.exit_code, "already" in result.output, "GEMINI" in result.output) == (1, True, False)
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").symlink_to(tmp_path / "not-there-yet")  # its target may be anything
    result = init(tmp_path, "key\n\n\nn\n")
    assert (result.exit_code, "already" in result.output) == (1, True)
    assert not (tmp_path / "not-there-yet").exists()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Where no file can be made the command ends with 1 and the reason."""
    folder = tmp_path / "gone"
    folder.mkdir()
    with chdir(folder):
        folder.rmdir()
        result = CliRunner().invoke(main, ["init"], input="\n\n\nn\n")
    assert (result.exit_code, ".env cannot be written: No such file" in result.output) == (1, True)


def test_every_key_that_is_asked_for_is_in_the_example() -> None:
    """The example has a line for each key, so that none that is given gets lost; a checkout has it at the top."""
    example = (ROOT / ".env.example").read_text()
    names = ("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "GATEWAY_API_KEY", "GATEWAY_ADMIN_KEY")
    text = filled(example, dict.fromkeys(names, "given"))
    assert text.count("=given\n") == len(names)
    assert ROOT / ".env.example" in EXAMPLES
