"""What the gateway learns from simulated users, over time: `.venv/bin/python -m benchmarks.learning [--requests N] [--seed N]`.

The whole gateway runs in this process: HTTP, planner, translators, ledger, feedback; its upstreams are the simulator, which
knows how good each model's answer to each prompt is. A share of the requests is rated by that truth, the rest is not. Beside it
stand policies that need no run, on the same prompts, at list prices for the tokens that the gateway's answers took:

- the best fixed model: the one with the highest mean quality over all prompts, known only afterwards;
- complexity: the gateway's own baseline, which learns nothing;
- the oracle: for each prompt the cheapest model whose answer is at least 98 % as good as the best fixed model's.

The same seed gives the same figures and the same picture.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.charts import Panel, svg
from benchmarks.served import served
from gateway.catalog.catalog import Catalog
from llm_simulator.prompts import random_prompt
from llm_simulator.quality import answer_quality
from llm_simulator.seeded_random import SeededRandom
from llm_simulator.simulation import Simulation

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "learning.svg"
GOOD_ENOUGH = 0.98


@dataclass(frozen=True, slots=True)
class Step:
    """One request: quality (0 to 1) and cost (USD) by policy."""

    model: str
    quality: Mapping[str, float]
    cost: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one request: full names of models, USD, tokens."""

    prompt: str
    model: str
    cost: float
    baseline: str
    baseline_cost: float
    prompt_tokens: int
    completion_tokens: int


async def run(*, requests: int, seed: int, rated: float, model: str, folder: Path) -> tuple[list[Asked], Catalog]:
    """Ask the gateway one thing after another; it has learned each before the next."""
    dice, opinions = SeededRandom("wishes", seed), SeededRandom("opinions", seed)
    asked: list[Asked] = []
    async with served(Simulation(seed=seed), seed=seed, folder=folder) as gateway:
        for _ in range(requests):
            wanted = random_prompt(dice)
            body = {"model": model, "messages": [{"role": "user", "content": wanted.prompt}], **wanted.body}
            answer = await gateway.ask(body)
            asked.append(_asked(wanted.prompt, answer))
            if opinions.unit() < rated:
                score = quality_of(asked[-1].model, wanted.prompt, seed=seed)
                said = {"request_id": answer.headers["x-request-id"], "score": score}
                (await gateway.client.post("/v1/feedback", json=said)).raise_for_status()
            await gateway.learned()
        return asked, gateway.catalog


def _asked(prompt: str, answer: httpx2.Response) -> Asked:
    told = answer.json()
    usage = told["usage"]
    return Asked(
        prompt=prompt,
        model=told["model"],
        cost=usage["cost"],
        baseline=usage["cost_details"]["baseline_model"],
        baseline_cost=usage["cost_details"]["baseline_cost"],
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
    )


def quality_of(full_name: str, prompt: str, *, seed: int) -> float:
    """The truth that the simulator writes by."""
    return answer_quality(full_name.partition("/")[2], prompt, seed)


def compared(asked: Sequence[Asked], catalog: Catalog, *, seed: int) -> tuple[list[Step], str]:
    """Every policy on every prompt, and the best fixed model's name."""
    models = {model.full_name: model for model in catalog}
    truth = [{name: quality_of(name, each.prompt, seed=seed) for name in models} for each in asked]
    best = max(models, key=lambda name: sum(qualities[name] for qualities in truth))
    steps = []
    for each, qualities in zip(asked, truth, strict=True):
        prices = {name: model.estimate(each.prompt_tokens, each.completion_tokens) for name, model in models.items()}
        enough = [name for name in models if qualities[name] >= GOOD_ENOUGH * qualities[best]]
        oracle = min(enough, key=lambda name: prices[name])
        chosen = {"gateway": each.model, "best fixed model": best, "complexity": each.baseline, "oracle": oracle}
        costs = {**{policy: prices[name] for policy, name in chosen.items()}, "gateway": each.cost}
        quality = {policy: quality_of(name, each.prompt, seed=seed) for policy, name in chosen.items()}
        steps.append(Step(each.model, quality, {**costs, "complexity": each.baseline_cost}))
    return steps, best


def table(steps: Sequence[Step], *, best: str) -> str:
    """Markdown: quality and cost of each policy, over the whole run and over its last quarter."""
    last = steps[-len(steps) // 4 :]
    lines = [
        f"| policy | quality | USD for 1,000 | quality, last {len(last)} | USD for 1,000, last {len(last)} |",
        "|---|---|---|---|---|",
    ]
    for policy in steps[0].quality:
        name = f"best fixed model ({best})" if policy == "best fixed model" else policy
        figures = [
            figure
            for part in (steps, last)
            for figure in (
                f"{sum(step.quality[policy] for step in part) / len(part):.3f}",
                f"{1000 * sum(step.cost[policy] for step in part) / len(part):.3f}",
            )
        ]
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(lines)


def picture(steps: Sequence[Step], *, window: int, caption: str) -> str:
    """Means over the last `window` requests."""
    ends = range(window, len(steps) + 1, max(1, window // 10))

    def means(kind: str, policy: str, *, scale: float = 1.0) -> list[float]:
        values = [getattr(step, kind)[policy] * scale for step in steps]
        return [sum(values[end - window : end]) / window for end in ends]

    policies = list(steps[0].quality)
    panels = [
        Panel(
            f"Quality, mean of {window} requests",
            {policy: means("quality", policy) for policy in policies},
            ticks=(0.8, 0.85, 0.9, 0.95, 1.0),
        ),
        Panel(
            f"USD for 1,000 requests, mean of {window} requests",
            {policy: means("cost", policy, scale=1000.0) for policy in policies},
            ticks=(0.3, 1.0, 3.0, 10.0),
            log=True,
        ),
    ]
    return svg(panels, steps=[float(end) for end in ends], caption=caption)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rated", type=float, default=0.2, help="the share of requests that users rate")
    parser.add_argument("--model", default="auto", help="auto, auto:cheap or auto:quality")
    parser.add_argument("--out", type=Path, default=PICTURE)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="gateway-learning-") as folder:
        asked, catalog = asyncio.run(
            run(
                requests=options.requests,
                seed=options.seed,
                rated=options.rated,
                model=options.model,
                folder=Path(folder),
            )
        )
    steps, best = compared(asked, catalog, seed=options.seed)
    said = (
        f"{options.requests} simulated requests, {options.rated:.0%} rated, model {options.model}, seed {options.seed}"
    )
    options.out.write_text(picture(steps, window=max(20, options.requests // 20), caption=said))
    sys.stdout.write(f"{said}\n\n{table(steps, best=best)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
