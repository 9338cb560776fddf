"""What becomes of requests while the ledger cannot be written, and of their rows once it can."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest
from starlette.testclient import TestClient

from gateway.app import Environment, create_app
from gateway.proxy.settlement_retry import SettlementRetryQueue
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
from gateway.transport.httpx_client import HttpxTransport
from tests.conftest import KEYS
from tests.store.cases import begun, ended
from tests.store.faulty import Disk
from tests.upstreams import Upstream, answer, failing

CLAUDE = "claude/claude-haiku-5-5"


class Failing:
    """An upstream; when it is called the disk begins to fail."""

    def __init__(self, disk: Disk, upstream: Upstream | None = None) -> None:
        self.calls = 0
        self._upstream = upstream or answer()
        self.fail: Callable[[], None] = lambda: disk.fails(apsw.FullError)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.calls += 1
        self.fail()
        return self._upstream(request)


@contextmanager
def gateway(folder: Path, upstream: Upstream, config: str = "") -> Iterator[TestClient]:
    """Serves until the block ends, which closes the ledger."""
    file = folder / "gateway.yaml"
    file.write_text(config)
    settings = load({**KEYS, "GATEWAY_CONFIG": str(file), "GATEWAY_DB": str(folder / "gateway.db")})
    transport = HttpxTransport(transport=httpx2.MockTransport(upstream))
    app = create_app(settings, transport=transport, environment=Environment(seed=0))
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        yield client


def ask(client: TestClient, *, model: str = CLAUDE, **body: Any) -> httpx2.Response:
    """For `auto` Gemini is asked first."""
    messages = [{"role": "user", "content": "2+2?"}]
    return client.post("/v1/chat/completions?auto_route=false", json={"model": model, "messages": messages, **body})


def rows(folder: Path) -> list[dict[str, Any]]:
    """The ledger's rows with their attempts, oldest first, read after the end."""
    with closing(SqliteStore(folder / "gateway.db")) as store:
        return [store.request(row["request_id"]) or {} for row in reversed(store.requests(limit=500))]


def metric(client: TestClient, name: str) -> str:
    return next(
        line.rpartition(" ")[2] for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")
    )


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError])
def test_new_requests_are_refused(disk: Disk, tmp_path: Path, error: type[Exception]) -> None:
    """While nothing can be written no upstream is called; reads go on, `/readyz` says so, and it ends by itself."""
    upstream = Failing(disk)
    with gateway(tmp_path, upstream) as client:
        disk.fails(error)
        for stream in (False, True):
            refused = ask(client, stream=stream)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "ledger_unavailable")
        assert client.get("/readyz").json()["status"] == "degraded"
        reads = [client.get(path).status_code for path in ("/healthz", "/v1/routing/summary", "/metrics", "/v1/models")]
        assert (reads, upstream.calls) == ([200] * 4, 0)
        assert metric(client, 'gateway_refusals_total{code="ledger_unavailable"}') == "2.0"
        disk.is_well()
        assert client.get("/readyz").status_code == 200
    assert rows(tmp_path) == []


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_cannot_be_recorded(disk: Disk, tmp_path: Path, stream: bool) -> None:
    """A client never sees the end of an answer that is not in the ledger; what it cost is written as soon as that is possible."""
    with gateway(tmp_path, Failing(disk)) as client:
        told = ask(client, stream=stream)
        assert "ledger_unavailable" in told.text
        assert (told.status_code, "[DONE]" in told.text) == (200 if stream else 503, False)
        assert metric(client, "gateway_unsettled") == "1.0"
        assert 0 <= float(metric(client, "gateway_ledger_lag_seconds")) < 60
        disk.is_well()
    (row,) = rows(tmp_path)
    assert (row["status"], row["estimated"], row["completion_tokens"]) == ("ok", False, 5)
    assert row["actual_cost"] > 0


def test_no_further_attempt(disk: Disk, tmp_path: Path) -> None:
    """When the ledger fails between two attempts the second is not made, and its row ends as refused."""
    upstream = Failing(disk, failing(503, "gemini", "claude", "openrouter"))
    with gateway(tmp_path, upstream) as client:
        told = ask(client, model="auto")
        assert (told.status_code, told.json()["error"]["code"]) == (503, "ledger_unavailable")
        assert upstream.calls == 1
        disk.is_well()
    (row,) = rows(tmp_path)
    assert (row["status"], row["error_code"], row["actual_cost"]) == ("error", "ledger_unavailable", 0)
    assert [attempt["error"] for attempt in row["attempts"]] == ["upstream_overloaded", "ledger_unavailable"]
    assert {attempt["status"] for attempt in row["attempts"]} == {"failed_free"}


def test_settlement_that_fails_while_the_gateway_ends(disk: Disk, tmp_path: Path) -> None:
    """A settlement that the ledger refuses only after the shutdown has begun is written all the same."""
    failed: list[None] = []

    def fails_twice() -> Exception | None:
        failed.append(None)
        if len(failed) == 2:  # the settlement, about which the client is not told
            threading.Event().wait(0.5)  # the client has its answer, and the shutdown begins
        return apsw.FullError("the disk fails") if len(failed) <= 2 else None

    upstream = Failing(disk, failing(503, "gemini", "claude", "openrouter"))
    upstream.fail = lambda: setattr(disk, "writes", fails_twice) if not failed else None
    with gateway(tmp_path, upstream) as client:
        assert ask(client, model="auto").status_code == 503
    (row,) = rows(tmp_path)
    assert (row["status"], row["error_code"]) == ("error", "ledger_unavailable")


def test_a_client_that_left(disk: Disk, tmp_path: Path) -> None:
    """Still nothing of a row is lost when nobody waits for it: here the gateway ends before the disk is well."""
    with gateway(tmp_path, Failing(disk)) as client:
        ask(client)
    disk.is_well()
    with gateway(tmp_path, answer()):
        pass
    (row,) = rows(tmp_path)
    assert (row["status"], row["estimated"]) == ("interrupted", True)


SERVE = "on_ledger_failure: serve\n"


def test_serving_all_the_same(disk: Disk, tmp_path: Path) -> None:
    """With `serve` requests are answered meanwhile, failovers too, and their rows come later, whole."""
    with gateway(tmp_path, Failing(disk, failing(503, "gemini")), SERVE) as client:
        answers = [ask(client, model="auto"), ask(client), ask(client, stream=True), ask(client, model="auto")]
        assert [told.status_code for told in answers] == [200] * 4
        assert answers[2].text.rstrip().endswith("[DONE]")
        assert client.get("/readyz").status_code == 503
        assert metric(client, "gateway_unsettled") == "4.0"
        disk.is_well()
    found = rows(tmp_path)
    assert {row["request_id"] for row in found} >= {told.headers["x-request-id"] for told in answers}
    assert {row["status"] for row in found} == {"ok"}
    assert [len(row["attempts"]) for row in found if row["requested_model"] == "auto"] == [2, 2]
    assert all(row["actual_cost"] > 0 for row in found)


def test_no_room_for_more(disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When too many rows wait, requests are refused whatever the setting says, and the log names a row that is lost until the next start."""
    with gateway(tmp_path, Failing(disk), SERVE) as client:
        settlement_retries = client.app.state.gateway.services.settlement_retries  # type: ignore[attr-defined]  # an ASGI application has no state
        while settlement_retries.add(ended("x"), lambda: None):
            continue
        under_way = ask(client)
        assert (under_way.status_code, ask(client).status_code) == (503, 503)
        assert under_way.headers["x-request-id"] in caplog.text


def test_budgets_are_never_served_unrecorded(disk: Disk, tmp_path: Path) -> None:
    """Where money has to be held first, it cannot be, so the request is refused whatever the setting says."""
    with gateway(tmp_path, answer(), SERVE + "daily_budget_usd: 5\n") as client:
        disk.fails(apsw.FullError)
        assert ask(client).status_code == 503
        disk.is_well()
        assert ask(client).status_code == 200


def test_a_replaced_ledger(tmp_path: Path) -> None:
    """A file that is replaced between two attempts costs no answer: the new one gets the whole row."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        for file in tmp_path.glob("gateway.db*"):
            file.unlink()
        return failing(503, "gemini")(request)

    with gateway(tmp_path, upstream) as client:
        told = ask(client, model="auto")
        assert told.status_code == 200
    (row,) = rows(tmp_path)
    assert (row["status"], len(row["attempts"])) == ("ok", 2)


@pytest.mark.anyio
async def test_bounded(tmp_path: Path) -> None:
    """There is room for so many rows; oldest come first, and one that is at fault keeps no other waiting."""
    store = SqliteStore(tmp_path / "gateway.db")
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise asyncio.CancelledError

    settlement_retries, told = SettlementRetryQueue(store, size=3, sleep=sleep), list[str]()
    for record in (begun("at fault"), ended("a"), ended("b"), ended("c")):
        settlement_retries.add(record, lambda name=record.request_id: told.append(name))  # type: ignore[misc]  # mypy sees no default in a lambda
    assert (len(settlement_retries), settlement_retries.full) == (3, True)
    with pytest.raises(asyncio.CancelledError):
        await settlement_retries.run()
    assert (told, len(settlement_retries), settlement_retries.full) == (["a", "b"], 0, False)
    store.close()


def test_lag_is_the_age_of_the_oldest_row() -> None:
    """The lag counts from the oldest waiting request; without one it is 0."""
    store = SqliteStore(":memory:")
    settlement_retries = SettlementRetryQueue(store)
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert settlement_retries.lag(now) == 0
    for seconds in (90, 10):
        row = ended("a")._replace(timestamp=(now - timedelta(seconds=seconds)).isoformat())
        settlement_retries.add(row, lambda: None)
    assert settlement_retries.lag(now) == 90
    store.close()
