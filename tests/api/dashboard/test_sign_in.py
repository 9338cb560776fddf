"""The sign-in form, as a client with a cookie jar uses it over a real connection."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.accounts.virtual_keys import AdminKey, VirtualKey, digest_of
from gateway.api.dashboard.sign_in import FAILURES, local_path
from gateway.app import Environment
from gateway.store import InsertVirtualKey, ReplaceAdminKey
from tests.conftest import KEYS, MakeGateway
from tests.listening import Listening, listening
from tests.resilience.clocks import Clock
from tests.tenants import issue

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ADMIN = "an-admin-key-of-the-tests"
PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ADMIN_PATHS = ("/", "/metrics", "/v1/routing/summary", "/routing/requests")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Listening]:
    with listening(
        tmp_path, environment={"GATEWAY_API_KEY": "a-client-key-of-the-tests", "GATEWAY_ADMIN_KEY": ADMIN}
    ) as it:
        yield it


@pytest.fixture
def browser(served: Listening) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=served.url, headers=PAGE) as client:
        yield client


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def sign_in(
    client: httpx2.Client, key: str = ADMIN, *, path: str = "/", headers: Any = None, **changed: str
) -> httpx2.Response:
    page = client.get(path).text
    fields = {"form_token": hidden(page, "form_token"), "to": hidden(page, "to"), "key": key, **changed}
    return client.post("/sign-in", data=fields, headers=headers)


@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_a_browser_gets_a_page_and_a_program_json(browser: httpx2.Client, path: str) -> None:
    """An admin route answers a browser without a session with the form, and everybody else with JSON and both challenges."""
    page = browser.get(path)
    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers.get_list("www-authenticate") == ["Bearer"]
    assert 'type="password"' in page.text
    told = browser.get(path, headers={"accept": "*/*"})
    assert (told.status_code, told.json()["error"]["code"]) == (401, "invalid_api_key")
    assert told.headers.get_list("www-authenticate") == ['Basic realm="gateway"', "Bearer"]


def test_client_routes_stay_json(browser: httpx2.Client) -> None:
    """A client's route answers in JSON, whoever asks."""
    assert browser.get("/v1/models").json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("path", ["/?days=7", "/v1/routing/summary?days=1", "/metrics"])
def test_signing_in_opens_every_admin_route(browser: httpx2.Client, path: str) -> None:
    """With the admin key the browser goes on to what it asked for, and its cookie opens every admin route."""
    answer = sign_in(browser, path=path)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("gateway_session="))
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert ADMIN not in cookie
    assert [browser.get(each).status_code for each in ADMIN_PATHS] == [200] * 4
    assert browser.get("/sign-in").headers["location"] == "/"


@pytest.mark.parametrize("key", ["", "wrong", "a-client-key-of-the-tests", ADMIN.upper()])
def test_wrong_key_brings_the_form_back_without_a_session(browser: httpx2.Client, key: str) -> None:
    """Any other key, a client's too, brings the form back with a sentence and no session, and is not repeated."""
    answer = sign_in(browser, key, path="/metrics")
    assert answer.status_code == 401
    assert "That is not the admin key" in answer.text
    assert hidden(answer.text, "to") == "/metrics"
    assert "gateway_session" not in browser.cookies
    assert not key or key not in answer.text


def test_a_virtual_key_is_no_admin_key(browser: httpx2.Client, served: Listening) -> None:
    """A virtual key signs nobody in."""
    key = VirtualKey(id="key_1", name="a", digest=digest_of("gw-virtual"), last4="tual", created=NOW)
    served.store.submit(InsertVirtualKey(key)).result()
    served.gateway.services.key_cache.refresh()
    assert sign_in(browser, "gw-virtual").status_code == 401


def test_basic_and_bearer_still_work(browser: httpx2.Client) -> None:
    """The admin key is taken in a header as ever, also where a page is asked for; a wrong one is told so on the page."""
    basic = "Basic " + base64.b64encode(f"any:{ADMIN}".encode()).decode()
    for value in (basic, f"Bearer {ADMIN}"):
        assert "Last requests" in browser.get("/", headers={"authorization": value}).text
    wrong = browser.get("/", headers={"authorization": "Bearer wrong"})
    assert (wrong.status_code, "not the admin key" in wrong.text) == (401, True)


def test_the_cookie_is_for_https_where_the_page_is(browser: httpx2.Client, served: Listening) -> None:
    """Where the browser came by HTTPS (a proxy speaks it), the cookie goes back by HTTPS only."""
    host = served.url.removeprefix("http://")
    for headers in ({"origin": f"https://{host}"}, {"x-forwarded-proto": "https"}):
        answer = sign_in(browser, headers=headers)
        assert all("Secure" in each for each in answer.headers.get_list("set-cookie"))
        browser.cookies.clear()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_forms_of_other_origins_sign_nobody_in_or_out(browser: httpx2.Client, headers: dict[str, str]) -> None:
    """A form that another origin's page sends, of this machine too, signs nobody in or out."""
    assert sign_in(browser, headers=headers).status_code == 403
    assert sign_in(browser).status_code == 303
    token = hidden(browser.get("/").text, "form_token")
    assert browser.post("/sign-out", data={"form_token": token}, headers=headers).status_code == 403
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("token", ["", "x" * 43])
def test_form_without_its_token_is_refused(browser: httpx2.Client, token: str) -> None:
    """The form has to be this gateway's own: its token is that of the browser's cookie."""
    assert sign_in(browser, form_token=token).status_code == 403
    sign_in(browser)
    assert browser.post("/sign-out", data={"form_token": token}).status_code == 403
    assert browser.get("/").status_code == 200
    with httpx2.Client(base_url=str(browser.base_url)) as bare:
        fields = {"form_token": "x" * 43, "key": ADMIN}
        assert bare.post("/sign-in", data=fields).status_code == 403


def test_signing_out_ends_copies_of_the_cookie_too(browser: httpx2.Client) -> None:
    """Signing out ends the session itself: a copy of the cookie opens nothing any more."""
    sign_in(browser)
    copied = browser.cookies["gateway_session"]
    answer = browser.post("/sign-out", data={"form_token": hidden(browser.get("/").text, "form_token")})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "gateway_session" not in browser.cookies
    assert browser.get("/metrics", headers={"cookie": f"gateway_session={copied}"}).status_code == 401
    assert browser.post("/sign-out", data={"form_token": ""}).headers["location"] == "/sign-in"


def test_a_session_opens_no_client_route(browser: httpx2.Client) -> None:
    """The cookie opens what admins read and nothing else: no route that costs or changes takes it."""
    sign_in(browser)
    assert browser.get("/v1/models").status_code == 401
    assert browser.post("/v1/chat/completions", json={}).status_code == 401
    assert browser.post("/v1/feedback", json={}).status_code == 401


def test_a_page_of_another_origin_does_not_use_the_session(browser: httpx2.Client) -> None:
    """A script of another port of this machine, which browsers hand the cookie to, is refused; a link from there is not."""
    sign_in(browser)
    for headers in ({"origin": "http://localhost:3000"}, {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}):
        assert browser.get("/v1/routing/requests", headers=headers).status_code == 401
    link = {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert browser.get("/", headers=link).status_code == 200


def test_two_session_cookies_count_as_none(browser: httpx2.Client) -> None:
    """Two different session cookies in one request are none: which of them counts is never left to chance."""
    sign_in(browser)
    mine = browser.cookies["gateway_session"]
    browser.cookies.clear()
    for cookie in (f"gateway_session={mine}; gateway_session=x", f"gateway_session=x; gateway_session={mine}"):
        assert browser.get("/", headers={"cookie": cookie}).status_code == 401
    assert browser.get("/", headers={"cookie": f"a=b; gateway_session={mine}; c"}).status_code == 200


def test_failed_attempts_are_limited(browser: httpx2.Client) -> None:
    """After ten failures within a minute even the right key waits, with a time to come back at; a success sets the count to zero."""
    for _ in range(FAILURES - 1):
        assert sign_in(browser, "wrong").status_code == 401
    assert sign_in(browser).status_code == 303
    browser.cookies.clear()
    for _ in range(FAILURES):
        assert sign_in(browser, "wrong").status_code == 401
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert "Try again in a minute" in answer.text
    assert browser.get("/metrics", headers={"x-api-key": ADMIN}).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 400),
        (b"a=1", "", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"key=%ff", "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 20, "application/x-www-form-urlencoded", 400),
        (b"key=" + b"x" * 10_000, "application/x-www-form-urlencoded", 413),
        (b"key=1&key=2", "application/x-www-form-urlencoded", 403),
    ],
    ids=["json", "none", "bytes", "utf-8", "many", "large", "twice"],
)
def test_malformed_form_is_refused_with_the_form_again(
    browser: httpx2.Client, content: bytes, kind: str, status: int
) -> None:
    """What is no form of ours is refused within limits, with the form again."""
    answer = browser.post("/sign-in", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert 'type="password"' in answer.text
    assert browser.post("/sign-out", content=content, headers={"content-type": kind}).status_code in (status, 303)


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "javascript:x",
        "",
        "/a b",
        "/a\r\nx: y",
        "/" + "a" * 3000,
    ],
)
def test_redirect_after_sign_in_stays_on_this_gateway(browser: httpx2.Client, to: str) -> None:
    """After signing in the browser stays with this gateway, whatever the form was made to say."""
    assert sign_in(browser, to=to).headers["location"] == "/"
    assert local_path(to) == "/"


def test_an_open_gateway_needs_no_form(make_gateway: MakeGateway) -> None:
    """Where the admin routes are open the form leads to the dashboard, which has nobody to sign out."""
    client = make_gateway().client
    assert client.get("/sign-in", follow_redirects=False).headers["location"] == "/"
    assert "Sign out" not in client.get("/", headers=PAGE).text


def test_without_any_admin_key_the_page_says_how_to_make_one(make_gateway: MakeGateway) -> None:
    """Virtual keys alone close the dashboard; its page says how to get an admin key, and no text signs anybody in."""
    gateway = make_gateway()
    issue(gateway)
    page = gateway.client.get("/", headers=PAGE)
    assert (page.status_code, "gateway keys admin" in page.text) == (401, True)
    assert "gateway keys admin" in gateway.client.get("/metrics").json()["error"]["message"]
    gateway.client.headers.update(PAGE)
    for key in ("", "gw-tenant-of-the-tests"):
        assert sign_in(gateway.client, key).status_code == 401


def test_a_new_admin_key_ends_sessions(make_gateway: MakeGateway) -> None:
    """When the admin key changes, every session that began with the one before is over."""
    gateway = make_gateway()
    for key, other in (("gw-admin-one", "gw-admin-two"), ("gw-admin-two", "gw-admin-three")):
        gateway.store.submit(ReplaceAdminKey(AdminKey(digest_of(key), key[-4:], NOW))).result()
        gateway.app.state.gateway.services.key_cache.refresh()
        assert gateway.client.get("/").status_code == 401
        gateway.client.headers.update(PAGE)
        sign_in(gateway.client, key)
        assert gateway.client.get("/").status_code == 200
        assert sign_out_is_shown(gateway.client)
        gateway.store.submit(ReplaceAdminKey(AdminKey(digest_of(other), other[-4:], NOW))).result()
        gateway.app.state.gateway.services.key_cache.refresh()
        assert gateway.client.get("/").status_code == 401


def sign_out_is_shown(client: httpx2.Client) -> bool:
    return "Sign out" in client.get("/").text


def test_a_session_ends_after_its_time(make_gateway: MakeGateway) -> None:
    """Twelve hours after signing in the form is back."""
    clock = Clock()
    gateway = make_gateway(
        environment={**KEYS, "GATEWAY_API_KEY": ADMIN}, app_environment=Environment(clock=clock, seed=0)
    )
    gateway.client.headers.update(PAGE)
    sign_in(gateway.client)
    clock.pass_by(12 * 3600 - 1)
    assert gateway.client.get("/").status_code == 200
    clock.pass_by(2)
    assert gateway.client.get("/").status_code == 401
