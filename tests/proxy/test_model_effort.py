"""A model at a reasoning effort as a candidate, through the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from tests.conftest import MakeGateway
from tests.upstreams import answer

LOW = "claude/claude-sonnet-5-5@low"
ROWS = """
models:
  - {id: claude-sonnet-5-5, provider: claude, tier: complex, efforts: [low], abilities: [reasoning]}
"""


@pytest.fixture
def bodies(tmp_path: Path) -> list[dict[str, Any]]:
    """What the provider is sent; the catalogue has one model, also at a low effort."""
    (tmp_path / "models.yaml").write_text(ROWS)
    return []


def served(make_gateway: MakeGateway, bodies: list[dict[str, Any]], config: str = "") -> httpx2.Client:
    def upstream(request: httpx2.Request) -> httpx2.Response:
        bodies.append(orjson.loads(request.content))
        return answer()(request)

    return make_gateway(upstream, config=config or "cascade: off").client


def chat(**more: Any) -> dict[str, Any]:
    return {"model": LOW, "messages": [{"role": "user", "content": "2+2?"}], **more}


def efforts(bodies: list[dict[str, Any]]) -> list[str | None]:
    return [body.get("output_config", {}).get("effort") for body in bodies]


def test_named_effort_is_sent_with_the_models_own_id(make_gateway: MakeGateway, bodies: list[dict[str, Any]]) -> None:
    """The provider gets its own id and the effort; the client and the row see the name with the effort, at its price."""
    reply = served(make_gateway, bodies).post("/v1/chat/completions", json=chat()).json()
    assert (bodies[0]["model"], efforts(bodies)) == ("claude-sonnet-5-5", ["low"])
    assert (reply["model"], reply["usage"]["cost"] > 0) == (LOW, True)


def test_effort_of_the_request_wins(make_gateway: MakeGateway, bodies: list[dict[str, Any]]) -> None:
    """A client that sets the effort gets it, whatever model it names."""
    served(make_gateway, bodies).post("/v1/chat/completions", json=chat(reasoning_effort="high"))
    assert efforts(bodies) == ["high"]


def test_messages_are_sent_at_the_effort(make_gateway: MakeGateway, bodies: list[dict[str, Any]]) -> None:
    """A request in Claude's own dialect gets the effort too."""
    served(make_gateway, bodies).post("/v1/messages", json=chat(max_tokens=5))
    assert (bodies[0]["model"], efforts(bodies)) == ("claude-sonnet-5-5", ["low"])


def test_auto_leaves_a_set_effort_alone(make_gateway: MakeGateway, bodies: list[dict[str, Any]]) -> None:
    """`auto` has an effort as a candidate only where the request leaves the effort open."""
    client = served(make_gateway, bodies)
    candidates = [
        [
            (each["provider"], each["model"])
            for each in client.post("/v1/route", json=chat(model="auto", **more))
            .raise_for_status()
            .json()["candidates"]
        ]
        for more in ({}, {"reasoning_effort": "high"}, {"reasoning": {"max_tokens": 2000}})
    ]
    plain = ("claude", "claude-sonnet-5-5")
    assert [sorted(each) for each in candidates] == [[plain, ("claude", "claude-sonnet-5-5@low")], [plain], [plain]]


def test_hint_for_an_effort_alone_conflicts_with_a_set_one(
    make_gateway: MakeGateway, bodies: list[dict[str, Any]]
) -> None:
    """Where only a model at an effort is allowed and the request sets another, the error says so."""
    hints = {"models": [LOW]}
    reply = served(make_gateway, bodies).post(
        "/v1/chat/completions", json=chat(model="auto", reasoning_effort="high", routing=hints)
    )
    assert reply.status_code == 503
    assert "it is for requests that leave the reasoning effort open" in reply.json()["error"]["message"]
