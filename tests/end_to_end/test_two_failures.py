"""Two things fail at once: providers come and go while the ledger does too."""

from __future__ import annotations

import io
from collections.abc import Callable

import apsw
import httpx2
import orjson

from gateway.observability.logs import logging_to
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.store.faulty import Disk
from tests.upstreams import Upstream, answer, failing

LOG_BYTES = 1_000  # a request, on average


def flapping(outage: Callable[[], bool]) -> Upstream:
    """Half of the time all three vendors are overloaded."""
    well, ill = answer(), failing(503, "gemini", "claude", "openrouter")
    return lambda request: ill(request) if outage() else well(request)


def flapped(gateway: GatewayUnderTest, disk: Disk, requests: int, calls: list[int]) -> list[httpx2.Response]:
    """The answers; for ten requests in each thirty the disk fails."""
    answers = []
    for number in range(requests):
        if number % 30 == 10:
            disk.fails(apsw.FullError)
        elif number % 30 == 20:
            disk.is_well()
        calls.append(number)
        answers.append(gateway.ask(stream=number % 2 == 0))
    disk.is_well()
    return answers


def test_failing_providers_and_ledger_keep_answers_whole_or_errors(disk: Disk, make_gateway: MakeGateway) -> None:
    """Whatever fails together, each answer is whole or an error, what was whole is in the ledger once, and the log is no longer for it."""
    calls: list[int] = []
    gateway = make_gateway(flapping(lambda: len(calls) // 7 % 2 == 1))
    log = io.StringIO()
    with logging_to(log):
        answers = flapped(gateway, disk, 120, calls)
    assert {told.status_code for told in answers} == {200, 503}
    assert gateway.client.get("/readyz").status_code == 200

    whole = [told for told in answers if told.status_code == 200 and '"error"' not in told.text]
    states = {row["request_id"]: row["status"] for row in gateway.rows}
    assert len(whole) > 30
    assert all(states[told.headers["x-request-id"]] == "ok" for told in whole)
    assert len(gateway.app.state.gateway.services.settlement_retries) <= 4
    ours = [line for line in log.getvalue().splitlines() if orjson.loads(line)["logger"].startswith("gateway")]
    assert sum(map(len, ours)) < LOG_BYTES * len(answers)
