"""The configuration that a command works with."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import KEYS, Invoke


def test_serve_lists_all_configuration_problems_and_starts_nothing(invoke: Invoke, tmp_path: Path) -> None:
    """All problems are told at once, each with its file and line, and nothing is started."""
    config = tmp_path / "gateway.yaml"
    config.write_text("port: 8000\nworker: 2\n")
    result = invoke("serve", "--config", str(config), **KEYS, GATEWAY_WORKERS="0")
    assert result.exit_code == 2
    assert f"error: {config}:2: worker: unknown key; did you mean 'workers'?" in result.output
    assert "error: GATEWAY_WORKERS" in result.output


def test_a_secret_file_that_cannot_be_read_ends_the_command(invoke: Invoke, tmp_path: Path) -> None:
    """A file that is not there is a bad configuration: status 2, and a sentence with the variable and the file."""
    missing = tmp_path / "missing"
    result = invoke("serve", **KEYS, GATEWAY_API_KEY_FILE=str(missing))
    assert result.exit_code == 2
    assert f"error: GATEWAY_API_KEY_FILE: the file {missing} cannot be read: No such file or directory" in result.output
