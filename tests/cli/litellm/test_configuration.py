"""A whole LiteLLM configuration."""

from __future__ import annotations

import yaml

from gateway.settings.schema import GatewayFile, ProvidersFile
from tests.cli.litellm.conftest import Import, deployment, told


def test_an_empty_configuration_is_one_here_too(import_config: Import) -> None:
    """Of nothing comes a valid configuration with the three vendors, and no entry."""
    result = import_config({"model_list": None, "router_settings": None})
    GatewayFile.model_validate(yaml.safe_load(result.files["gateway.yaml"]) or {})
    ProvidersFile.model_validate(yaml.safe_load(result.files["providers.yaml"]))
    assert (result.entries, result.variables) == ((), ())


def test_sections_that_are_not_here_are_told(import_config: Import) -> None:
    """Each other section has an entry; of variables only the names are shown."""
    result = import_config(
        {
            "environment_variables": {"LANGFUSE_SECRET_KEY": "sk-lf-made-up"},
            "guardrails": [],
            "include": ["other.yaml"],
            "made_up": 1,
        }
    )
    assert told(result) == [
        ("environment_variables", "changed"),
        ("guardrails", "not supported"),
        ("include", "not supported"),
        ("made_up", "not supported"),
    ]
    assert "LANGFUSE_SECRET_KEY" in result.entries[0].text
    assert "sk-lf" not in f"{result}"


def test_variables_have_notes(import_config: Import) -> None:
    """.env.example has each variable as a comment with what belongs in it; those of unused vendors are optional."""
    result = import_config({"model_list": [deployment("a", "hosted_vllm/x", api_base="os.environ/VLLM_BASE")]})
    text = result.files[".env.example"]
    assert "# the base URL of vllm\n# VLLM_BASE=\n" in text
    assert "# optional: a key of gemini, for `auto`\n# GEMINI_API_KEY=\n" in text
    assert "# GATEWAY_PORT=4000\n" in text
    assert result.variables == ("VLLM_BASE",)


def test_places_have_lines(import_config: Import) -> None:
    """Each entry begins with the file and the line."""
    result = import_config({"model_list": [deployment("a", "azure/x")], "router_settings": {"redis_host": "x"}})
    assert [entry.place.partition(": ")[0].rpartition(":")[2] for entry in result.entries] == ["2", "6"]
