"""The measurement of the validated cascade."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cascade import CHEAP, STRONG, Came, breaks_form, is_right, requests_of, run, table
from gateway.catalog.packaged import load_catalog

PROMPTS = [body["messages"][0]["content"] for body in requests_of(200, seed=3)]


def test_only_wrong_answers_break_their_form() -> None:
    """A right answer keeps its form; of the wrong ones the visible share breaks it, and the strong model has fewer."""

    def wrong(model: str) -> list[str]:
        return [prompt for prompt in PROMPTS if not is_right(model, prompt, seed=3)]

    def broken(model: str, *, visible: float) -> list[str]:
        return [prompt for prompt in PROMPTS if breaks_form(model, prompt, seed=3, visible=visible)]

    cheap, strong = CHEAP.partition("/")[2], STRONG.partition("/")[2]
    assert broken(cheap, visible=1.0) == wrong(cheap)
    assert broken(cheap, visible=0.0) == []
    assert set(broken(cheap, visible=0.5)) < set(wrong(cheap))
    assert len(wrong(strong)) < len(wrong(cheap))


def test_table_compares_with_the_first_policy() -> None:
    """Quality and cost stand beside the strong model's, and what was asked twice is counted."""
    told = table({"strong": [Came(True, 1, 0.004)] * 2, "cascade": [Came(True, 2, 0.001), Came(False, 1, 0.001)]})

    assert told.splitlines()[2:] == [
        "| strong | 1.000 | 100% | 4.000 | 100.0% | 0.0% |",
        "| cascade | 0.500 | 50% | 1.000 | 25.0% | 50.0% |",
    ]


@pytest.mark.parametrize("cascade", ["off", "validate"])
async def test_cascade_asks_again(tmp_path: Path, cascade: str) -> None:
    """On the same request only the cascade asks a second model, which is paid for."""
    body = next(body for body in requests_of(60, seed=1) if fails(body["messages"][0]["content"]))
    config = f"tradeoffs: {{cheap: 0.0}}\ncascade: {cascade}\n"
    (came,) = await run("auto:cheap", config, bodies=[body], seed=1, visible=1.0, folder=tmp_path)

    assert came.attempts == (2 if cascade == "validate" else 1)
    assert came.cost > 0


def fails(prompt: str) -> bool:
    """Whether the cheapest models break the form."""
    return not any(is_right(model.name, prompt, seed=1) for model in load_catalog() if model.tier == "simple")
