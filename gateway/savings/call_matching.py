"""Matches the entries of a provider's export with the ledger's calls.

Requests are matched by the provider's id, else by model, tokens and time, else by model and time; daily entries by day and model.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.catalog.cost import NANO
from gateway.catalog.model_effort import split_effort
from gateway.completion import Usage
from gateway.records import PricedRow
from gateway.savings.provider_export import ExportEntry

MARGIN = timedelta(minutes=15)  # between the clocks of provider and gateway, and between begin and end of a request
_NEAR = timedelta(minutes=1)  # for requests whose tokens differ
_DATE = re.compile(r"[-@ ]20\d{2}-?\d{2}-?\d{2}\b")


class LedgerCall(NamedTuple):
    """One upstream call that may have been billed."""

    request_id: str
    moment: datetime
    model: str
    status: str
    cost: Decimal | None
    prompt_tokens: int | None
    completion_tokens: int | None
    upstream_id: str | None


def ledger_calls(rows: Iterable[PricedRow], *, provider: str | None) -> list[LedgerCall]:
    """The calls of `provider` (None: of all) that cost something or may have."""
    found = []
    for row in rows:
        moment = _moment(row.timestamp)
        if moment is None:
            continue
        for attempt in row.attempts:
            if provider not in (None, attempt.provider) or (attempt.cost_nano is None and attempt.usage is None):
                continue
            found.append(
                LedgerCall(
                    row.request_id,
                    moment,
                    attempt.model,
                    attempt.status,
                    None if attempt.cost_nano is None else attempt.cost_nano / NANO,
                    attempt.prompt_tokens,
                    attempt.completion_tokens,
                    attempt.upstream_id,
                )
            )
    return found


def _moment(timestamp: str) -> datetime | None:
    """None for a time that another tool wrote and nobody can read."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


Pair = tuple[Sequence[ExportEntry], Sequence[LedgerCall]]


def model_key(name: str) -> tuple[str, ...]:
    """The words of a model's name, without vendor, date and effort, in any order: `Claude Sonnet 4.5` is `anthropic/claude-4.5-sonnet-20250929`."""
    words = re.split(r"[^a-z0-9]+", _DATE.sub("", split_effort(name.lower().rpartition("/")[2])[0]))
    return tuple(sorted(word for word in words if word and word != "latest"))


def by_day(entries: Sequence[ExportEntry], calls: Sequence[LedgerCall]) -> list[Pair]:
    """The entries and calls of each UTC day and model."""
    days: dict[tuple[Any, ...], tuple[list[ExportEntry], list[LedgerCall]]] = {}
    for entry in entries:
        days.setdefault((entry.moment.date(), model_key(entry.model)), ([], []))[0].append(entry)
    for call in calls:
        days.setdefault((call.moment.date(), model_key(call.model)), ([], []))[1].append(call)
    return list(days.values())


def by_request(entries: Sequence[ExportEntry], calls: Sequence[LedgerCall]) -> list[Pair]:
    """Each entry with at most one call, and the calls that are left."""
    left = dict(enumerate(calls))
    by_id: dict[str, list[int]] = {}
    for number, call in left.items():
        for name in {call.upstream_id, call.request_id} - {None}:
            by_id.setdefault(str(name), []).append(number)
    found: dict[int, LedgerCall] = {}
    for position, entry in enumerate(entries):
        same = [number for number in by_id.get(entry.id or "", ()) if number in left]
        if same:
            found[position] = left.pop(min(same, key=lambda number: _distance(left[number], entry)))
    for key_of_entry, key_of_call, within in (
        (_tokens_of_entry, _tokens_of_call, MARGIN),
        (lambda entry: model_key(entry.model), lambda call: model_key(call.model), _NEAR),
    ):
        index = _TimeIndex((key_of_call(call), call.moment, number) for number, call in left.items())
        for position, entry in enumerate(entries):
            if position not in found:
                taken = index.take(key_of_entry(entry), entry.moment, within=within)
                if taken is not None:
                    found[position] = left.pop(taken)
    matched: list[Pair] = [
        ((entry,), (found[position],) if position in found else ()) for position, entry in enumerate(entries)
    ]
    return matched + [((), (call,)) for call in left.values()]


def _distance(call: LedgerCall, entry: ExportEntry) -> Decimal:
    """Between the amounts, for the attempts of one request."""
    return abs((call.cost or Decimal(0)) - (entry.cost or Decimal(0)))


def _tokens_of_entry(entry: ExportEntry) -> tuple[Any, ...]:
    usage = entry.usage or Usage()
    return (model_key(entry.model), usage.prompt_tokens, usage.completion_tokens)


def _tokens_of_call(call: LedgerCall) -> tuple[Any, ...]:
    return (model_key(call.model), call.prompt_tokens, call.completion_tokens)


class _TimeIndex:
    """Finds the item of a key that is nearest in time, each once."""

    def __init__(self, items: Iterable[tuple[Any, datetime, int]]) -> None:
        self._items: dict[Any, list[tuple[datetime, int]]] = {}
        for key, moment, number in sorted(items, key=lambda item: item[1]):
            self._items.setdefault(key, []).append((moment, number))

    def take(self, key: Any, moment: datetime, *, within: timedelta) -> int | None:
        items = self._items.get(key)
        if not items:
            return None
        at = bisect_left(items, (moment, -1))
        nearest = min(range(max(0, at - 1), min(len(items), at + 1)), key=lambda i: abs(items[i][0] - moment))
        if abs(items[nearest][0] - moment) > within:
            return None
        return items.pop(nearest)[1]
