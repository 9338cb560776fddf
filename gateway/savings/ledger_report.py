"""Makes the report of a ledger, for the command and for `GET /v1/routing/report`."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from gateway.catalog import Catalog, Price, PriceTable, cost
from gateway.completion import Usage
from gateway.errors import InvalidRequest
from gateway.savings.hindsight import PriceTokens
from gateway.savings.quality import Label
from gateway.savings.report import DIMENSIONS, Refusal, breakdown, breakdown_by_value, build_report
from gateway.savings.report_group import ReportGroup
from gateway.store import Store

BY = (*DIMENSIONS, "session", "tag:NAME")


class ReportQuery(NamedTuple):
    """`since` and `until` are UTC; None means the whole ledger, and now. `by` is one of `BY`, `key_id` limits it to one key."""

    since: datetime | None = None
    until: datetime | None = None
    by: str | None = None
    key_id: str | None = None


def ledger_report(
    store: Store, query: ReportQuery, *, catalog: Catalog, prices: PriceTable, now: datetime, note: str | None = None
) -> dict[str, Any]:
    """Blocks while it reads. Raises InvalidRequest for an unknown `by`, LedgerUnavailable."""
    dimension, column = dimension_of(query.by)
    since, until = (None if moment is None else moment.isoformat() for moment in (query.since, query.until))
    bounds: dict[str, Any] = {"since": query.since, "until": query.until, "key_id": query.key_id}
    groups = [ReportGroup(**row) for row in store.report_groups(**bounds)]
    by: list[dict[str, Any]] = []
    if dimension == "day":
        filters = {} if query.key_id is None else {"key_id": query.key_id}
        days = store.report_days(since=query.since, until=query.until, filters=filters)
        by = breakdown((ReportGroup(**row) for row in days), dimension)
    elif dimension is not None:
        by = breakdown(groups, dimension, names={key.id: key.name for key in store.virtual_keys()})
    elif column is not None:
        name = query.by or ""
        stored = "session_id" if column == "session" else "tags"
        rows = store.report_groups_by(stored, **bounds)
        found = ((_value(row.pop("value"), column), ReportGroup(**row)) for row in rows)
        by = breakdown_by_value(found, name)
    return build_report(
        groups,
        labels=map(Label._make, store.report_labels(**bounds)),
        refusals=[Refusal(**row) for row in store.refusals(**bounds)],
        models={model.full_name: _priced(prices.price(model.provider, model.name, now)) for model in catalog},
        since=since,
        until=until,
        by=by,
        note=note,
    )


def dimension_of(by: str | None) -> tuple[str | None, str | None]:
    """A dimension of the groups, or what the ledger has to group by instead: `session`, or a tag's name after `tag:`. Raises InvalidRequest."""
    if by is None or by in DIMENSIONS:
        return by, None
    if by == "session" or (by.startswith("tag:") and len(by) > len("tag:")):
        return None, by
    raise InvalidRequest(f"A report is by one of {', '.join(BY)}, not {by[:40]!r}.", param="by")


def _value(stored: str, column: str) -> str:
    """The session, or the value of a tag in the row's JSON; `none` for a row without that tag."""
    if column == "session":
        return stored
    tags = orjson.loads(stored)
    return str(tags.get(column.removeprefix("tag:"), "none")) if isinstance(tags, dict) else "none"


def _priced(price: Price | None) -> PriceTokens:
    def usd(group: ReportGroup) -> float | None:
        usage = Usage(
            prompt_tokens=group.prompt_tokens,
            completion_tokens=group.completion_tokens,
            cached_tokens=min(group.cached_tokens, group.prompt_tokens),
        )
        amount = cost(usage, flat)
        return None if amount is None else float(amount)

    flat = None if price is None else _without_tiers(price)
    return usd


def _without_tiers(price: Price) -> Price:
    """The rates of a small prompt: the sum of many prompts must not be priced as one large one."""
    rates = {field.name: getattr(price, field.name) for field in fields(price)}
    flat: dict[str, Any] = {name: None if rate is None else replace(rate, tiers=()) for name, rate in rates.items()}
    return Price(**flat)
