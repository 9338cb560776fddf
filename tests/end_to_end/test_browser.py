"""Chromium at a gateway with keys: what a person sees and does, and what scripts of pages elsewhere may.

The browser is Debian's package `chromium`. Without it these tests are skipped, unless BROWSER_TESTS=required says that it has to
be there.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.listening import Listening, listening

CLIENT = "a-client-key-of-the-tests"
ADMIN = "an-admin-key-of-the-tests"
KEYS = {"GATEWAY_API_KEY": CLIENT, "GATEWAY_ADMIN_KEY": ADMIN}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update"),
    *("--disable-background-networking", "--disable-sync"),
)  # fmt: skip
ASK = """async ([url, stream]) => {
  const response = await fetch(url, {
    method: "POST",
    headers: {"content-type": "application/json", "authorization": "Bearer a-client-key-of-the-tests"},
    body: JSON.stringify({model: "auto", stream, messages: [{role: "user", content: "2+2?"}]}),
  });
  return [response.status, await response.text(), response.headers.get("x-request-id"), response.headers.get("x-gateway-model")];
}"""
REFUSED = """async (url) => { try { await fetch(url, {credentials: "include"}); return "read"; } catch (error) { return error.name; } }"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail("BROWSER_TESTS=required, but there is no chromium: apt-get install chromium")
        pytest.skip("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), chromium_sandbox=False)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = tmp_path_factory.mktemp("keyed")
    with listening(folder, environment=KEYS) as served:
        yield served


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that has seen nothing yet."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, key: str = ADMIN) -> None:
    page.get_by_label("Admin key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_the_dashboard_of_a_gateway_with_keys(page: Page, keyed: Listening) -> None:
    """The dashboard asks for the admin key, says when it is another, opens, stays open, and closes when one signs out."""
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    answer = page.goto(keyed.url)
    assert answer is not None
    assert answer.status == 401
    sign_in(page, "wrong")
    assert "not the admin key" in page.get_by_role("alert").inner_text()
    sign_in(page)
    page.get_by_role("heading", name="Last requests").wait_for()
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("getComputedStyle(document.querySelector('main')).display") == "grid"
    page.get_by_label("Period").select_option("7d")
    page.wait_for_url("**/?since=7d")
    page.reload()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    again = page.goto(keyed.url)
    assert again is not None
    assert again.status == 401
    assert problems == []


def test_sign_in_leads_on_to_the_requested_address(page: Page, keyed: Listening) -> None:
    """The form leads on to the address that was asked for."""
    page.goto(f"{keyed.url}/?since=365d")
    sign_in(page)
    page.wait_for_url("**/?since=365d")
    assert page.get_by_role("heading", name="Last requests").is_visible()


def test_dashboard_is_signed_in_to_at_localhost(page: Page, keyed: Listening) -> None:
    """By its other name the dashboard is signed in to as well."""
    page.goto(f"http://localhost:{keyed.port}/")
    sign_in(page)
    page.get_by_role("heading", name="Last requests").wait_for()
    assert page.url == f"http://localhost:{keyed.port}/"


def test_chromium_answers_the_basic_challenge(browser: Browser, keyed: Listening) -> None:
    """Chromium finds Basic among the challenges: with the key as a password it fetches what is no page."""
    context = browser.new_context(http_credentials={"username": "any", "password": ADMIN})
    assert context.request.get(f"{keyed.url}/v1/routing/summary").status == 200
    page = context.new_page()
    page.goto(f"{keyed.url}/sign-in")
    assert page.evaluate("async () => (await fetch('/v1/routing/summary')).status") == 200
    context.close()


def test_sign_out_form_of_another_origin_ends_no_session(page: Page, keyed: Listening) -> None:
    """A page of another origin that sends the sign-out form ends no session."""
    page.goto(keyed.url)
    sign_in(page)
    page.get_by_role("heading", name="Last requests").wait_for()
    form = f'<form method="post" action="{keyed.url}/sign-out"><button>go</button></form>'
    with site(form) as elsewhere:
        page.goto(elsewhere)
        page.get_by_role("button", name="go").click()
        page.wait_for_url("**/sign-out")
    again = page.goto(keyed.url)
    assert again is not None
    assert again.status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_page_of_this_machine_asks_a_gateway_without_keys(page: Page, tmp_path: Path, stream: bool) -> None:
    """A page of localhost may ask a gateway without keys, also by its address, and reads the answer and its headers."""
    with listening(tmp_path) as served, site() as elsewhere:
        page.goto(elsewhere)
        for url in (served.url, f"http://localhost:{served.port}"):
            status, text, request_id, model = page.evaluate(ASK, [f"{url}/v1/chat/completions", stream])
            assert (status, "four" in text) == (200, True)
            assert request_id.startswith("req_")
            assert model


def test_a_page_asks_a_gateway_with_keys(page: Page, tmp_path: Path) -> None:
    """With keys a page may ask where `cors_origins` lists its origin, and else nowhere; a session is no way around."""
    with ExitStack() as stack:
        allowed, other = stack.enter_context(site()), stack.enter_context(site())
        config = f"cors_origins: ['{allowed}']"
        served = stack.enter_context(listening(tmp_path, environment=KEYS, config=config))
        url = f"{served.url}/v1/chat/completions"
        page.goto(allowed)
        assert page.evaluate(ASK, [url, True])[0] == 200
        page.goto(served.url)
        sign_in(page)
        page.get_by_role("heading", name="Last requests").wait_for()
        page.goto(other)
        for path in ("/v1/routing/requests", "/metrics", "/"):
            assert page.evaluate(REFUSED, served.url + path) == "TypeError"
        page.goto(allowed)
        assert page.evaluate(REFUSED, f"{served.url}/v1/routing/requests") == "TypeError"


class _Page(BaseHTTPRequestHandler):
    """Answers everything with one page."""

    def __init__(self, *arguments: object, html: str) -> None:
        self._html = html
        super().__init__(*arguments)  # type: ignore[arg-type]  # what the server gives

    def do_GET(self) -> None:
        body = f"<!doctype html><title>elsewhere</title>{self._html}".encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nobody reads it."""


@contextmanager
def site(html: str = "") -> Iterator[str]:
    """The origin of another site of this machine, with one page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Page, html=html))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
