"""A gateway that has learned: what `auto` costs then, how long the event loop waits while it learns more, and the size of its rows."""

from __future__ import annotations

import asyncio
import gc
import random
import shutil
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import orjson

from benchmarks.speed import fine_lag, processes
from benchmarks.speed.load import arrivals
from benchmarks.speed.samples import distinct_chats
from gateway.routing import Outcome, RoutingEngine
from gateway.store import InsertOutcome
from gateway.store.sqlite import SqliteStore

OUTCOMES = 2000  # that the gateway has learned from
MODELS = 8  # that they are of
RATE = 100.0  # requests a second while it learns
ROUTE_ALONE = {"auto: route() alone, 2,000 outcomes, p50": 0.5, "auto: route() alone, 2,000 outcomes, p99": 0.99}
LAG = "gateway: lag while learning, worst"
ROW = "ledger: a row of auto, bytes"


def teach(ledger: Path, *, outcomes: int = OUTCOMES) -> None:
    """Write a ledger from which a gateway has learned: graded outcomes of some models on distinct prompts."""
    chance = random.Random(2)
    with RoutingEngine(ledger, seed=1) as engine:
        models = list(engine.catalog)[:MODELS]
        for body in distinct_chats("auto", count=outcomes, seed=3):
            decision = engine.route(_prompt(body), auto_route=True)
            model = chance.choice(models)
            quality = float(chance.random() < 0.9 - 0.3 * float(decision.metadata["complexity"]))
            decision = replace(decision, provider=model.provider, model=model.name)
            engine.record_outcome(decision, Outcome(quality=quality, input_tokens=400, output_tokens=60))


def route_alone(ledger: Path, *, count: int) -> Iterator[tuple[str, float]]:
    """Microseconds of CPU of `route()` on so many distinct prompts, by name of the figure."""
    prompts = [_prompt(body) for body in distinct_chats("auto", count=count, seed=5)]
    with RoutingEngine(ledger, seed=1, clock=lambda: 0.0) as engine:  # the clock stands still: the ledger is read once
        engine.route(prompts[0], auto_route=True)
        gc.collect()
        gc.freeze()  # as the server does
        took = []
        for prompt in prompts:
            began = time.thread_time_ns()
            engine.route(prompt, auto_route=True)
            took.append((time.thread_time_ns() - began) / 1e3)
        gc.unfreeze()
    for name, share in ROUTE_ALONE.items():
        yield name, quantile(took, share)


def lag_while_learning(ledger: Path, upstream: int, *, seconds: float) -> float:
    """The longest delay of the event loop in microseconds while a gateway learns each outcome of the ledger once more, under load."""
    copy = ledger.with_name("taught-twice.db")
    shutil.copy(ledger, copy)
    bodies = distinct_chats("auto", count=round(RATE * seconds), seed=6)
    with processes.gateway(copy, upstream, module=fine_lag.__name__) as gateway:
        time.sleep(2 * fine_lag.PERIOD)  # until the delays of the start are forgotten
        _repeat_outcomes(copy)
        return asyncio.run(_longest_lag(gateway.port, bodies, seconds=seconds)) * 1e6


async def _longest_lag(port: int, bodies: Sequence[bytes], *, seconds: float) -> float:
    load = asyncio.create_task(arrivals(port, bodies, rate=RATE, seconds=seconds))
    longest = 0.0
    while not load.done():
        await asyncio.wait({load}, timeout=fine_lag.PERIOD)
        longest = max(longest, await asyncio.to_thread(_lag, port))
    await load
    return longest


def _lag(port: int) -> float:
    """Seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return float(answer.read().decode().partition("\ngateway_event_loop_lag_seconds ")[2].split()[0])


def _repeat_outcomes(ledger: Path) -> None:
    with closing(SqliteStore(ledger)) as store:
        for waiting in [store.submit(InsertOutcome(outcome)) for outcome in store.outcomes()]:
            waiting.result()


def size(ledger: Path) -> tuple[int, int]:
    """Rows, and bytes of all tables and indexes but the checkpoints, which do not grow with the rows."""
    with closing(apsw.Connection(str(ledger))) as connection:
        rows = connection.execute("SELECT count(*) FROM routing_metrics").get
        taken = connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name != 'checkpoints'").get
        return int(rows), int(taken)


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _prompt(body: bytes) -> str:
    prompt: str = orjson.loads(body)["messages"][0]["content"]
    return prompt
