"""How many tokens another model would have needed, with its interval."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from gateway.catalog import ModelKey
from gateway.savings.length_ratio import MOST_ANSWERS, PAIR_SD, SAME, AnswerLength, LengthRatios

SHORT, LONG = ModelKey("claude", "short"), ModelKey("gemini", "long")


def answers(
    key: ModelKey,
    *,
    mean: float,
    count: int,
    pattern: str = "code",
    complexity: float = 0.2,
    tokenizer: float = 1.0,
    seed: int = 1,
) -> Iterator[AnswerLength]:
    """Lognormal lengths with a coefficient of variation of about 0.8."""
    rng = random.Random(f"{seed} {key.name}")
    for _ in range(count):
        prompt = rng.randint(50, 500)
        tokens = round(mean * rng.lognormvariate(-0.245, 0.7))
        yield AnswerLength(key, pattern, complexity, tokens, round(prompt * tokenizer), prompt)


def learned(*groups: Iterator[AnswerLength]) -> LengthRatios:
    ratios = LengthRatios()
    for group in groups:
        ratios.learn(group)
    ratios.publish()
    return ratios


def test_without_data_the_interval_is_the_prior() -> None:
    """A pair without answers is taken as equal, give or take a factor of four."""
    _, completion = LengthRatios().ratios.of(SHORT, LONG, pattern="code")
    assert completion.middle == 1.0
    assert math.log(completion.high) == pytest.approx(1.96 * PAIR_SD)
    assert completion.low == pytest.approx(1 / completion.high)


def test_a_model_is_as_long_as_itself() -> None:
    assert LengthRatios().ratios.of(SHORT, SHORT, pattern="code") == (SAME, SAME)


def test_the_ratio_is_learned() -> None:
    """Many answers of both models give their ratio of means, and an interval that contains it."""
    ratios = learned(answers(SHORT, mean=200, count=400), answers(LONG, mean=500, count=400, tokenizer=1.2)).ratios
    prompt, completion = ratios.of(SHORT, LONG, pattern="code")
    assert completion.low < 2.5 < completion.high < 1.3 * completion.low
    assert prompt.low < 1.2 < prompt.high
    assert prompt.middle == pytest.approx(1.2, rel=0.05)


def test_thin_data_is_shrunk_to_one() -> None:
    """Two answers of each say little: the ratio is nearer to 1 than they are, and the interval is wide."""
    ratios = learned(answers(SHORT, mean=100, count=2), answers(LONG, mean=1_000, count=2)).ratios
    _, completion = ratios.of(SHORT, LONG, pattern="code")
    assert 1.5 < completion.middle < 8
    assert completion.high > 3 * completion.low


def test_like_is_compared_with_like() -> None:
    """A model that gets the long tasks is not taken for a model that writes more."""
    ratios = learned(
        answers(SHORT, mean=100, count=300),
        answers(SHORT, mean=1_000, count=30, complexity=0.8, seed=5),
        answers(LONG, mean=100, count=30, seed=6),
        answers(LONG, mean=1_000, count=300, complexity=0.8, seed=7),
    ).ratios
    _, completion = ratios.of(SHORT, LONG, pattern="code")
    assert completion.low < 1 < completion.high < 2


def test_a_pattern_without_data_has_the_ratio_of_the_others() -> None:
    """Other patterns say what a pair's ratio is about; a pattern of its own may still differ."""
    ratios = learned(answers(SHORT, mean=100, count=400), answers(LONG, mean=300, count=400)).ratios
    _, seen = ratios.of(SHORT, LONG, pattern="code")
    _, unseen = ratios.of(SHORT, LONG, pattern="chat")
    assert unseen.middle == pytest.approx(seen.middle, rel=0.1)
    assert unseen.high / unseen.low > 1.5 * seen.high / seen.low


def test_prompts_without_an_estimate_say_nothing_of_the_tokenizer() -> None:
    """Where the gateway's own count is not stored, the prompt's ratio stays at its prior."""
    ratios = LengthRatios()
    ratios.learn(AnswerLength(key, "code", 0.2, 0, 100) for key in (SHORT, LONG) for _ in range(50))
    ratios.publish()
    prompt, _ = ratios.ratios.of(SHORT, LONG, pattern="code")
    assert (prompt.middle, round(prompt.high, 2)) == (1.0, 1.34)


def test_what_was_asked_is_known_after_the_next_refresh() -> None:
    """Requests do not compute again what the refresh could compute, and old ratios stay as they were."""
    ratios = learned(answers(SHORT, mean=100, count=50), answers(LONG, mean=100, count=50))
    before = ratios.ratios
    first = before.of(SHORT, LONG, pattern="code")
    ratios.learn(answers(LONG, mean=900, count=50, seed=3))
    assert before.of(SHORT, LONG, pattern="code") == first
    ratios.publish()
    assert ratios.ratios.asked == [(SHORT, LONG, "code")]
    assert ratios.ratios.of(SHORT, LONG, pattern="code")[1].middle > 2


def test_old_answers_are_forgotten() -> None:
    """A model that changed is noticed, however long the ledger is."""
    steady, changed = MOST_ANSWERS, 3 * MOST_ANSWERS
    ratios = learned(
        answers(SHORT, mean=100, count=int(steady)),
        answers(LONG, mean=100, count=int(steady)),
        answers(LONG, mean=400, count=int(changed), seed=4),
    ).ratios
    assert ratios.of(SHORT, LONG, pattern="code")[1].middle > 3


def test_memory_is_bounded() -> None:
    """More patterns, models or pairs than the capacity are answered, but not remembered."""
    ratios = LengthRatios(capacity=1)
    for key, pattern in ((SHORT, "code"), (LONG, "code"), (LONG, "chat")):
        ratios.learn(answers(key, mean=100, count=5, pattern=pattern))
    ratios.publish()
    for pattern in ("code", "chat"):
        assert ratios.ratios.of(SHORT, LONG, pattern=pattern)[1].middle == 1.0
    assert ratios.ratios.asked == [(SHORT, LONG, "code")]
