"""The endpoints that cost money."""

from __future__ import annotations

import pytest

from gateway.dialects import DIALECTS
from tests.conftest import MakeGateway


def test_every_dialect_and_embeddings_have_a_route(make_gateway: MakeGateway) -> None:
    """A dialect in the table is served, with and without `/v1`; embeddings too."""
    paths = {str(getattr(route, "path", "")) for route in make_gateway().app.routes}
    wanted = {dialect.path for dialect in DIALECTS.values()} | {"/v1/embeddings"}
    assert wanted | {path.removeprefix("/v1") for path in wanted} <= paths


@pytest.mark.parametrize(("store", "status"), [("memory", 200), ("ledger", 200), ("off", 404)])
def test_responses_are_kept_where_the_configuration_says(make_gateway: MakeGateway, store: str, status: int) -> None:
    """In memory, in the ledger, or nowhere: then a response cannot be read again."""
    gateway = make_gateway(config=f"responses: {{store: {store}}}")
    made = gateway.client.post("/v1/responses", json={"model": "auto", "input": "Hello"}).json()
    assert gateway.client.get(f"/v1/responses/{made['id']}").status_code == status
