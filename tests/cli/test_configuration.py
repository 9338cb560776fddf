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
