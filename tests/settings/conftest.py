"""A configuration directory to fill, and the settings or problems that come of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigError
from gateway.settings import Settings, load

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Load = Callable[..., Settings]
Problems = Callable[..., list[str]]


@pytest.fixture
def load_files(tmp_path: Path) -> Load:
    """`load_files({"gateway.yaml": "..."}, GATEWAY_PORT="1", flags={...})`: the settings from these files and variables."""

    def loaded(
        files: dict[str, str] | None = None, *, flags: dict[str, Any] | None = None, **environment: str
    ) -> Settings:
        for name, text in {"gateway.yaml": "", **(files or {})}.items():
            (tmp_path / name).write_text(text)
        return load({"GATEWAY_CONFIG": str(tmp_path / "gateway.yaml"), **environment}, **{"now": NOW, **(flags or {})})

    return loaded


@pytest.fixture
def problems_of(load_files: Load, tmp_path: Path) -> Problems:
    """The problems that the same call ends with, their paths shortened to file names."""

    def problems(files: dict[str, str] | None = None, **environment: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_files(files, **environment)
        return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return problems
