"""Whether `gateway replay` is right, on simulated decisions whose truth is known: python -m benchmarks.replay [RUNS].

Each run is a ledger of conversations. The router sees estimates of quality and cost that are wrong by up to a tenth of the scale and
by a third of the price. It explores 2 % of its decisions. Sixty per cent of the answers have a rating. The other policy pays more for
quality, so about every fifth decision changes. The last line is the speed of a replay of a real ledger file.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gateway.catalog import Catalog, ModelKey
from gateway.catalog.packaged import load_catalog
from gateway.routing.strategies.recorded import RecordedLimits, recorded_policy
from gateway.savings.replay import Replay
from gateway.savings.replay_report import ReplayReport
from gateway.store import encoding
from gateway.store.candidate_columns import to_columns
from gateway.store.connection import DatabaseFile
from gateway.store.decision_columns import GROUPS, DecisionColumns, DecisionReader, Floats, Integers
from gateway.store.decisions import Period
from gateway.store.read_only import ReadOnlyStore

ROWS = 100_000
MODELS = tuple(ModelKey("simulated", name) for name in ("small", "medium", "large", "largest"))
PRICES = np.array([0.2, 0.6, 1.5, 4.0])  # USD per million tokens
QUALITY_ERRORS = np.array([0.1, -0.05, 0.04, -0.08])
COST_FACTORS = np.array([0.8, 1.3, 0.75, 1.2])
EXPLORED = 0.02
LABELLED = 0.6
CACHED = 0.4  # a kept turn costs this share of a new one
SPEED_ROWS = 40_000
RATE_NOW, RATE_THEN = 150.0, 40.0  # quality per USD


_INSERT = """
INSERT INTO routing_metrics (request_id, timestamp, session_id, strategy_used, status, requested_model, complexity_score,
    propensity, candidates, actual_cost_nano, baseline_cost_nano, prompt_tokens, completion_tokens, feedback_score)
VALUES (:request_id, '2026-11-22T10:00:00.000+00:00', :session_id, 'hybrid', 'ok', 'auto', 0.5, 0.98, :candidates, :nano, :nano * 2,
    :tokens, 300, :score)"""


class SimulatedPolicy:
    """The highest quality minus `rate` times cost."""

    exact = True

    def __init__(self, rate: float) -> None:
        self._rate = rate

    def favourites(self, page: DecisionColumns) -> Integers:
        favourites: Integers = (page.quality - self._rate * page.cost).argmax(axis=1)
        return favourites


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """The report of one run, and the true quality and spending (USD) of the other policy."""

    report: ReplayReport
    quality: float
    spent: float


def run(seed: int, *, rows: int = ROWS, labelled: float = LABELLED, explored: float = EXPLORED) -> SimulatedRun:
    """`labelled` is the share of answers with a rating, `explored` that of decisions that explore."""
    random = np.random.default_rng(seed)
    conversation = np.sort(random.integers(0, rows // 3, rows))
    first = np.append(True, conversation[1:] != conversation[:-1])
    kept = ~first & (random.random(rows) < 0.6)
    decision = np.maximum.accumulate(np.where(kept, 0, np.arange(rows)))  # the row whose model a kept turn has
    ease = random.normal(0.0, 0.5, rows // 3)[conversation] + random.normal(0.0, 0.7, rows)
    quality = 1 / (1 + np.exp(-(ease[:, None] + np.array([0.3, 1.2, 2.0, 2.6]))))
    size = random.lognormal(6.5, 0.7, rows)[:, None]
    cost = size * PRICES / 1e6
    seen_quality = np.clip(quality + QUALITY_ERRORS + random.normal(0, 0.05, quality.shape), 0, 1)
    seen_cost = cost * COST_FACTORS
    best = (seen_quality - RATE_NOW * seen_cost).argmax(axis=1)
    propensity = np.full(quality.shape, explored / (len(MODELS) - 1))
    propensity[np.arange(rows), best] = 1.0 - explored
    drawn = (random.random(rows)[:, None] > propensity.cumsum(axis=1)).sum(axis=1).clip(max=len(MODELS) - 1)
    chosen = drawn[decision]
    warm = np.where(kept, CACHED, 1.0)
    at = np.arange(rows)
    seen_cost[at, chosen] *= warm
    paid = cost[at, chosen] * warm * random.lognormal(-0.08, 0.4, rows)
    labels = np.where(random.random(rows) < labelled, random.random(rows) < quality[at, chosen], np.nan)
    page = DecisionColumns(
        models=MODELS,
        quality=seen_quality,
        cost=seen_cost,
        propensity=propensity,
        outcomes=np.zeros(quality.shape),
        cooling=np.zeros(quality.shape, dtype=np.bool_),
        chosen=chosen,
        favourite=best,
        complexity=np.zeros(rows),
        by_complexity=np.zeros(rows, dtype=np.bool_),
        requested=[None] * rows,
        conversations=[str(each) for each in conversation],
        group=conversation % GROUPS,
        kept=kept,
        penalty=np.where(kept, seen_cost[at, chosen] * (1 / CACHED - 1), 0.0),
        actual_cost=paid,
        baseline_cost=2 * paid,
        baseline=np.full(rows, len(MODELS) - 1),
        label=labels,
        prompt_tokens=size[:, 0],
        completion_tokens=np.zeros(rows),
    )
    replay = Replay(now=SimulatedPolicy(RATE_NOW), then=SimulatedPolicy(RATE_THEN))
    replay.add(page, requests=rows)
    other = SimulatedPolicy(RATE_THEN).favourites(page)
    # Unchanged decisions keep what was drawn; a kept turn has the model of its conversation's decision.
    model = np.where(other == best, drawn, other)[decision]
    return SimulatedRun(replay.report(), _mean(quality, model), float((cost[at, model] * warm).sum()))


def _mean(quality: Floats, model: Integers) -> float:
    return float(quality[np.arange(len(model)), model].mean())


@dataclass(frozen=True, slots=True)
class SimulatedRuns:
    """Over the runs that gave a figure: bias, and the share of 95 % intervals that contain the truth."""

    runs: int
    given: int
    quality_bias: float
    quality_covered: float
    spent_bias: float
    spent_covered: float
    naive_bias: float

    @classmethod
    def of(cls, seeds: range, *, rows: int = ROWS, labelled: float = LABELLED) -> SimulatedRuns:
        found = [run(seed, rows=rows, labelled=labelled) for seed in seeds]
        given = [each for each in found if each.report.quality.then is not None]
        quality = np.array([[*each.report.quality, each.quality] for each in given], dtype=np.float64).reshape(-1, 5)
        spent = np.array([[*each.report.spent_usd, each.spent] for each in found], dtype=np.float64)
        return cls(
            runs=len(found),
            given=len(given),
            quality_bias=float((quality[:, 1] - quality[:, 4]).mean()),
            quality_covered=_covered(quality),
            spent_bias=float((spent[:, 1] / spent[:, 4] - 1).mean()),
            spent_covered=_covered(spent),
            naive_bias=float((quality[:, 0] - quality[:, 4]).mean()),
        )


def _covered(figures: Floats) -> float:
    return float(((figures[:, 2] <= figures[:, 4]) & (figures[:, 4] <= figures[:, 3])).mean())


def rows_per_second(path: Path, rows: int) -> float:
    """Writes a ledger with the packaged catalogue's models as candidates of every row; rows replayed per second of CPU."""
    catalog, random = load_catalog(), np.random.default_rng(1)
    size, quality = random.lognormal(6.0, 1.0, rows), random.uniform(0.6, 0.95, (rows, len(catalog))).round(4)
    with closing(DatabaseFile(path).open()) as connection:
        connection.executemany(_INSERT, (_row(n, catalog, size=size[n], quality=quality[n]) for n in range(rows)))
    limits, cheaper = RecordedLimits(catalog), RecordedLimits(catalog.with_tradeoffs({"balanced": 0.3}))
    began = time.process_time()
    replay = Replay(now=recorded_policy(None, limits), then=recorded_policy(None, cheaper))
    with closing(ReadOnlyStore(path)) as store:
        after, reader = 0, DecisionReader()
        while found := store.decisions(Period(), after=after, limit=4096):
            replay.add(reader.read(found, {}), requests=len(found))
            after = found[-1][0]
    replay.report()
    return rows / (time.process_time() - began)


def _row(number: int, catalog: Catalog, *, size: float, quality: Floats) -> dict[str, Any]:
    """One row, in which the best of the models was chosen with a probability of 98 %."""
    scored = [
        {
            "provider": model.provider, "model": model.name, "tier": model.tier, "quality": expected, "spread": 0.1,
            "cost": model.estimate(size, 300), "outcomes": number % 60, "propensity": 0.0, "cooling": False,
        }
        for model, expected in zip(catalog, quality.tolist(), strict=True)
    ]  # fmt: skip
    scored.sort(key=lambda each: -each["quality"])
    scored[0]["propensity"], scored[1]["propensity"] = 0.98, 0.02
    return {
        "request_id": f"r{number}",
        "session_id": f"s{number // 3}",
        "candidates": encoding.dumps(to_columns(scored)),
        "nano": round(1e9 * scored[0]["cost"]),
        "tokens": round(size),
        "score": 1.0 if number % 5 == 0 else None,
    }


def main(runs: int) -> None:
    found = SimulatedRuns.of(range(runs))
    sys.stdout.write(
        f"{found.given} of {found.runs} runs give a quality: bias {found.quality_bias:+.4f}, covered {found.quality_covered:.1%}\n"
        f"spending: bias {found.spent_bias:+.2%}, covered {found.spent_covered:.1%}\n"
        f"the present quality in its place: bias {found.naive_bias:+.4f}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(f"{rows_per_second(Path(folder) / 'gateway.db', SPEED_ROWS):,.0f} rows per second of CPU\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
