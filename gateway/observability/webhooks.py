"""Sends alerts to webhooks, as JSON or in Slack's format, beside the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from gateway.errors import UpstreamError
from gateway.observability.alerts import ALERT_EVENTS, Alert, AlertEvent

log = logging.getLogger(__name__)

WebhookFormat = Literal["json", "slack"]
QUEUE_SIZE = 100  # alerts that may wait; more are dropped, with a line in the log
PAUSES = (1.0, 10.0, 60.0)  # seconds before each further attempt

# Sends the JSON to the URL and returns the status. Raises UpstreamError.
Post = Callable[[str, Mapping[str, str]], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Gets the `events`. The URL is not printed, because Slack's is a key."""

    url: str = field(repr=False)
    format: WebhookFormat = "json"
    events: Sequence[AlertEvent] = ALERT_EVENTS


class WebhookSender:
    """One alert at a time, to all its webhooks at once. `now` is the time that a message names."""

    def __init__(
        self,
        post: Post,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._post = post
        self._now = now
        self._sleep = sleep
        self._queue: asyncio.Queue[tuple[Alert, str, Sequence[Webhook]]] = asyncio.Queue(QUEUE_SIZE)

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def add(self, alert: Alert, webhooks: Sequence[Webhook]) -> None:
        """Queue an alert for those of the webhooks that get its event. Returns at once."""
        wanted = [webhook for webhook in webhooks if alert.condition.event in webhook.events]
        if not wanted:
            return
        try:
            self._queue.put_nowait((alert, self._now().isoformat(timespec="seconds"), wanted))
        except asyncio.QueueFull:
            log.error("an alert is dropped: %d wait for their webhooks: %s", QUEUE_SIZE, alert.text)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            alert, time, webhooks = await self._queue.get()
            await asyncio.gather(
                *(self._deliver(webhook, message(alert, webhook.format, time)) for webhook in webhooks)
            )
            self._queue.task_done()

    async def idle(self) -> None:
        """Wait until every queued alert was delivered or given up."""
        await self._queue.join()

    async def _deliver(self, webhook: Webhook, json: Mapping[str, str]) -> None:
        problem = ""
        for pause in (0.0, *PAUSES):
            if pause:
                await self._sleep(pause)
            try:
                status = await self._post(webhook.url, json)
            except UpstreamError as error:
                problem = error.code or error.type
                continue
            except Exception:  # whatever broke must not end the sending of other alerts
                log.exception("a webhook at %s cannot be called", urlsplit(webhook.url).hostname)
                return
            if 200 <= status < 300:
                return
            problem = f"status {status}"
            if status < 500 and status not in (408, 429):
                break
        log.error("the webhook at %s did not take an alert: %s", urlsplit(webhook.url).hostname, problem)


def message(alert: Alert, layout: WebhookFormat, time: str) -> dict[str, str]:
    """The body of a POST; `time` is ISO 8601. Slack's: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""
    if layout == "slack":
        text = f"{'Resolved' if alert.resolved else 'Alert'}: {alert.text}"
        return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}
    return {
        "event": alert.condition.event,
        "subject": alert.condition.subject,
        "status": "resolved" if alert.resolved else "firing",
        "text": alert.text,
        "time": time,
    }
