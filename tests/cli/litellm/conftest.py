"""A LiteLLM configuration as people have it, and what is made of parts of one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.catalog.packaged import load_prices
from gateway.cli.litellm import ImportedConfig, imported
from gateway.settings.yaml_file import ConfigProblems, read_document

NOW = datetime(2026, 11, 29, tzinfo=UTC)
Import = Callable[[dict[str, Any]], ImportedConfig]


@pytest.fixture
def import_config(tmp_path: Path) -> Import:
    """`import_config({"model_list": [...]})`: what is made of a configuration."""

    def run(data: dict[str, Any]) -> ImportedConfig:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        problems = ConfigProblems()
        document = read_document(path, problems)
        assert problems.problems == []
        return imported(document, prices=load_prices(), now=NOW)

    return run


def deployment(name: str, model: str, info: dict[str, Any] | None = None, /, **parameters: Any) -> dict[str, Any]:
    """One entry of `model_list`."""
    row: dict[str, Any] = {"model_name": name, "litellm_params": {"model": model, **parameters}}
    return row if info is None else {**row, "model_info": info}


def gateway_of(result: ImportedConfig) -> dict[str, Any]:
    return yaml.safe_load(result.files["gateway.yaml"]) or {}


def providers_of(result: ImportedConfig) -> dict[str, dict[str, Any]]:
    """The rows of providers.yaml by name."""
    return {row["name"]: row for row in yaml.safe_load(result.files["providers.yaml"])["providers"]}


def told(result: ImportedConfig) -> list[tuple[str, str]]:
    """Place (without its line) and fate of each entry."""
    return [(entry.place.partition(": ")[2], entry.fate) for entry in result.entries]
