"""What the validated cascade does to quality and cost: `.venv/bin/python -m benchmarks.cascade [--requests N] [--seed N]`.

The whole gateway answers structured requests (a tool's call, or JSON by a schema) in front of the simulator. The truth that it
cannot see: a model gets an answer wrong as often as its quality on that prompt leaves room for, and a share of the wrong
answers breaks the prescribed form, which is all that a gateway can check. Each policy meets the same prompts and the same
truth, with a ledger of its own:

- a strong and a cheap model, named by the client: nothing is routed;
- `auto:cheap` and `auto` with `cascade: off`: they learn from what they see, and give every answer as it came;
- the same with `cascade: validate`: an answer that breaks its form is asked for once more from the next tier, and both calls are
  paid for;
- likewise, but always beginning with the cheapest model (`auto:cheap` at a trade-off of 0): what the cascade does by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.served import served
from gateway.catalog.packaged import load_catalog
from llm_simulator.prompts import JSON, TOOLS, random_prompt
from llm_simulator.quality import answer_quality
from llm_simulator.seeded_random import SeededRandom
from llm_simulator.simulation import Simulation

STRONG, CHEAP = "claude/claude-opus-5-5", "gemini/gemini-2.5-flash-lite"
POLICIES: Mapping[str, tuple[str, str]] = {
    f"{STRONG}, named": (STRONG, ""),
    f"{CHEAP}, named": (CHEAP, ""),
    "always the cheapest, `cascade: validate`": ("auto:cheap", "tradeoffs: {cheap: 0.0}\ncascade: validate\n"),
    **{
        f"`{model}`, `cascade: {cascade}`": (model, f"cascade: {cascade}\n")
        for model in ("auto:cheap", "auto")
        for cascade in ("off", "validate")
    },
}


@dataclass(frozen=True, slots=True)
class Came:
    """What one request came to: whether its answer is right, how many models were asked, USD."""

    right: bool
    attempts: int
    cost: float


def is_right(model: str, prompt: str, *, seed: int) -> bool:
    return SeededRandom("right", seed, model, prompt).unit() < answer_quality(model, prompt, seed)


def breaks_form(model: str, prompt: str, *, seed: int, visible: float) -> bool:
    """A `visible` share of the wrong answers breaks the form; the others look as right ones do."""
    return not is_right(model, prompt, seed=seed) and SeededRandom("form", seed, model, prompt).unit() < visible


def requests_of(count: int, *, seed: int) -> list[dict[str, Any]]:
    """Bodies without a model: half of them ask for a call, half for JSON."""
    dice = SeededRandom("structured", seed)
    asked = []
    for number in range(count):
        form = (
            (f"{random_prompt(dice).prompt} Use the get_weather tool.", TOOLS)
            if number % 2
            else (random_prompt(dice).prompt, JSON)
        )
        asked.append({"messages": [{"role": "user", "content": form[0]}], **form[1]})
    return asked


async def run(
    model: str, config: str, *, bodies: Sequence[Mapping[str, Any]], seed: int, visible: float, folder: Path
) -> list[Came]:
    """One policy on all requests, one after the other; it has learned each before the next."""
    simulation = Simulation(seed=seed)
    names = [each.name for each in load_catalog()]
    came = []
    async with served(simulation, seed=seed, folder=folder, config=config) as gateway:
        for body in bodies:
            prompt = body["messages"][0]["content"]
            simulation.faults.clear()
            for name in names:
                if breaks_form(name, prompt, seed=seed, visible=visible):
                    simulation.faults.add("bad_schema", model=name, times=None)
            answer = await gateway.ask({**body, "model": model})
            told = answer.json()
            own = told["model"].partition("/")[2]
            attempts = int(answer.headers["x-gateway-attempts"])
            came.append(Came(is_right(own, prompt, seed=seed), attempts, told["usage"]["cost"]))
            await gateway.learned()
    return came


def table(results: Mapping[str, Sequence[Came]]) -> str:
    """Markdown: each policy beside the first, which is the strong model."""
    lines = [
        "| policy | right answers | of the strong model's | USD for 1,000 | of the strong model's | asked again |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    figures = {
        name: (
            sum(each.right for each in came) / len(came),
            1000 * sum(each.cost for each in came) / len(came),
            sum(each.attempts > 1 for each in came) / len(came),
        )
        for name, came in results.items()
    }
    most_right, most_cost, _ = next(iter(figures.values()))
    for name, (right, cost, again) in figures.items():
        lines.append(
            f"| {name} | {right:.3f} | {right / most_right:.0%} | {cost:.3f} | {cost / most_cost:.1%} | {again:.1%} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--visible", type=float, default=0.7, help="the share of wrong answers that break their form")
    options = parser.parse_args(arguments)
    bodies = requests_of(options.requests, seed=options.seed)
    results = {}
    for name, (model, config) in POLICIES.items():
        with tempfile.TemporaryDirectory(prefix="gateway-cascade-") as folder:
            results[name] = asyncio.run(
                run(model, config, bodies=bodies, seed=options.seed, visible=options.visible, folder=Path(folder))
            )
    said = (
        f"{options.requests} structured requests, {options.visible:.0%} of wrong answers visible, seed {options.seed}"
    )
    sys.stdout.write(f"{said}\n\n{table(results)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
