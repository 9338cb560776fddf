"""Compares a provider's own figures with the ledger's: what both have, what only one has, and what differs, with the likely reason.

Two amounts are the same when they differ by no more than 0.1 %, or by what the provider's figure was rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from gateway.completion import Usage
from gateway.savings.call_matching import LedgerCall, by_day, by_request, model_key
from gateway.savings.provider_export import ExportEntry, ProviderExport

_END = timedelta(hours=1)  # exports lag behind
_RELATIVE, _ABSOLUTE = Decimal("0.001"), Decimal("0.000001")
_ESTIMATED = frozenset({"cancelled_estimated", "unknown_estimated", "orphaned", "reserved"})

Kind = Literal["matched", "different", "only_there", "only_here"]
PriceUsage = Callable[[Usage, str, datetime], Decimal | None]


class Comparison(NamedTuple):
    """One request, or one model's day. USD; `calls` of the ledger and `entries` of the export stand on either side."""

    kind: Kind
    moment: datetime
    model: str
    entries: Sequence[ExportEntry]
    calls: Sequence[LedgerCall]
    provider_usd: Decimal | None
    ledger_usd: Decimal | None
    reason: str | None = None

    @property
    def difference_usd(self) -> Decimal:
        """What the provider charged more than the ledger says; an unknown amount counts as 0."""
        return (self.provider_usd or Decimal(0)) - (self.ledger_usd or Decimal(0))


def reconcile(export: ProviderExport, calls: Sequence[LedgerCall], *, price: PriceUsage) -> list[Comparison]:
    """One comparison for each request, or for each model and day, in chronological order.

    `price` computes USD of usage by model and time, for exports that have tokens only. Calls outside the export's period can be
    matched, but are not missed.
    """
    pairs = by_day(export.entries, calls) if export.daily else by_request(export.entries, calls)
    models = {model_key(call.model) for call in calls}
    compared = [_compare(entries, own, export, price=price, models=models) for entries, own in pairs]
    return sorted((each for each in compared if each is not None), key=lambda each: each.moment)


def _compare(
    entries: Sequence[ExportEntry],
    calls: Sequence[LedgerCall],
    export: ProviderExport,
    *,
    price: PriceUsage,
    models: set[tuple[str, ...]],
) -> Comparison | None:
    """None for calls outside the export's period."""
    here = _sum(call.cost for call in calls)
    if not entries:
        if not export.first <= calls[0].moment <= export.last:
            return None
        reason = _why_only_here(calls, export)
        return Comparison("only_here", calls[0].moment, calls[0].model, (), calls, None, here, reason)
    there = _sum(entry.cost if entry.cost is not None else _priced(entry, calls, price) for entry in entries)
    first = entries[0]
    if not calls:
        reason = _why_only_there(first, models)
        return Comparison("only_there", first.moment, first.model, entries, (), there, None, reason)
    if there is not None and here is not None and abs(there - here) <= _tolerance(entries, there, here):
        return Comparison("matched", first.moment, calls[0].model, entries, calls, there, here)
    reason = _why_different(entries, calls, there, here)
    return Comparison("different", first.moment, calls[0].model, entries, calls, there, here, reason)


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    """None if one is unknown."""
    known = list(costs)
    return None if None in known else sum((cost for cost in known if cost is not None), Decimal(0))


def _priced(entry: ExportEntry, calls: Sequence[LedgerCall], price: PriceUsage) -> Decimal | None:
    """USD of an entry with tokens only, by our own prices; the ledger's name of the model is the one that has a price."""
    return price(entry.usage or Usage(), calls[0].model if calls else entry.model, entry.moment)


def _tolerance(entries: Sequence[ExportEntry], there: Decimal, here: Decimal) -> Decimal:
    """Rounding of the provider's figures, where they have at least cents, and 0.1 %."""
    rounded = sum((_half_unit(entry.cost) for entry in entries if entry.cost is not None), Decimal(0))
    return max(_ABSOLUTE, rounded, _RELATIVE * max(abs(there), abs(here)))


def _half_unit(cost: Decimal) -> Decimal:
    exponent = cost.as_tuple().exponent
    return Decimal(5).scaleb(exponent - 1) if isinstance(exponent, int) and exponent <= -2 else Decimal(0)


def _why_only_there(entry: ExportEntry, models: set[tuple[str, ...]]) -> str:
    if entry.fees:
        return "a charge for tools, which the ledger does not know apart from tokens"
    if model_key(entry.model) not in models:
        return "the ledger has no call of this model in that period: another program uses the same account"
    return "no such call in the ledger: another program, or another gateway's ledger, uses the same account"


def _why_only_here(calls: Sequence[LedgerCall], export: ProviderExport) -> str:
    if all(call.status in _ESTIMATED for call in calls):
        return "the gateway estimated these calls, which broke off; the provider did not bill them"
    if not export.daily and export.last - calls[0].moment < _END:
        return "the export may have been made before this call was in it"
    return "not in the export: it may be of another key or workspace, or filtered"


def _why_different(
    entries: Sequence[ExportEntry], calls: Sequence[LedgerCall], there: Decimal | None, here: Decimal | None
) -> str:
    if here is None:
        return "the ledger had no price for this model; once there is one, run `gateway reprice`"
    if there is None:
        return "the export has tokens only and the model has no price here"
    fees = sum((entry.fees for entry in entries), Decimal(0))
    if fees and abs(there - fees - here) <= _tolerance(entries, there, here):
        return "the provider charged for tools (web search, files), which its usage did not tell"
    if any(call.status in _ESTIMATED for call in calls):
        return "the gateway estimated the usage of a call that broke off"
    usages = [entry.usage for entry in entries if entry.usage is not None]
    if len(usages) < len(entries):
        return "another price or another number of tokens; the usage export of the same days tells which"
    theirs = (sum(usage.prompt_tokens for usage in usages), sum(usage.completion_tokens for usage in usages))
    ours = (sum(call.prompt_tokens or 0 for call in calls), sum(call.completion_tokens or 0 for call in calls))
    if theirs != ours:
        return (
            f"the provider counted {theirs[0]} + {theirs[1]} tokens (input + output), the ledger {ours[0]} + {ours[1]}"
        )
    factor = f", {there / here:.3f} times ours" if here else ""
    return f"the same tokens at another price{factor}: a discount, a service tier, or a price table that is out of date"


def summary(compared: Sequence[Comparison], *, rows: int) -> dict[str, Any]:
    """As `gateway reconcile --json` prints it: sums by kind and reason, and the `rows` largest differences. Money in USD."""
    sums: dict[str, Any] = {kind: _sums([each for each in compared if each.kind == kind]) for kind in _KINDS}
    reasons: dict[tuple[str, str], list[Comparison]] = {}
    for each in compared:
        if each.reason is not None:
            reasons.setdefault((each.kind, each.reason), []).append(each)
    differing = [each for each in compared if each.kind != "matched"]
    differing.sort(key=lambda each: -abs(each.difference_usd))
    return {
        **sums,
        **{name: value for name, value in _sums(compared).items() if name != "count"},
        "reasons": [
            {"kind": kind, "reason": reason, **_sums(members)} for (kind, reason), members in _largest_first(reasons)
        ],
        "rows": [_row(each) for each in differing[:rows]],
    }


_KINDS: tuple[Kind, ...] = ("matched", "different", "only_there", "only_here")


def _largest_first(
    reasons: Mapping[tuple[str, str], list[Comparison]],
) -> list[tuple[tuple[str, str], list[Comparison]]]:
    return sorted(reasons.items(), key=lambda item: -sum(abs(each.difference_usd) for each in item[1]))


def _sums(members: Sequence[Comparison]) -> dict[str, Any]:
    there = sum((each.provider_usd or Decimal(0) for each in members), Decimal(0))
    here = sum((each.ledger_usd or Decimal(0) for each in members), Decimal(0))
    return {
        "count": len(members),
        "provider_usd": float(there),
        "ledger_usd": float(here),
        "difference_usd": float(there - here),
    }


def _row(each: Comparison) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "timestamp": each.moment.isoformat(timespec="seconds"),
        "model": each.model,
        "lines": [entry.line for entry in each.entries][:10],
        "request_ids": [call.request_id for call in each.calls][:10],
        "provider_usd": None if each.provider_usd is None else float(each.provider_usd),
        "ledger_usd": None if each.ledger_usd is None else float(each.ledger_usd),
        "difference_usd": float(each.difference_usd),
        "reason": each.reason,
    }
