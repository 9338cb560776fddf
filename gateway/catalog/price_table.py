"""The price snapshot: the price of each model at a given time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

from gateway.catalog.cost import Price, Rate
from gateway.catalog.model_effort import split_effort

# The date suffix of model ids: OpenRouter writes `-20260910` where others write `-2026-09-10`.
COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
# Clients choose the names that are looked up, so the cache is bounded.
CACHE_SIZE = 4096

Clause = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DatedPrice:
    """A price and when it applies: from a UTC date on, or daily between two UTC times, possibly across midnight."""

    price: Price
    start: date | None = None
    daily: tuple[time, time] | None = None

    def in_force(self, at: datetime) -> bool:
        if self.start is not None:
            return at.date() >= self.start
        if self.daily is None:
            return True
        start, end = self.daily
        return start <= at.time() < end if start <= end else not end <= at.time() < start


class PriceTable:
    """The prices of all models of a snapshot; each is compiled on first use.

    A row applies to the names that satisfy its `match`, or to its `id`. Names are compared in lower case and the first match wins, as
    in `genai-prices`, the source of the data. `version` starts with the date of the snapshot. `overrides` win over the snapshot.
    """

    def __init__(
        self,
        rows: Mapping[str, Sequence[Mapping[str, Any]]],
        *,
        version: str,
        overrides: Mapping[tuple[str, str], Price] | None = None,
    ) -> None:
        self._rows = rows
        self._overrides = dict(overrides or {})
        self._compiled: dict[tuple[str, str], tuple[DatedPrice, ...]] = {}
        self.version = version
        self.dated = date.fromisoformat(version[:10])

    @classmethod
    def loads(cls, raw: bytes) -> PriceTable:
        """Load the JSON that `scripts/prices` writes. Raises ValueError for anything else."""
        document = orjson.loads(raw)
        try:
            return cls(document["providers"], version=document["version"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a price snapshot: {error!r}") from error

    @property
    def rows(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The rows of the snapshot by provider, without overrides."""
        return self._rows

    def with_own(self, prices: Mapping[tuple[str, str], Price]) -> PriceTable:
        """A table in which the given prices by (provider, model) override the snapshot."""
        return PriceTable(self._rows, version=self.version, overrides={**self._overrides, **prices})

    def with_rows(self, newer: PriceTable) -> PriceTable:
        """The rows of a newer snapshot, with the overrides of this table."""
        return PriceTable(newer.rows, version=newer.version, overrides=self._overrides)

    def price(self, provider: str, model: str, at: datetime) -> Price | None:
        """The price at the time `at` (UTC if naive); None if the table does not have the model. An effort has its model's price."""
        model, _ = split_effort(model)
        if override := self._overrides.get((provider, model)):
            return override
        key = (provider, model)
        prices = self._compiled.get(key)
        if prices is None:
            if len(self._compiled) >= CACHE_SIZE:
                self._compiled.clear()
            prices = self._compiled[key] = self._compile(provider, model)
        if not prices:
            return None
        moment = at if at.tzinfo is None or at.tzinfo is UTC else at.astimezone(UTC)
        for dated in reversed(prices):
            if dated.in_force(moment):
                return dated.price
        return prices[0].price

    def _compile(self, provider: str, model: str) -> tuple[DatedPrice, ...]:
        name = model.lower()
        row = self._row(provider, name) or self._row(provider, COMPACT_DATE.sub(r"-\1-\2-\3", name))
        return tuple(_dated_price(entry) for entry in row["prices"]) if row else ()

    def _row(self, provider: str, name: str) -> Mapping[str, Any] | None:
        for row in self._rows.get(provider, ()):
            if matches(row["match"], name) if "match" in row else row["id"] == name:
                return row
        return None


def matches(clause: Clause, name: str) -> bool:
    """Whether a lower-case name satisfies a clause, which is one operator and its operand; `equals` accepts a list of names."""
    ((operator, operand),) = clause.items()
    match operator:
        case "equals":
            return name in operand if isinstance(operand, list) else name == operand
        case "starts_with":
            return name.startswith(operand)
        case "ends_with":
            return name.endswith(operand)
        case "contains":
            return operand in name
        case "regex":
            return re.search(operand, name) is not None
        case "or":
            return any(matches(part, name) for part in operand)
        case "and":
            return all(matches(part, name) for part in operand)
    raise ValueError(f"unknown match operator {operator!r}")


def _dated_price(entry: Mapping[str, Any]) -> DatedPrice:
    start = date.fromisoformat(entry["from"]) if "from" in entry else None
    daily = (time.fromisoformat(entry["daily"][0]), time.fromisoformat(entry["daily"][1])) if "daily" in entry else None
    rates = {kind: rate(value) for kind, value in entry.items() if kind not in ("from", "daily")}
    free = Rate(Decimal(0))
    return DatedPrice(Price(**{"input": free, "output": free, **rates}), start, daily)


def rate(value: float | Mapping[str, Any]) -> Rate:
    """A rate from a number, or from `{"base": number, "tiers": [[threshold, number], ...]}`; decimals are exact as written."""
    if isinstance(value, Mapping):
        return Rate(decimal(value["base"]), tuple((above, decimal(figure)) for above, figure in value["tiers"]))
    return Rate(decimal(value))


def decimal(figure: float) -> Decimal:
    return Decimal(repr(figure))
