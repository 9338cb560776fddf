"""The dashboard's pages over a gateway."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from gateway.accounts.virtual_keys import ADMIN_PREFIX
from gateway.api.dashboard.page import PAGES
from gateway.cli import main
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.upstreams import failing

HTML = {"accept": "text/html"}
ADMIN = ADMIN_PREFIX + "of-the-tests"


def signed_in(gateway: GatewayUnderTest) -> httpx2.Client:
    """The gateway's client with a session of the admin."""
    client = gateway.client
    client.headers.update({**HTML, "sec-fetch-site": "same-origin"})
    form = client.get("/sign-in")
    client.post("/sign-in", data={"key": ADMIN, "form_token": token(form), "to": "/"})
    return client


def token(page: httpx2.Response) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", [path for _, path, _ in PAGES])
def test_empty_ledger_has_every_page(make_gateway: MakeGateway, path: str) -> None:
    """An empty ledger has all pages, and in the demo each says that it is one."""
    page = make_gateway(demo=True).client.get(path)
    assert page.status_code == 200
    assert page.headers["x-gateway-demo"] == "true"
    assert "simulated" in page.text


@pytest.mark.parametrize("path", [path for _, path, _ in PAGES])
def test_pages_weigh_little_and_have_nothing_inline(make_gateway: MakeGateway, path: str) -> None:
    """A page with all its files is below 300 KB; no script, style or handler stands in it."""
    gateway = make_gateway()
    gateway.ask("Hello")
    page = gateway.client.get(path)
    files = [gateway.client.get(f"/static/{name}") for name in ("dashboard.css", "dashboard.js", "icon.svg")]
    assert sum(len(each.content) for each in (page, *files)) < 300_000
    assert re.search(r"<script(?! src=)|<style| style=| on[a-z]+=", page.text) is None


def test_page_shows_the_rows_escaped(make_gateway: MakeGateway) -> None:
    """Rows are shown with their models; the request's page has the reason and the pinned strategy."""
    gateway = make_gateway()
    request_id = gateway.ask("Hello", path="/v1/chat/completions?auto_route=false").headers["x-request-id"]
    gateway.ask(model="claude/claude-haiku-5-5")
    page = gateway.client.get("/")
    assert "gemini/gemini-3.8-flash" in page.text
    assert "pinned" in page.text
    detail = gateway.client.get(f"/dashboard/requests/{request_id}").text
    reason = gateway.rows[0]["reasoning"]
    assert reason in detail
    assert "In the ledger" in detail
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_static_files_are_a_fixed_list(make_gateway: MakeGateway) -> None:
    """Only the page's own files are served."""
    client = make_gateway().client
    assert client.get("/static/dashboard.css").headers["content-type"].startswith("text/css")
    assert client.get("/static/dashboard.js").headers["content-type"].startswith("text/javascript")
    for path in ("/static/overview.html", "/static/..%2fapp.py", "/static/../app.py"):
        assert client.get(path).status_code == 404


def test_banner_shows_while_no_provider_answers(make_gateway: MakeGateway) -> None:
    """While no provider answers a banner says so; one answer takes it away."""
    down = {"gemini", "claude", "openrouter"}
    gateway = make_gateway(lambda request: failing(503, *down)(request))
    assert gateway.ask().status_code == 503
    assert gateway.ask().status_code == 503
    assert "every candidate failed for 2 of the newest requests" in gateway.client.get("/").text
    down.clear()
    assert gateway.ask().status_code == 200
    assert "No provider answers" not in gateway.client.get("/").text


def test_page_names_requests_of_unknown_price(make_gateway: MakeGateway) -> None:
    """Requests whose price nobody knows are told of, for the sums leave them out."""
    gateway = make_gateway()
    assert gateway.ask(model="gemini/of-tomorrow").status_code == 200
    assert "1 requests have no known price" in gateway.client.get("/").text
    assert "gateway_unpriced_requests_total 1.0" in gateway.client.get("/metrics").text


def test_page_shows_share_of_strongest_models_by_key(make_gateway: MakeGateway) -> None:
    """The page of keys says how many of each key's routed requests the strongest models answered."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "key-number-one,key-number-two"})
    admin = {"authorization": "Bearer key-number-one"}
    for key in ("key-number-one", "key-number-two"):
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
        sent = gateway.client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})
        assert sent.status_code == 200
    page = gateway.client.get("/dashboard/keys", headers=admin).text
    assert page.count('data-label="Strongest models">0 %') == 2


def test_page_summary_and_report_show_the_same_savings(make_gateway: MakeGateway, tmp_path: Path) -> None:
    """The page, the summary and `gateway report` name the same share of the baseline: savings over baselines, not a mean of percentages."""
    gateway = make_gateway()
    for prompt in ("Hello", "Explain how HTTP works", "Analyze the architectural trade-offs between " * 10):
        assert gateway.ask(prompt).status_code == 200
        assert gateway.ask(prompt, model="gemini/gemini-unlisted").status_code == 200
    report = gateway.client.get("/v1/routing/report").json()
    share = report["saved_share"]
    page = gateway.client.get("/").text
    assert f"{share * 100:.1f} % of the baseline" in page
    assert "Saved, estimated" in page
    assert next(iter(report["baselines"])) in page
    told = CliRunner().invoke(main, ["report", "--db", str(tmp_path / "gateway.db")]).output
    assert f"{share * 100:.1f} % of the baseline" in told


def test_filters_leave_their_rows_on_every_page(make_gateway: MakeGateway) -> None:
    """A filter limits the sums and the rows, and stays in the links of the page."""
    gateway = make_gateway()
    gateway.ask("Hello")
    gateway.ask(model="claude/claude-sonnet-5-5")
    rows = gateway.client.get("/dashboard/requests?strategy=pinned&since=1h").text
    assert rows.count('data-label="Time"') == 1
    assert "strategy=pinned" in rows
    assert "format=csv" in rows
    one = gateway.client.get("/?model=claude/claude-sonnet-5-5").text
    assert re.search(r"<b>1</b>\s*<span>requests, 0 routed", one)
    assert gateway.client.get("/dashboard/routing?pattern=none").status_code == 200


def test_searched_request_leads_to_its_page(make_gateway: MakeGateway) -> None:
    """A search for a request's id leads to its page, for a session to the session's requests."""
    gateway = make_gateway()
    request_id = gateway.ask("Hello", routing={"session_id": "mine"}).headers["x-request-id"]
    found = gateway.client.get(f"/dashboard/requests?q={request_id}", follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, f"/dashboard/requests/{request_id}")
    session = str(gateway.rows[0]["session_id"])
    listed = gateway.client.get("/dashboard/requests", params={"q": session}).text
    assert listed.count('data-label="Time"') == 1


def test_older_requests_are_on_further_pages(make_gateway: MakeGateway) -> None:
    """A page has 25 rows and leads to the older ones, until there are none."""
    gateway = make_gateway()
    for _ in range(26):
        gateway.ask("Hello")
    first = gateway.client.get("/dashboard/requests").text
    assert first.count('data-label="Time"') == 25
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    second = gateway.client.get(older[1]).text
    assert second.count('data-label="Time"') == 1
    assert 'rel="next"' not in second


@pytest.mark.parametrize(
    ("path", "status"),
    [("/?colour=red", 400), ("/dashboard/requests/nobody", 404), ("/dashboard/requests?before=x", 400)],
)
def test_errors_are_pages_for_browsers_and_json_for_others(make_gateway: MakeGateway, path: str, status: int) -> None:
    """Bad filters and unknown ids are a readable page where a browser asks, and JSON otherwise."""
    client = make_gateway().client
    page = client.get(path, headers=HTML)
    assert (page.status_code, 'role="alert"' in page.text) == (status, True)
    assert client.get(path).json()["error"]["message"]
    assert client.get(path).status_code == status


def test_feedback_is_given_once_with_the_pages_token(make_gateway: MakeGateway) -> None:
    """The buttons of a request's page store a rating; without the page's token nothing is stored, twice is a conflict."""
    gateway = make_gateway()
    request_id = gateway.ask("Hello").headers["x-request-id"]
    path = f"/dashboard/requests/{request_id}"
    page = gateway.client.get(path)
    form = {"rating": "up", "form_token": token(page)}
    assert gateway.client.post(f"{path}/feedback", data={**form, "form_token": "x"}).status_code == 403
    assert gateway.client.post(f"{path}/feedback", data={**form, "rating": "x"}).status_code == 400
    assert gateway.client.post("/dashboard/requests/nobody/feedback", data=form).status_code == 404
    assert gateway.client.post(f"{path}/feedback", data=form).status_code == 200
    assert gateway.rows[0]["feedback_score"] == 1.0
    assert gateway.client.post(f"{path}/feedback", data={**form, "rating": "down"}).status_code == 409


def test_keys_are_made_rotated_and_revoked_by_a_signed_in_admin(make_gateway: MakeGateway) -> None:
    """A signed-in admin makes, rotates and revokes a key; its secret stands on the page that answers, and only there."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_ADMIN_KEY": ADMIN})
    client = signed_in(gateway)
    form = {"form_token": token(client.get("/dashboard/keys"))}
    made = client.post("/dashboard/keys", data={**form, "action": "make", "name": "<b>team</b>", "budget": "5/day"})
    secret = re.search(r"gw-[A-Za-z0-9_-]{43}", made.text)
    assert secret is not None
    assert "<b>team" not in made.text
    (key,) = gateway.store.virtual_keys()
    assert key.name == "<b>team</b>"
    assert key.budget is not None
    assert secret[0] not in client.get("/dashboard/keys").text
    rotated = client.post("/dashboard/keys", data={**form, "action": "rotate", "key_id": key.id})
    assert "gw-" in rotated.text
    assert gateway.store.virtual_keys()[0].digest != key.digest
    revoked = client.post("/dashboard/keys", data={**form, "action": "revoke", "key_id": key.id})
    assert "revoked" in revoked.text
    assert gateway.store.virtual_keys()[0].revoked is not None


def test_keys_are_not_changed_without_session_or_token(make_gateway: MakeGateway) -> None:
    """Neither the key in a header or as a browser's password, nor a session without the page's token changes a key."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_ADMIN_KEY": ADMIN})
    form = {"action": "make", "name": "x"}
    for headers in ({"authorization": f"Bearer {ADMIN}"}, httpx2.BasicAuth("a", ADMIN)):
        sent = (
            gateway.client.post("/dashboard/keys", data=form, headers=headers)
            if isinstance(headers, dict)
            else gateway.client.post("/dashboard/keys", data=form, auth=headers)
        )
        assert sent.status_code == 403
    client = signed_in(gateway)
    good = {**form, "form_token": token(client.get("/dashboard/keys"))}
    assert client.post("/dashboard/keys", data=form).status_code == 403
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert client.post("/dashboard/keys", data=good, headers=elsewhere).status_code in (401, 403)
    assert client.post("/dashboard/keys", data={**good, "action": "x"}).status_code == 400
    assert gateway.store.virtual_keys() == []


def test_an_open_gateway_makes_no_keys_in_the_browser(make_gateway: MakeGateway) -> None:
    """The first key closes an open gateway, so the page says to make an admin key first."""
    gateway = make_gateway()
    page = gateway.client.get("/dashboard/keys")
    assert "gateway keys admin" in page.text
    assert "Make the key" not in page.text
    assert gateway.client.post("/dashboard/keys", data={"action": "make", "name": "x"}).status_code == 403
