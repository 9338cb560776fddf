"""Times a call, and keeps times comparable between machines by a unit of work that is measured beside them."""

from __future__ import annotations

from collections.abc import Callable
from timeit import Timer


def microseconds(call: Callable[[], object], *, seconds: float, rounds: int = 5) -> float:
    """The least of `rounds` rounds, for one call: what disturbs a round only ever makes it longer."""
    timer = Timer(call)
    number = 1
    while (taken := timer.timeit(number)) < seconds / rounds / 4:
        number *= 2
    number = max(1, round(number * seconds / rounds / max(taken, 1e-9)))
    return min(timer.repeat(rounds, number)) / number * 1e6


def unit() -> float:
    """Microseconds of a fixed piece of Python: look-ups, calls, small objects. About 10 on a desktop of 2024."""

    def work() -> int:
        made = [{"number": i, "text": str(i)} for i in range(40)]
        return sum(len(str(each["text"])) + hash(each["number"]) for each in made)

    return microseconds(work, seconds=0.1, rounds=10)
