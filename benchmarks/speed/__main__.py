"""`python -m benchmarks.speed [--short] [--write]`: every figure beside the baseline's; never fails for being slow.

The baseline's figures are kept in units of `timing.unit`, so that a faster or busier machine does not look like a faster gateway.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import orjson

from benchmarks.speed import learned, macro, timing

HERE = Path(__file__).parent
BASELINE = HERE / "baseline.json"
ABSOLUTE = (*macro.MEMORY, learned.ROW)  # sizes, whatever the speed of the machine
# Ratios within one run, which say more than those to a baseline of another day.
BESIDE = {
    "gateway: auto": "gateway: pinned, passed on",
    macro.LEARNED_AUTO: "gateway: auto",
    "messages: to Claude": "gateway: pinned, translated",
    "messages: translated": "gateway: pinned, passed on",
    "messages: a chunk, from Claude": "gateway: a chunk, translated",
    "responses: translated": "gateway: pinned, passed on",
    "responses: a chunk": "gateway: a chunk, passed on",
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed")
    parser.add_argument("--short", action="store_true", help="a few seconds: coarse figures, without the whole gateway")
    parser.add_argument("--write", action="store_true", help="make these figures the baseline")
    options = parser.parse_args(arguments)
    baseline: Mapping[str, float] = orjson.loads(BASELINE.read_bytes())
    found: dict[str, float] = {}
    click.echo(
        "microseconds, KB of memory, bytes of the ledger, and the ratio to the baseline at the same speed of the machine"
    )
    for name, figure, unit in _figures(short=options.short):
        found[name] = round(figure / unit, 3)
        ratio = f"{found[name] / baseline[name]:6.2f} x" if name in baseline else "     new"
        click.echo(f"{name:41} {figure:12.1f}  {ratio}")
    for name, other in BESIDE.items():
        if name in found and other in found:
            click.echo(f"{name} costs {found[name] / found[other]:.2f} x {other}")
    if options.write:
        BASELINE.write_bytes(orjson.dumps({**baseline, **found}, option=orjson.OPT_INDENT_2) + b"\n")


def _figures(*, short: bool) -> Iterator[tuple[str, float, float]]:
    """Name, microseconds, and the unit measured just before."""
    yield from _parts(seconds=0.1 if short else 1.0)
    if not short:
        for name, figure in macro.measured(seconds=4.0):
            yield name, figure, 1.0 if name in ABSOLUTE else timing.unit()


def _parts(*, seconds: float) -> Iterator[tuple[str, float, float]]:
    """By pytest-benchmark, in a process of its own: the least of the rounds that fit into so many seconds each."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        options = (
            "--override-ini=addopts=",
            "--import-mode=importlib",
            "-q",
            "--benchmark-quiet",
            "--benchmark-disable-gc",
        )
        measured = (f"--benchmark-max-time={seconds}", f"--benchmark-json={found}")
        command = (sys.executable, "-m", "pytest", str(HERE / "test_parts.py"), *options, *measured)
        # In a test that runs beside others, pytest-benchmark would refuse to time anything.
        apart = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=apart)  # noqa: S603 - our own module
        for each in orjson.loads(found.read_bytes())["benchmarks"]:
            about = each["extra_info"]
            yield about["name"], each["stats"]["min"] * 1e6 / about["count"], about["unit"]


if __name__ == "__main__":
    main()
