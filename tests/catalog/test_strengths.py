"""Public strengths of models."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.catalog.catalog import Model
from gateway.catalog.packaged import load_catalog, load_strengths
from gateway.catalog.strengths import StrengthTable, half_as_sure, worth

DAY = date(2026, 11, 29)
BEFORE_RETIREMENTS = datetime(2026, 11, 22, tzinfo=UTC)
ROW = b'{"strength": 0.5, "error": 0.25, "sources": ["a", "b"], "read": "2026-11-29"}'
FILE = (
    b'{"version": "2026-11-29", "models": {"gemini/x": %s, "gemini/y": {"strength": null, "reason": "too new"}}}' % ROW
)


def test_every_model_has_a_strength_or_a_reason() -> None:
    """A model of the catalogue without a figure says why, and no figure is left of a model that went."""
    table = load_strengths(at=BEFORE_RETIREMENTS)
    names = {model.full_name for model in load_catalog(at=BEFORE_RETIREMENTS)}

    assert table.strengths.keys() | table.unknown.keys() == names
    assert all(table.unknown.values())


def test_packaged_strengths_tell_the_order_and_no_figure() -> None:
    """They are rounded to a quarter of a standard deviation, around the median model."""
    values = [strength.value for strength in load_strengths(at=BEFORE_RETIREMENTS).strengths.values()]

    assert all(4 * value == int(4 * value) for value in values)
    assert sorted(values)[len(values) // 2] in (-0.25, 0.0, 0.25)


def test_old_figure_counts_half() -> None:
    """After 180 days a figure is worth half as many outcomes."""
    (fresh,), (old,) = (
        StrengthTable.loads(FILE, today=DAY + timedelta(days)).strengths.values() for days in (180, 181)
    )

    assert (fresh.value, fresh.error, fresh.source) == (0.5, 0.25, "a, b, 2026-11")
    assert old.error == half_as_sure(0.25)
    assert worth(old.error) == pytest.approx(worth(fresh.error) / 2)
    assert worth(0.25) == pytest.approx(29, abs=1)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b"{}",
        FILE.replace(b"0.5", b"99"),
        FILE.replace(b"0.25", b"0"),
        FILE.replace(b"0.5", b'"strong"'),
        FILE.replace(b'"read": "2026-11-29"', b'"read": "yesterday"'),
    ],
)
def test_what_is_no_file_of_strengths_is_refused(body: bytes) -> None:
    """A broken file is an error that says so."""
    with pytest.raises(ValueError, match="not a file of strengths"):
        StrengthTable.loads(body, today=DAY)


@pytest.mark.parametrize(("strength", "error"), [(float("nan"), None), (11.0, None), (0.0, 0.0), (0.0, float("inf"))])
def test_absurd_strength_of_a_model_is_refused(strength: float, error: float | None) -> None:
    """A strength that no measurement gives is a mistake, not a very good model."""
    with pytest.raises(ValueError, match="strength of x must be"):
        Model("gemini", "x", "simple", 0.1, 0.4, strength=strength, strength_error=error)


def test_retired_models_are_left_out() -> None:
    """On the day of its retirement a model is no longer in the catalogue; the day before it is."""
    before, after = (load_catalog(at=datetime(2026, month, day, tzinfo=UTC)) for month, day in ((11, 30), (12, 1)))

    assert before.get("gemini", "gemini-2.5-flash") is not None
    assert {model.name for model in before} - {model.name for model in after} == {"gemini-2.5-flash", "gemini-2.5-pro"}
