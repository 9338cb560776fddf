"""Whether quality floors hold on graded answers: `.venv/bin/python -m benchmarks.quality_floor FILE [--resamples N] [--requests N]`.

FILE has JSON lines (`.gz` or plain): first `{"models": [{"name", "provider", "tier", "input_price", "output_price"}, ...]}`, then a
prompt a line: `{"prompt", "outcomes": {name: {"quality", "cost"}}}`, quality 0 to 1, cost in USD. The sample beside this file shows
the form; its figures mean nothing.

Each resample draws prompts with replacement. A strategy that always wants the cheapest model answers them one after the other, each
a conversation of its own, and every answer is rated. The baseline is the model with the highest mean quality. `labelled` prompts come first, with
the ratings of all models, and are not counted. A floor is broken if the mean quality of the rest is below it.
"""

from __future__ import annotations

import argparse
import gzip
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import orjson

from gateway.catalog.catalog import Model
from gateway.routing import QualityEvidence, QualityFloor, Ranking, ScoredModel, SessionLookup
from gateway.routing.estimation.estimates import Estimate
from gateway.routing.prompt.patterns import identify_pattern
from gateway.routing.strategies.scored_models import ScoredModels
from gateway.store import StoredOutcome

FLOORS = (0.95, 0.97, 0.99)
SAMPLE = Path(__file__).with_name("graded_sample.jsonl")


class Answer(NamedTuple):
    quality: float
    cost: float


class Prompt(NamedTuple):
    pattern: str
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Graded:
    """`answers` of each prompt are in the order of `models`, the cheapest first; `baseline` is the place of the best model."""

    models: Sequence[Model]
    prompts: Sequence[Prompt]
    baseline: int


class Run(NamedTuple):
    """Shares of the baseline's mean quality and cost on the same prompts."""

    quality: float
    cost: float


def read(path: Path) -> Graded:
    """Raises OSError, ValueError."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    first, *rows = [orjson.loads(line) for line in data.splitlines()]
    listed: list[Mapping[str, Any]] = first["models"]

    def mean(name: str, figure: str) -> float:
        return fmean(row["outcomes"][name][figure] for row in rows)

    names = sorted((str(model["name"]) for model in listed), key=lambda name: mean(name, "cost"))
    by_name = {model["name"]: model for model in listed}
    fields = ("provider", "name", "tier", "input_price", "output_price")
    return Graded(
        models=[Model(**{field: by_name[name][field] for field in fields}) for name in names],
        prompts=[
            Prompt(
                identify_pattern(row["prompt"]),
                [Answer(row["outcomes"][name]["quality"], row["outcomes"][name]["cost"]) for name in names],
            )
            for row in rows
        ],
        baseline=max(range(len(names)), key=lambda place: mean(names[place], "quality")),
    )


def wanting_the_cheapest(graded: Graded) -> Ranking:
    """A ranking with the cheapest model first."""
    costs = [fmean(prompt.answers[place].cost for prompt in graded.prompts) for place in range(len(graded.models))]
    estimate = Estimate(quality=0.9, std=0.2, outcomes=0, confidence="low", has_outcomes=True)
    rows = [ScoredModel(model, estimate, cost) for model, cost in zip(graded.models, costs, strict=True)]
    return Ranking(
        chosen=graded.models[0].key,
        strategy="hybrid",
        confidence="low",
        reasoning="The cheapest.",
        models=ScoredModels.of_rows(rows),
        order=range(len(rows)),
        propensities={0: 1.0},
        propensity=1.0,
    )


def run(graded: Graded, floor: float, *, requests: int, labelled: int, seed: int) -> Run:
    """One resample."""
    prompts = random.Random(seed).choices(graded.prompts, k=labelled + requests)
    evidence, ranking = QualityEvidence(), wanting_the_cheapest(graded)
    keys = [model.key for model in graded.models]
    places = {key: place for place, key in enumerate(keys)}

    def rated(prompt: Prompt, place: int) -> StoredOutcome:
        key = keys[place]
        return StoredOutcome(key.provider, key.name, prompt.pattern, 0.5, quality=prompt.answers[place].quality)

    for prompt in prompts[:labelled]:
        evidence.learn([rated(prompt, place) for place in places.values()])
    quality_floor = QualityFloor(floor, evidence, seed=seed)
    given: list[Answer] = []
    for number, prompt in enumerate(prompts[labelled:]):
        name = f"c{number}"
        decided = quality_floor.apply(
            ranking._replace(pattern=prompt.pattern),
            keys[graded.baseline],
            session=SessionLookup(session_id=name, conversation=name),
        )
        place = places[decided.chosen]
        given.append(prompt.answers[place])
        evidence.learn([rated(prompt, place)])
    best = [prompt.answers[graded.baseline] for prompt in prompts[labelled:]]
    return Run(
        fmean(answer.quality for answer in given) / fmean(answer.quality for answer in best),
        fmean(answer.cost for answer in given) / fmean(answer.cost for answer in best),
    )


def table(graded: Graded, *, resamples: int, requests: int, labelled: Sequence[int]) -> list[str]:
    """One row for each floor and number of labelled prompts."""
    lines = [
        "| floor | labelled before | quality, % of the baseline's: mean | lowest | broken in | cost, % |",
        "|---|---|---|---|---|---|",
    ]
    for floor in FLOORS:
        for before in labelled:
            runs = [run(graded, floor, requests=requests, labelled=before, seed=seed) for seed in range(resamples)]
            broken = sum(each.quality < floor for each in runs)
            lines.append(
                f"| {floor:g} | {before:,} | {fmean(each.quality for each in runs):.1%} | "
                f"{min(each.quality for each in runs):.1%} | {broken} of {resamples} | {fmean(each.cost for each in runs):.1%} |"
            )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("file", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--requests", type=int, default=4_000)
    parser.add_argument("--labelled", type=int, nargs="*", default=(0, 4_000))
    given = parser.parse_args(arguments)
    graded = read(given.file)
    for line in table(graded, resamples=given.resamples, requests=given.requests, labelled=given.labelled):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
