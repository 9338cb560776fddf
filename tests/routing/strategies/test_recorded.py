"""Strategies that decide again on recorded candidates."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.catalog.catalog import Catalog, Model
from gateway.errors import ModelNotFound
from gateway.routing.strategies.recorded import RecordedLimits, recorded_policy
from gateway.store.decision_columns import DecisionColumns
from tests.store.pages import LARGE, SMALL, candidate, page, row, two

HAIKU, SONNET, FLASH = ("claude", "haiku"), ("claude", "sonnet"), ("gemini", "flash")
CATALOG = Catalog(
    [
        Model("gemini", "small", "simple", 0.1, 0.4),
        Model("claude", "large", "complex", 3.0, 15.0),
        Model("gemini", "flash", "simple", 0.3, 2.5),
        Model("claude", "haiku", "moderate", 1.0, 5.0),
        Model("claude", "sonnet", "complex", 3.0, 15.0),
    ],
    aliases={"gpt-4o": "auto:quality"},
)


def names(policy: str | None, columns: DecisionColumns, **limits: Any) -> list[str | None]:
    """The name of each decision's model; None where there is none."""
    catalog = limits.pop("catalog", CATALOG)
    favourites = recorded_policy(policy, RecordedLimits(catalog, **limits)).favourites(columns)
    return [None if column < 0 else columns.models[column].name for column in favourites]


def test_tradeoff_of_the_name_decides() -> None:
    """`auto:cheap` takes the cheap model, `auto:quality` the better one, and so does an alias of it."""
    rows = [row(requested_model=name) for name in ("auto:cheap", "auto:quality", "gpt-4o")]
    assert names("hybrid", page(*rows)) == ["small", "large", "large"]


@pytest.mark.parametrize("name", [None, "claude/large", "no such model"])
def test_other_names_have_the_tradeoff_of_auto(name: str | None) -> None:
    """Whatever else was routed was routed at the trade-off of `auto`."""
    assert names("hybrid", page(row(requested_model=name))) == names("hybrid", page(row()))


@pytest.mark.parametrize(("tradeoff", "chosen"), [(0.0, "small"), (1.0, "large")])
def test_ends_of_the_tradeoff(tradeoff: float, chosen: str) -> None:
    """At 0 only cost counts, at 1 only quality."""
    assert names("hybrid", page(row()), catalog=CATALOG.with_tradeoffs({"balanced": tradeoff})) == [chosen]


def test_cooling_model_is_tried_last() -> None:
    """A model that cools down is only taken where nothing else is left."""
    cooling = page(row(candidates=two(cooling=True), requested_model="auto:quality"))
    assert names("hybrid", cooling) == ["small"]
    assert names("complexity", page(row(candidates=two(cooling=True), complexity_score=0.9))) == ["small"]


def test_untried_model_does_not_replace_a_proven_one() -> None:
    """Where outcomes prove a model good, one without any waits for exploration."""
    proven = [
        candidate(quality=0.9, outcomes=20, propensity=0.98),
        candidate(LARGE, quality=1.0, cost=0.001, propensity=0.02),
    ]
    assert names("hybrid", page(row(candidates=proven, requested_model="auto:quality"))) == ["small"]


def test_model_with_few_outcomes_claims_half_of_the_gap() -> None:
    """With few outcomes of its own a model may claim at most half of what is missing to 1 above the best tried one."""
    claims = [
        candidate(quality=0.6, outcomes=9, propensity=0.98),
        candidate(LARGE, quality=1.0, cost=0.0011, propensity=0.02),
    ]
    assert names("hybrid", page(row(candidates=claims), row(candidates=claims))) == ["large", "large"]
    dear = [claims[0], {**claims[1], "cost": 0.0045}]
    catalog = CATALOG.with_tradeoffs({"balanced": 0.4})
    assert names("hybrid", page(row(candidates=dear)), catalog=catalog) == ["large"]
    assert names("hybrid", page(row(candidates=[{**dear[0], "outcomes": 0}, dear[1]])), catalog=catalog) == ["large"]


def test_rate_is_fitted_to_recent_decisions() -> None:
    """After a page the rate spends the share that the trade-off names: at 0.5 about half of the requests get the better model."""
    small = candidate(quality=0.7, outcomes=9, propensity=0.98)
    gains = [0.0005 * number for number in range(200)]
    rows = [
        row(candidates=[small, candidate(LARGE, quality=0.7 + gain, cost=0.01, outcomes=9, propensity=0.02)])
        for gain in gains
    ]
    policy = recorded_policy("hybrid", RecordedLimits(CATALOG))
    columns = page(*rows)
    before, after = policy.favourites(columns), policy.favourites(columns)
    assert int(before.sum()) == 0
    assert 30 < int(after.sum()) < 100


def test_fitted_rate_without_its_best_model() -> None:
    """Requests that could not have the rate's best model are decided all the same."""
    tried = [
        candidate(quality=0.7, outcomes=9, propensity=0.98),
        candidate(LARGE, quality=0.9, cost=0.01, outcomes=9, propensity=0.02),
    ]
    rows = [row(number, candidates=tried) for number in range(150)]
    only_small = row(151, candidates=[candidate(propensity=1.0)], propensity=1.0)
    policy = recorded_policy("hybrid", RecordedLimits(CATALOG))
    policy.favourites(page(*rows))
    columns = page(*rows, only_small)
    assert columns.models[policy.favourites(columns)[-1]] == SMALL


@pytest.mark.parametrize(
    ("limits", "chosen"),
    [
        ({"max_cost": 0.005}, "small"),
        ({"min_quality": 0.8}, "large"),
        ({"quality_floor": 0.9}, "large"),
        ({"quality_floor": 0.7}, "small"),
        ({"max_cost": 0.0001}, None),
    ],
    ids=str,
)
def test_limits_leave_models_out(limits: dict[str, float], chosen: str | None) -> None:
    """A limit on cost or quality, or a floor relative to the baseline, leaves out what breaks it; nothing may be left."""
    assert names("hybrid", page(row(requested_model="auto:cheap")), **limits) == [chosen]


def test_floor_without_a_known_baseline_leaves_nothing_out() -> None:
    """A baseline that was no candidate has no quality to compare with."""
    assert names("hybrid", page(row(baseline_model="other", requested_model="auto:cheap")), quality_floor=1.0) == [
        "small"
    ]


def test_models_outside_the_catalogue_are_left_out() -> None:
    """A changed catalogue may lack a model."""
    smaller = CATALOG.with_models(model for model in CATALOG if model.name != "large")
    assert names("hybrid", page(row(requested_model="auto:quality")), catalog=smaller) == ["small"]
    assert names("complexity", page(row(complexity_score=0.9)), catalog=smaller) == ["small"]


def test_complexity_takes_the_usual_model_of_the_tier() -> None:
    """Below .3 the simple tier, below .7 the moderate one, else the complex one."""
    three = [
        candidate(key, propensity=1.0 if key is FLASH else 0.0, cost=cost)
        for key, cost in ((FLASH, 0.01), (HAIKU, 0.02), (SONNET, 0.03))
    ]
    cheap = candidate(cost=0.0001)
    rows = [row(candidates=[*three, cheap], propensity=1.0, complexity_score=each) for each in (0.1, 0.5, 0.9)]
    assert names("complexity", page(*rows)) == ["flash", "haiku", "sonnet"]


def test_complexity_without_the_usual_model_takes_the_nearest_tier() -> None:
    """Without it the cheapest of the tier, else of the nearest tier, upwards first."""
    assert names("complexity", page(*[row(complexity_score=each) for each in (0.1, 0.5, 0.9)])) == [
        "small",
        "large",
        "large",
    ]


def test_named_model_is_taken_where_it_was_a_candidate() -> None:
    """One model for all; where it was no candidate there is none."""
    only_small = row(candidates=[candidate(propensity=1.0)], propensity=1.0)
    assert names("claude/large", page(row(), only_small)) == ["large", None]
    assert names("claude/haiku", page(row())) == [None]


def test_own_strategy_is_complexity_where_that_decided() -> None:
    """Without a name each decision is repeated by the strategy that made it."""
    cheap = row(requested_model="auto:cheap", complexity_score=0.9)
    by_complexity = row(requested_model="auto:cheap", strategy_used="complexity", complexity_score=0.9)
    assert names(None, page(cheap, by_complexity)) == ["small", "large"]
    assert names(None, page(cheap)) == ["small"]
    assert names("auto", page(cheap)) == ["small"]


def test_unknown_strategy_is_no_model() -> None:
    """A name that is neither a strategy nor a model is refused with the nearest ones."""
    with pytest.raises(ModelNotFound):
        recorded_policy("hybird", RecordedLimits(CATALOG))
