"""Anthropic's Messages through the whole gateway: what goes up, what comes back, what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import orjson
import pytest

from gateway.accounts.budgets import Budget
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.tenants import issue
from tests.upstreams import answer, failing

MODELS = ["claude/claude-haiku-5-5", "gemini/gemini-3.8-flash", "openrouter/qwen/qwen3.8-flash"]
BETAS = "context-management-2025-06-27,per-turn-control-2026-07-01,effort-2025-11-24,hologram-2026-12-01"
HEADERS = {"anthropic-version": "2026-10-21", "anthropic-beta": BETAS, "x-api-key": "client", "cookie": "c=1"}
# The request of Claude Code 2.1: three system blocks, tools, a system turn with its own effort, a mark on the last result.
CLAUDE_CODE: dict[str, Any] = {
    "model": "auto",
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\nToday is Monday.\n</system-reminder>"},
                {"type": "text", "text": "<system-reminder>\nskills\n</system-reminder>"},
                {"type": "text", "text": "What is in note.txt?"},
            ],
        },
        {"role": "system", "content": "cwd: /tmp", "output_config": {"effort": "low"}},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": "EqQBCkYIBRgC"},
                {"type": "tool_use", "id": "toolu_01", "name": "Read", "input": {"file": "note.txt"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_01",
                    "content": [{"type": "text", "text": "42"}],
                    "cache_control": {"type": "ephemeral"},
                }
            ],
        },
    ],
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.332; cch=1f2e;"},
        {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Use the tools.", "cache_control": {"type": "ephemeral"}},
    ],
    "tools": [
        {"name": "Read", "description": "Reads.", "input_schema": {"type": "object", "properties": {}}},
        {"name": "DeferredToolPlaceholder", "input_schema": {"type": "object"}, "defer_loading": True},
    ],
    "metadata": {"user_id": '{"device_id":"d","account_uuid":"a","session_id":"9459a051-41cb"}'},
    "max_tokens": 128_000,
    "thinking": {"type": "adaptive", "display": "omitted"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "high"},
}


class Recorder:
    """An upstream that keeps what it was sent."""

    def __init__(self, upstream: Callable[[httpx2.Request], httpx2.Response] | None = None) -> None:
        self.requests: list[httpx2.Request] = []
        self._upstream = upstream or answer()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self._upstream(request)

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = orjson.loads(self.requests[-1].content)
        return parsed


def ask(gateway: GatewayUnderTest, path: str = "/v1/messages", **body: Any) -> httpx2.Response:
    whole = {"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}], **body}
    return gateway.client.post(path, json=whole, headers=HEADERS)


def row(gateway: GatewayUnderTest, response: httpx2.Response) -> dict[str, Any]:
    """The ledger's row of an answer."""
    return gateway.store.request(response.headers["x-request-id"]) or {}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", ["auto", *MODELS])
def test_a_request_of_claude_code_is_served_by_every_provider(
    make_gateway: MakeGateway, model: str, stream: bool
) -> None:
    """The recorded request is answered by each provider, and its row has the client's session."""
    recorder = Recorder()
    gateway = make_gateway(recorder)
    response = gateway.client.post(
        "/v1/messages?beta=true", json={**CLAUDE_CODE, "model": model, "stream": stream}, headers=HEADERS
    )
    assert response.status_code == 200, response.text
    assert response.headers["request-id"] == response.headers["x-request-id"]
    recorded = row(gateway, response)
    assert (recorded["endpoint"], recorded["session_id"], recorded["cache_marks"]) == (
        "messages",
        "9459a051-41cb",
        "client",
    )
    assert b"4" in response.content
    assert b"cc_version" in recorder.requests[-1].content if "claude" in model else True


def test_claude_gets_the_clients_object(make_gateway: MakeGateway) -> None:
    """Everything but the model's name reaches Claude as it came: unknown members, betas, version and query, never the client's key."""
    recorder = Recorder()
    gateway = make_gateway(recorder)
    body = {**CLAUDE_CODE, "model": "claude-unheard-of[1m]", "hologram": {"x": 1}, "routing": {"session_id": "s"}}
    response = gateway.client.post("/v1/messages?beta=true&auto_route=false", json=body, headers=HEADERS)
    assert response.status_code == 200
    del body["routing"]
    assert list(recorder.body.items()) == list({**body, "model": "claude-unheard-of"}.items())
    request = recorder.requests[-1]
    assert request.url.query == b"beta=true"
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert request.headers["anthropic-beta"] == BETAS
    assert request.headers["x-api-key"] == KEYS["ANTHROPIC_API_KEY"]
    assert "cookie" not in request.headers
    assert response.json()["model"] == "claude/claude-unheard-of"


def test_the_version_is_anthropics_first_where_the_client_names_none(make_gateway: MakeGateway) -> None:
    """A client without headers gets the version that all others know."""
    recorder = Recorder()
    gateway = make_gateway(recorder)
    gateway.client.post("/messages", json={**CLAUDE_CODE, "model": MODELS[0]})
    assert recorder.requests[-1].headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in recorder.requests[-1].headers


def events(*payloads: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (each["type"].encode(), orjson.dumps(each)) for each in payloads)


def test_events_of_claude_pass_byte_for_byte(make_gateway: MakeGateway) -> None:
    """Unknown events, blocks and deltas reach the client as they came, only the model's name is the full one."""
    start = {
        "type": "message_start",
        "message": {
            "id": "msg_x",
            "model": "claude-haiku-5-5",
            "usage": {"input_tokens": 9, "output_tokens": 1},
            "odd": 1,
        },
    }
    passed = events(
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "hologram", "x": [1]}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "hologram_delta", "y": 2}},
        {"type": "content_block_stop", "index": 0},
        {"type": "weather", "z": 3},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "a\u2028b"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "c"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "odd": 1}, "usage": {"output_tokens": 7, "odd": 2}},
        {"type": "message_stop", "odd": 4},
    )  # fmt: skip
    upstream = Recorder(
        lambda request: httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=events(start) + passed
        )
    )
    gateway = make_gateway(upstream)
    response = ask(gateway, model="claude-haiku-5-5", stream=True)
    start["message"]["model"] = "claude/claude-haiku-5-5"  # type: ignore[index]
    assert response.content == events(start) + passed
    recorded = row(gateway, response)
    assert (recorded["status"], recorded["prompt_tokens"], recorded["completion_tokens"]) == ("ok", 9, 7)
    assert (recorded["finish_reason"], recorded["usage"]) == ("stop", {"input_tokens": 9, "output_tokens": 7, "odd": 2})


def test_a_stream_that_breaks_ends_with_an_error(make_gateway: MakeGateway) -> None:
    """Where Claude breaks off, the client has what came and then an error; nothing says that the answer is whole."""
    begun = events(
        {
            "type": "message_start",
            "message": {"id": "msg_x", "model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    )
    gateway = make_gateway(
        lambda request: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=begun)
    )
    response = ask(gateway, model="claude-haiku-5-5", stream=True)
    assert b"Hel" in response.content
    assert b"end_turn" not in response.content
    assert response.content.rstrip().splitlines()[-2] == b"event: error"
    assert row(gateway, response)["status"] == "error"


def test_an_answer_of_claude_passes(make_gateway: MakeGateway) -> None:
    """Unknown members and blocks of a whole answer reach the client."""
    message = {
        "id": "msg_x",
        "model": "claude-haiku-5-5",
        "content": [{"type": "hologram", "x": 1}, {"type": "text", "text": "4", "citations": None}],
        "stop_reason": "odd",
        "usage": {"input_tokens": 9, "output_tokens": 7, "odd": 2},
        "container": {"id": "c"},
    }
    gateway = make_gateway(lambda request: httpx2.Response(200, json=message))
    response = ask(gateway, model="claude-haiku-5-5")
    assert list(response.json().items()) == list({**message, "model": "claude/claude-haiku-5-5"}.items())
    assert row(gateway, response)["completion_tokens"] == 7


@pytest.mark.parametrize("model", MODELS)
def test_the_same_call_costs_the_same_through_any_route(make_gateway: MakeGateway, model: str) -> None:
    """Usage, cost and decision do not depend on the API that the client uses."""
    gateway = make_gateway()
    chat = row(gateway, gateway.ask("Hello", model=model))
    messages = row(gateway, ask(gateway, model=model))
    same = ("selected_model", "actual_cost", "prompt_tokens", "completion_tokens", "strategy_used", "status")
    assert [chat[name] for name in same] == [messages[name] for name in same]


def test_auto_fails_over(make_gateway: MakeGateway) -> None:
    """Where one provider is down another one answers, translated."""
    gateway = make_gateway(failing(503, "claude", "gemini"))
    response = ask(gateway, tools=CLAUDE_CODE["tools"])
    assert response.status_code == 200
    assert response.json()["model"].startswith("openrouter/")


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"mcp_servers": [{"url": "https://x.test"}]},
        {"safeguards": [{"type": "x"}]},
    ],
    ids=["tool", "mcp", "safeguards"],
)
def test_what_only_claude_can_do_goes_to_claude(make_gateway: MakeGateway, body: Any) -> None:
    """`auto` chooses among Claude's models then; another provider's model is a 400 that names the member, and is never called."""
    recorder = Recorder()
    gateway = make_gateway(recorder)
    assert ask(gateway, **body).json()["model"].startswith("claude/")
    calls = len(recorder.requests)
    refused = ask(gateway, model="gemini/gemini-3.8-flash", **body)
    assert refused.status_code == 400
    assert next(iter(body)) in refused.json()["error"]["message"]
    assert len(recorder.requests) == calls
    alone = make_gateway(environment={"GEMINI_API_KEY": "x"})
    assert ask(alone, **body).status_code == 400


def test_a_high_limit_excludes_no_model(make_gateway: MakeGateway) -> None:
    """Claude Code asks for 128,000 tokens, which few models can write; the others get their own limit."""
    recorder = Recorder()
    gateway = make_gateway(recorder)
    response = ask(gateway, "/v1/messages?auto_route=false", max_tokens=128_000)
    assert response.json()["model"].startswith("gemini/")
    ask(gateway, max_tokens=128_000, model="gemini/gemini-3.8-flash")
    assert recorder.body["generationConfig"]["maxOutputTokens"] == 65_536
    ask(gateway, max_tokens=200_000, model="openrouter/z-ai/glm-5.3")
    assert recorder.body["max_completion_tokens"] == 131_072


def test_the_gateway_caches_for_clients_that_do_not(make_gateway: MakeGateway) -> None:
    """A long conversation without breakpoints gets some; a client's own breakpoints stay alone."""
    recorder = Recorder()
    gateway = make_gateway(recorder, config="prompt_caching: always\n")
    long: list[Any] = [{"role": "user", "content": "word " * 9_000}, {"role": "assistant", "content": "Yes."}]
    long.append({"role": "user", "content": "Go on."})
    response = ask(gateway, model=MODELS[0], messages=long)
    assert [b"cache_control" in orjson.dumps(message) for message in recorder.body["messages"]] == [True, False, True]
    assert row(gateway, response)["cache_marks"] == "gateway"
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    response = ask(gateway, model=MODELS[0], messages=long, system=system)
    assert recorder.body["messages"] == long
    assert row(gateway, response)["cache_marks"] == "client"


def test_hidden_thinking_is_not_asked_for_where_signatures_come_without(make_gateway: MakeGateway) -> None:
    """Gemini signs without its thoughts; OpenRouter would leave the signatures out together with the text."""
    recorder = Recorder()
    gateway = make_gateway(recorder)
    for display, shown in (("omitted", False), ("summarized", True)):
        thinking = {"type": "adaptive", "display": display}
        ask(gateway, model="gemini/gemini-3.8-flash", thinking=thinking, output_config={"effort": "low"})
        config = recorder.body["generationConfig"]["thinkingConfig"]
        assert config == {"thinkingLevel": "LOW"} | ({"includeThoughts": True} if shown else {})
        ask(gateway, model="openrouter/qwen/qwen3.8-flash", thinking=thinking, output_config={"effort": "low"})
        assert recorder.body["reasoning"] == {"effort": "low"}


def test_a_budget_lowers_the_limit(make_gateway: MakeGateway) -> None:
    """A small budget allows a short answer instead of none, also from Claude; what is spent is told in Claude Code's words."""
    recorder = Recorder()
    gateway = make_gateway(recorder)
    key = issue(gateway, "small", budget=Budget(40_000_000, "day"))
    headers = {"authorization": f"Bearer {key}"}
    body = {"model": MODELS[0], "max_tokens": 128_000, "messages": [{"role": "user", "content": "Hello"}]}
    assert gateway.client.post("/v1/messages", json=body, headers=headers).status_code == 200
    assert recorder.body["max_tokens"] in (256, 1_024, 4_096, 16_384)
    unpriced = gateway.client.post("/v1/messages", json={**body, "speed": "fast"}, headers=headers)
    assert (unpriced.status_code, unpriced.json()["error"]["type"]) == (403, "permission_error")
    poor = {"authorization": f"Bearer {issue(gateway, 'poor', budget=Budget(1, 'day'))}"}
    spent = gateway.client.post("/v1/messages", json=body, headers=poor)
    assert (spent.status_code, spent.json()["error"]["type"]) == (429, "billing_error")
    assert "resets at" in spent.json()["error"]["message"]
    assert spent.headers["anthropic-ratelimit-unified-overage-period"] == "daily"
    assert int(spent.headers["retry-after"]) > 0


def test_refusals_are_anthropics(make_gateway: MakeGateway) -> None:
    """Every refusal is in Anthropic's form, with the request's id in the header that its SDKs read."""
    recorder = Recorder()
    gateway = make_gateway(recorder, environment={**KEYS, "GATEWAY_API_KEY": "client"})
    good = {"x-api-key": "client"}
    answers = [
        (401, gateway.client.post("/v1/messages", json={})),
        (405, gateway.client.get("/v1/messages", headers=good)),
        (404, gateway.client.post("/v1/messages/batches", json={}, headers=good)),
        (400, gateway.client.post("/v1/messages", content=b"{", headers=good)),
        (400, gateway.client.post("/messages/count_tokens", json={"model": "x"}, headers=good)),
    ]
    for status, response in answers:
        assert response.status_code == status
        assert response.json()["type"] == "error"
        assert response.headers["request-id"].startswith("req_")
    assert answers[0][1].headers["x-should-retry"] == "false"
    assert not recorder.requests
    assert gateway.store.requests(limit=5) == []


@pytest.mark.parametrize("path", ["/", "/api/hello"])
def test_probes_need_no_key(make_gateway: MakeGateway, path: str) -> None:
    """A probe is answered with an empty 200, also where everything else wants a key."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "client"})
    response = gateway.client.head(path)
    assert (response.status_code, response.content) == (200, b"")
    assert gateway.client.get("/").status_code == 401
