"""The command line of the simulations whose truth is known: so many runs of each scenario, and a table of what they found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Scenario = TypeVar("Scenario", contravariant=True)
Result = TypeVar("Result", covariant=True)


class Measure(Protocol[Scenario, Result]):
    """Runs one scenario so often."""

    def __call__(self, scenario: Scenario, /, *, runs: int, seed: int, conversations: int) -> Result: ...


def simulate(
    arguments: Sequence[str] | None,
    *,
    question: str,
    conversations: int,
    scenarios: Sequence[Scenario],
    measure: Measure[Scenario, Result],
    table: Callable[[Sequence[Result]], Iterator[str]],
) -> None:
    """Measure the scenarios and print the table; `conversations` of a run are the default."""
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--conversations", type=int, default=conversations)
    options = parser.parse_args(arguments)
    results = [
        measure(scenario, runs=options.runs, seed=options.seed, conversations=options.conversations)
        for scenario in scenarios
    ]
    sys.stdout.write("\n".join(table(results)) + "\n")
