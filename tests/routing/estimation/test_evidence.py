from __future__ import annotations

import pytest

from gateway.catalog import ModelKey
from gateway.routing.estimation.evidence import NOTHING, QualityStats, bucket_of, confidence, similar

KEY = ModelKey("claude", "sonnet")


def stats(*qualities: float) -> QualityStats:
    result = NOTHING
    for quality in qualities:
        result = result.plus(quality, weight=1.0)
    return result


@pytest.mark.parametrize(
    ("own", "all_models", "level"),
    [
        (NOTHING, 0, "low"),
        (NOTHING, 200, "low"),
        (stats(*[1.0] * 9), 9, "low"),
        (stats(*[1.0] * 10), 10, "medium"),
        (stats(*[0.9] * 79), 79, "medium"),
        (stats(*[0.9] * 80), 80, "high"),
        (stats(*[0.9] * 20), 100, "high"),
        (stats(*[0.9] * 19), 100, "medium"),
        (stats(*[0.0, 1.0] * 45), 90, "medium"),
        (stats(*[0.0, 1.0] * 60), 120, "high"),
    ],
)
def test_confidence_grows_with_outcomes_that_agree(own: QualityStats, all_models: float, level: str) -> None:
    """About a hundred outcomes on similar prompts give high confidence; more are needed if the model's own disagree."""
    assert confidence(own, all_models=all_models) == level


@pytest.mark.parametrize(("complexity", "count"), [(0.3, 1), (0.5, 1), (0.65, 0), (0.1, 1), (0.05, 0), (1.0, 0)])
def test_similar_prompts_have_a_similar_complexity(complexity: float, count: float) -> None:
    """Outcomes count for prompts with the same pattern and about the same complexity."""
    bucket_stats = {bucket_of(KEY, pattern="code", complexity=0.35): stats(1.0)}

    assert similar(bucket_stats, bucket_of(KEY, pattern="code", complexity=complexity)).count == count


def test_other_patterns_and_models_are_not_similar() -> None:
    """Outcomes with another pattern or of another model are not counted."""
    bucket_stats = {bucket_of(KEY, pattern="code", complexity=0.3): stats(1.0)}

    assert similar(bucket_stats, bucket_of(KEY, pattern="math", complexity=0.3)) == NOTHING
    assert similar(bucket_stats, bucket_of(ModelKey("claude", "haiku"), pattern="code", complexity=0.3)) == NOTHING
