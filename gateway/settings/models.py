"""models.yaml, prices.json and the aliases -> the catalogue and the prices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from gateway.catalog import PriceTable
from gateway.catalog.catalog import PREFIXES, Auto, Catalog, Pinned
from gateway.catalog.model_effort import at_effort
from gateway.catalog.packaged import build_catalog, load_prices, load_strengths, own_prices
from gateway.catalog.strengths import STALE_DAYS as OLD_STRENGTHS_DAYS
from gateway.catalog.strengths import Strength, StrengthTable
from gateway.errors import ModelNotFound
from gateway.settings.schema import ModelRow, ModelsFile
from gateway.settings.yaml_file import ConfigProblems, YamlFile, YamlPath

STALE_DAYS = 30
RETIRING_DAYS = 7


def read_prices(beside: Path, *, now: datetime, config_problems: ConfigProblems) -> PriceTable:
    """The snapshot at `beside`, else (or when that is broken) the packaged one. An old one is warned about."""
    packaged = load_prices()
    prices = packaged
    try:
        prices = PriceTable.loads(beside.read_bytes()) if beside.is_file() else packaged
    except (OSError, ValueError) as error:
        config_problems.warnings.append(
            f"{beside}: {error}; the price snapshot that ships with the gateway is used instead"
        )
    age = (now.date() - prices.dated).days
    if age > STALE_DAYS:
        config_problems.warnings.append(
            f"the price snapshot is {age} days old ({prices.dated}): costs may be out of date; `gateway models update` renews it"
        )
    if prices.dated < packaged.dated:
        config_problems.warnings.append(
            f"{beside} is of {prices.dated}, the prices that ship with the gateway are of {packaged.dated}: remove the file, or renew "
            "it with `gateway models update`"
        )
    return prices


def keys_of(row: ModelRow) -> Iterator[tuple[str, str]]:
    """The row's own model, and one for each of its efforts."""
    for name in (row.id, *(at_effort(row.id, effort) for effort in row.efforts or ())):
        yield row.provider, name


def own_priced(file: ModelsFile, prices: PriceTable) -> PriceTable:
    """The prices with those that the models' rows give themselves."""
    return prices.with_own(own_prices(file.model_dump()))


def read_strengths(
    beside: Path,
    own: Mapping[str, float | None],
    *,
    document: YamlFile,
    listed: Collection[str],
    now: datetime,
    config_problems: ConfigProblems,
) -> Mapping[str, Strength]:
    """Those of strengths.json at `beside`, else of the packaged file, with the `own` ones; of None, a model has none.

    Old ones are warned about, and so is a file that cannot be read. A name that is not `listed` is a problem.
    """
    table = load_strengths(at=now)
    try:
        table = StrengthTable.loads(beside.read_bytes(), today=now.date()) if beside.is_file() else table
    except (OSError, ValueError) as error:
        config_problems.warnings.append(f"{beside}: {error}; the strengths that ship with the gateway are used instead")
    if (age := (now.date() - table.dated).days) > OLD_STRENGTHS_DAYS:
        config_problems.warnings.append(
            f"the public strengths of the models are {age} days old ({table.dated}) and count half: update the gateway"
        )
    config_problems.problems += [
        document.problem(
            ("strengths", name), f"models.yaml lists no model {name!r}; give its full name, as `gateway models`"
        )
        for name in own
        if name not in listed
    ]
    given = {name: Strength(value) for name, value in own.items() if value is not None}
    return {name: strength for name, strength in table.strengths.items() if name not in own} | given


def retirements(rows: Iterable[ModelRow], *, now: datetime) -> dict[str, date]:
    """The days on which models that are still served retire, by full name."""
    ending = {f"{row.provider}/{row.id}": row.retires for row in rows}
    return {name: day for name, day in ending.items() if day is not None and day > now.date()}


def retirement_warnings(rows: Iterable[ModelRow], *, now: datetime) -> Iterator[str]:
    """A sentence for each model that its provider retires within 7 days."""
    for row in rows:
        if row.retires is not None and 0 < (row.retires - now.date()).days <= RETIRING_DAYS:
            yield (
                f"{row.provider}/{row.id} retires on {row.retires}: from then on `auto` leaves it out, and clients that "
                "name it need another model"
            )


def catalog_of(
    file: ModelsFile,
    document: YamlFile,
    *,
    prices: PriceTable,
    strengths: Mapping[str, Strength],
    providers: Iterable[str],
    tradeoffs: Mapping[str, float],
    now: datetime,
    config_problems: ConfigProblems,
) -> Catalog:
    """The catalogue without aliases; empty when a row is wrong."""
    found = list(_row_problems(file.models, prices=prices, providers=providers, now=now))
    config_problems.problems += [document.problem(place, sentence) for place, sentence in found]
    rows = {"models": []} if found else file.model_dump()
    return build_catalog(rows, prices=prices, at=now, providers=providers, tradeoffs=tradeoffs, strengths=strengths)


def _row_problems(
    rows: list[ModelRow], *, prices: PriceTable, providers: Iterable[str], now: datetime
) -> Iterator[tuple[YamlPath, str]]:
    known = {*providers, *PREFIXES.values()}
    seen: set[tuple[str, str]] = set()
    for index, row in enumerate(rows):
        key = row.provider, row.id
        if key in seen:
            yield ("models", index, "id"), f"{row.provider}/{row.id} is listed twice"
        if row.provider not in known:
            yield (
                ("models", index, "provider"),
                f"there is no provider {row.provider!r} (there are {', '.join(sorted(known))})",
            )
        if prices.price(*key, now) is None:
            yield ("models", index, "id"), f"the price of {row.provider}/{row.id} is not known; give its `prices`"
        seen.add(key)


def with_aliases(
    catalog: Catalog, written: Iterable[tuple[YamlFile, Mapping[str, str] | None]], config_problems: ConfigProblems
) -> Catalog:
    """The catalogue with the aliases that stand in each document; a later one's win."""
    aliases: dict[str, str] = {}
    origin: dict[str, YamlFile] = {}
    for document, names in written:
        aliases.update(names or {})
        origin.update(dict.fromkeys(names or {}, document))
    problems = catalog.alias_problems(aliases)
    config_problems.problems += [
        origin[alias].problem(("aliases", alias), sentence) for alias, sentence in problems.items()
    ]
    if problems:
        return catalog
    catalog = catalog.with_aliases(aliases)
    config_problems.warnings += _retired_aliases(catalog)
    return catalog


def _retired_aliases(catalog: Catalog) -> Iterator[str]:
    for alias in catalog.aliases:
        target = catalog.resolve(alias)
        if isinstance(target, Pinned) and target.key in catalog.retired:
            yield f"the alias {alias!r} means {target.key.full_name}, which its provider does not serve any more: give it another model"


def baseline_problem(catalog: Catalog, baseline: str) -> str | None:
    """Why this model cannot be the baseline; None if it can."""
    try:
        target = catalog.resolve(baseline)
    except ModelNotFound as error:
        return error.message
    return f"{baseline!r} is no single model" if isinstance(target, Auto) else None
