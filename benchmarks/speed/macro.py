"""The whole gateway, a process of its own, between the load generator and the mock upstream: CPU, latency, memory, size of rows."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.speed import learned, processes
from benchmarks.speed.learned import quantile
from benchmarks.speed.load import arrivals, in_step, run
from benchmarks.speed.processes import RunningGateway
from benchmarks.speed.samples import CHUNKS, chat, distinct_chats, distinct_responses, messages_stream, responses_stream

DISTINCT = 4000  # prompts; `auto` remembers far fewer
RATE = 100.0  # requests a second where latency is measured
STREAMS = 50  # at once in step, or a second at random
NAMED = "openrouter/mock"
CLAUDE = "claude/claude-haiku-4-5"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`units`: of what the figure is, for each answer."""

    name: str
    bodies: Sequence[bytes]
    units: int = 1
    connections: int = 32
    path: str = "/v1/chat/completions"


AUTO = Scenario("gateway: auto", distinct_chats("auto", count=DISTINCT))


def chat_scenarios() -> Sequence[Scenario]:
    """Chat completions, measured in CPU time."""
    streamed = partial(Scenario, units=CHUNKS, connections=40)
    return (
        Scenario("gateway: pinned, passed on", distinct_chats(NAMED, count=DISTINCT)),
        Scenario("gateway: pinned, translated", distinct_chats(CLAUDE, count=DISTINCT)),
        AUTO,
        Scenario("gateway: 100 KB, passed on", [chat(NAMED, kilobytes=100, messages=20)], connections=16),
        streamed("gateway: a chunk, passed on", [chat(NAMED, stream=True)]),
        streamed("gateway: a chunk, translated", [chat(CLAUDE, stream=True)]),
    )


def other_scenarios() -> Sequence[Scenario]:
    """Anthropic's Messages and OpenAI's Responses, measured in CPU time."""
    messages, responses = partial(Scenario, path="/v1/messages"), partial(Scenario, path="/v1/responses")
    return (
        messages("messages: to Claude", distinct_chats(CLAUDE, count=DISTINCT)),
        messages("messages: translated", distinct_chats(NAMED, count=DISTINCT)),
        messages("messages: a chunk, from Claude", [messages_stream(CLAUDE)], units=CHUNKS, connections=40),
        responses("responses: translated", distinct_responses(NAMED, count=DISTINCT)),
        responses("responses: a chunk", [responses_stream(NAMED)], units=CHUNKS, connections=40),
    )


LEARNED_AUTO = "gateway: auto, 2,000 outcomes"
LATENCIES = {
    "gateway: added at 100/s, p50": 0.5,
    "gateway: added at 100/s, p99": 0.99,
}
LEARNED_LATENCIES = {
    "gateway: auto added at 100/s, p50": 0.5,
    "gateway: auto added at 100/s, p99": 0.99,
}
FIRST_TOKENS = {
    "gateway: first token, 50 in step": partial(in_step, count=STREAMS),
    "gateway: first token, 50/s at random": partial(arrivals, rate=STREAMS),
}
MEMORY = ("memory: idle, KB", "memory: after the load, KB", "memory: after Messages and Responses, KB")


def measured(*, seconds: float, outcomes: int = learned.OUTCOMES) -> Iterator[tuple[str, float]]:
    """Each figure by name: microseconds of CPU, of latency or of the start; kilobytes or bytes where the name says so.

    The third gateway has learned from `outcomes`, so that `auto` costs what it costs after some days.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(processes.upstream())
        with processes.gateway(folder / "new.db", upstream) as gateway:
            yield "gateway: start", gateway.start
            yield MEMORY[0], gateway.resident()
            for scenario in chat_scenarios():
                yield scenario.name, _cpu_of(gateway, scenario, seconds=seconds)
            yield from _added(gateway.port, upstream, NAMED, LATENCIES, seconds=seconds)
            yield from _first_tokens(gateway.port, upstream, seconds=seconds / 2)
            yield MEMORY[1], gateway.resident()
        with processes.gateway(folder / "other.db", upstream) as gateway:
            for scenario in other_scenarios():
                yield scenario.name, _cpu_of(gateway, scenario, seconds=seconds)
            yield MEMORY[2], gateway.resident()
        ledger = folder / "learned.db"
        learned.teach(ledger, outcomes=outcomes)
        yield from learned.route_alone(ledger, count=outcomes)
        yield learned.LAG, learned.lag_while_learning(ledger, upstream, seconds=3 * seconds)
        rows, taken = learned.size(ledger)
        with processes.gateway(ledger, upstream) as gateway:
            auto = replace(AUTO, name=LEARNED_AUTO)
            yield auto.name, _cpu_of(gateway, auto, seconds=seconds)
            yield from _added(gateway.port, upstream, "auto", LEARNED_LATENCIES, seconds=seconds)
        more_rows, more_taken = learned.size(ledger)
        yield learned.ROW, (more_taken - taken) / (more_rows - rows)


def _added(
    port: int, upstream: int, model: str, figures: Mapping[str, float], *, seconds: float
) -> Iterator[tuple[str, float]]:
    """Microseconds that the gateway adds to the upstream's own latency, at random arrivals."""
    bodies = distinct_chats(model, count=DISTINCT, seed=4)
    direct, through = (
        [timing.whole for timing in asyncio.run(arrivals(where, bodies, rate=RATE, seconds=length))]
        for where, length in ((upstream, min(2.0, seconds)), (port, seconds))
    )
    for name, share in figures.items():
        yield name, max(0.0, quantile(through, share) - quantile(direct, 0.5)) * 1e6


def _first_tokens(port: int, upstream: int, *, seconds: float) -> Iterator[tuple[str, float]]:
    """Microseconds that the gateway adds to the median time until a stream's first event."""
    bodies = [chat(NAMED, stream=True)]
    for name, load in FIRST_TOKENS.items():
        direct, through = (
            quantile([timing.first for timing in asyncio.run(load(where, bodies, seconds=seconds))], 0.5)
            for where in (upstream, port)
        )
        yield name, max(0.0, through - direct) * 1e6


def _cpu_of(gateway: RunningGateway, scenario: Scenario, *, seconds: float) -> float:
    before = gateway.cpu_seconds()
    answers, failures, _ = asyncio.run(
        run(
            gateway.port,
            scenario.bodies,
            path=scenario.path,
            connections=scenario.connections,
            seconds=seconds,
        )
    )
    if failures or not answers:
        raise RuntimeError(f"{scenario.name}: {failures} failures, {answers} answers")
    # The warm-up's CPU counts, its answers do not; it is the same in the baseline.
    return (gateway.cpu_seconds() - before) * 1e6 / (answers * scenario.units)
