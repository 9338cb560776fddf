"""Markup and scripts in everything that clients and upstreams can write, and what the dashboard makes of it."""

from __future__ import annotations

import re
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.api.dashboard import rendering
from gateway.api.dashboard.rendering import SECURITY_HEADERS
from gateway.store.sqlite import SqliteStore
from tests.conftest import MakeGateway
from tests.end_to_end.markup import PAYLOADS, hostile_rows

PAGES = (
    *("/", "/dashboard/routing", "/dashboard/requests", "/dashboard/keys", "/dashboard/health", "/dashboard/try"),
    *(f"/dashboard/requests/r{number}" for number in range(len(PAYLOADS))),
)
TEMPLATES = Path(rendering.__file__).parent / "templates"
WRITTEN = re.sub(
    r"{#.*?#}|{%.*?%}|{{.*?}}", "", "".join(map(Path.read_text, TEMPLATES.glob("*.html"))), flags=re.DOTALL
)


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
def pages(make_gateway: MakeGateway, tmp_path: Path) -> dict[str, Page]:
    """The dashboard's pages of a ledger in which every text is hostile."""
    gateway = make_gateway()
    with closing(SqliteStore(tmp_path / "gateway.db")) as store:
        hostile_rows(store)
    return {path: Page(gateway.client.get(path).text) for path in PAGES}


def test_every_payload_is_text(pages: dict[str, Page]) -> None:
    """What was written to harm is shown as it was written."""
    text = "".join(page.text for page in pages.values())
    assert [payload for payload in PAYLOADS if payload not in text] == []


def test_the_page_has_its_own_elements_only(pages: dict[str, Page]) -> None:
    """No text becomes an element, a handler or an address: all elements and attributes are the templates', all links lead to this gateway."""
    own = Page(WRITTEN)
    for page in pages.values():
        assert page.tags <= own.tags
        assert {name for name, _ in page.attributes} <= {name for name, _ in own.attributes} | {
            "selected",
            "aria-current",
        }
        links = {value or "" for name, value in page.attributes if name in ("href", "src", "action")}
        assert all(re.match(r"/(?!/)|\?|#content$", link) for link in links)


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
