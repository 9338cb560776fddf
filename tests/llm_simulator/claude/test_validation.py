"""What Claude refuses among parameters, generation by generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

Ask = Callable[..., Response]

TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
ADAPTIVE = {"thinking": {"type": "adaptive"}}
MANUAL = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
SHUT = {"type": "object", "properties": {}, "additionalProperties": False}


def marked(count: int) -> list[dict[str, Any]]:
    return [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}} for _ in range(count)]


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "foreign field",
        "claude-sonnet-4-6",
        {"frequency_penalty": 0},
        "frequency_penalty: Extra inputs are not permitted",
    ),
    ("old output_format", "claude-sonnet-4-6", {"output_format": {}}, "Use 'output_config.format' instead"),
    ("sampling 4.7", "claude-opus-4-7", {"temperature": 1}, "`temperature` is deprecated for this model."),
    ("top_k 5.5", "claude-haiku-5-5", {"top_k": 3}, "`top_k` is deprecated for this model."),
    (
        "temperature > 1",
        "claude-sonnet-4-6",
        {"temperature": 1.5},
        "temperature: Input should be less than or equal to 1",
    ),
    ("both on 4.5", "claude-haiku-4-5", {"temperature": 1, "top_p": 1}, "cannot both be specified"),
    ("temperature and thinking", "claude-sonnet-4-6", {"temperature": 0.5, **ADAPTIVE}, "may only be set to 1"),
    ("top_p and thinking", "claude-sonnet-4-6", {"top_p": 0.5, **ADAPTIVE}, "greater than or equal to 0.95"),
    ("top_k and thinking", "claude-sonnet-4-6", {"top_k": 5, **ADAPTIVE}, "`top_k` must be unset"),
    ("max_tokens", "claude-haiku-4-5", {"max_tokens": 64_001}, "64001 > 64000, which is the maximum allowed"),
    ("max_tokens type", "claude-haiku-4-5", {"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
    ("null", "claude-haiku-4-5", {"temperature": None}, "temperature: Input should be a valid number"),
    ("adaptive on 4.5", "claude-haiku-4-5", ADAPTIVE, '"thinking.type.adaptive" is not supported for this model.'),
    ("manual on 5", "claude-opus-5", MANUAL, 'Use "thinking.type.adaptive"'),
    ("disabled on opus 5.5", "claude-opus-5-5", {"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not'),
    ("disabled on sonnet 5.5", "claude-sonnet-5-5", {"thinking": {"type": "disabled"}}, "between_tools"),
    ("small budget", "claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 1023}}, "1024"),
    ("big budget", "claude-haiku-4-5", {"max_tokens": 1024, **MANUAL}, "must be greater than `thinking.budget_tokens`"),
    ("effort on haiku 4.5", "claude-haiku-4-5", {"output_config": {"effort": "low"}}, "does not support the effort"),
    ("xhigh on 4.6", "claude-opus-4-6", {"output_config": {"effort": "xhigh"}}, "'xhigh' is not supported"),
    (
        "forced and thinking",
        "claude-sonnet-4-6",
        {"tools": [TOOL], "tool_choice": {"type": "any"}, **ADAPTIVE},
        "forces tool use",
    ),
    ("five marks", "claude-sonnet-4-6", {"system": marked(5)}, "A maximum of 4 blocks with cache_control"),
    ("e-mail", "claude-sonnet-4-6", {"metadata": {"user_id": "a@b.example"}}, "email address"),
    ("phone", "claude-sonnet-4-6", {"metadata": {"user_id": "+49 170 1234567"}}, "phone number"),
    (
        "other metadata",
        "claude-sonnet-4-6",
        {"metadata": {"team": "x"}},
        "metadata.team: Extra inputs are not permitted",
    ),
    ("blank stop", "claude-sonnet-4-6", {"stop_sequences": ["\n"]}, "must contain non-whitespace"),
    ("service tier", "claude-sonnet-4-6", {"service_tier": "flex"}, "'auto' or 'standard_only'"),
    (
        "disabled at xhigh",
        "claude-opus-5",
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "xhigh"}},
        'not supported with effort "xhigh"',
    ),
    (
        "late 1h",
        "claude-sonnet-4-6",
        {"system": [*marked(1), {"type": "text", "text": "y", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        "must not come after a ttl='5m'",
    ),
]


@pytest.mark.parametrize(("model", "fields", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_parameter_outside_the_generation_is_a_400(
    claude: Ask, model: str, fields: dict[str, Any], message: str
) -> None:
    """A parameter that the generation does not take is a 400 in Anthropic's shape."""
    response = claude(model=model, **fields)
    body = response.json()
    assert response.status_code == 400
    assert body["type"] == "error"
    assert body["error"]["type"] == "invalid_request_error"
    assert message in body["error"]["message"]


ACCEPTED: list[tuple[str, str, dict[str, Any]]] = [
    ("sampling on 4.6", "claude-sonnet-4-6", {"temperature": 0.2, "top_p": 0.9, "top_k": 3}),
    ("manual on 4.5", "claude-haiku-4-5", MANUAL),
    ("manual on 4.6", "claude-opus-4-6", MANUAL),
    ("adaptive on 5.5", "claude-opus-5-5", {**ADAPTIVE, "output_config": {"effort": "max"}}),
    ("disabled on 5", "claude-sonnet-5", {"thinking": {"type": "disabled"}}),
    ("disabled on haiku 5.5", "claude-haiku-5-5", {"thinking": {"type": "disabled"}}),
    ("between_tools", "claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}),
    ("opus 4.5 effort", "claude-opus-4-5", {"output_config": {"effort": "low"}}),
    ("schema", "claude-haiku-4-5", {"output_config": {"format": {"type": "json_schema", "schema": SHUT}}}),
    ("user id", "claude-haiku-4-5", {"metadata": {"user_id": "8f14e45f"}}),
    (
        "1h first",
        "claude-haiku-4-5",
        {"system": [{"type": "text", "text": "y", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, *marked(1)]},
    ),
    ("stops", "claude-haiku-4-5", {"stop_sequences": ["END"]}),
]


@pytest.mark.parametrize(("model", "fields"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_documented_parameters_are_answered(claude: Ask, model: str, fields: dict[str, Any]) -> None:
    """What the generation documents is answered."""
    response = claude(model=model, **fields)
    assert response.status_code == 200, response.text


def test_sampling_is_gone_from_the_new_version(claude: Ask) -> None:
    """API version 2026-10-21 takes sampling parameters for no model, though the old version does for older ones."""
    sent = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    assert claude(model="claude-haiku-4-5", sent=sent).status_code == 200
    response = claude(model="claude-haiku-4-5", temperature=1, sent=sent)
    assert response.json()["error"]["message"] == "temperature: Extra inputs are not permitted"
