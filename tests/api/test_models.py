"""What can be asked for."""

from __future__ import annotations

from tests.conftest import MakeGateway


def test_list_begins_with_auto(make_gateway: MakeGateway) -> None:
    """`auto` comes first, then full names of the enabled providers with window and prices."""
    gateway = make_gateway(environment={"GEMINI_API_KEY": "x"})
    listed = gateway.client.get("/v1/models").json()["data"]
    assert listed[0]["id"] == "auto"
    flash = next(entry for entry in listed if entry["id"] == "gemini/gemini-3.8-flash")
    assert flash["context_length"] > 0
    assert flash["pricing"]["prompt"] == "0.00000075"
    assert not [entry for entry in listed if entry["id"].startswith("claude/")]


def test_model_is_found_by_any_of_its_names(make_gateway: MakeGateway) -> None:
    """A model is found by any of its names; what is not listed is a 404."""
    client = make_gateway().client
    for name in ("auto", "auto:cheap"):
        assert client.get(f"/v1/models/{name}").json()["id"] == name
    assert client.get("/v1/models/anthropic/claude-haiku-5-5").json()["id"] == "claude/claude-haiku-5-5"
    assert client.get("/v1/models/claude/not-listed").json()["error"]["code"] == "model_not_found"
    assert client.get("/v1/models/nonsense").status_code == 404
