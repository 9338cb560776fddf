"""The packaged files: their location, and the catalogue and prices loaded from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from gateway.catalog.catalog import TRADEOFFS, Catalog, Model, ModelKey
from gateway.catalog.cost import Price, Rate
from gateway.catalog.model_effort import DERIVED_ERROR, LOST_STRENGTH, at_effort
from gateway.catalog.price_table import PriceTable
from gateway.catalog.strengths import LIMIT, Strength, StrengthTable
from gateway.errors import ConfigError

PACKAGE = Path(__file__).resolve().parent.parent
# In the wheel, config/ is inside the package; in a checkout it is beside it. Scripts generate the files in data/.
DIRECTORIES = (PACKAGE / "data", PACKAGE / "config", PACKAGE.parent / "config")
# The libyaml loader, if PyYAML has it, is several times faster.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OVERRIDE_RATES = (
    "input", "output", "cache_read", "cache_write", "cache_write_1h", "input_audio", "output_audio", "output_image",
    "output_video",
)  # fmt: skip


def packaged_file(name: str) -> Path:
    """The path of a file of the packaged `config/` or `data/`. Raises FileNotFoundError."""
    for directory in DIRECTORIES:
        path = directory / name
        if path.is_file():
            return path
    raise FileNotFoundError(f"{name} is missing from the installation (looked in {', '.join(map(str, DIRECTORIES))})")


def load_prices() -> PriceTable:
    """The packaged price snapshot."""
    return PriceTable.loads(packaged_file("prices.json").read_bytes())


def load_strengths(*, at: datetime) -> StrengthTable:
    """The packaged public strengths; figures older than 180 days count half."""
    return StrengthTable.loads(packaged_file("strengths.json").read_bytes(), today=at.date())


def load_catalog(*, prices: PriceTable | None = None, at: datetime | None = None) -> Catalog:
    """The packaged catalogue with its prices as of `at` (default: now)."""
    document = yaml.load(packaged_file("models.yaml").read_bytes(), Loader=SafeLoader)  # noqa: S506  # is a SafeLoader
    at = at or datetime.now(UTC)
    strengths = load_strengths(at=at).strengths
    catalog = build_catalog(document, prices=prices or load_prices(), at=at, strengths=strengths)
    return catalog.with_aliases(document["aliases"])


def build_catalog(
    document: Mapping[str, Any],
    *,
    prices: PriceTable,
    at: datetime,
    providers: Iterable[str] = (),
    tradeoffs: Mapping[str, float] = TRADEOFFS,
    strengths: Mapping[str, Strength] = MappingProxyType({}),
) -> Catalog:
    """A catalogue from the contents of a valid `models.yaml`; `prices` of a model override the table.

    Models that are retired `at` that time are left out; their ids stay names. The caller adds the `aliases`. `strengths` are by full name. Raises ConfigError for models without a price, because routing could not compare them.
    """
    priced = prices.with_own(own_prices(document))
    rows = [
        (row, priced.price(row["provider"], row["id"], at)) for row in document["models"] if not is_retired(row, at)
    ]
    unpriced = [f"{row['provider']}/{row['id']}: no known price; give its `prices`" for row, price in rows if not price]
    if unpriced:
        raise ConfigError(unpriced)
    return Catalog(
        [model for row, price in rows if price for model in _models(row, price, strengths)],
        providers=providers,
        tradeoffs=tradeoffs,
        retired=[ModelKey(row["provider"], row["id"]) for row in document["models"] if is_retired(row, at)],
    )


def is_retired(row: Mapping[str, Any], at: datetime) -> bool:
    """Whether the provider has taken the model out of service; `retires` is the first day (UTC) without it."""
    retires: date | None = row.get("retires")
    return retires is not None and at.date() >= retires


def own_prices(document: Mapping[str, Any]) -> dict[tuple[str, str], Price]:
    """The prices in `models.yaml` by (provider, id)."""
    return {(row["provider"], row["id"]): _price(row["prices"]) for row in document["models"] if row.get("prices")}


def _price(row: Mapping[str, float]) -> Price:
    rates = {kind: Rate(Decimal(repr(row[kind]))) for kind in _OVERRIDE_RATES if row.get(kind) is not None}
    return Price(**rates)


def _models(row: Mapping[str, Any], price: Price, strengths: Mapping[str, Strength]) -> Iterator[Model]:
    """The model, then the same at each of its `efforts`."""
    model = _model(row, price, strengths.get(f"{row['provider']}/{row['id']}"))
    yield model
    for effort in row.get("efforts") or ():
        name = at_effort(model.name, effort)
        strength = strengths.get(f"{model.provider}/{name}") or _strength_at(model, effort)
        yield replace(
            model,
            name=name,
            effort=effort,
            strength=strength and strength.value,
            strength_error=strength and strength.error,
            strength_source=strength and strength.source,
        )


def _strength_at(model: Model, effort: str) -> Strength | None:
    """The model's own strength, less what the effort loses; None where the model has none."""
    if model.strength is None:
        return None
    value = max(model.strength - LOST_STRENGTH.get(effort, 0.0), -LIMIT)
    return Strength(value, DERIVED_ERROR, f"{model.name} ({model.strength_source})")


def _model(row: Mapping[str, Any], price: Price, strength: Strength | None) -> Model:
    abilities = row.get("abilities")
    created: date | None = row.get("created")
    return Model(
        provider=row["provider"],
        name=row["id"],
        tier=row["tier"],
        input_price=float(price.input.base),
        output_price=float(price.output.base),
        cache_read_price=_base(price.cache_read),
        cache_write_price=_base(price.cache_write),
        cache_write_1h_price=_base(price.cache_write_1h),
        context_prices=_context_prices(price),
        context_window=row.get("context_window"),
        max_output=row.get("max_output"),
        abilities=None if abilities is None else frozenset(abilities),
        created=int(datetime.combine(created, time(), UTC).timestamp()) if created else 0,
        strength=strength and strength.value,
        strength_error=strength and strength.error,
        strength_source=strength and strength.source,
    )


def _base(rate: Rate | None) -> float | None:
    return None if rate is None else float(rate.base)


def _context_prices(price: Price) -> tuple[tuple[int, float, float], ...]:
    """`(threshold in prompt tokens, input price, output price)` for every threshold at which either price changes."""
    sizes = sorted({above for rate in (price.input, price.output) for above, _ in rate.tiers})
    return tuple((size, float(price.input.at(size + 1)), float(price.output.at(size + 1))) for size in sizes)
