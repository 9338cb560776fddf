"""Cross-origin resource sharing: pages that may read answers, over a real connection."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from gateway.api.cors import EXPOSED
from tests.conftest import KEYS, MakeGateway
from tests.listening import Listening, listening
from tests.tenants import issue

KEY = "a-client-key-of-the-tests"
PAGE = "http://localhost:3000"
APP = "https://app.example"
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "2+2?"}]}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with listening(tmp_path_factory.mktemp("keyless"), config="allowed_hosts: [gateway.localhost]") as served:
        yield served


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = tmp_path_factory.mktemp("keyed")
    with listening(
        folder, environment={"GATEWAY_API_KEY": KEY}, config=f"cors_origins: [{APP}, vscode-webview://x]"
    ) as served:
        yield served


def granted(response: httpx2.Response) -> str | None:
    """The origin that may read the answer; the other headers are there with it and only then."""
    origin = response.headers.get("access-control-allow-origin")
    assert "access-control-allow-credentials" not in response.headers
    assert ("access-control-expose-headers" in response.headers) == (origin is not None)
    assert (response.headers.get("vary") == "origin") == (origin is not None)
    return None if origin is None else str(origin)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions/", "/v1/models", "/models", "/healthz"])
def test_preflight_of_an_allowed_origin_needs_no_key(keyless: Listening, keyed: Listening, path: str) -> None:
    """A preflight of an allowed origin is answered without a key: what may be sent, and for how long that holds."""
    for served, origin in (
        (keyless, PAGE),
        (keyless, "http://gateway.localhost"),
        (keyed, APP),
        (keyed, "vscode-webview://x"),
    ):
        response = httpx2.options(served.url + path, headers={"origin": origin, **PREFLIGHT})
        assert (response.status_code, granted(response)) == (200, origin)
        assert response.headers["access-control-allow-headers"] == "authorization,content-type"
        assert "POST" in response.headers["access-control-allow-methods"]
        assert response.headers["access-control-max-age"] == "600"


def test_preflight_of_another_origin_is_refused(keyless: Listening, keyed: Listening) -> None:
    """Any other origin's preflight gets no leave: with keys that of localhost neither, with a foreign Host none at all."""
    for served, headers in (
        (keyless, {"origin": APP}),
        (keyless, {"origin": "null"}),
        (keyless, {"origin": "http://localhost.evil.example"}),
        (keyless, {"origin": PAGE, "host": "evil.example"}),
        (keyed, {"origin": PAGE}),
        (keyed, {"origin": "https://app.example.evil.example"}),
        (keyed, {"origin": "http://app.example"}),
        (keyed, {"origin": "https://app.example:8443"}),
    ):
        response = httpx2.options(f"{served.url}/v1/chat/completions", headers={**headers, **PREFLIGHT})
        assert (response.status_code, granted(response)) == (405, None), headers


def test_what_is_asked_for_is_not_echoed_blindly(keyless: Listening) -> None:
    """Only names of headers are allowed back; a preflight that asks for none gets none."""
    for wanted in ("x" * 10_000, "a b", "a,,b", "x;y"):
        headers = {"origin": PAGE, **PREFLIGHT, "access-control-request-headers": wanted}
        response = httpx2.options(f"{keyless.url}/v1/models", headers=headers)
        assert response.status_code == 200
        assert "access-control-allow-headers" not in response.headers


@pytest.mark.parametrize("stream", [False, True])
def test_allowed_origin_may_read_answers_and_streams(keyless: Listening, keyed: Listening, stream: bool) -> None:
    """An allowed origin may read whole answers and streams, with the gateway's headers; another is not told so."""
    for served, origin, headers in ((keyless, PAGE, {}), (keyed, APP, {"x-api-key": KEY})):
        response = httpx2.post(
            f"{served.url}/v1/chat/completions", json={**CHAT, "stream": stream}, headers={"origin": origin, **headers}
        )
        assert (response.status_code, granted(response)) == (200, origin)
        told = {name for name in response.headers if name.startswith("x-gateway-")} | {"x-request-id"}
        assert told <= set(response.headers["access-control-expose-headers"].split(", ")) == set(EXPOSED)
    other = httpx2.post(f"{keyed.url}/v1/chat/completions", json=CHAT, headers={"origin": PAGE, "x-api-key": KEY})
    assert (other.status_code, granted(other)) == (200, None)


def test_allowed_origin_may_read_errors(keyless: Listening, keyed: Listening) -> None:
    """An allowed origin may read errors too, whoever answers them."""
    for served, origin, path, body, status in (
        (keyless, PAGE, "/v1/chat/completions", {"model": "nothing"}, 400),
        (keyless, PAGE, "/v1/feedback", {}, 400),
        (keyless, PAGE, "/v1/nowhere", {}, 404),
        (keyless, APP, "/v1/chat/completions", CHAT, 403),
        (keyed, APP, "/v1/chat/completions", CHAT, 401),
        (keyed, APP, "/v1/route", CHAT, 401),
    ):
        response = httpx2.post(served.url + path, json=body, headers={"origin": origin})
        assert response.status_code == status
        assert granted(response) == (None if status == 403 else origin)


@pytest.mark.parametrize("path", ["/", "/sign-in", "/static/dashboard.css"])
def test_pages_are_for_no_other_origin(keyless: Listening, path: str) -> None:
    """The dashboard's pages are not read by scripts of other origins."""
    assert granted(httpx2.get(keyless.url + path, headers={"origin": PAGE})) is None
    assert httpx2.options(keyless.url + path, headers={"origin": PAGE, **PREFLIGHT}).status_code == 405


def test_request_with_two_origins_is_not_allowed(keyed: Listening) -> None:
    """A request with two origins is of none that is allowed."""
    headers = [("origin", APP), ("origin", "https://evil.example"), ("x-api-key", KEY)]
    assert granted(httpx2.get(f"{keyed.url}/v1/models", headers=headers)) is None


def test_the_first_virtual_key_ends_leave_for_localhost(make_gateway: MakeGateway) -> None:
    """Where virtual keys alone close the gateway, only `cors_origins` counts too."""
    gateway = make_gateway(environment=KEYS, config=f"cors_origins: [{APP}]")
    assert granted(gateway.client.get("/v1/models", headers={"origin": PAGE})) == PAGE
    issue(gateway)
    assert granted(gateway.client.get("/v1/models", headers={"origin": PAGE})) is None
    assert granted(gateway.client.get("/v1/models", headers={"origin": APP})) == APP


def test_preflight_in_the_demo_has_the_demo_header_once(make_gateway: MakeGateway) -> None:
    """In the demo a preflight's answer says so as every other does, and the direct routes' have the headers once."""
    client = make_gateway(demo=True).client
    response = client.options("/v1/chat/completions", headers={"origin": PAGE, **PREFLIGHT})
    assert (response.status_code, response.headers["x-gateway-demo"]) == (200, "true")
    assert client.post("/v1/chat/completions", json=CHAT, headers={"origin": PAGE}).headers.get_list(
        "access-control-allow-origin"
    ) == [PAGE]
