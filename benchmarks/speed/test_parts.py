"""Times the parts by themselves with pytest-benchmark; `python -m benchmarks.speed` runs this and prints ratios."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.speed import micro
from benchmarks.speed.timing import unit

with micro.cases() as made:
    NAMES = tuple(made)


@pytest.fixture(scope="session")
def parts() -> Iterator[dict[str, micro.Case]]:
    with micro.cases() as cases:
        yield cases


@pytest.mark.parametrize("name", NAMES)
def test_part(benchmark: BenchmarkFixture, parts: dict[str, micro.Case], name: str) -> None:
    """One part, with the machine's speed at that moment beside it."""
    call, count = parts[name]
    benchmark.extra_info.update(name=name, count=count, unit=unit())
    benchmark(call)
