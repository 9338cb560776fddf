"""Does the printed difference of quality contain the truth? python -m benchmarks.quality_difference [--runs 200]

Each run is a world whose truth is known: how good each model is on tasks of each difficulty, and which model the router takes for them.
A draw sends some conversations to the baseline; users rate some answers. The report's own code makes the interval of the difference,
which is looked at twenty times while the ratings come: it has to contain the true difference at all times in at least 95 of 100 runs.

Scenarios: ratings are up or down; they are a score; the turns of a conversation are good or bad together; the router becomes better
while it is watched; users rate bad answers twice as often. The last one counts every answer of the baseline, also those of tasks that
the router chose for it: it shows why the report does not.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from benchmarks.simulation_runs import simulate
from gateway.savings.quality import Label, quality_difference

Scenario = Literal[
    "up or down", "scores", "conversations", "learning", "bad answers are rated more", "without the draw"
]
SCENARIOS: tuple[Scenario, ...] = (
    "up or down", "scores", "conversations", "learning", "bad answers are rated more", "without the draw",
)  # fmt: skip
LEVELS = 5  # of difficulty, equally frequent
MODELS = 3  # from the weakest to the strongest, which is the baseline
BASELINE = MODELS - 1
HOLDBACK, RATED = 0.1, 0.5
LOOKS = 20  # at each run, evenly over its ratings


class World(NamedTuple):
    """`quality[model][level]` is the expected quality, 0 to 1; `choice[level]` the router's probabilities, before and after learning."""

    quality: Sequence[Sequence[float]]
    before: Sequence[Sequence[float]]
    after: Sequence[Sequence[float]]

    @classmethod
    def drawn(cls, rng: random.Random) -> World:
        """Stronger models lose less with difficulty. The router sends harder tasks to stronger models, better so after learning."""
        quality = []
        for model in range(MODELS):
            easy, loss = rng.uniform(0.8, 0.97), rng.uniform(0.05, 0.7) * (1 - 0.4 * model)
            quality.append([min(0.98, max(0.02, easy - loss * level / (LEVELS - 1))) for level in range(LEVELS)])
        before = [_shares(rng, level, sharpness=0.5) for level in range(LEVELS)]
        return cls(quality, before, [_shares(rng, level, sharpness=2.0) for level in range(LEVELS)])

    def choice(self, level: int, progress: float) -> Sequence[float]:
        return [
            (1 - progress) * old + progress * new
            for old, new in zip(self.before[level], self.after[level], strict=True)
        ]

    def difference(self, progress: float) -> float:
        """The true difference of routed answers and the baseline's, over all tasks."""
        routed = sum(
            share * self.quality[model][level]
            for level in range(LEVELS)
            for model, share in enumerate(self.choice(level, progress))
        )
        return (routed - sum(self.quality[BASELINE])) / LEVELS


def _shares(rng: random.Random, level: int, *, sharpness: float) -> list[float]:
    wanted = level / (LEVELS - 1) * BASELINE
    weights = [rng.uniform(0.5, 1.5) / (0.3 + abs(model - wanted)) ** sharpness for model in range(MODELS)]
    return [weight / sum(weights) for weight in weights]


def labels(world: World, rng: random.Random, *, scenario: Scenario, conversations: int) -> Iterator[Label]:
    """The ratings of one run, in the order of time."""
    for number in range(conversations):
        level, held = rng.randrange(LEVELS), rng.random() < HOLDBACK
        progress = number / conversations if scenario == "learning" else 0.0
        model = BASELINE if held else rng.choices(range(MODELS), world.choice(level, progress))[0]
        turns = 1 + min(11, int(rng.expovariate(0.4))) if scenario == "conversations" else 1
        quality = world.quality[model][level]
        shared = rng.random() < quality  # of all turns of a conversation, for the larger part of them
        for _ in range(turns):
            good = shared if scenario == "conversations" and rng.random() < 0.7 else rng.random() < quality
            score = _score(rng, quality) if scenario == "scores" else float(good)
            rate = RATED * (0.5 if scenario == "bad answers are rated more" and good else 1.0)
            if rng.random() < rate:
                yield Label(score, held or (scenario == "without the draw" and model == BASELINE))


def _score(rng: random.Random, quality: float) -> float:
    """A score with this mean."""
    return rng.betavariate(4 * quality, 4 * (1 - quality))


class Run(NamedTuple):
    """`contained`: the truth lay in the interval at every look. `error` is that of the last difference; None where none was printed."""

    contained: bool
    error: float | None
    half_width: float


def run(seed: int, *, scenario: Scenario, conversations: int) -> Run:
    rng = random.Random(f"{scenario} {seed}")
    world = World.drawn(rng)
    # The choice is linear in the progress, so the mean over time is that of the middle.
    truth = world.difference(0.5 if scenario == "learning" else 0.0)
    found = list(labels(world, rng, scenario=scenario, conversations=conversations))
    looks = [quality_difference(found[: round(len(found) * look / LOOKS)]) for look in range(1, LOOKS + 1)]
    printed = [look for look in looks if look["enough"]]
    contained = all(look["low"] <= truth <= look["high"] for look in printed)
    if not looks[-1]["enough"]:
        return Run(contained, None, 0.0)
    return Run(contained, looks[-1]["difference"] - truth, (looks[-1]["high"] - looks[-1]["low"]) / 2)


class Result(NamedTuple):
    """Over all runs: the share that contained the truth at every look, and the share with a figure; of those the mean error and half-width."""

    scenario: Scenario
    covered: float
    printed: float
    error: float
    half_width: float


def measured(scenario: Scenario, *, runs: int, seed: int, conversations: int) -> Result:
    made = [run(seed * 10_000 + number, scenario=scenario, conversations=conversations) for number in range(runs)]
    printed = [each for each in made if each.error is not None]
    return Result(
        scenario,
        statistics.fmean(each.contained for each in made),
        len(printed) / runs,
        statistics.fmean([each.error or 0.0 for each in printed] or [0.0]),
        statistics.fmean([each.half_width for each in printed] or [0.0]),
    )


def table(results: Sequence[Result]) -> Iterator[str]:
    yield "| scenario | truth within the 95 % interval at every look | runs with a figure | error of the middle | half of the width |"
    yield "|---|---:|---:|---:|---:|"
    for each in results:
        yield f"| {each.scenario} | {each.covered:.1%} | {each.printed:.0%} | {each.error:+.3f} | {each.half_width:.3f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    simulate(
        arguments,
        question="Does the printed difference of quality contain the truth?",
        conversations=8_000,
        scenarios=SCENARIOS,
        measure=measured,
        table=table,
    )


if __name__ == "__main__":
    main()
