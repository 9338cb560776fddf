"""What Claude takes only with a beta, and the count of a prompt's tokens."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.llm_simulator.claude.test_init import BODY, GOOD

KEEP_ALL = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
THINKING = {"thinking": {"type": "adaptive"}, "max_tokens": 5000}
TURN = {"messages": [{"role": "user", "content": "Hello", "output_config": {"effort": "low"}}]}


@pytest.mark.parametrize(
    ("beta", "members", "status"),
    [
        ("", {"context_management": KEEP_ALL, **THINKING}, 400),
        ("context-management-2025-06-27", {"context_management": KEEP_ALL, **THINKING}, 200),
        ("context-management-2025-06-27", {"context_management": KEEP_ALL}, 400),
        ("context-management-2025-06-27", {"context_management": {"edits": []}}, 200),
        ("other-2025-01-01, mcp-client-2025-04-04", {"mcp_servers": []}, 200),
        ("", TURN, 400),
        ("per-turn-control-2026-07-01", TURN, 200),
        ("per-turn-control-2026-07-01", {"messages": [7]}, 400),
    ],
)
def test_betas_allow_members(client: TestClient, beta: str, members: dict[str, Any], status: int) -> None:
    """A member of a beta is an extra input without it; clearing of thinking needs thinking."""
    headers = {**GOOD, "anthropic-beta": beta} if beta else GOOD
    assert client.post("/v1/messages", json={**BODY, **members}, headers=headers).status_code == status


def test_tokens_are_counted(client: TestClient) -> None:
    """The same checks as for a message, without the members that concern the answer."""
    body = {name: value for name, value in BODY.items() if name != "max_tokens"}
    assert client.post("/v1/messages/count_tokens", json=body, headers=GOOD).json()["input_tokens"] > 0
    for wrong in (BODY, {**body, "stream": True}, {**body, "messages": []}, [body]):
        assert client.post("/v1/messages/count_tokens", json=wrong, headers=GOOD).status_code == 400
