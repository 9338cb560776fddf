"""Models with their estimates, as columns and as rows."""

from __future__ import annotations

from gateway.routing.strategies.scored_models import ScoredModels
from tests.routing.worlds import FLASH, HAIKU, scored

ROWS = [
    scored(HAIKU, quality=0.87654321, cost=0.001, outcomes=3, cooling=True),
    scored(FLASH, quality=0.7, cost=0.0001, tried=False),
]


def test_a_place_has_the_figures_of_its_row() -> None:
    """Rows made of columns are those that the columns were made of."""
    models = ScoredModels.of_rows(ROWS)

    assert [models.row(place) for place in models.places] == ROWS
    assert models.row(1, propensity=0.5).propensity == 0.5
    assert models.estimates.evidence.tried == [0]


def test_qualities_are_shown_with_four_places() -> None:
    """Columns and rows round alike."""
    models = ScoredModels.of_rows(ROWS)

    assert models.shown_quality(0) == models.row(0).shown_quality == 0.8765


def test_no_models_are_false() -> None:
    """Whether any model is eligible can be asked of the columns."""
    assert not ScoredModels.of_rows([])
    assert ScoredModels.of_rows(ROWS)
