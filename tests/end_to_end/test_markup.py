"""Markup and scripts in everything that clients and upstreams can write, and what the dashboard makes of it."""

from __future__ import annotations

from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.api.dashboard.rendering import SECURITY_HEADERS
from gateway.store.sqlite import SqliteStore
from tests.conftest import MakeGateway
from tests.end_to_end.markup import PAYLOADS, hostile_rows

TAGS = {
    *("html", "head", "meta", "title", "link", "body", "header", "h1", "h2", "p", "nav", "a", "main", "section", "div"),
    *("b", "span", "svg", "g", "rect", "table", "thead", "tbody", "tr", "th", "td", "em", "code"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "http-equiv", "rel", "href", "class", "aria-current", "viewbox", "role"),
    *("preserveaspectratio", "aria-label", "aria-hidden", "x", "y", "width", "height", "colspan"),
}


class Page(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page(make_gateway: MakeGateway, tmp_path: Path) -> Page:
    """The dashboard of a ledger in which every text is hostile."""
    gateway = make_gateway()
    with closing(SqliteStore(tmp_path / "gateway.db")) as store:
        hostile_rows(store)
    return Page(gateway.client.get("/").text)


def test_every_payload_is_text(page: Page) -> None:
    """What was written to harm is shown as it was written."""
    assert [payload for payload in PAYLOADS if payload not in page.text] == []


def test_the_page_has_its_own_elements_only(page: Page) -> None:
    """No text becomes an element, a handler or an address: all elements and attributes are the template's."""
    assert page.tags <= TAGS
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    links = {value for name, value in page.attributes if name == "href"}
    assert links == {"/static/dashboard.css", "/?days=1", "/?days=7", "/?days=30", "/?days=365"}


def test_page_policy_forbids_scripts_and_frames(make_gateway: MakeGateway) -> None:
    """Even markup that came through could neither run, load, frame nor send: the page's policy leaves it nothing inline."""
    page = make_gateway().client.get("/")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "form-action")} == {"'self'"}
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers.items() >= SECURITY_HEADERS.items()


def test_json_is_never_a_page(make_gateway: MakeGateway) -> None:
    """Errors that quote a request, and rows that quote names, are JSON to a browser, whatever stands in them."""
    client = make_gateway().client
    for payload in PAYLOADS:
        for response in (
            client.post(
                "/v1/chat/completions", json={"model": payload, "messages": [{"role": "user", "content": "x"}]}
            ),
            client.get("/v1/models/x", params={"q": payload}),
            client.get("/v1/routing/summary", params={"days": payload}),
        ):
            assert response.headers["content-type"] == "application/json"
