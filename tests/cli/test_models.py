"""`gateway models`."""

from __future__ import annotations

import orjson

from gateway.catalog.packaged import load_catalog
from tests.cli.conftest import Invoke


def test_models_prints_tier_and_prices_and_marks_keyless_ones(invoke: Invoke) -> None:
    """Every model of the catalogue is a line with its tier and prices; those without a key are marked."""
    lines = invoke("models", GEMINI_API_KEY="k").output.splitlines()
    names = [model.full_name for model in load_catalog()]
    assert [line[2:].split()[0] for line in lines[:-1]] == names
    marked = {line[2:].split("/")[0] for line in lines[:-1] if line.startswith("-")}
    assert marked == {"claude", "openrouter"}
    assert lines[-1].startswith("Prices of 20")


def test_models_json_has_the_same_facts(invoke: Invoke) -> None:
    """With --json each line is an object with the same facts."""
    rows = [orjson.loads(line) for line in invoke("models", "--json", ANTHROPIC_API_KEY="k").output.splitlines()]
    assert [row["model"] for row in rows] == [model.full_name for model in load_catalog()]
    assert {row["model"].split("/")[0] for row in rows if row["enabled"]} == {"claude"}


def test_bad_configuration_ends_every_command_with_2(invoke: Invoke) -> None:
    """A configuration that cannot be used ends every command with status 2 and its problems."""
    result = invoke("models", GATEWAY_PORT="many")
    assert result.exit_code == 2
    assert "error: GATEWAY_PORT" in result.output
