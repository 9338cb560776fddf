"""`gateway import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from gateway.accounts.virtual_keys import digest_of
from gateway.settings import load
from tests.cli.conftest import Invoke
from tests.cli.test_keys import stored
from tests.documents import blocks

SECRETS = ("sk-ant-made-up", "sk-1234", "sk-lf-made-up", "made-up-password")
CONFIG = f"""
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: anthropic/claude-sonnet-5-5, api_key: {SECRETS[0]}, rpm: 100}}
  - model_name: local
    litellm_params: {{model: openai/Qwen/Qwen3-32B, api_base: "https://vllm.internal.example/v1", api_key: os.environ/VLLM_API_KEY}}
  - model_name: llama
    litellm_params: {{model: ollama_chat/llama3.3, api_base: "http://localhost:11434"}}
  - model_name: azure-gpt
    litellm_params: {{model: azure/gpt-4o-eu, api_base: os.environ/AZURE_API_BASE, api_key: os.environ/AZURE_API_KEY}}
  - model_name: "gemini/*"
    litellm_params: {{model: "gemini/*", api_key: os.environ/GEMINI_API_KEY}}
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: {{gpt-4: gpt-4o}}
  fallbacks: [{{gpt-4o: [local]}}]
  num_retries: 2
litellm_settings: {{drop_params: true, success_callback: [langfuse], request_timeout: 600}}
general_settings: {{master_key: {SECRETS[1]}, database_url: "postgresql://u:{SECRETS[3]}@db/litellm"}}
environment_variables: {{LANGFUSE_SECRET_KEY: {SECRETS[2]}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "litellm.yaml"
    path.write_text(CONFIG)
    return path


def test_a_configuration_is_taken_over(invoke: Invoke, config: Path, tmp_path: Path) -> None:
    """The new files load, the old names are served, every entry has a line in the report, and no secret is in any of it."""
    result = invoke("import", "litellm", str(config))
    assert result.exit_code == 0, result.output
    folder = tmp_path / "config"
    environment = {"ANTHROPIC_API_KEY": "x", "VLLM_API_KEY": "x", "GEMINI_API_KEY": "x"}
    settings = load(environment, config=folder / "gateway.yaml")
    assert {provider.name for provider in settings.providers} == {"gemini", "claude", "vllm", "ollama"}
    for name in ("gpt-4o", "gpt-4", "local", "llama", "gemini/gemini-3.8-flash"):
        settings.catalog.resolve(name)
    for words in (
        "model_list[3] azure-gpt",
        "router_settings.fallbacks",
        "database_url",
        "rpm",
        "environment_variables",
    ):
        assert words in result.stdout
    everything = result.output + "".join(path.read_text() for path in folder.iterdir())
    assert [secret for secret in SECRETS if secret in everything] == []


def test_files_are_never_replaced_without_force(invoke: Invoke, config: Path, tmp_path: Path) -> None:
    """A second run changes nothing and says how to replace, or where else to write."""
    folder = tmp_path / "new"
    assert invoke("import", "litellm", str(config), "--output", str(folder)).exit_code == 0
    (folder / "gateway.yaml").write_text("port: 1\n")
    refused = invoke("import", "litellm", str(config), "--output", str(folder))
    assert (refused.exit_code, "--force" in refused.stderr) == (1, True)
    assert (folder / "gateway.yaml").read_text() == "port: 1\n"
    assert invoke("import", "litellm", str(config), "--output", str(folder), "--force").exit_code == 0
    assert "gpt-4o" in (folder / "gateway.yaml").read_text()


def test_a_dry_run_writes_nothing(invoke: Invoke, config: Path, tmp_path: Path) -> None:
    """--dry-run reports, as JSON with --json, and names the variables that LiteLLM's .env sets, without their values."""
    env = tmp_path / "litellm.env"
    env.write_text("VLLM_API_KEY=made-up-value\n")
    result = invoke("import", "litellm", str(config), "--dry-run", "--json", "--env", str(env))
    assert not (tmp_path / "config").exists()
    rows = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert rows[0] == {
        "place": f"{config}:3: model_list[0] gpt-4o",
        "result": "taken over",
        "text": "alias gpt-4o: claude/claude-sonnet-5-5",
    }
    assert f"variable to set: VLLM_API_KEY (in {env})" in result.stderr
    assert "variable to set: ANTHROPIC_API_KEY\n" in result.stderr
    assert "made-up-value" not in result.output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "not valid YAML"),
        ("general_settings: {max_request_size_mb: 0.0000001}", "gateway.yaml:3: limits.body_bytes"),
    ],
    ids=["no YAML", "no valid result"],
)
def test_a_configuration_that_cannot_be_used(
    invoke: Invoke, config: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    """What cannot be read, or could not be started with, is status 2 with the place, and nothing is written."""
    config.write_text(text)
    result = invoke("import", "litellm", str(config))
    assert (result.exit_code, sentence in result.stderr) == (2, True)
    assert not (tmp_path / "config").exists()


def test_a_wrong_env_file_is_told(invoke: Invoke, config: Path, tmp_path: Path) -> None:
    """A line of --env that is no assignment is named by its number."""
    env = tmp_path / "litellm.env"
    env.write_text("VLLM API KEY\n")
    result = invoke("import", "litellm", str(config), "--env", str(env))
    assert (result.exit_code, "litellm.env:1" in result.stderr) == (2, True)


def test_the_example_of_the_document_is_what_the_command_makes(invoke: Invoke, tmp_path: Path) -> None:
    """LiteLLM's configuration in docs/migrating.md becomes the two files that follow it there."""
    (before,) = [block.text for block in blocks("yml") if block.document == "migrating.md"]
    shown = [yaml.safe_load(block.text) for block in blocks("yaml") if block.document == "migrating.md"]
    config = tmp_path / "litellm.yaml"
    config.write_text(before)
    result = invoke("import", "litellm", str(config))
    assert result.exit_code == 0, result.output
    made = [yaml.safe_load((tmp_path / "config" / name).read_text()) for name in ("gateway.yaml", "providers.yaml")]
    assert made == shown


KEYS: list[dict[str, Any]] = [
    {"key_alias": "team-search", "models": ["claude/*"], "max_budget": 100, "budget_duration": "30d", "rpm_limit": 60},
    {"key_alias": "free", "models": [], "expires": "2099-01-31T00:00:00Z"},
    {"key_alias": "gone", "blocked": True},
]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(orjson.dumps(KEYS))
    return path


def test_keys_are_made_anew(invoke: Invoke, export: Path, db: Path) -> None:
    """Each live key is made with its limits and printed once; the others are told. A second run makes none of them again."""
    result = invoke("import", "litellm-keys", str(export))
    assert result.exit_code == 0, result.output
    made = {line.partition(" ")[2]: line.partition(" ")[0] for line in result.stdout.splitlines()}
    keys = {key.name: key for key in stored(db)}
    assert made.keys() == keys.keys() == {"team-search", "free"}
    assert all(keys[name].digest == digest_of(secret) for name, secret in made.items())
    assert (str(keys["team-search"].budget), keys["team-search"].rpm, keys["team-search"].models) == (
        "100/month",
        60,
        ("claude/*",),
    )
    assert "gone: no key: it is blocked" in result.stderr
    assert "admin key: gw-admin-" in result.stderr
    again = invoke("import", "litellm-keys", str(export))
    assert (again.stdout, len(stored(db))) == ("", 2)
    assert "a key here has this name already" in again.stderr


def test_a_dry_run_makes_no_key(invoke: Invoke, export: Path, db: Path) -> None:
    """--dry-run says what each key would be, and creates no ledger."""
    result = invoke("import", "litellm-keys", str(export), "--dry-run")
    assert "team-search: budget 100/month, rpm 60, models claude/*" in result.stderr
    assert "free: until 2099-01-31" in result.stderr
    assert (result.exit_code, result.stdout, db.exists()) == (0, "", False)


def test_an_export_that_cannot_be_read(invoke: Invoke, export: Path) -> None:
    """A file that is no export, or far too large, is status 1 with the reason."""
    export.write_text("[1]")
    result = invoke("import", "litellm-keys", str(export))
    assert (result.exit_code, "no list of keys" in result.stderr) == (1, True)
    with export.open("wb") as file:
        file.truncate(60_000_000)
    result = invoke("import", "litellm-keys", str(export))
    assert (result.exit_code, "more than 50 MB" in result.stderr) == (1, True)
