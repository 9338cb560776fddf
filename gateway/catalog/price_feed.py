"""The public price list of `genai-prices` (`prices/new_data/v2/data.json`) -> the rows of a price snapshot.

It keeps list prices per token of text, audio input, and audio, image and video output: every prompt-size tier, start date and
time of day, and the clauses that say which names a price applies to. It leaves out prices of searches, batches, and image and
video input: only models for live sessions, which chat completions do not reach, charge these separately from text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

# The vendors' ids in the list, and their names here.
PROVIDERS: Mapping[str, str] = {"anthropic": "claude", "google": "gemini", "openrouter": "openrouter"}
UNITS: Mapping[str, str] = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "cache_audio_read_mtok": "cache_read_audio",
    "output_reasoning_mtok": "output_reasoning",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "output_video_mtok": "output_video",
}
DEAREST = 1_000_000  # USD per million tokens; more is no price
# A repeat of a group can take time that doubles with each character, and clients choose the names that are matched.
REPEATED_GROUP = re.compile(r"\)\s*[*+{]")
_TEXTS = ("equals", "starts_with", "ends_with", "contains")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PriceFeed:
    """The rows of a snapshot by provider. `unread` are full names whose rows are not understood, `deprecated` those marked so."""

    rows: Mapping[str, Sequence[Row]]
    unread: tuple[str, ...]
    deprecated: frozenset[str]

    @classmethod
    def loads(cls, raw: bytes) -> PriceFeed:
        """Raises ValueError for what is no such list, or lacks one of the three vendors."""
        try:
            document = json.loads(raw, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it is not JSON: {error}") from None
        if not isinstance(document, list):
            raise ValueError("it is no list of providers")
        return cls.of(document)

    @classmethod
    def of(cls, document: Sequence[Any]) -> PriceFeed:
        """The list as plain values, its figures as Decimal or int. Raises ValueError."""
        listed = {entry["id"]: entry["models"] for entry in document if _is_provider(entry)}
        if missing := sorted(PROVIDERS.keys() - listed.keys()):
            raise ValueError(f"it lists no models of {', '.join(missing)}")
        rows: dict[str, list[Row]] = {}
        unread: list[str] = []
        deprecated: set[str] = set()
        for source, provider in PROVIDERS.items():
            rows[provider] = []
            for model in listed[source]:
                name = f"{provider}/{model.get('id')}" if isinstance(model, dict) else f"{provider}/?"
                try:
                    rows[provider].append(row_of(model))
                except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, re.error):
                    unread.append(name)
                    continue
                if model.get("deprecated") is True:
                    deprecated.add(name)
        return cls(rows, tuple(unread), frozenset(deprecated))


def snapshot_text(rows: Mapping[str, Sequence[Row]], *, version: str) -> str:
    """The file: keys in order, one line a model, so that the diff of two snapshots is readable; the first match decides."""
    parts = []
    for provider, models in rows.items():
        lines = ",\n".join(json.dumps(model, sort_keys=True, separators=(",", ":")) for model in models)
        parts.append(f'"{provider}":[\n{lines}\n]')
    return f'{{"version":"{version}","providers":{{\n' + ",\n".join(parts) + "\n}}\n"


def row_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """One row of a snapshot. Raises ValueError, TypeError or LookupError for a model that is not understood."""
    name, prices = str(model["id"]), model["prices"]
    conditions = prices if isinstance(prices, list) else [{"prices": prices}]
    if not conditions or len(name) > 200:
        raise ValueError(f"{name[:50]}: no price")
    entry: dict[str, Any] = {"id": name, "prices": _unrepeated([_dated(condition) for condition in conditions])}
    match = _clause(model["match"])
    return entry if match == {"equals": name} else {**entry, "match": match}


def number(value: Decimal | int) -> int | float:
    """The JSON number that reads back as the same decimal figure. Raises ValueError for what is no price, or would change."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int) or not 0 <= value <= DEAREST:
        raise ValueError(f"{value!r} is no price")
    figure = int(value) if value == int(value) else float(value)
    if Decimal(repr(figure)) != value:
        raise ValueError(f"{value} does not fit a JSON number")
    return figure


def _is_provider(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("id"), str) and isinstance(entry.get("models"), list)


def _rate(value: Any) -> Any:
    if isinstance(value, dict):
        tiers = [[int(tier["start"]), number(tier["price"])] for tier in value["tiers"]]
        return {"base": number(value["base"]), "tiers": tiers}
    return number(value)


def _prices(units: Mapping[str, Any]) -> dict[str, Any]:
    """The kept rates. Raises ValueError where tokens are charged by units that are not known, since they would seem free."""
    kept = {name: _rate(units[unit]) for unit, name in UNITS.items() if units.get(unit) is not None}
    if not kept and any(unit.endswith("_mtok") for unit in units):
        raise ValueError(f"unknown units: {', '.join(units)}")
    return kept


def _dated(condition: Mapping[str, Any]) -> dict[str, Any]:
    match condition.get("constraint"):
        case None:
            return _prices(condition["prices"])
        case {"start_date": start}:
            return {"from": date.fromisoformat(start).isoformat(), **_prices(condition["prices"])}
        case {"start_time": start, "end_time": end}:
            return {"daily": [_utc(start), _utc(end)], **_prices(condition["prices"])}
    raise ValueError("unknown constraint of a price")


def _utc(text: str) -> str:
    """A time of day in UTC; one without an offset already is."""
    moment = datetime.combine(date(2000, 1, 2), time.fromisoformat(text))
    return (moment.astimezone(UTC) if moment.tzinfo else moment).time().isoformat()


def _clause(match: Mapping[str, Any]) -> dict[str, Any]:
    ((operator, operand),) = match.items()
    if operator == "or" and all("equals" in part for part in operand):
        return {"equals": [str(part["equals"]).lower() for part in operand]}
    if operator in ("or", "and"):
        return {operator: [_clause(part) for part in operand]}
    if operator == "regex" and not REPEATED_GROUP.search(operand):
        re.compile(operand)
        return {operator: operand}
    if operator in _TEXTS:
        return {operator: str(operand).lower()}
    raise ValueError(f"unknown match {operator!r}")


def _unrepeated(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the steps that change none of the kept prices."""
    kept = entries[:1]
    for entry in entries[1:]:
        later = entry.get("from", "") > kept[-1].get("from", "")
        if not later or {**entry, "from": None} != {**kept[-1], "from": None}:
            kept.append(entry)
    return kept


def models_of(rows: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, str]]:
    """Provider and id of each row."""
    return ((provider, str(row["id"])) for provider, models in rows.items() for row in models)
