"""What changes between two price snapshots, and whether the new one can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from gateway.catalog.catalog import Model
from gateway.catalog.cost import Price
from gateway.catalog.price_feed import Row, models_of
from gateway.catalog.price_table import PriceTable

# A list with less than this share of the models before is cut off or old.
LEAST_SHARE = 0.8
# A price that changes by more than this factor is more likely a mistake.
MOST_FACTOR = 10


class PriceChange(NamedTuple):
    """The list prices of a model before and after, USD per million tokens: input and output."""

    model: str
    before: tuple[Decimal, Decimal]
    after: tuple[Decimal, Decimal]

    @property
    def is_suspect(self) -> bool:
        """Whether a price becomes free, was free, or changes by more than a factor of 10."""
        return any(
            old != new and (not old or not new or not 1 / MOST_FACTOR <= new / old <= MOST_FACTOR)
            for old, new in zip(self.before, self.after, strict=True)
        )


def with_kept(new: Mapping[str, Sequence[Row]], old: PriceTable) -> tuple[dict[str, list[Row]], int]:
    """The new rows, then the old ones of models that the new list does not have any more; and how many these are.

    Requests of the past are priced again by them. Since the first match decides, they change no price of the new list.
    """
    listed = {*models_of(new)}
    kept = {
        provider: [row for row in rows if (provider, str(row["id"])) not in listed]
        for provider, rows in old.rows.items()
    }
    merged = {provider: [*rows, *kept.get(provider, ())] for provider, rows in new.items()}
    return merged, sum(len(kept.get(provider, ())) for provider in new)


def is_short(new: Mapping[str, Sequence[Row]], old: PriceTable) -> bool:
    """Whether a list has far fewer models of some vendor than the snapshot before."""
    return any(len(new.get(provider, ())) < LEAST_SHARE * len(rows) for provider, rows in old.rows.items())


def price_changes(old: PriceTable, new: PriceTable, models: Iterable[Model], *, at: datetime) -> list[PriceChange]:
    """The models among these whose input or output price is another one at that time."""
    found = []
    for model in models:
        before, after = old.price(model.provider, model.name, at), new.price(model.provider, model.name, at)
        if before is not None and after is not None and _listed(before) != _listed(after):
            found.append(PriceChange(model.full_name, _listed(before), _listed(after)))
    return found


def new_models(old: PriceTable, rows: Mapping[str, Sequence[Row]], *, at: datetime) -> list[tuple[str, str]]:
    """Provider and id of the models that only the new list has a price for."""
    return [(provider, name) for provider, name in models_of(rows) if old.price(provider, name, at) is None]


def _listed(price: Price) -> tuple[Decimal, Decimal]:
    return price.input.base, price.output.base
