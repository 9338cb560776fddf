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


CLAUDE_CODE = {"x-claude-code-session-id": UUID, "user-agent": "claude-cli/2.1.332 (external, cli)"}
# As recorded: the billing header differs in each request, reminders stand around what the person wrote, and one tool is a placeholder.
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("Bash", "Read", "DeferredToolPlaceholder")
]
REMINDER = "<system-reminder>\nAs you answer, you can use this context.\n</system-reminder>"


def claude_code(*turns: dict[str, Any], digest: str = "a1", system: str = "You are Claude Code.") -> dict[str, Any]:
    """A request of Claude Code, as chat completions carry it."""
    header = {"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1.332; cch={digest};"}
    opening = {"role": "system", "content": [header, {"type": "text", "text": system}]}
    return {"model": "auto", "messages": [opening, *turns], "tools": TOOLS, "max_tokens": 32_000}


def person(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": REMINDER}, {"type": "text", "text": text}]}


CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}],
}
RESULT = [{"role": "tool", "tool_call_id": "c1", "content": "ok"}, {"role": "user", "content": REMINDER}]


def test_session_of_claude_code(make_gateway: MakeGateway) -> None:
    """A check of the quota, a title and a subagent without an id share the session's name; only the main thread keeps its model."""
    gateway = make_gateway()
    task = person("Find out why the importer drops rows without a time zone.")
    asked = [
        {"model": "auto", "messages": [{"role": "user", "content": "quota"}], "max_tokens": 1},
        {
            "model": "auto",
            "messages": [{"role": "user", "content": "Generate a concise title for this coding session."}],
        },
        claude_code(task),
        claude_code(person("Search the tests."), CALLED, *RESULT, system="You are a search agent."),
        claude_code(task, CALLED, *RESULT, digest="b2"),
        claude_code(person("This session is being continued from a previous conversation: ...")),
    ]
    for body in asked:
        response = gateway.client.post("/v1/chat/completions", json=body, headers=CLAUDE_CODE)
        assert response.status_code == 200, response.text
    assert {row["session_id"] for row in gateway.rows} == {UUID}
    assert [row["session_kept"] for row in gateway.rows] == [None, None, None, None, True, None]


def test_what_a_harness_adds_does_not_change_the_score(make_gateway: MakeGateway) -> None:
    """Reminders, 34 tools and a bare yes: the pattern and the complexity are those of the task, and no turn counts as sent again."""
    gateway = make_gateway()
    text = "Analyze the trade-offs between both storage engines and plan a migration."
    many = [{"type": "function", "function": {"name": f"t{n}", "parameters": {"type": "object"}}} for n in range(34)]
    plan = {"role": "assistant", "content": "Here is a plan."}
    for body in (
        {"model": "auto", "messages": [{"role": "user", "content": text}]},
        {**claude_code(person(text)), "tools": many},
        claude_code(person(text), plan, person("yes")),
        claude_code(person(text), plan, person("go on"), CALLED, *RESULT),
    ):
        assert gateway.client.post("/v1/chat/completions", json=body).status_code == 200
    scores = {(row["pattern_detected"], row["complexity_score"]) for row in gateway.rows}
    assert len(scores) == 1
    resent = [each.request_id for each in gateway.store.outcomes() if each.source == "resent"]
    assert resent == [gateway.rows[0]["request_id"]]  # the second request repeats the first; a yes repeats nothing


def test_named_model_is_never_switched(make_gateway: MakeGateway) -> None:
    """Whatever its session did before, a request for a model gets that model."""
    gateway = make_gateway()
    for model in ("auto", "claude/claude-opus-5-5", "auto", "claude/claude-opus-5-5"):
        body = {**BODY, "model": model}
        assert gateway.client.post("/v1/chat/completions", json=body, headers={"x-session-id": "s"}).status_code == 200
    assert [row["selected_model"] for row in gateway.rows][1::2] == ["claude-opus-5-5"] * 2
