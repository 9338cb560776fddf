"""The table of faults, markers and the plan."""

from __future__ import annotations

import pytest

from llm_simulator.faults import FAULTS, FaultPlan, fault_in_prompt, fault_named

STATUSES = [
    ("400", "bad_request"),
    ("401", "unauthorized"),
    ("429", "rate_limit"),
    ("500", "server_error"),
    ("502", "bad_gateway"),
    ("529", "overloaded"),
]


@pytest.mark.parametrize(("status", "name"), STATUSES)
def test_status_names_the_first_fault_that_has_it(status: str, name: str) -> None:
    """A status names the first fault that has it."""
    assert fault_named(status).fault is FAULTS[name]


MARKERS = [
    ("no marker", None),
    ("[[fault:hang]]", ("hang", "")),
    ("a [[fault:slow=0.2]] b", ("slow", "0.2")),
    ("[[fault:503@claude]]", ("unavailable", "")),
    ("[[fault:503@gemini]]", None),
    ("[[fault:503@gemini]] [[fault:402@claude]]", ("payment_required", "")),
    ("[[fault:unheard_of]]", None),
]


@pytest.mark.parametrize(("prompt", "expected"), MARKERS)
def test_first_known_marker_for_the_provider_counts(prompt: str, expected: tuple[str, str] | None) -> None:
    """The first marker that is known and meant for the provider counts."""
    chosen = fault_in_prompt(prompt, provider="claude")
    assert (chosen and (chosen.fault.name, chosen.value)) == expected


def test_fault_value_is_a_number_or_the_default() -> None:
    """A value is a number, or the default when it is none."""
    assert fault_named("slow", "0.5").number(1) == 0.5
    assert fault_named("slow", "x").number(1) == 1
    assert fault_named("slow").number(1) == 1


def test_unknown_fault_is_a_key_error() -> None:
    """An unknown fault is a KeyError."""
    with pytest.raises(KeyError):
        FaultPlan().add("nope")


def test_plan_matches_provider_and_model() -> None:
    """A planned fault waits for its provider and model."""
    plan = FaultPlan()
    plan.add("hang", provider="claude", model="m")
    assert plan.take(provider="gemini", model="m") is None
    assert plan.take(provider="claude", model="n") is None
    assert plan.take(provider="claude", model="m") == fault_named("hang")
    assert plan.take(provider="claude", model="m") is None


def test_fault_rate_hits_the_same_share_each_time() -> None:
    """A rate of one half hits about half of the requests, the same ones each time."""

    def hits(seed: int) -> list[bool]:
        plan = FaultPlan(seed=seed)
        plan.add("500", times=None, rate=0.5)
        return [plan.take(provider="claude", model="m") is not None for _ in range(200)]

    assert hits(1) == hits(1)
    assert 70 < sum(hits(1)) < 130
