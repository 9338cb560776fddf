"""Thirty days of simulated users for `gateway demo --history`, written into its ledger by the gateway's own proxy.

The same planner, providers, simulated vendors, settlement and learning as those of the demo serve the requests, one after the
other, under a clock that is moved on: nothing is waited for but a failover's pause. It runs in a process of its own, so that the
demo's pages stand while it goes on.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import click
import httpx2
import orjson

from gateway.api.feedback import FeedbackBody, FeedbackEndpoint
from gateway.app import Environment, Gateway
from gateway.app.answer_lengths import AnswerLengthReader
from gateway.dialects import CHAT_COMPLETIONS
from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import BudgetExceeded, GatewayError, RateLimited
from gateway.proxy import ChatError, ChatResult
from gateway.routing import Caller, no_pause
from gateway.settings import Settings
from gateway.store.opening import open_store
from gateway.transport.httpx_client import HttpxTransport
from llm_simulator.app import create_app
from llm_simulator.prompts import PromptTemplate, random_prompt
from llm_simulator.quality import answer_quality
from llm_simulator.seeded_random import SeededRandom
from llm_simulator.simulation import Simulation

A_DAY = 70  # requests of a working day; less at the weekend
LEARN_EVERY = 100  # requests
# Shares of a day's requests by hour, UTC: office hours, and little at night.
HOURS = (0, 0, 0, 0, 1, 1, 2, 4, 8, 10, 9, 7, 6, 9, 10, 9, 8, 6, 4, 3, 2, 1, 1, 0)
# Percent: rate an answer, continue the conversation, request a stream.
RATE, CONTINUE, STREAM = 30, 45, 30
MAX_TURNS = 6
FIRST_TOKEN, TOKENS_PER_SECOND = 0.35, 90.0  # of a model: seconds, and how fast it writes
# Days ago on which a provider is overloaded for an hour and a half, from 14:00 UTC on.
INCIDENTS = {9: "claude", 21: "openrouter"}
FAULT = "overloaded"


class SimulatedUser(NamedTuple):
    """A key with its share of the requests in percent, the model that it asks for, and a label of its requests."""

    key_id: str
    share: int
    model: str
    team: str


USERS = (
    SimulatedUser("support-bot", 34, "auto", "support"),
    SimulatedUser("web-search", 22, "auto:cheap", "search"),
    SimulatedUser("code-review", 18, "auto", "platform"),
    SimulatedUser("data-team", 14, "auto:quality", "data"),
    SimulatedUser("newsletter", 8, "auto", "marketing"),
    SimulatedUser("legacy-app", 4, "claude/claude-sonnet-5-5", "legacy"),
)


class SimulatedClock:
    """A clock that stands unless it is moved on."""

    def __init__(self, start: datetime) -> None:
        self._start = self._now = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        """Seconds since the start."""
        return (self._now - self._start).total_seconds()

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def move_to(self, moment: datetime) -> None:
        """Never back."""
        self._now = max(self._now, moment)


class SimulatedTransport(httpx2.AsyncBaseTransport):
    """Calls the simulated vendors in this process, and moves the clock by the time that an answer takes."""

    def __init__(self, simulation: Simulation, clock: SimulatedClock, rng: SeededRandom) -> None:
        self._vendors = httpx2.ASGITransport(create_app(simulation))
        self._clock = clock
        self._rng = rng

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._clock.advance(FIRST_TOKEN * (0.5 + 2 * self._rng.unit() ** 3))
        response = await self._vendors.handle_async_request(request)
        body = await response.aread()
        self._clock.advance(len(body) / 4 / TOKENS_PER_SECOND / 4)
        return httpx2.Response(response.status_code, headers=response.headers, content=body)


class OpenSink:
    """A client that reads a stream and keeps nothing of it."""

    def send_nowait(self, piece: bytes) -> bool:
        return True

    async def send(self, piece: bytes) -> None:
        pass


def moments(days: int, now: datetime, rng: SeededRandom) -> Iterator[datetime]:
    """When requests arrive, in order: on working days more than at the weekend, and more in the office's hours."""
    for back in range(days, -1, -1):
        day = (now - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
        growth = 0.6 + 0.4 * (days - back) / days
        count = A_DAY * growth * (0.35 if day.weekday() >= 5 else 1.0)
        for hour, share in enumerate(HOURS):
            expected = count * share / sum(HOURS)
            number = int(expected) + (rng.unit() < expected % 1)
            for offset in sorted(rng.unit() for _ in range(number)):
                at = day + timedelta(hours=hour, seconds=3600 * offset)
                if now - timedelta(days=days) <= at < now:
                    yield at


class SimulatedTraffic:
    """Serves the requests of simulated users at the moments of the past. The same seed and start give the same history."""

    def __init__(
        self, gateway: Gateway, simulation: Simulation, clock: SimulatedClock, *, seed: int, end: datetime
    ) -> None:
        services = gateway.services
        self._gateway = gateway
        self._proxy = gateway.runtime.proxy
        self._simulation = simulation
        self._clock = clock
        self._seed = seed
        self._end = end
        self._rng = SeededRandom("history", seed)
        self._turns: dict[str, list[dict[str, str]]] = {}
        self._sessions: dict[str, int] = {}
        self._feedback = FeedbackEndpoint(
            services.store, now=clock.now, rated=services.implicit_feedback.forget, needed=lambda key_id: 1
        )
        self._lengths = AnswerLengthReader(services.store, services.length_ratios)
        self.requests = 0

    async def serve(self, at: datetime) -> None:
        """One request at this moment, perhaps refused or rated."""
        self._clock.move_to(at)
        self._plan_faults(at)
        user = self._user()
        if self._refused(user):
            return
        if user.key_id == "legacy-app" and self._chance(15):
            self._simulation.faults.add("bad_request", times=1)
        template = random_prompt(self._rng)
        body = self._body(user, template)
        try:
            result = await self._proxy.serve(
                parse_chat_request(orjson.dumps(body)),
                dialect=CHAT_COMPLETIONS,
                request_id=self._gateway.services.environment.new_request_id(),
                mode=None,
                caller=Caller(key_id=user.key_id),
            )
            if not isinstance(result, ChatResult):
                with suppress(ChatError):
                    await result.send_to(OpenSink())
                await result.aclose()
        except (ChatError, GatewayError):
            return  # the row says what happened
        finally:
            self.requests += 1
        record = result.record
        quality = answer_quality(f"{record.selected_provider}/{record.selected_model}", template.prompt, self._seed)
        if record.status == "ok" and self._chance(RATE):
            self._clock.advance(5 + 60 * self._rng.unit())
            body_of_rating = FeedbackBody(request_id=record.request_id, score=round(quality, 2))
            await self._feedback.rate(record.request_id, body_of_rating, key_id=user.key_id)
        if self.requests % LEARN_EVERY == 0:
            self.learn()

    def learn(self) -> None:
        """What a served gateway learns in the background: models, answer lengths, and the counts of refusals. Blocks."""
        self._gateway.refresh()
        self._lengths.refresh(no_pause)
        self._gateway.services.refusals.flush()

    def _user(self) -> SimulatedUser:
        drawn = self._rng.below(100)
        for user in USERS:
            drawn -= user.share
            if drawn < 0:
                return user
        return USERS[0]

    def _body(self, user: SimulatedUser, template: PromptTemplate) -> dict[str, object]:
        turns = self._turns.get(user.key_id, [])
        if not turns or template.body or len(turns) >= MAX_TURNS or not self._chance(CONTINUE):
            turns = []
            self._sessions[user.key_id] = self._sessions.get(user.key_id, 0) + 1
        turns = [*turns, {"role": "user", "content": template.prompt}]
        self._turns[user.key_id] = [*turns, {"role": "assistant", "content": "As said before, measure first."}]
        hints = {
            "session_id": f"{user.key_id}-{self._sessions[user.key_id]}",
            "tags": {"team": user.team, "source": "simulated"},
        }
        stream = not template.body and self._chance(STREAM)
        return {"model": user.model, "messages": turns, "stream": stream, "routing": hints, **template.body}

    def _refused(self, user: SimulatedUser) -> bool:
        """Some requests are too many for their key, as a row of the refusals says."""
        if user.key_id == "newsletter" and self._chance(6):
            error: GatewayError = RateLimited("Simulated: more requests a minute than the key may send.", retry_after=1)
        elif user.key_id == "data-team" and self._clock.now().day % 5 == 4 and self._chance(60):
            error = BudgetExceeded("Simulated: the key's budget is spent.")
        else:
            return False
        self._gateway.services.refusals.count(error, key_id=user.key_id)
        return True

    def _plan_faults(self, at: datetime) -> None:
        """Providers are overloaded at times: during an incident often, otherwise seldom."""
        faults = self._simulation.faults
        faults.clear()
        provider = INCIDENTS.get((self._end.date() - at.date()).days)
        if provider is not None and 14.0 <= at.hour + at.minute / 60 < 15.5:
            faults.add(FAULT, provider=provider, times=None, rate=0.8)
        elif self._chance(1):
            faults.add(FAULT, times=1)

    def _chance(self, percent: int) -> bool:
        return self._rng.below(100) < percent


def write_history(
    settings: Settings, *, days: int, seed: int, prices: Mapping[str, tuple[float, float]], end: datetime
) -> int:
    """Write the history of the `days` before `end` into the ledger of `settings`; returns the number of requests. Blocks."""
    clock = SimulatedClock(end - timedelta(days=days))
    simulation = Simulation(seed=seed, prices=prices, clock=lambda: clock.now().timestamp())
    network = SimulatedTransport(simulation, clock, SeededRandom("latency", seed))
    with closing(open_store(settings.db, now=clock.now)) as store:
        environment = Environment(clock=clock.monotonic, now=clock.now, seed=seed)
        transport = HttpxTransport(transport=network)
        gateway = Gateway(settings, store=store, transport=transport, environment=environment, demo=True)
        history = SimulatedTraffic(gateway, simulation, clock, seed=seed, end=end)
        arrivals = list(moments(days, end, SeededRandom("moments", seed)))
        with click.progressbar(arrivals, label=f"simulating {days} days", file=sys.stderr) as progress:
            asyncio.run(_serve_all(history, progress))
        history.learn()
    return history.requests


async def _serve_all(history: SimulatedTraffic, arrivals: Iterator[datetime]) -> None:
    for at in arrivals:
        await history.serve(at)


def history_process(
    settings: Settings, *, days: int, seed: int, prices: Mapping[str, tuple[float, float]]
) -> BaseProcess:
    """The process that writes the history; it ends with this one."""
    return multiprocessing.get_context("spawn").Process(
        target=run_history, args=(settings, days, seed, dict(prices)), name="simulated history", daemon=True
    )


def run_history(settings: Settings, days: int, seed: int, prices: Mapping[str, tuple[float, float]]) -> None:
    """What that process does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C ends the demo; no traceback is needed
    logging.getLogger().addHandler(logging.NullHandler())  # the rows say what happened
    count = write_history(settings, days=days, seed=seed, prices=prices, end=datetime.now(UTC))
    click.echo(f"demo: {count:,} simulated requests of {days} days are in the ledger", err=True)
