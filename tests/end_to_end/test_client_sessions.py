"""The sessions of real clients: their own headers and fields, as they were recorded, over a real connection."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.conftest import MakeGateway
from tests.end_to_end.conftest import Served
from tests.tenants import issue
from tests.upstreams import answer

UUID = "0199f2c4-6c1e-7d13-9c3a-2f6f0c0e7a11"
OTHER = "0199f2c4-7a55-7b02-8f10-d1f0f0a9b3c4"
DEVICE = "d" * 64
BODY: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "2+2?"}]}

# Headers beside the usual ones, members of the body, and the row's session.
CLIENTS: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "opencode": (
        {"x-session-id": "ses_5f3a9c1b", "x-session-affinity": "ses_5f3a9c1b", "user-agent": "opencode/1.18.33"},
        {"stream_options": {"include_usage": True}, "stream": True},
        "ses_5f3a9c1b",
    ),
    "Claude Code": (
        {
            "x-claude-code-session-id": UUID,
            "user-agent": "claude-cli/2.1.197 (external, cli)",
            "anthropic-beta": "claude-code-20250219",
        },
        {
            "metadata": {
                "user_id": json.dumps({"device_id": DEVICE, "account_uuid": "", "session_id": UUID}, separators=(",", ":"))
            }
        },
        UUID,
    ),
    "Claude Code without its header": (
        {},
        {"metadata": {"user_id": json.dumps({"device_id": DEVICE, "account_uuid": "", "session_id": UUID})}},
        UUID,
    ),
    "an older Claude Code": ({}, {"metadata": {"user_id": f"user_{DEVICE}_account__session_{UUID}"}}, UUID),
    "a subagent of Claude Code": (
        {"X-Claude-Code-Session-Id": UUID, "X-Claude-Code-Agent-Id": "a3f9c2"},
        {},
        f"{UUID}/a3f9c2",
    ),
    "Codex": (
        {"session-id": UUID, "thread-id": UUID, "originator": "codex_exec", "user-agent": "codex_exec/0.171.0"},
        {"prompt_cache_key": UUID},
        UUID,
    ),
    "a subagent of Codex": (
        {"session-id": UUID, "thread-id": OTHER, "x-openai-subagent": "collab_spawn"},
        {"prompt_cache_key": OTHER},
        f"{UUID}/collab_spawn",
    ),
    "a cache key": ({}, {"prompt_cache_key": "support-bot"}, "support-bot"),
    "the hint before all": ({"x-session-id": "theirs"}, {"routing": {"session_id": "ours"}, "prompt_cache_key": "k"}, "ours"),
    "a subagent by the hint": ({"x-session-id": "theirs"}, {"routing": {"agent_id": "writer"}}, "theirs/writer"),
}  # fmt: skip


@pytest.mark.parametrize("model", ["auto", "claude/claude-haiku-4-5"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_s_session_is_the_row_s(served: Served, client: str, model: str) -> None:
    """Whoever chooses the model, the row names the session as the client did."""
    headers, body, session = CLIENTS[client]
    asked = {**BODY, **body, "model": model}
    answer = httpx2.post(f"{served.url}/v1/chat/completions", json=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    assert served.row(answer.headers["x-request-id"])["session_id"] == session


def test_the_next_turn_continues_the_session(make_gateway: MakeGateway) -> None:
    """The second request of a session finds who answered the first, also where its beginning was rewritten."""
    gateway = make_gateway()
    for prompt in ("2+2?", "And 3+3?"):
        body = {**BODY, "messages": [{"role": "user", "content": prompt}]}
        gateway.client.post("/v1/chat/completions", json=body, headers={"x-session-id": "ses_1"})
    assert [row["session_kept"] for row in gateway.rows] == [None, True]


def test_tenants_cannot_join_each_other_s_sessions(make_gateway: MakeGateway) -> None:
    """The same header with another key is another session."""
    gateway = make_gateway()
    ann, bob = issue(gateway, "a"), issue(gateway, "b")
    for key in (ann, ann, bob):
        headers = {"authorization": f"Bearer {key}", "x-session-id": "shared"}
        gateway.client.post("/v1/chat/completions", json=BODY, headers=headers)
    assert [row["session_kept"] for row in gateway.rows] == [None, True, None]


def test_the_preview_knows_the_session(make_gateway: MakeGateway) -> None:
    """`/v1/route` decides as the chat would, the session's model included."""
    gateway = make_gateway()
    headers = {"x-session-id": "ses_1"}
    gateway.client.post("/v1/chat/completions", json=BODY, headers=headers)
    told = gateway.client.post("/v1/route", json=BODY, headers=headers).json()
    assert told["model"] == f"{gateway.rows[0]['selected_provider']}/{gateway.rows[0]['selected_model']}"


def test_unusual_session_header_is_hashed(make_gateway: MakeGateway) -> None:
    """Nothing that is long or strange reaches the ledger as it is."""
    gateway = make_gateway()
    answer = gateway.client.post("/v1/chat/completions", json=BODY, headers={"x-session-id": "x" * 5000})
    assert answer.status_code == 200
    assert len(gateway.rows[0]["session_id"]) == 34


@pytest.mark.parametrize("model", ["openrouter/qwen/qwen3.8-flash", "auto"])
@pytest.mark.parametrize("stream", [False, True])
def test_openrouter_conversation_stays_at_its_host(make_gateway: MakeGateway, model: str, stream: bool) -> None:
    """The second request of a conversation names the host that answered the first; the row says who it was."""
    sent: list[dict[str, Any]] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        reply = answer()(request)
        return httpx2.Response(
            200,
            headers={"content-type": reply.headers["content-type"]},
            content=reply.content.replace(b'"usage":', b'"provider":"DeepInfra","usage":'),
        )

    gateway = make_gateway(upstream)
    for _ in range(2):
        body = {**BODY, "model": model, "stream": stream, "routing": {"providers": ["openrouter"]}}
        response = gateway.client.post("/v1/chat/completions", json=body, headers={"x-session-id": "ses_1"})
        assert response.status_code == 200, response.text
    assert [body.get("provider") for body in sent] == [None, {"order": ["DeepInfra"], "allow_fallbacks": True}]
    assert sent[0]["session_id"] == sent[1]["session_id"]
    assert "ses_1" not in sent[0]["session_id"]
    assert [row["usage"]["provider"] for row in gateway.rows] == ["DeepInfra", "DeepInfra"]
