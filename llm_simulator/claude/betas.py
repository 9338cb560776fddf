"""Members that only a beta allows: without the beta in `anthropic-beta` they are extra inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_simulator.claude.validation import enables_thinking
from llm_simulator.validators import Problem

# https://platform.claude.com/docs/en/api/beta-headers; a beta is named with its date.
REQUEST_MEMBERS = {
    "context-management-": "context_management",
    "mcp-client-": "mcp_servers",
    "safeguards-": "safeguards",
}
TURN_CONTROL = "per-turn-control-"  # allows `output_config` in a turn
CLEAR_THINKING = "clear_thinking_20251015"


def without_beta_members(body: dict[str, Any], betas: str) -> dict[str, Any]:
    """The body without what the betas of a request allow. Raises Problem for a strategy that needs thinking."""
    names = [beta.strip() for beta in betas.split(",")]
    allowed = {member for beta, member in REQUEST_MEMBERS.items() if any(name.startswith(beta) for name in names)}
    if "context_management" in allowed and isinstance(body.get("context_management"), Mapping):
        _check_edits(body)
    kept = {name: value for name, value in body.items() if name not in allowed}
    if any(name.startswith(TURN_CONTROL) for name in names) and isinstance(body.get("messages"), list):
        kept["messages"] = [
            {name: value for name, value in turn.items() if name != "output_config"} if isinstance(turn, dict) else turn
            for turn in body["messages"]
        ]
    return kept


def _check_edits(body: dict[str, Any]) -> None:
    edits = body["context_management"].get("edits") or ()
    if any(edit.get("type") == CLEAR_THINKING for edit in edits) and not enables_thinking(body):
        text = f"`{CLEAR_THINKING}` strategy requires `thinking` to be enabled or adaptive"
        raise Problem(("context_management", "edits"), "value", text)
