"""The control API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from llm_simulator.quality import answer_quality, difficulty

Ask = Callable[..., Response]


def test_ordered_fault_happens_n_times_at_its_provider(client: TestClient, claude: Ask, openrouter: Ask) -> None:
    """An ordered fault happens so many times, to its provider only."""
    planned = client.post("/_simulator/faults", json={"provider": "claude", "fault": "overloaded", "times": 2}).json()[
        "planned"
    ]
    assert planned == [
        {"fault": "overloaded", "value": "", "provider": "claude", "model": None, "times": 2, "rate": 1.0}
    ]
    assert openrouter().status_code == 200
    assert [claude().status_code for _ in range(3)] == [529, 529, 200]


def test_endless_fault_stops_when_taken_back(client: TestClient, claude: Ask) -> None:
    """A fault without end stops when all are taken back."""
    client.post("/_simulator/faults", json={"fault": "500", "times": None})
    assert [claude().status_code for _ in range(3)] == [500] * 3
    assert client.delete("/_simulator/faults").json() == {"planned": []}
    assert claude().status_code == 200
    assert client.get("/_simulator/faults").json() == {"planned": []}


BAD: list[Any] = [
    {"fault": "nope"},
    {},
    {"fault": "500", "speed": 1},
    {"fault": "500", "times": "x"},
    {"fault": "500", "rate": "x"},
    [],
]


@pytest.mark.parametrize("order", BAD)
def test_bad_order_is_refused_with_the_list_of_faults(client: TestClient, order: Any) -> None:
    """An order that cannot be carried out is refused and lists the faults."""
    response = client.post("/_simulator/faults", json=order)
    assert response.status_code == 400
    assert "overloaded" in response.json()["faults"]


def test_order_that_is_no_json_is_refused(client: TestClient) -> None:
    """A body that is not JSON is a bad order."""
    assert client.post("/_simulator/faults", content=b"{").status_code == 400


def test_arrived_requests_can_be_listed_and_forgotten(client: TestClient, claude: Ask, gemini: Ask) -> None:
    """The requests that arrived are shown, by provider too, and can be forgotten."""
    claude()
    gemini()
    assert [entry["provider"] for entry in client.get("/_simulator/requests").json()["requests"]] == [
        "claude",
        "gemini",
    ]
    one = client.get("/_simulator/requests?provider=gemini").json()["requests"]
    assert one[0]["path"].endswith(":generateContent")
    assert one[0]["headers"]["x-goog-api-key"] == "k"
    assert client.delete("/_simulator/requests").json() == {"requests": []}


def test_quality_of_model_and_prompt_can_be_queried(client: TestClient) -> None:
    """The truth about a model and a prompt can be asked for."""
    asked = {"model": "claude-opus-5", "prompt": "Prove the theorem"}
    assert client.post("/_simulator/quality", json=asked).json() == {
        "difficulty": difficulty(asked["prompt"]),
        "quality": answer_quality(asked["model"], asked["prompt"], 0),
        "topic": "math",
    }
