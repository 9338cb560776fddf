"""The speed benchmarks run; how fast anything is decides nothing here."""

from __future__ import annotations

import sys

import orjson
import pytest

from benchmarks.speed import learned, macro, micro
from benchmarks.speed.__main__ import BASELINE, main
from benchmarks.speed.samples import ANSWERS, chat, distinct_chats, events
from benchmarks.speed.timing import microseconds
from gateway.dialects.chat_completions import parse_chat_request


def test_every_case_runs() -> None:
    """Each part's benchmark does what it is named for, and has a figure in the baseline."""
    baseline = orjson.loads(BASELINE.read_bytes())
    with micro.cases() as cases:
        for name, (call, count) in cases.items():
            call()
            assert count >= 1
            assert name in baseline


def test_short_run_prints_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    """The short run prints a figure and a ratio for each part, and leaves the whole gateway alone.

    Slow: a process of pytest-benchmark takes a tenth of a second for each part, the least that it can time.
    """
    main(["--short"])
    lines = capsys.readouterr().out.splitlines()[1:]
    assert all(line.endswith(" x") for line in lines)
    assert not any(line.startswith("gateway:") for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="the gateway's CPU is read from /proc")
def test_the_whole_gateway_is_measured() -> None:
    """Start, requests and chunks of the gateway as a process are measured, and stand in the baseline.

    Slow: two processes and some requests for each scenario; a broken benchmark is noticed by nothing else.
    """
    baseline = orjson.loads(BASELINE.read_bytes())
    found = dict(macro.measured(seconds=0.3, outcomes=300))
    named = {scenario.name for scenario in (*macro.chat_scenarios(), *macro.other_scenarios())}
    latencies = {*macro.LATENCIES, *macro.LEARNED_LATENCIES, *macro.FIRST_TOKENS, *learned.ROUTE_ALONE, learned.LAG}
    assert set(found) == named | latencies | {"gateway: start", macro.LEARNED_AUTO, learned.ROW, *macro.MEMORY}
    assert set(found) <= set(baseline)
    assert all(figure >= 0 for figure in found.values())


@pytest.mark.parametrize("vendor", list(ANSWERS))
def test_samples_are_of_their_size(vendor: str) -> None:
    """A stream has its pieces and an end; a conversation is as long as it was asked to be."""
    assert len(events(vendor)) > 60
    assert len(parse_chat_request(chat("auto", kilobytes=100, messages=20)).messages) == 20


def test_distinct_prompts_are_distinct() -> None:
    """Each request of the corpus has a prompt of its own; the same seed makes the same ones."""
    made = distinct_chats("auto", count=200)
    assert len(set(made)) == 200
    assert made == distinct_chats("auto", count=200)


def test_least_of_the_rounds() -> None:
    """What is timed is called often enough, and the figure is that of one call."""
    calls: list[int] = []
    assert microseconds(lambda: calls.append(1), seconds=0.01) > 0
    assert len(calls) > 5
