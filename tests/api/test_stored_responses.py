"""Responses that are kept are read and deleted by id."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_responses import LEDGER, OFF, ask
from tests.conftest import GatewayUnderTest, MakeGateway


@pytest.fixture(params=[None, LEDGER], ids=["memory", "ledger"])
def gateway(make_gateway: MakeGateway, request: pytest.FixtureRequest) -> GatewayUnderTest:
    return make_gateway(config=request.param)


def test_response_is_read_and_deleted(gateway: GatewayUnderTest) -> None:
    """The response is the one that was sent, until it is deleted."""
    sent = ask(gateway).json()
    url = f"/v1/responses/{sent['id']}"
    assert gateway.client.get(url).json() == sent
    assert (
        gateway.client.get(url, params={"include[]": "reasoning.encrypted_content", "stream": "false"}).json() == sent
    )
    assert gateway.client.delete(url).json() == {"id": sent["id"], "object": "response", "deleted": True}
    for method in ("GET", "DELETE"):
        gone = gateway.client.request(method, url)
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "response_not_found")


def test_input_items_are_paged(gateway: GatewayUnderTest) -> None:
    """Items have ids, types and parts, newest first unless asked otherwise, and pages follow each other."""
    items = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": [{"type": "input_text", "text": "c"}], "id": "msg_c"},
    ]
    url = f"/v1/responses/{ask(gateway, items).json()['id']}/input_items"
    page = gateway.client.get(url, params={"limit": 2}).json()
    assert [item["content"][0]["text"] for item in page["data"]] == ["c", "b"]
    assert [item["content"][0]["type"] for item in page["data"]] == ["input_text", "output_text"]
    assert (page["first_id"], page["has_more"]) == ("msg_c", True)
    rest = gateway.client.get(url, params={"after": page["last_id"]}).json()
    assert ([item["content"][0]["text"] for item in rest["data"]], rest["has_more"]) == (["a"], False)
    assert [item["type"] for item in gateway.client.get(url, params={"order": "asc"}).json()["data"]] == ["message"] * 3
    end = gateway.client.get(url, params={"after": rest["last_id"]}).json()
    assert (end["data"], end["first_id"], end["last_id"]) == ([], None, None)


@pytest.mark.parametrize(
    ("path", "params", "param"),
    [
        ("", {"stream": "true"}, "stream"),
        ("/input_items", {"limit": "0"}, "limit"),
        ("/input_items", {"limit": "101"}, "limit"),
        ("/input_items", {"limit": "x"}, "limit"),
        ("/input_items", {"order": "up"}, "order"),
        ("/input_items", {"after": "gone"}, "after"),
    ],
)
def test_invalid_query_is_named(gateway: GatewayUnderTest, path: str, params: dict[str, Any], param: str) -> None:
    """The wrong parameter is named."""
    response = gateway.client.get(f"/v1/responses/{ask(gateway).json()['id']}{path}", params=params)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("path", ["resp_1", "x" * 300, "%ff", "resp_1/input_items"])
def test_nothing_is_found_where_nothing_is_kept(make_gateway: MakeGateway, path: str) -> None:
    """Without state every id is unknown, whatever it looks like."""
    for config in (OFF, None, LEDGER):
        client = make_gateway(config=config).client
        assert client.get(f"/v1/responses/{path}").status_code == 404
        if "/" not in path:
            assert client.delete(f"/v1/responses/{path}").status_code == 404
