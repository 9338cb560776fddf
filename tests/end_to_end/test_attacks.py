"""Requests that try to get at hosts, headers, files, rights or answers that are not theirs, at a gateway with and without keys."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
import pytest

from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.tenants import issue
from tests.upstreams import answer

MODELS = ("auto", "gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/qwen/qwen3.8-flash")
HOSTS = {"generativelanguage.googleapis.com", "api.anthropic.com", "openrouter.ai"}
CHAT: dict[str, Any] = {"model": MODELS[0], "messages": [{"role": "user", "content": "2+2?"}]}
ELSEWHERE = "http://169.254.169.254/latest/meta-data/"


MEMBERS = (
    *("api_base", "base_url", "api_key", "api_version", "custom_llm_provider", "organization", "proxy", "url", "host"),
    *("extra_headers", "extra_body", "extra_query", "headers", "webhook", "callbacks", "logger_fn", "command", "plugin_url"),
    *("litellm_params", "vertex_credentials", "aws_session_token", "mock_response", "guardrails", "mcp_servers"),
)  # fmt: skip

FOREIGN_HEADERS = (
    *("x-portkey-custom-host", "x-api-base", "openai-base-url", "helicone-target-url", "x-forwarded-host", "x-original-url"),
    *("x-rewrite-url", "x-http-method-override", "forwarded", "x-forwarded-for", "x-forwarded-proto", "via", "te"),
    *("cookie", "proxy-authorization", "metadata-flavor", "x-aws-ec2-metadata-token", "x-amz-security-token"),
    *("anthropic-beta", "anthropic-version", "http-referer", "x-title", "openai-organization", "user-agent", "traceparent"),
)  # fmt: skip

URLS = (
    *(ELSEWHERE, "http://127.1/", "http://0x7f000001/", "http://[::1]:8000/v1/routing/requests", "http://2130706433/"),
    *("http://[2002:7f00:1::]/", "http://[64:ff9b::7f00:1]/", "https://localhost.attacker.example/", "file:///etc/passwd"),
    *("gopher://127.0.0.1:6379/_INFO", "http://user@127.0.0.1@evil.example/", "//127.0.0.1/", "data:,x", "javascript:alert(1)"),
)  # fmt: skip

PATHS = (
    *("..%2fapp.py", "..%5capp.py", "%2e%2e/%2e%2e/app.py", "....//app.py", "dashboard.css%00.html", "%252e%252e%252fapp.py"),
    *("/etc/passwd", "%2fetc%2fpasswd", "dashboard.css/", "dashboard.css%2f..%2f..%2fapp.py", "C:%5cwindows", "~", ""),
)  # fmt: skip


TEXTS = ("data: [DONE]\n\n", "\n\ndata: [DONE]\n\ndata: {}", "[DONE]", "\u2028data: [DONE]\r\n\r\n", 'x"}]}\n\n: ')


@dataclass(slots=True)
class Site:
    """A gateway, what a client of it has to send along, and what has reached its upstreams."""

    gateway: GatewayUnderTest
    headers: dict[str, str]
    sent: list[httpx2.Request] = field(default_factory=list)

    def post(self, path: str = "/v1/chat/completions", **options: Any) -> httpx2.Response:
        headers = {**options.pop("headers", {}), **self.headers}
        return self.gateway.client.post(path, headers=headers, **options)


@pytest.fixture(params=["open", "client key", "virtual key"])
def site(make_gateway: MakeGateway, request: pytest.FixtureRequest) -> Site:
    sent: list[httpx2.Request] = []

    def upstream(asked: httpx2.Request) -> httpx2.Response:
        sent.append(asked)
        return answer("four")(asked)

    keys = {"client key": {"GATEWAY_API_KEY": "a-client-key-of-the-tests"}}.get(request.param, {})
    gateway = make_gateway(upstream, environment={**KEYS, **keys})
    key = issue(gateway) if request.param == "virtual key" else keys.get("GATEWAY_API_KEY")
    return Site(gateway, {"authorization": f"Bearer {key}"} if key else {}, sent)


def test_no_body_member_sets_host_key_or_file(site: Site) -> None:
    """A member that other gateways take a host, key, file or command from changes nothing and is not passed on."""
    members = {name: {"url": ELSEWHERE} if name.startswith("extra") else ELSEWHERE for name in MEMBERS}
    metadata = dict.fromkeys(MEMBERS[:16], ELSEWHERE)
    for model in MODELS:
        assert site.post(json={**CHAT, **members, "model": model, "metadata": metadata}).status_code == 200
    assert {request.url.host for request in site.sent} <= HOSTS
    assert [orjson.loads(request.content).keys() & members.keys() for request in site.sent] == [set()] * len(site.sent)


def test_no_header_is_forwarded(site: Site) -> None:
    """Whatever header a client sends, the upstream's address, headers and key are the gateway's own."""
    for model in MODELS:
        foreign = dict.fromkeys(FOREIGN_HEADERS, "canary.example/x")
        assert site.post(json={**CHAT, "model": model}, headers=foreign).status_code == 200
    assert {request.url.host for request in site.sent} <= HOSTS
    assert all("canary" not in value for request in site.sent for value in request.headers.values())


def test_upstream_requests_have_a_fixed_list_of_headers(site: Site) -> None:
    """What upstreams are sent is a fixed list: their own key, the content's type, and what HTTP needs."""
    for model in MODELS:
        for stream in (False, True):
            site.post(json={**CHAT, "model": model, "stream": stream})
    http = {"host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"}
    own = {"x-goog-api-key", "x-api-key", "anthropic-version", "authorization", "http-referer", "x-title"}
    assert {name for request in site.sent for name in request.headers} <= http | own
    keys = [
        request.headers.get(name, "")
        for request in site.sent
        for name in ("x-goog-api-key", "x-api-key", "authorization")
    ]
    assert set(keys) <= {"", "gemini-key", "claude-key", "Bearer openrouter-key"}


def test_urls_of_images_are_not_fetched(site: Site) -> None:
    """The gateway fetches no address out of a request: the provider is told of it, or the request is refused."""
    for url in URLS:
        parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is this?"}]
        for model in MODELS:
            response = site.post(json={"model": model, "messages": [{"role": "user", "content": parts}]})
            assert response.status_code in (200, 400), (model, url)
    assert {request.url.host for request in site.sent} <= HOSTS


def test_no_path_leads_to_other_files(site: Site) -> None:
    """The dashboard's files are a fixed list; no spelling of a path leads out of it."""
    for path in PATHS:
        response = site.gateway.client.get(f"/static/{path}", headers=site.headers)
        assert response.status_code in (403, 404), path
        assert response.json()["error"]["code"] in ("not_found", "unknown_url", "forbidden")


def test_nobody_sets_what_is_not_theirs(site: Site) -> None:
    """The gateway's own objects have the members that they have; any other is a 400."""
    for path, body in (
        ("/v1/chat/completions", {**CHAT, "routing": {"key_id": "key_other"}}),
        ("/v1/chat/completions", {**CHAT, "routing": {"max_tier": "complex"}}),
        ("/v1/route", {**CHAT, "routing": {"budget": "100/day"}}),
        ("/v1/feedback", {"request_id": "r", "rating": "up", "key_id": "key_other"}),
        ("/v1/feedback", {"request_id": "r", "rating": "up", "weight": 1000}),
        ("/v1/feedback", {"request_id": ["r"], "rating": "up"}),
    ):
        assert site.post(path, json=body).status_code == 400, body


def test_rights_are_not_in_the_request(site: Site) -> None:
    """Members that name a key, a role or a limit change neither whose row it is nor what it may do."""
    wishes = {
        "key_id": "admin",
        "role": "admin",
        "allowed_routes": ["/*"],
        "max_tier": "complex",
        "user_role": "proxy_admin",
    }
    assert site.post(json={**CHAT, **wishes, "user": "admin"}).status_code == 200
    assert site.gateway.rows[0]["key_id"] != "admin"
    assert not {name for request in site.sent for name in wishes if name in orjson.loads(request.content)}


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_what_browsers_and_guessers_send_is_no_key(make_gateway: MakeGateway) -> None:
    """What changes something wants the whole key in a header that no browser sends by itself, so no other site can use it."""
    key = "A-Client-Key-of-the-tests-0123456789"
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": key})
    sent: list[dict[str, str]] = [
        {"authorization": "Basic " + base64.b64encode(f"x:{key}".encode()).decode()},
        {"cookie": f"key={key}; session={key}; Authorization=Bearer {key}"},
        {"proxy-authorization": f"Bearer {key}"},
        *map(_bearer, (f"{key} x", key[:-1], key[:20], key.upper(), f"{key},other", "' OR 1=1 --", "*", "None")),
    ]
    for path in ("/v1/chat/completions", "/chat/completions", "/v1/route", "/v1/feedback"):
        assert gateway.client.post(f"{path}?key={key}&api_key={key}", json=CHAT).status_code == 401
        for headers in sent:
            assert gateway.client.post(path, json=CHAT, headers=headers).status_code == 401, headers
    assert gateway.rows == []


def test_basic_password_routes_only_read(make_gateway: MakeGateway) -> None:
    """The routes that take a browser's password only read."""
    paths = make_gateway().client.get("/openapi.json").json()["paths"]
    changing = [o for methods in paths.values() for method, o in methods.items() if method != "get"]
    assert changing
    assert all({"basic": []} not in operation["security"] for operation in changing)


@pytest.mark.parametrize("model", MODELS)
def test_answer_text_cannot_inject_events(make_gateway: MakeGateway, model: str) -> None:
    """A model's text cannot end the stream or begin an event of its own: it arrives as the text that it was."""
    texts = iter(TEXTS)
    gateway = make_gateway(lambda request: answer(next(texts))(request))
    for text in TEXTS:
        events = gateway.ask(model=model, stream=True).text.split("\n\n")
        assert events[-2:] == ["data: [DONE]", ""]
        chunks = [orjson.loads(event.removeprefix("data: ")) for event in events[:-2]]
        assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == text


def test_equal_requests_are_answered_separately(site: Site) -> None:
    """The same request asked twice is answered twice by an upstream: there is no cache that could mix callers up."""
    for _ in range(2):
        assert site.post(json={**CHAT, "model": MODELS[1]}).status_code == 200
    assert len(site.sent) == 2
    assert len({row["request_id"] for row in site.gateway.rows}) == 2


def test_large_bodies_are_held_to_the_same_rules(make_gateway: MakeGateway) -> None:
    """What is refused in a small body is refused in one that is parsed elsewhere for its size."""
    gateway = make_gateway()
    headers = _bearer(issue(gateway, models=("gemini/*",)))
    for size in (1, 3_000_000):
        messages = [{"role": "user", "content": "x" * size}]
        refused = gateway.client.post(
            "/v1/chat/completions", json={"model": MODELS[2], "messages": messages}, headers=headers
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
        nul = gateway.client.post(
            "/v1/chat/completions", json={**CHAT, "messages": messages, "user": "\0"}, headers=headers
        )
        assert nul.status_code == 400
    assert gateway.rows == []


def test_sql_in_any_text_is_text(site: Site) -> None:
    """A quote ends nothing: SQL in ids, names, filters and members is text, and the ledger stays as it was."""
    sql = "x'; DROP TABLE routing_metrics; --"
    assert (
        site.post(json={**CHAT, "user": sql, "routing": {"session_id": sql}}, headers={"x-request-id": sql}).status_code
        == 200
    )
    asked = [
        site.post(json={**CHAT, "model": sql}),
        site.post(json={**CHAT, "routing": {"models": [sql], "providers": [sql]}}),
        site.post("/v1/feedback", json={"request_id": sql, "rating": "up", "comment": sql}),
        *(site.gateway.client.get(path, headers=site.headers) for path in (
            f"/v1/models/{sql}",
            f"/v1/routing/requests/{sql}",
            f"/v1/routing/requests?before={sql}&limit=1%20UNION%20SELECT%201&sort=1;--&status={sql}",
            f"/v1/routing/summary?days=1%20OR%201=1&order={sql}",
        )),
    ]  # fmt: skip
    assert all(
        400 <= response.status_code < 500 or response.json()["error"]["code"] == "no_candidate" for response in asked
    )
    (row,) = site.gateway.rows
    assert row["client_request_id"] == sql
