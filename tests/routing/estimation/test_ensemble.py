from __future__ import annotations

import random
from array import array
from collections.abc import Sequence

import pytest

from gateway.catalog import ModelKey
from gateway.routing.estimation.ensemble import MIN_EXAMPLES, Ensemble, fit
from gateway.routing.estimation.examples import LabelledExample
from gateway.routing.prompt.embedding import DIMENSIONS

KEY = ModelKey("gemini", "flash")
OTHER = ModelKey("claude", "sonnet")
EXPECTED = {KEY: (0.7, 0.0), OTHER: (0.9, 0.0)}
FEATURES = (1.0, 0.0)


def about(topic: int, draw: random.Random | None = None) -> tuple[float, ...]:
    """The embedding of a prompt about one of several topics, each in a direction of its own."""
    noise = draw.gauss if draw else lambda mean, deviation: 0.0
    return tuple(noise(0.0, 3.0) + (60.0 if i == topic else 0.0) for i in range(DIMENSIONS))


def labelled(
    embedding: Sequence[float],
    quality: float,
    *,
    features: Sequence[float] = FEATURES,
    weight: float = 1.0,
    model: ModelKey = KEY,
) -> LabelledExample:
    return LabelledExample(model, array("d", features), array("b", map(round, embedding)), quality, weight)


def examples(count: int = 400, *, model: ModelKey = KEY) -> list[LabelledExample]:
    """Good answers about topic 0, bad ones about topic 1."""
    draw = random.Random(1)
    return [labelled(about(i % 2, draw), float(i % 2 == 0), model=model) for i in range(count)]


def octets(embedding: tuple[float, ...]) -> bytes:
    """An embedding as a request has it: a byte for each component."""
    return bytes([round(component) + 128 for component in embedding])


def predicted(ensemble: Ensemble, topic: int, *, online: float = 0.5, key: ModelKey = KEY) -> float:
    return ensemble.on(FEATURES, octets(about(topic)))(key, online)


def test_topics_are_distinguished() -> None:
    """The embedding separates prompts whose features are equal."""
    ensemble = fit(examples(), EXPECTED)

    assert predicted(ensemble, 0) > 0.65
    assert predicted(ensemble, 1) < 0.35


def test_online_estimate_is_kept_with_few_labels() -> None:
    """Below MIN_EXAMPLES labels the online estimate is returned; the more labels, the less it counts."""
    assert predicted(fit(examples(MIN_EXAMPLES - 1), EXPECTED), 0, online=0.123) == 0.123
    assert predicted(fit(examples(), EXPECTED), 0, online=0.123, key=OTHER) == 0.123
    assert predicted(fit([], EXPECTED), 0, online=0.123) == 0.123
    assert predicted(fit(examples(2000), EXPECTED), 1) < predicted(fit(examples(200), EXPECTED), 1)


def test_labels_are_weighted() -> None:
    """Wrong labels of low weight do not outweigh right ones."""
    wrong = [labelled(each.embedding, 1.0 - each.quality, weight=0.1) for each in examples()]

    assert predicted(fit(examples() + wrong, EXPECTED), 0) > 0.6


def signed(one: float, other: float, draw: random.Random) -> tuple[float, ...]:
    """An embedding with these two numbers; what they mean together is their product's sign, which no sum can tell."""
    return (60.0 * one, 60.0 * other, *[draw.gauss(0.0, 3.0) for _ in range(DIMENSIONS - 2)])


def test_neighbours_predict_what_is_not_linear() -> None:
    """The mixing weight favours the neighbours where the ridge cannot fit the labels."""
    draw = random.Random(2)
    signs = [(1.0 - 2.0 * (i % 2), 1.0 - 2.0 * (i // 2 % 2)) for i in range(600)]
    products = [labelled(signed(a, b, draw), float(a * b > 0)) for a, b in signs]
    quality = fit(products, EXPECTED).on(FEATURES, octets(signed(1.0, -1.0, draw)))(KEY, 0.5)

    assert quality < 0.3


def test_neighbours_are_ignored_where_embeddings_are_noise() -> None:
    """Where one feature determines the quality, the ridge alone predicts, not an equal mixture."""
    draw = random.Random(4)
    noise = [labelled(about(99, draw), float(i % 2 == 0), features=(1.0, 1.0 - 2.0 * (i % 2))) for i in range(600)]
    ensemble = fit(noise, EXPECTED)

    assert ensemble.on((1.0, 1.0), octets(about(99, draw)))(KEY, 0.95) > 0.85


def test_the_same_labels_give_the_same_ensemble() -> None:
    """The fit is deterministic."""
    one, other = fit(examples(), EXPECTED), fit(examples(), EXPECTED)

    assert [predicted(one, topic) for topic in (0, 1, 2)] == [predicted(other, topic) for topic in (0, 1, 2)]


def test_identical_prompts_predict_their_mean() -> None:
    """With all labels on one prompt, the mean of their qualities is predicted."""
    same = [labelled(about(0), float(i % 4 == 0)) for i in range(400)]

    assert predicted(fit(same, EXPECTED), 0, online=0.25) == pytest.approx(0.25, abs=0.1)
