"""The catalogue and the prices as configured."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from gateway.catalog.catalog import Pinned
from gateway.catalog.packaged import packaged_file
from tests.settings.conftest import Load, Problems

ROW = "id: gemini-3.8-flash, provider: gemini, tier: simple"


def rows(*lines: str) -> dict[str, str]:
    return {"models.yaml": "models:\n" + "".join(f"  - {{{line}}}\n" for line in lines)}


def test_prices_come_from_the_snapshot(load_files: Load) -> None:
    """A row without prices has those of the snapshot at that time, a row with prices its own."""
    dear = load_files(rows(ROW), flags={"now": datetime(2027, 1, 1, tzinfo=UTC)})
    assert [next(iter(load_files(rows(ROW)).catalog)).input_price, next(iter(dear.catalog)).input_price] == [0.75, 1.5]
    own = next(iter(load_files(rows(f"{ROW}, prices: {{input: 1, output: 2, cache_read: 0.5}}")).catalog))
    assert (own.input_price, own.output_price, own.cache_read_price, own.cache_write_price) == (1.0, 2.0, 0.5, None)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (ROW, "id: gemini/gemini-3.8-flash is listed twice"),
        ("id: x, provider: gemini, tier: simple", "id: the price of gemini/x is not known; give its `prices`"),
        (
            "id: x, provider: nobody, tier: simple, prices: {input: 1, output: 1}",
            "provider: there is no provider 'nobody'",
        ),
        ("id: x, provider: gemini, tier: simple, abilities: [fly]", "abilities: no such ability: fly"),
        (f"{ROW.replace('3.8', '3.5')}, efforts: [least]", "efforts[0]: Input should be 'none', 'minimal'"),
        (
            f"{ROW.replace('3.8', '3.5')}, efforts: [low], abilities: [tools]",
            "efforts: only models with the ability `reasoning` have efforts",
        ),
        ("id: x, provider: gemini, tier: simple, prices: {input: 1}", "prices.output: Field required"),
        (
            "id: x, provider: gemini, tier: simple, prices: {input: .inf, output: 1}",
            "prices.input: Input should be a finite",
        ),
        (f"{ROW}, contextwindow: 1", "contextwindow: unknown key; did you mean 'context_window'?"),
        (
            "id: x, provider: gemini, tier: simple, prices: {inputs: 1, input: 1, output: 1}",
            "prices.inputs: unknown key; did you mean",
        ),
    ],
)
def test_each_bad_model_row_is_reported_with_its_line(problems_of: Problems, row: str, problem: str) -> None:
    """Each mistake in a row is told with its line."""
    assert problems_of(rows(ROW, row))[0].startswith(f"models.yaml:3: models[1].{problem}")


def test_row_with_efforts_is_several_models(load_files: Load) -> None:
    """Each effort is a model of its own with the row's prices and timeouts; a strength may be given for it."""
    settings = load_files(
        rows(f"{ROW}, efforts: [none, low], timeouts: {{total: 7}}")
        | {"gateway.yaml": "strengths: {gemini/gemini-3.8-flash@low: 0.1}\n"}
    )
    plain, none, low = settings.catalog
    assert [model.name for model in (plain, none, low)] == [
        "gemini-3.8-flash",
        "gemini-3.8-flash@none",
        "gemini-3.8-flash@low",
    ]
    assert (plain.effort, none.effort, low.effort, low.strength) == (None, "none", "low", 0.1)
    assert plain.input_price == none.input_price == low.input_price
    assert {settings.model_timeouts[model.key]["total"] for model in settings.catalog} == {7}


def test_models_file_of_the_wrong_shape_is_a_problem(problems_of: Problems) -> None:
    """A key of the wrong kind is a problem of that key, not an exception."""
    assert problems_of({"models.yaml": "models: 3\naliases: [a]\n", "gateway.yaml": "aliases: [a]\n1: 2\n"}) == [
        "gateway.yaml:1: aliases: Input should be a valid dictionary",
        "gateway.yaml:2: 1: Keys should be strings",
        "models.yaml:1: models: Input should be a valid list",
        "models.yaml:2: aliases: Input should be a valid dictionary",
    ]


def test_alias_of_gateway_yaml_wins_over_models_yaml(load_files: Load) -> None:
    """An alias in gateway.yaml replaces one of the same name in models.yaml."""
    files = {
        "models.yaml": f"models: [{{{ROW}}}]\naliases: {{a: auto, b: auto}}\n",
        "gateway.yaml": "aliases: {b: a}\n",
    }
    assert load_files(files).aliases == {"a": "auto", "b": "a"}


def test_own_price_snapshot_replaces_the_packaged_one(load_files: Load) -> None:
    """A prices.json beside gateway.yaml is used; a broken one is warned about and the packaged one used."""
    raw = packaged_file("prices.json").read_text()
    assert (
        load_files({"prices.json": raw.replace('"version":"', '"version":"2026-11-21+mine ', 1)}).prices.version[:15]
        == "2026-11-21+mine"
    )
    broken = load_files({"prices.json": "{"})
    assert broken.prices.version in raw
    assert "the price snapshot that ships with the gateway is used" in broken.warnings[0]


def test_own_prices_older_than_the_packaged_ones_are_warned_about(load_files: Load) -> None:
    """A prices.json that was newer once is still used after an upgrade of the gateway, and the start says so."""
    raw = packaged_file("prices.json").read_text()
    own = load_files({"prices.json": raw.replace('"version":"2026-11-22', '"version":"2026-11-21', 1)})
    assert own.prices.version.startswith("2026-11-21")
    (warning,) = own.warnings
    assert "is of 2026-11-21, the prices that ship with the gateway are of 2026-11-22" in warning


def test_stale_prices_are_warned_about(load_files: Load) -> None:
    """Prices more than thirty days old are warned about, with their age."""
    assert load_files(flags={"now": datetime(2026, 12, 22, tzinfo=UTC)}).warnings == ()
    (warning,) = load_files(flags={"now": datetime(2026, 12, 23, tzinfo=UTC)}).warnings
    assert warning.startswith("the price snapshot is 31 days old (2026-11-22)")


NAMED = "gemini/gemini-3.8-flash"


def strength_of(load_files: Load, files: dict[str, str]) -> float | None:
    return next(iter(load_files({**rows(ROW), **files}).catalog)).strength


def test_strengths_can_be_given_dropped_and_switched_off(load_files: Load) -> None:
    """Own figures in gateway.yaml win over a strengths.json beside it, and that over the packaged one."""
    file = {"strengths.json": packaged_file("strengths.json").read_text().replace('"strength":0.25', '"strength":0.75')}

    assert strength_of(load_files, {}) == 0.25
    assert strength_of(load_files, file) == 0.75
    assert strength_of(load_files, {**file, "gateway.yaml": f"strengths: {{{NAMED}: 1.5}}"}) == 1.5
    for off in ("off", "'off'", f"{{{NAMED}: null}}"):
        assert strength_of(load_files, {"gateway.yaml": f"strengths: {off}"}) is None
    assert strength_of(load_files, {"gateway.yaml": "strengths: public"}) == 0.75


@pytest.mark.parametrize(
    ("strengths", "problem"),
    [
        ("{gemini/x: 1}", "models.yaml lists no model 'gemini/x'"),
        (f"{{{NAMED}: .nan}}", "finite"),
        (f"{{{NAMED}: 99}}", "less than"),
    ],
)
def test_wrong_strengths_are_problems(problems_of: Problems, strengths: str, problem: str) -> None:
    """A model that is not listed, and a figure that no measurement gives, stop the start."""
    assert any(problem in each for each in problems_of({**rows(ROW), "gateway.yaml": f"strengths: {strengths}"}))


def test_broken_and_old_strengths_are_warned_about(load_files: Load) -> None:
    """A file that cannot be read is replaced by the packaged one; figures older than 180 days count half."""
    (broken,) = load_files({"strengths.json": "{"}).warnings
    old = load_files(flags={"now": datetime(2027, 6, 1, tzinfo=UTC)}).warnings

    assert "the strengths that ship with the gateway are used" in broken
    assert any(
        "the public strengths of the models are 184 days old (2026-11-29) and count half" in each for each in old
    )


def test_alias_of_a_retired_model_is_warned_about(load_files: Load) -> None:
    """A start does not fail on the day on which a provider retires a model that an alias or the baseline names."""
    files = rows(f"{ROW}, retires: 2026-11-22", ROW.replace("3.8", "3.5"))
    names = "aliases: {short: gemini-3.8-flash, full: gemini/gemini-3.8-flash, other: gemini-3.5-flash}"
    settings = load_files(files | {"gateway.yaml": f"baseline: gemini-3.8-flash\n{names}\n"})
    assert [warning.partition(", which")[0] for warning in settings.warnings] == [
        "the alias 'short' means gemini/gemini-3.8-flash",
        "the alias 'full' means gemini/gemini-3.8-flash",
    ]
    assert settings.catalog.resolve("short") == Pinned("gemini", "gemini-3.8-flash", None)


def test_retirement_is_warned_about(load_files: Load) -> None:
    """In the week before a provider retires a model the start says so; from that day on the catalogue lacks it."""
    (warning,) = load_files(rows(f"{ROW}, retires: 2026-11-29")).warnings
    gone = load_files(rows(f"{ROW}, retires: 2026-11-22"))

    assert warning.startswith("gemini/gemini-3.8-flash retires on 2026-11-29: from then on")
    assert (len(gone.catalog), gone.warnings, gone.retirements) == (0, (), {})
    ending = load_files(rows(f"{ROW}, retires: 2027-03-01"))
    assert ending.retirements == {"gemini/gemini-3.8-flash": date(2027, 3, 1)}
