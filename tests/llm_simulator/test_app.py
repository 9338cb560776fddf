"""The application as a whole."""

from __future__ import annotations

import ast
from pathlib import Path

from starlette.testclient import TestClient

import llm_simulator
from llm_simulator.app import create_app


def test_providers_can_be_left_out() -> None:
    """Only the chosen vendors have routes."""
    with TestClient(create_app(providers=("claude",))) as client:
        assert client.post("/api/v1/chat/completions").status_code == 404
        assert client.post("/v1/messages").status_code == 401
        assert client.get("/v1/messages").status_code == 405


def test_simulator_is_independent() -> None:
    """The simulator imports nothing of the gateway but itself, so that it can judge the translators."""
    foreign = []
    for path in Path(llm_simulator.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            foreign += [name for name in modules if name.startswith("gateway") and not name.startswith("llm_simulator")]
    assert foreign == []
