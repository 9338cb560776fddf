"""Whether the savings that the gateway prints are true: `.venv/bin/python -m benchmarks.savings [--runs N] [--seed N] [--conversations N]`.

Each run makes a world whose truth is known: how long each model writes by pattern, how its tokenizer counts, the price list, caches
with their lifetimes, and conversations with pauses. A router that knows nothing of it answers them. The gateway's own code settles
every request and learns the lengths as it goes. Beside it, the baseline really answers each request of the conversation, with a
cache of its own: what that costs is the truth. The printed interval of the sum should contain it in 95 of 100 runs.

Scenarios: the baseline is one named model; it is the rule's choice by complexity; a named model that answers only one
conversation in a hundred, by the holdback's draw; the length model is wrong, because the router
sends the tasks with long answers to the baseline and nothing in the row says so; and the baseline's own, other answers make up the
history that later turns repeat.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from benchmarks.simulation_runs import simulate
from gateway.catalog import ModelKey
from gateway.catalog.cost import cost
from gateway.catalog.packaged import load_prices
from gateway.completion import ChatRequest, Usage
from gateway.proxy.settlement import CostCalculator, new_record
from gateway.records import Attempt, RequestRecord
from gateway.resilience import Candidate
from gateway.routing import CacheBreakpoints, Caller, Plan, Ranking, RoutingContext, RoutingMode, SessionLookup
from gateway.savings import AnswerLength, BaselineGroup, ConversationPrefixes, LengthRatios, total_interval

Scenario = Literal["named", "rule", "holdback only", "wrong lengths", "own history"]
SCENARIOS: tuple[Scenario, ...] = ("named", "rule", "holdback only", "wrong lengths", "own history")

CHEAP, MIDDLE, STRONG = (
    ModelKey("gemini", "gemini-2.5-flash-lite"),
    ModelKey("claude", "claude-haiku-4-5"),
    ModelKey("claude", "claude-sonnet-5-5"),
)
MODELS = (CHEAP, MIDDLE, STRONG)
PATTERNS: Mapping[str, float] = {"code": 600.0, "explain": 400.0, "qa": 120.0}  # mean output tokens
BANDS = (0.15, 0.5, 0.85)  # complexity, in the three bands of the rule
SHARES = ((0.8, 0.12, 0.08), (0.3, 0.6, 0.1), (0.1, 0.5, 0.4))  # of the models, by band
PRICES = load_prices()
HOLDBACK = 0.01
AT = datetime(2026, 11, 28, tzinfo=UTC)
PAUSE, SPREAD = 120.0, 0.7  # mean seconds between turns; standard deviation of the log of an answer's length
REFRESH = 50  # requests between two refreshes of the ratios
MINIMUM = {CHEAP: None, MIDDLE: 1_024, STRONG: 1_024}


def minimum_of(provider: str, model: str) -> int | None:
    return MINIMUM.get(ModelKey(provider, model))


BREAKPOINTS = CacheBreakpoints(models=frozenset({MIDDLE, STRONG}), minimum=minimum_of)


@dataclass(frozen=True, slots=True)
class World:
    """The truth: mean output tokens by model and pattern as a factor, tokens per token of the gateway's estimate by model."""

    length: Mapping[tuple[ModelKey, str], float]
    tokenizer: Mapping[ModelKey, float]

    @classmethod
    def drawn(cls, rng: random.Random) -> World:
        """Pairs of models differ by about a factor of two, patterns of a pair by a quarter, tokenizers by a seventh."""
        own = {key: rng.gauss(0, math.log(2) / math.sqrt(2)) for key in MODELS}
        length = {
            (key, name): math.exp(own[key] + rng.gauss(0, 0.25 / math.sqrt(2))) for key in MODELS for name in PATTERNS
        }
        return cls(length, {key: math.exp(rng.gauss(0, 0.1)) for key in MODELS})


@dataclass(slots=True)
class Cache:
    """One model's prompt cache in one conversation, simulated for itself: it holds the last prompt for five minutes."""

    tokens: int = 0
    at: float = -math.inf

    def usage(self, key: ModelKey, prompt: int, output: int, *, now: float) -> Usage:
        least = MINIMUM[key]
        if prompt < (least or 1_024):
            self.tokens = 0
            return Usage(prompt, output)
        read = min(prompt, self.tokens) if now - self.at <= 300.0 else 0
        self.tokens, self.at = prompt, now
        return Usage(prompt, output, cached_tokens=read, cache_write_tokens=prompt - read if least else 0)


class Turn(NamedTuple):
    """One request of a conversation. `estimate` is the gateway's count of the prompt, `task` the length of the answer that it calls for."""

    conversation: str
    messages: Sequence[Mapping[str, Any]]
    pattern: str
    band: int
    estimate: int
    task: float
    now: float


@dataclass(slots=True)
class Run:
    """Sums of one run in USD; `groups` are the printed baseline's, by its model."""

    spent: float = 0.0
    truth: float = 0.0
    groups: dict[str, BaselineGroup] = field(default_factory=dict)

    def add(self, record: RequestRecord, truth: Decimal) -> None:
        low, middle, high = (
            float(end or 0) for end in (record.baseline_cost_low, record.baseline_cost, record.baseline_cost_high)
        )
        self.spent += float(record.actual_cost or 0)
        self.truth += float(truth)
        key = record.baseline_model
        old = self.groups.get(key, BaselineGroup(0.0, 0.0, 0.0))
        squares = middle * middle if high > low else 0.0
        self.groups[key] = BaselineGroup(old.low + low, old.middle + middle, old.high + high, old.squares + squares)

    @property
    def saved(self) -> tuple[float, float, float]:
        """The printed savings: low, middle, high."""
        low, middle, high = total_interval(self.groups.values())
        return low - self.spent, middle - self.spent, high - self.spent


class Router:
    """Settles requests with the gateway's own code and learns lengths from what it settled."""

    def __init__(self) -> None:
        self._lengths = LengthRatios()
        self._costs = CostCalculator(PRICES, prefixes=ConversationPrefixes(), lengths=self._lengths)
        self._settled = 0

    def settle(self, turn: Turn, selected: ModelKey, baseline: ModelKey, usage: Usage) -> RequestRecord:
        request = ChatRequest(body={}, model="auto", messages=turn.messages)
        ranking = Ranking(selected, "hybrid", "low", "", pattern=turn.pattern, complexity=BANDS[turn.band])
        session = SessionLookup(turn.conversation, turn.conversation)
        plan = Plan(
            ranking,
            (Candidate(*selected),),
            baseline,
            RoutingContext(prompt=""),
            RoutingMode.AUTO,
            session=session,
            breakpoints=BREAKPOINTS,
        )
        record = new_record(plan, request, endpoint="chat", request_id="r", at=AT, caller=Caller(), features=False)
        attempt = Attempt(1, *selected, status="settled", cost=price(selected, usage), usage=usage)
        settled = self._costs.settle(
            record,
            plan=plan,
            request=request,
            attempts=[attempt],
            usage=usage,
            at=AT,
            began=turn.now,
            duration=0.0,
            status="ok",
        )
        answer = AnswerLength(
            selected, turn.pattern, BANDS[turn.band], usage.completion_tokens, usage.prompt_tokens, turn.estimate
        )
        self._lengths.learn([answer])
        self._settled += 1
        if self._settled % REFRESH == 0:
            self._lengths.publish()
        return settled


def price(key: ModelKey, usage: Usage) -> Decimal:
    return cost(usage, PRICES.price(*key, AT)) or Decimal(0)


def run(seed: int, *, scenario: Scenario, conversations: int) -> Run:
    """One world, its conversations one after the other, and both sums."""
    rng = random.Random(f"{scenario} {seed}")
    world, router, result = World.drawn(rng), Router(), Run()
    for number in range(conversations):
        _converse(world, router, result, rng, scenario=scenario, name=f"{number}")
    return result


def _converse(world: World, router: Router, result: Run, rng: random.Random, *, scenario: Scenario, name: str) -> None:
    pattern, band = rng.choice(list(PATTERNS)), rng.choices(range(3), (5, 3, 2))[0]
    task = PATTERNS[pattern] * (1 + band) * rng.lognormvariate(-0.125, 0.5)
    caches = {key: Cache() for key in MODELS}
    baselines = {key: Cache() for key in MODELS}
    messages: list[Mapping[str, Any]] = [{"role": "user", "content": f"question {name}"}]
    estimate, longer, now = rng.randint(200, 4_000), 0.0, float(rng.randint(0, 10**6))
    held_back = scenario == "holdback only" and rng.random() < HOLDBACK
    for number in range(min(12, 1 + int(rng.expovariate(0.3)))):
        turn = Turn(name, tuple(messages), pattern, band, estimate, task, now)
        selected = STRONG if held_back else _selected(turn, rng, scenario=scenario)
        baseline = MODELS[band] if scenario == "rule" else STRONG
        lengths = {
            key: max(1, round(task * world.length[key, pattern] * rng.lognormvariate(-(SPREAD**2) / 2, SPREAD)))
            for key in MODELS
        }
        usage = caches[selected].usage(
            selected, round(estimate * world.tokenizer[selected]), lengths[selected], now=now
        )
        own = estimate + (longer if scenario == "own history" else 0.0)
        truth = [
            cache.usage(key, round(own * world.tokenizer[key]), lengths[key], now=now)
            for key, cache in baselines.items()
        ]
        result.add(router.settle(turn, selected, baseline, usage), price(baseline, truth[MODELS.index(baseline)]))
        answered = round(lengths[selected] / world.tokenizer[selected])
        longer += lengths[baseline] / world.tokenizer[baseline] - answered
        asked = rng.randint(10, 300)
        messages += [
            {"role": "assistant", "content": f"answer {number}"},
            {"role": "user", "content": f"question {number}"},
        ]
        estimate += answered + asked
        now += rng.expovariate(1 / PAUSE)


def _selected(turn: Turn, rng: random.Random, *, scenario: Scenario) -> ModelKey:
    if scenario == "wrong lengths" and turn.task > 1.3 * PATTERNS[turn.pattern] * (1 + turn.band):
        return rng.choices(MODELS, (0.1, 0.1, 0.8))[0]  # a strong model for long answers, which the row does not say
    if scenario == "holdback only":
        return rng.choices(MODELS[:2], SHARES[turn.band][:2])[0]
    return rng.choices(MODELS, SHARES[turn.band])[0]


class Result(NamedTuple):
    """Over all runs: the share whose interval contains the truth, the mean error of the middle and the mean width, as shares of the truth."""

    scenario: Scenario
    covered: float
    error: float
    width: float


def measured(scenario: Scenario, *, runs: int, seed: int, conversations: int) -> Result:
    covered, errors, widths = [], [], []
    for number in range(runs):
        each = run(seed * 10_000 + number, scenario=scenario, conversations=conversations)
        low, middle, high = each.saved
        truth = each.truth - each.spent
        covered.append(low <= truth <= high)
        errors.append((middle - truth) / each.truth)
        widths.append((high - low) / each.truth)
    mean = statistics.fmean
    return Result(scenario, mean(covered), mean(errors), mean(widths))


def table(results: Sequence[Result]) -> Iterator[str]:
    yield "| scenario | truth within the 95 % interval | error of the middle | width of the interval |"
    yield "|---|---:|---:|---:|"
    for each in results:
        yield f"| {each.scenario} | {each.covered:.1%} | {each.error:+.1%} | {each.width:.1%} |"


def main(arguments: Sequence[str] | None = None) -> None:
    simulate(
        arguments,
        question="Do the printed savings contain the truth?",
        conversations=300,
        scenarios=SCENARIOS,
        measure=measured,
        table=table,
    )


if __name__ == "__main__":
    main()
