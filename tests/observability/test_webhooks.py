"""Alerts on their way to webhooks, with a receiver on a real port."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateway.app.alerting import webhook_post
from gateway.observability.alerts import Alert, Condition
from gateway.observability.webhooks import PAUSES, QUEUE_SIZE, Webhook, WebhookSender
from gateway.transport import tls_context
from gateway.transport.http1_client import Http1Transport

DOWN = Alert(Condition("provider_down", "gemini"), "The provider <gemini> fails.")


class Receiver(ThreadingHTTPServer):
    """Answers with `statuses` in turn, then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.received: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/a-secret-path"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Sending:
    """A sender, and the pauses that it made."""

    def __init__(self, post: Any) -> None:
        self.pauses: list[float] = []
        self.sender = WebhookSender(post, now=lambda: datetime(2026, 11, 29, tzinfo=UTC), sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def until_idle(self) -> None:
        task = asyncio.create_task(self.sender.run())
        await asyncio.wait_for(self.sender.idle(), 10)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def sending() -> AsyncIterator[Sending]:
    transport = Http1Transport(tls=tls_context())
    yield Sending(webhook_post(transport))
    await transport.aclose()


async def test_alert_arrives_in_the_format_of_its_webhook(receiver: Receiver) -> None:
    """JSON has the event's facts, Slack gets one escaped text, and a webhook gets only the events that it names."""
    async with sending() as out:
        webhooks = [
            Webhook(receiver.url),
            Webhook(receiver.url, format="slack"),
            Webhook(receiver.url, events=("budget_80",)),
        ]
        out.sender.add(DOWN, webhooks)
        out.sender.add(DOWN._replace(resolved=True), webhooks[1:])
        out.sender.add(DOWN, webhooks[2:])
        await out.until_idle()
    slack = [each["text"] for each in receiver.received if len(each) == 1]
    assert slack == [f"{word}: The provider &lt;gemini&gt; fails." for word in ("Alert", "Resolved")]
    (facts,) = (each for each in receiver.received if len(each) > 1)
    assert facts == {
        "event": "provider_down",
        "subject": "gemini",
        "status": "firing",
        "text": DOWN.text,
        "time": "2026-11-29T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("statuses", "attempts", "delivered"),
    [([503, 429], 3, True), ([500] * 4, 4, False), ([404], 1, False), ([302], 1, False)],
)
async def test_failed_delivery_is_repeated_where_that_helps(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, statuses: list[int], attempts: int, delivered: bool
) -> None:
    """A 5xx or 429 is tried again up to three times, other refusals are not; the log names the host and not the URL."""
    receiver.statuses = statuses
    async with sending() as out:
        out.sender.add(DOWN, [Webhook(receiver.url)])
        await out.until_idle()
    assert len(receiver.received) == attempts
    assert out.pauses == list(PAUSES[: attempts - 1])
    assert ("did not take an alert" in caplog.text) is not delivered
    assert "secret" not in caplog.text


async def test_webhook_that_cannot_be_reached(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """A dead webhook is tried four times and logged; another one gets the alert all the same."""
    async with sending() as out:
        out.sender.add(DOWN, [Webhook("http://127.0.0.1:1/secret"), Webhook(receiver.url)])
        await out.until_idle()
    assert len(receiver.received) == 1
    assert out.pauses == list(PAUSES)
    assert [record.getMessage() for record in caplog.records] == [
        "the webhook at 127.0.0.1 did not take an alert: upstream_unreachable"
    ]


async def test_error_of_the_client_does_not_end_the_sending(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever breaks while one alert is sent, the next is sent too."""

    calls: list[str] = []

    async def post(url: str, json: Mapping[str, str]) -> int:
        calls.append(url)
        raise RuntimeError("a bug")

    out = Sending(post)
    for _ in range(2):
        out.sender.add(DOWN, [Webhook("http://alerts.internal/secret")])
    await out.until_idle()
    assert len(calls) == 2
    assert [record.getMessage() for record in caplog.records] == ["a webhook at alerts.internal cannot be called"] * 2


def test_queue_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Alerts beyond the queue's size are dropped and logged; adding one never waits."""
    sender = Sending(None).sender
    with caplog.at_level(logging.ERROR):
        for _ in range(QUEUE_SIZE + 1):
            sender.add(DOWN, [Webhook("http://127.0.0.1:1/secret")])
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text + repr(Webhook("http://127.0.0.1:1/secret"))
