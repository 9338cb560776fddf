"""Chromium on every page of the dashboard: what it shows, that it is accessible, and that nothing hostile runs.

axe-core (https://github.com/dequelabs/axe-core, MPL-2.0) is the npm package's file, unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Dialog, Page

from gateway.store import SettleRequest
from tests.end_to_end.markup import MARK, hostile_rows
from tests.end_to_end.test_browser import KEYS, browser, sign_in
from tests.listening import Listening, listening
from tests.store.cases import ended

__all__ = ["browser"]  # the fixture

AXE = Path(__file__).parent / "axe" / "axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
PATHS = {
    "overview": "/",
    "routing": "/dashboard/routing",
    "requests": "/dashboard/requests",
    "request": "/dashboard/requests/r0",
    "try": "/dashboard/try",
    "keys": "/dashboard/keys",
    "health": "/dashboard/health",
    "error": "/dashboard/requests/nobody",
}
SERIOUS = """async () => (await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})).violations
  .filter((found) => ["serious", "critical"].includes(found.impact))
  .map((found) => `${found.id}: ${found.nodes[0].html} ${found.nodes[0].failureSummary}`)"""
# A second viewer in the page, which counts what it is told.
CHANGES = """() => new Promise((done) => {
  window.changes = 0;
  new EventSource("/dashboard/live").addEventListener("change", () => { window.changes += 1; done(); });
})"""
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """A gateway with an admin key, whose ledger has hostile texts and thirty ordinary rows."""
    with listening(tmp_path_factory.mktemp("seeded"), environment=KEYS) as served:
        hostile_rows(served.store)
        for number in range(30):
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            row = ended(f"plain{number}", timestamp=now, selected_provider="gemini", selected_model="gemini-3.8-flash")
            served.store.submit(SettleRequest(row)).result()
        yield served


@pytest.fixture(scope="module")
def state(browser: Browser, seeded: Listening) -> Any:
    """The cookies of a browser that has signed in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(seeded.url)
    sign_in(page)
    page.get_by_role("heading", name="Overview").wait_for()
    saved = context.storage_state()
    context.close()
    return saved


@pytest.fixture
def page(browser: Browser, state: Any) -> Iterator[Page]:
    context = browser.new_context(storage_state=state)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def test_axe_is_the_published_file() -> None:
    """The vendored file is the one of the npm package."""
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_are_accessible_and_fit(
    browser: Browser, state: Any, seeded: Listening, scheme: Scheme, width: int
) -> None:
    """Every page, with hostile texts in it: no serious finding of axe, no overflow, no other host, no error, no script that ran."""
    context = browser.new_context(
        storage_state=state, color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith(seeded.url) else problems.append(sent.url))
    for name, path in PATHS.items():
        page.goto(seeded.url + path)
        assert MARK not in page.title()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("document.documentElement.scrollHeight") < 12_000, name
        page.add_script_tag(path=AXE)
        assert page.evaluate(SERIOUS) == [], name
    context.close()
    assert [problem for problem in problems if "404" not in problem] == []


def test_hostile_texts_run_nowhere_under_the_policy(page: Page, seeded: Listening) -> None:
    """With the pages' own policy in force nothing is blocked, because nothing inline is there, and no text runs."""
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    for path in PATHS.values():
        page.goto(seeded.url + path)
        assert MARK not in page.title()
    assert problems == []


def test_filters_stay_in_the_address_and_empty_ones_do_not(page: Page, seeded: Listening) -> None:
    """A choice filters the page at once; the address says what was chosen and nothing else."""
    page.goto(f"{seeded.url}/dashboard/requests")
    page.get_by_label("Model").select_option("gemini/gemini-3.8-flash")
    page.wait_for_url("**/dashboard/requests?*model=gemini*")
    assert "key=" not in page.url
    assert page.locator("tbody tr").count() == 25
    page.get_by_role("link", name="Older").click()
    page.wait_for_url("**before=*")
    assert page.locator("tbody tr").count() == 5


def test_a_request_is_found_and_rated(page: Page, seeded: Listening) -> None:
    """A search leads to the request; a click on a button rates it, once."""
    page.goto(f"{seeded.url}/dashboard/requests")
    page.get_by_label("Request or session").fill("plain3")
    page.get_by_label("Request or session").press("Enter")
    page.wait_for_url("**/dashboard/requests/plain3")
    page.get_by_role("button", name="Good answer").click()
    page.get_by_text("Rated 1.00").wait_for()
    assert page.get_by_role("button", name="Good answer").count() == 0


def test_a_key_with_a_hostile_name_is_made_and_revoked(page: Page, seeded: Listening) -> None:
    """A key is made in the browser, its secret is shown once, and it is revoked after a question."""
    page.goto(f"{seeded.url}/dashboard/keys")
    page.get_by_label("Name").fill("<img src=x onerror=alert(1)>")
    page.get_by_label("Budget in USD").fill("5/day")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator("code.secret").inner_text()
    assert secret.startswith("gw-")
    page.goto(f"{seeded.url}/dashboard/keys")
    assert secret not in page.content()
    asked: list[str] = []

    def agree(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.once("dialog", agree)
    page.get_by_role("button", name="Revoke").click()
    page.locator("td", has_text="revoked").wait_for()
    assert "<img" in asked[0]


def test_theme_and_pause_are_remembered(page: Page, seeded: Listening) -> None:
    """The switch changes the theme, and a paused page stays paused, also after a reload."""
    page.goto(seeded.url)
    page.get_by_role("button", name="Dark").click()
    page.get_by_role("button", name="Pause").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.get_by_role("button", name="Resume").get_attribute("aria-pressed") == "true"


def settled(seeded: Listening, request_id: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    seeded.store.submit(SettleRequest(ended(request_id, timestamp=now))).result()


def test_an_open_page_shows_new_requests_by_itself(page: Page, seeded: Listening) -> None:
    """A request appears without a reload; while updates are paused none does, and the page says so; afterwards it catches up."""
    page.goto(f"{seeded.url}/dashboard/requests")
    page.evaluate("window.kept = 'yes'")
    page.get_by_role("status").get_by_text("Live").wait_for()
    settled(seeded, "live1")
    page.locator("a[href$='/live1']").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("status").get_by_text("Updates are paused").wait_for()
    settled(seeded, "live2")
    with page.expect_response(lambda response: "/dashboard/live" in response.url):
        page.get_by_role("button", name="Resume").click()
    page.locator("a[href$='/live2']").wait_for()
    assert page.evaluate("window.kept") == "yes"


def test_a_page_in_use_is_not_replaced(page: Page, seeded: Listening) -> None:
    """While the keyboard is in the part that changes nothing moves; when it leaves, the page catches up."""
    page.goto(f"{seeded.url}/dashboard/requests")
    page.get_by_role("status").get_by_text("Live").wait_for()
    page.locator("tbody a").first.focus()
    page.evaluate(CHANGES)
    before = page.evaluate("window.changes")
    settled(seeded, "live3")
    page.wait_for_function("(before) => window.changes > before", arg=before)
    assert page.locator("a[href$='/live3']").count() == 0
    page.locator("tbody a").first.blur()
    page.locator("a[href$='/live3']").wait_for()


def test_two_models_answer_side_by_side(page: Page, seeded: Listening) -> None:
    """Try it shows the decision without a call, then the streamed answers of two models beside each other."""
    page.goto(f"{seeded.url}/dashboard/try")
    page.get_by_label("Client key").fill(KEYS["GATEWAY_API_KEY"])
    page.get_by_role("button", name="Only the decision").click()
    page.get_by_role("heading", name="auto chooses").wait_for()
    page.get_by_label("Beside it").fill("claude/claude-haiku-5-5")
    page.get_by_role("button", name="Ask").click()
    page.get_by_role("link", name="This request in the ledger").nth(1).wait_for()
    assert page.locator(".answer pre").all_inner_texts() == ["four", "four"]
    page.get_by_label("Client key").fill("wrong")
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("401").first.wait_for()
