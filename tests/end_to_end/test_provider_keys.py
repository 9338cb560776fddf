"""Several keys of one provider through the whole gateway."""

from __future__ import annotations

import httpx2

from tests.conftest import MakeGateway
from tests.upstreams import answer

ENVIRONMENT = {"GEMINI_API_KEY": "key-one,key-two"}
MODEL = "gemini/gemini-3.8-flash"


class Keyed:
    """An upstream that notes each key and refuses some."""

    def __init__(self, **refused: int) -> None:
        self.refused = refused
        self.seen: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        key = request.headers["x-goog-api-key"]
        self.seen.append(key)
        status = self.refused.get(key.replace("-", "_"))
        return answer()(request) if status is None else httpx2.Response(status, text=f"bad {key}")


def test_provider_keys_are_used_in_turn_as_one_provider(make_gateway: MakeGateway) -> None:
    """Keys between commas are used one after the other; the ledger, the models and the names know one provider."""
    upstream = Keyed()
    gateway = make_gateway(upstream, environment=ENVIRONMENT)
    for _ in range(4):
        assert gateway.ask(model=MODEL).headers["x-gateway-provider"] == "gemini"
    assert upstream.seen == ["key-one", "key-two"] * 2
    assert {row["selected_provider"] for row in gateway.rows} == {"gemini"}
    assert "#" not in gateway.client.get("/v1/models").text


def test_a_bad_key_is_dropped(make_gateway: MakeGateway) -> None:
    """A refused key costs one attempt, once: the request goes on with the next key, and later ones begin there."""
    upstream = Keyed(key_one=401)
    gateway = make_gateway(upstream, environment=ENVIRONMENT)
    assert [gateway.ask(model=MODEL).status_code for _ in range(3)] == [200, 200, 200]
    assert upstream.seen == ["key-one", "key-two", "key-two", "key-two"]
    assert [attempt["status"] for attempt in gateway.rows[0]["attempts"]] == ["failed_free", "settled"]


def test_all_keys_refused_is_told_without_a_key(make_gateway: MakeGateway) -> None:
    """When every key is refused the client learns that, and no key."""
    upstream = Keyed(key_one=401, key_two=402)
    response = make_gateway(upstream, environment=ENVIRONMENT).ask(model=MODEL)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "upstream_account_empty"
    assert "key-" not in response.text
    assert upstream.seen == ["key-one", "key-two"]


def test_overload_keeps_the_key(make_gateway: MakeGateway) -> None:
    """An error that says nothing about the key is not tried again with another one at once."""
    upstream = Keyed(key_one=400)
    assert make_gateway(upstream, environment=ENVIRONMENT).ask(model=MODEL).status_code == 400
    assert upstream.seen == ["key-one"]
