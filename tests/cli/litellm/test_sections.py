"""LiteLLM's `router_settings`, `litellm_settings` and `general_settings`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.litellm.conftest import Import, deployment, gateway_of, told

MODELS = [deployment("gpt-4o", "anthropic/claude-sonnet-5-5", api_key="os.environ/ANTHROPIC_API_KEY")]


@pytest.mark.parametrize(
    ("section", "given", "setting"),
    [
        ("router_settings", {"num_retries": 1}, {"max_attempts": 2}),
        ("litellm_settings", {"num_retries": 9}, {"max_attempts": 3}),
        ("litellm_settings", {"request_timeout": 600}, {"timeouts": {"total": 600}}),
        ("router_settings", {"timeout": 30, "stream_timeout": 60}, {"timeouts": {"total": 30, "stream": 60}}),
        ("general_settings", {"global_max_parallel_requests": 50}, {"limits": {"in_flight": 50}}),
        ("general_settings", {"max_request_size_mb": 2}, {"limits": {"body_bytes": 2_000_000}}),
        ("litellm_settings", {"max_budget": 5, "budget_duration": "1d"}, {"daily_budget_usd": 5.0}),
    ],
)
def test_settings_that_are_here_too(
    import_config: Import, section: str, given: dict[str, Any], setting: dict[str, Any]
) -> None:
    """A setting that the gateway has is written to gateway.yaml."""
    result = import_config({section: given})
    assert gateway_of(result) == setting
    assert {fate for _, fate in told(result)} <= {"taken over", "changed"}


def test_the_routers_time_limit_wins(import_config: Import) -> None:
    """Where both sections have a limit the router's counts, as in LiteLLM, and the other one is told."""
    result = import_config({"litellm_settings": {"request_timeout": 600}, "router_settings": {"timeout": 30}})
    assert gateway_of(result) == {"timeouts": {"total": 30}}
    assert told(result) == [("router_settings.timeout", "taken over"), ("litellm_settings.request_timeout", "changed")]


@pytest.mark.parametrize(
    ("section", "given"),
    [
        ("router_settings", {"num_retries": "os.environ/RETRIES"}),
        ("router_settings", {"timeout": 0}),
        ("general_settings", {"global_max_parallel_requests": "many"}),
        ("general_settings", {"max_request_size_mb": None}),
        ("litellm_settings", {"max_budget": 5, "budget_duration": "30d"}),
        ("litellm_settings", {"max_budget": 5}),
        ("router_settings", {"fallbacks": [{"gpt-4o": ["local"]}]}),
        ("litellm_settings", {"cache": True}),
        ("general_settings", {"made_up": 1}),
    ],
)
def test_settings_that_are_not_here(import_config: Import, section: str, given: dict[str, Any]) -> None:
    """Anything else, and values that are no numbers, are told as not supported and change nothing."""
    result = import_config({section: given})
    assert [fate for _, fate in told(result)] == ["not supported"]
    assert gateway_of(result) == {}


def test_a_monthly_budget_is_shown_by_the_day(import_config: Import) -> None:
    """The report says what budget by the day is as much."""
    result = import_config({"litellm_settings": {"max_budget": 90, "budget_duration": "30d"}})
    assert "as much by the day is 3." in result.entries[0].text


def test_group_aliases(import_config: Import) -> None:
    """`model_group_alias` becomes aliases of what its groups are; a group that is not served is told."""
    given = {"model_group_alias": {"gpt-4": "gpt-4o", "four": {"model": "gpt-4o", "hidden": True}, "x": "nobody"}}
    result = import_config({"model_list": MODELS, "router_settings": given})
    aliases = gateway_of(result)["aliases"]
    assert (aliases["gpt-4"], aliases["four"], "x" in aliases) == (
        "claude/claude-sonnet-5-5",
        "claude/claude-sonnet-5-5",
        False,
    )
    assert ("router_settings.model_group_alias x", "not supported") in told(result)


@pytest.mark.parametrize(
    ("key", "words"), [("os.environ/MASTER", "the value of MASTER"), ("sk-1234", "LiteLLM's master key")]
)
def test_the_master_key_becomes_a_variable(import_config: Import, key: str, words: str) -> None:
    """The master key is named, never copied."""
    result = import_config({"general_settings": {"master_key": key}})
    assert result.variables == ("GATEWAY_ADMIN_KEY", "GATEWAY_API_KEY")
    assert words in result.files[".env.example"]
    assert "sk-1234" not in f"{result}"


def test_what_needs_nothing(import_config: Import) -> None:
    """What the gateway does by itself is told as not needed."""
    given = {"redis_host": "x", "routing_strategy": "simple-shuffle", "model_group_alias": None}
    assert told(import_config({"router_settings": given})) == [
        ("router_settings.redis_host", "not needed"),
        ("router_settings.routing_strategy", "not needed"),
    ]
