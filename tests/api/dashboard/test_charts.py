"""Positions in the charts."""

from __future__ import annotations

from gateway.api.dashboard.charts import HEIGHT, WIDTH, Band, band, cost_chart, largest, quantile, scatter


def test_bars_stand_to_scale_in_money_and_time() -> None:
    """The dearest bucket fills the height, and buckets without requests leave their place empty."""
    rows = [
        {"bucket": "a", "spent_usd": 1.0, "baseline_usd": 2.0},
        {"bucket": "d", "spent_usd": 4.0, "baseline_usd": 4.0},
    ]
    chart = cost_chart(rows, ["a", "b", "c", "d"])
    first, second = chart.bars
    assert (second.spent, first.spent, first.baseline) == (HEIGHT, HEIGHT / 4, HEIGHT / 2)
    assert second.x - first.x == 3 * WIDTH / 4
    assert (chart.first, chart.last, chart.top) == ("a", "d", 4.0)


def test_nothing_spent_has_no_height() -> None:
    """Where nothing was spent nothing is divided by zero, and without buckets there are no bars."""
    assert cost_chart([{"bucket": "a", "spent_usd": 0.0, "baseline_usd": 0.0}], ["a"]).bars[0].spent == 0
    assert cost_chart([], []) == ([], 0.0, "", "")


def test_a_band_is_drawn_from_zero_or_from_minus_one() -> None:
    """The scale begins at zero, or at minus one where the saving may be negative; an unknown end has no band."""
    assert band(0.2, 0.5, 0.9) == Band(20.0, 70.0, 50.0, 0.0)
    assert band(-5.0, 0.0, 1.0) == Band(0.0, 100.0, 50.0, 50.0)
    assert band(None, 0.5, 0.9) is None


def test_models_are_points_of_cost_and_quality() -> None:
    """A dearer model stands further right, a better one higher, a busier one is larger; unknown costs are left out."""
    models = [
        {"model": "cheap", "cost": 0.001, "quality": 0.5, "requests": 9},
        {"model": "dear", "cost": 0.1, "quality": 0.9, "requests": 0},
        {"model": "free", "cost": 0.0, "quality": 0.9, "requests": 0},
    ]
    found = scatter(models)
    assert found is not None
    cheap, dear = found.points
    assert cheap.x < dear.x
    assert cheap.y > dear.y
    assert cheap.radius > dear.radius
    assert (cheap.answered, dear.answered) == (True, False)
    assert scatter(models[2:]) is None
    alone = scatter(models[:1])
    assert alone is not None
    assert (alone.points[0].x, alone.points[0].y) == (WIDTH / 2, HEIGHT / 2)


def test_quantiles_are_values_that_occur() -> None:
    """The nearest rank; nothing of nothing."""
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.95) == 4.0
    assert quantile([], 0.5) is None


def test_parts_add_up_to_one() -> None:
    """Rows are the largest first, with their part of the whole."""
    rows = largest([{"n": 1}, {"n": 3}], lambda row: float(row["n"]))
    assert [(row["n"], row["part"]) for row in rows] == [(3, 0.75), (1, 0.25)]
    assert largest([], lambda row: 1.0) == []
