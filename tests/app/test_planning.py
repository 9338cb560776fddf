"""The planner as configured."""

from __future__ import annotations

import pytest

from tests.conftest import MakeGateway

BODY = {"model": "auto", "messages": [{"role": "user", "content": "2+2?"}]}


@pytest.mark.parametrize(
    ("config", "held"),
    [("holdback: 1.0\n", True), ("holdback: 1.0\nmode: shadow\n", None), ("holdback: 0\n", None)],
)
def test_shadow_mode_holds_nothing_back(make_gateway: MakeGateway, config: str, held: bool | None) -> None:
    """A holdback draws among routed requests; in shadow mode nothing is routed, so nothing is drawn."""
    gateway = make_gateway(config=config)
    gateway.client.post("/v1/chat/completions", json=BODY).raise_for_status()
    assert [row["holdback"] for row in gateway.rows] == [held]
