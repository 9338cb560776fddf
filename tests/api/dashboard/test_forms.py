"""Forms of the pages: their token, their origin, their fields."""

from __future__ import annotations

import pytest

from tests.api.dashboard.test_page import token
from tests.conftest import MakeGateway

FORM = "application/x-www-form-urlencoded"


def test_the_token_belongs_to_the_browser_that_got_the_page(make_gateway: MakeGateway) -> None:
    """Without the cookie that came with the page its token is worth nothing; with it, later pages have the same token."""
    gateway = make_gateway()
    path = f"/dashboard/requests/{gateway.ask('Hello').headers['x-request-id']}"
    page = gateway.client.get(path)
    assert "httponly" in page.headers["set-cookie"].lower()
    assert "samesite=strict" in page.headers["set-cookie"].lower()
    assert token(gateway.client.get(path)) == token(page)
    gateway.client.cookies.clear()
    sent = gateway.client.post(f"{path}/feedback", data={"rating": "up", "form_token": token(page)})
    assert sent.status_code == 403
    assert gateway.rows[0]["feedback"] is None


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"sec-fetch-site": "same-site", "content-type": FORM}, "form_token={token}&rating=up", 403),
        ({"origin": "http://localhost:1", "content-type": FORM}, "form_token={token}&rating=up", 403),
        ({"content-type": "application/json"}, "{{}}", 400),
        ({"content-type": FORM}, "&".join(f"a{number}=1" for number in range(20)), 400),
        ({"content-type": FORM}, "form_token={token}&rating=up&rating=down", 400),
        ({"content-type": FORM}, "form_token={token}&rating=ü", 400),
        ({"content-type": FORM}, "x=" + "y" * 9000, 413),
    ],
    ids=["same site", "other origin", "no form", "many fields", "twice", "not ASCII", "too long"],
)
def test_other_forms_change_nothing(make_gateway: MakeGateway, headers: dict[str, str], body: str, status: int) -> None:
    """A form of another origin, and a body that is not the page's form, is refused and changes nothing."""
    gateway = make_gateway()
    path = f"/dashboard/requests/{gateway.ask('Hello').headers['x-request-id']}"
    content = body.format(token=token(gateway.client.get(path))).encode()
    assert gateway.client.post(f"{path}/feedback", content=content, headers=headers).status_code == status
    assert gateway.rows[0]["feedback"] is None
