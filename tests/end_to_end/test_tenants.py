"""Two tenants on every route: nobody sees or touches what is another's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.routing import Route

from gateway.api.cors import PreflightRoute
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.tenants import ask_as, issue
from tests.upstreams import answer

ADMIN = "an-admin-key-of-some-length"
OPEN = {"/healthz", "/health", "/readyz", "/static/{name}"}
CLIENT = {"/openapi.json": "GET"} | {
    f"{prefix}/{path}": method
    for prefix in ("/v1", "")
    for path, method in {
        "chat/completions": "POST",
        "completions": "POST",
        "embeddings": "POST",
        "messages": "POST",
        "messages/count_tokens": "POST",
        "route": "POST",
        "feedback": "POST",
        "responses": "POST",
        "models": "GET",
        "models/{model:path}": "GET",
    }.items()
}
# Of something that the key may not have.
OWN = {
    f"{prefix}/responses/{path}" for prefix in ("/v1", "") for path in ("{response_id}", "{response_id}/input_items")
}
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "2+2?"}]}


@pytest.fixture(params=[{}, {"GATEWAY_ADMIN_KEY": ADMIN}, {"GATEWAY_API_KEY": "k" * 24}], ids=["open", "admin", "env"])
def gateway(make_gateway: MakeGateway, request: pytest.FixtureRequest) -> GatewayUnderTest:
    """A gateway with two tenants, whichever other keys it has."""
    return make_gateway(answer("four"), environment={**KEYS, **request.param})


def routes(gateway: GatewayUnderTest) -> Iterator[tuple[str, str]]:
    for route in gateway.app.routes:
        if isinstance(route, PreflightRoute):
            continue
        assert isinstance(route, Route)
        if route.methods == {"HEAD"}:  # a probe, which tells nothing
            continue
        if not route.path.startswith("/sign-"):  # a form's, which takes no key in a header
            yield route.path, CLIENT.get(route.path) or min((route.methods or set()) - {"HEAD"}, default="GET")


def test_tenant_key_opens_client_routes_only(gateway: GatewayUnderTest) -> None:
    """A tenant's key opens the client routes and no other: what is neither for clients nor open is forbidden to it."""
    keys = [issue(gateway, name) for name in ("a", "b")]
    mine = ask_as(gateway, keys[0]).headers["x-request-id"]
    for path, method in routes(gateway):
        url = path.replace("{request_id}", mine).replace("{model:path}", "auto").replace("{name}", "dashboard.css")
        for key in keys:
            response = gateway.client.request(method, url, headers={"authorization": f"Bearer {key}"})
            if path in OPEN or (path in CLIENT and method == "GET"):
                assert response.status_code == 200, path
            elif path in CLIENT:
                assert response.status_code == 400, path
            elif path in OWN:
                assert response.status_code == 404, path
            else:
                assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden"), path
                assert mine not in response.text.replace(url, "")


def test_feedback_is_for_ones_own_requests(gateway: GatewayUnderTest) -> None:
    """Another tenant's request does not exist for feedback, and nothing says that it does."""
    ann, bob = issue(gateway, "a"), issue(gateway, "b")
    mine = ask_as(gateway, ann).headers["x-request-id"]
    answers = [
        gateway.client.post("/v1/feedback", json={"request_id": each, "rating": "up"}, headers={"x-api-key": bob})
        for each in (mine, "req_of_nobody")
    ]
    assert [response.status_code for response in answers] == [404, 404]
    assert answers[0].text.replace(mine, "") == answers[1].text.replace("req_of_nobody", "")
    own = gateway.client.post("/v1/feedback", json={"request_id": mine, "rating": "up"}, headers={"x-api-key": ann})
    assert own.status_code == 200


def test_rows_belong_to_their_key(gateway: GatewayUnderTest) -> None:
    """Each row tells whose it is by the key's id, which no request can choose."""
    ann, bob = issue(gateway, "a"), issue(gateway, "b")
    ask_as(gateway, ann, user="key_b", metadata={"key_id": "key_b"})
    ask_as(gateway, bob)
    assert [row["key_id"] for row in gateway.rows] == ["key_a", "key_b"]


def test_sessions_of_two_tenants_are_separate(gateway: GatewayUnderTest) -> None:
    """Two tenants that name the same session have two sessions."""
    ann, bob = issue(gateway, "a"), issue(gateway, "b")
    for key in (ann, ann, bob):
        assert ask_as(gateway, key, routing={"session_id": "shared"}).status_code == 200
    first, again, other = (row["session_kept"] for row in gateway.rows)
    assert again
    assert other == first


@pytest.mark.parametrize("path", [path for path, method in CLIENT.items() if method == "POST"])
def test_two_keys_in_one_request(gateway: GatewayUnderTest, path: str) -> None:
    """A request with the keys of two tenants is nobody's."""
    headers = {"authorization": f"Bearer {issue(gateway, 'a')}", "x-api-key": issue(gateway, "b")}
    response = gateway.client.post(path, json=CHAT, headers=headers)
    error = response.json()["error"]
    assert response.status_code == 400
    assert "keys" in error["message"]
    assert error.get("code", "conflicting_keys") == "conflicting_keys"  # Anthropic's errors have no code
