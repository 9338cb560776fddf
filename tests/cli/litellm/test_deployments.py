"""Entries of LiteLLM's `model_list`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.litellm.conftest import Import, deployment, gateway_of, providers_of, told

KEY = {"api_key": "os.environ/ANTHROPIC_API_KEY"}
CLAUDE = "anthropic/claude-sonnet-5-5"


def test_a_name_becomes_an_alias(import_config: Import) -> None:
    """`model_name` stays what clients write; a full name that is one here too needs no alias."""
    result = import_config({"model_list": [deployment("gpt-4o", CLAUDE, **KEY), deployment(CLAUDE, CLAUDE, **KEY)]})
    assert gateway_of(result) == {"aliases": {"gpt-4o": "claude/claude-sonnet-5-5"}}
    assert [fate for _, fate in told(result)] == ["taken over", "taken over"]


def test_keys_are_never_copied(import_config: Import) -> None:
    """A key that stands in the file becomes the name of a variable, and the report says so without it."""
    secret = "sk-ant-made-up-0123456789"
    result = import_config({"model_list": [deployment("a", CLAUDE, api_key=secret)]})
    assert secret not in f"{result}"
    assert result.variables == ("ANTHROPIC_API_KEY",)
    assert "ANTHROPIC_API_KEY=" in result.files[".env.example"]
    assert ("model_list[0] a: api_key", "changed") in told(result)


def test_several_keys_go_into_one_variable(import_config: Import) -> None:
    """A second deployment of a model with another key is another key; the report says where to put it."""
    model = "groq/llama-4"
    listed = [deployment("a", model, api_key="os.environ/K1"), deployment("a", model, api_key="os.environ/K2")]
    result = import_config({"model_list": listed})
    assert providers_of(result)["groq"]["api_key_env"] == "K1"
    assert "K2, separated by commas" in result.files[".env.example"]
    assert ("model_list[1] a: api_key", "changed") in told(result)


def test_a_name_stands_for_one_model(import_config: Import) -> None:
    """Of several models with one name the first keeps it; the others are told."""
    listed = [deployment("a", CLAUDE, **KEY), deployment("a", "gemini/gemini-3.8-flash")]
    result = import_config({"model_list": listed})
    assert gateway_of(result)["aliases"] == {"a": "claude/claude-sonnet-5-5"}
    assert told(result)[1] == ("model_list[1] a", "changed")


@pytest.mark.parametrize(
    ("parameters", "variable"),
    [
        ({}, "OPENAI_API_KEY"),
        ({"api_key": "os.environ/OTHER"}, "OTHER"),
        ({"api_key": "sk-x", "api_base": "https://vllm.example/v1"}, "OPENAI_API_KEY"),
        ({"api_base": "https://vllm.example/v1"}, None),
        ({"api_key": "none", "api_base": "https://vllm.example/v1"}, None),
    ],
)
def test_the_variable_of_a_key(import_config: Import, parameters: dict[str, Any], variable: str | None) -> None:
    """LiteLLM's default variable, the named one, or none for a server of one's own that needs no key."""
    result = import_config({"model_list": [deployment("a", "openai/gpt-5", **parameters)]})
    (row,) = [row for name, row in providers_of(result).items() if name not in ("gemini", "claude", "openrouter")]
    assert row.get("api_key_env") == variable


@pytest.mark.parametrize(
    ("name", "model", "parameters", "fate"),
    [
        ("anthropic/*", "anthropic/*", {}, "taken over"),
        ("groq/*", "groq/*", {}, "taken over"),
        ("house/*", "openai/*", {"api_base": "https://x.example/v1"}, "taken over"),
        ("*", "openai/*", {}, "changed"),
        ("*", "*", {}, "changed"),
        ("x:*:y", "openai/x:*:y", {}, "changed"),
    ],
)
def test_wildcards(import_config: Import, name: str, model: str, parameters: dict[str, str], fate: str) -> None:
    """A wildcard over all models of a provider is what full names do; there are no other wildcards."""
    result = import_config({"model_list": [deployment(name, model, **parameters)]})
    assert told(result)[0][1] == fate
    assert gateway_of(result) == {}


@pytest.mark.parametrize(
    ("model", "parameters", "words"),
    [
        ("azure/gpt-4o-eu", {}, "openai.azure.com/openai/v1"),
        ("bedrock/anthropic.claude-v2", {}, "`claude/...`"),
        ("vertex_ai/gemini-3", {}, "`gemini/...`"),
        ("cohere/command-r", {}, "kind `openai`"),
        ("command-r", {}, "kind `openai`"),
        ("hosted_vllm/x", {}, "needs an `api_base`"),
        ("openai/x", {"api_base": "your-base"}, "not of the form"),
        ("openai/two words", {}, "characters that no id"),
    ],
)
def test_what_cannot_be_served_is_told(
    import_config: Import, model: str, parameters: dict[str, str], words: str
) -> None:
    """An upstream that the gateway cannot call makes no alias; the report says what to do instead."""
    result = import_config({"model_list": [deployment("a", model, **parameters)]})
    assert result.entries[0].fate == "not supported"
    assert words in result.entries[0].text
    assert gateway_of(result) == {}


def test_other_kinds_of_entries(import_config: Import) -> None:
    """A router of LiteLLM's becomes `auto`; an API that the gateway does not have, and what is no deployment, is told."""
    result = import_config(
        {
            "model_list": [
                deployment("smart", "auto_router/smart"),
                deployment("auto", CLAUDE),
                deployment("auto", "auto_router/x"),
                deployment("ear", "openai/whisper-1", {"mode": "audio_transcription"}),
                deployment("vector", "openai/text-embedding-3-small", {"mode": "embedding"}),
                {"model_name": "x"},
                "x",
            ]
        }
    )
    assert gateway_of(result)["aliases"] == {"smart": "auto", "vector": "openai/text-embedding-3-small"}
    fates = [fate for place, fate in told(result) if place.count(":") == 0]
    assert fates == ["changed", "changed", "changed", "not supported", "taken over", "not supported", "not supported"]


def test_parameters_are_told_one_by_one(import_config: Import) -> None:
    """Each further parameter of a deployment has an entry; own prices are shown in USD per million tokens."""
    further = {"rpm": 6, "weight": 2, "temperature": 0.2, "made_up": 1, "input_cost_per_token": 1.5e-7}
    result = import_config({"model_list": [deployment("a", CLAUDE, **KEY, **further)]})
    assert told(result)[1:] == [
        ("model_list[0] a: prices", "not supported"),
        ("model_list[0] a: made_up", "not supported"),
        ("model_list[0] a: rpm", "not supported"),
        ("model_list[0] a: temperature", "not supported"),
        ("model_list[0] a: weight", "not needed"),
    ]
    assert "{input: 0.15, output: 0}" in result.entries[1].text


def test_time_limits_become_the_providers(import_config: Import) -> None:
    """`timeout` and `stream_timeout` are limits of the provider; a second, different one is told. Nonsense is left out."""
    listed = [
        deployment("a", CLAUDE, timeout=30, stream_timeout=60),
        deployment("b", "anthropic/claude-opus-5-5", timeout=90, stream_timeout=-1),
    ]
    result = import_config({"model_list": listed})
    assert providers_of(result)["claude"]["timeouts"] == {"total": 30, "stream": 60}
    assert [row for row in told(result) if "timeout" in row[0]] == [
        ("model_list[0] a: timeout", "changed"),
        ("model_list[0] a: stream_timeout", "changed"),
        ("model_list[1] b: timeout", "not supported"),
    ]


def test_an_unknown_price_is_told(import_config: Import) -> None:
    """A model whose price the gateway does not know is served, and the report says that its cost is null."""
    result = import_config({"model_list": [deployment("a", "groq/llama-4")]})
    assert told(result) == [("model_list[0] a", "taken over"), ("model_list[0] a: prices", "not supported")]


def test_credentials_are_looked_up(import_config: Import) -> None:
    """A deployment that names a credential has its address and key."""
    result = import_config(
        {
            "model_list": [deployment("a", "openai/x", litellm_credential_name="house")],
            "credential_list": [
                {
                    "credential_name": "house",
                    "credential_values": {"api_base": "https://house.example/v1", "api_key": "os.environ/HOUSE"},
                },
                "broken",
            ],
        }
    )
    assert providers_of(result)["house"]["api_key_env"] == "HOUSE"
