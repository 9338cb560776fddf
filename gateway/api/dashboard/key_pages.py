"""The page of keys: what each may do, what it spent and was refused, and forms that make, rotate and revoke one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from gateway.accounts.budgets import Balance, Budget, period, resets
from gateway.accounts.virtual_keys import PREFIX, SHOWN, VirtualKey, digest_of
from gateway.api.dashboard.figures import strong_model_shares
from gateway.api.dashboard.filters import PageFilters
from gateway.catalog import nano_dollars
from gateway.catalog.catalog import TIERS
from gateway.errors import InvalidRequest, NotFound
from gateway.savings import ReportGroup, breakdown
from gateway.store import InsertVirtualKey, RevokeVirtualKey, RotateVirtualKey, Store

SECRET_BYTES = 32
NO_KEY = "none"  # what the report calls requests without a key
KEY_SHARE_ROWS = 2000  # newest rows that the keys' shares of the strongest models are computed from
MAX_RPM, MAX_DAYS, MAX_NAME, MAX_MODELS = 1_000_000, 3650, 64, 2000


class IssuedKey(NamedTuple):
    """A key whose secret is shown once."""

    name: str
    secret: str


def key_list(
    store: Store, filters: PageFilters, *, strong: Callable[[str, str], bool], now: datetime
) -> dict[str, Any]:
    """The values of the page. Blocks. Spending and refusals are those of the filters' period, budgets those of their window."""
    bounds: dict[str, Any] = {"since": filters.since, "until": filters.until, "key_id": None}
    groups = [ReportGroup(**row) for row in store.report_groups(**bounds)]
    used = {row["key"]: row for row in breakdown(groups, "key")}
    refused: dict[str, dict[str, int]] = {}
    for row in store.refusals(**bounds):
        refused.setdefault(row["key_id"] or NO_KEY, {})[row["cause"]] = row["requests"]
    shares = {
        share.key_id or NO_KEY: share
        for share in strong_model_shares(store.strong_share_by_key(newest=KEY_SHARE_ROWS), strong=strong)
    }
    keys = store.virtual_keys()

    def shown(key_id: str, key: VirtualKey | None) -> dict[str, Any]:
        balance = Balance()
        if key is not None and key.budget is not None:
            balance = store.balance(key.id, period(key.budget.window, now))
        return {
            "id": key_id,
            "key": key,
            "state": "configured" if key is None else state(key, now),
            "balance": balance,
            "resets": None if key is None or key.budget is None else resets(key.budget.window, now),
            "used": used.get(key_id),
            "last_use": last_uses.get(key_id),
            "refused": refused.get(key_id, {}),
            "strong": shares.get(key_id),
        }

    issued = {key.id for key in keys}
    others = sorted((set(used) | set(refused)) - issued)
    last_uses = store.last_uses([*issued, *others])
    rows = [shown(key.id, key) for key in keys] + [shown(key_id, None) for key_id in others]
    return {"keys": sorted(rows, key=_most_spent), "tiers": TIERS, "no_key": NO_KEY}


def _most_spent(row: Mapping[str, Any]) -> tuple[bool, float]:
    return row["state"] == "revoked", -(row["used"] or {"spent_usd": 0.0})["spent_usd"]


def state(key: VirtualKey, now: datetime) -> str:
    if key.revoked is not None:
        return "revoked"
    return "live" if key.live(now) else "expired"


def make_key(store: Store, fields: Mapping[str, str], *, now: datetime) -> IssuedKey:
    """Blocks. Raises InvalidRequest naming the field that is wrong, Conflict for a name that is taken."""
    name = fields.get("name", "").strip()
    if not (name.isprintable() and 0 < len(name) <= MAX_NAME):
        raise InvalidRequest(f"The name has 1 to {MAX_NAME} printable characters.", param="name")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    days = _whole(fields, "days", most=MAX_DAYS)
    key = VirtualKey(
        id="key_" + secrets.token_hex(8),
        name=name,
        digest=digest_of(secret),
        last4=secret[-SHOWN:],
        created=now,
        expires=None if days is None else now + timedelta(days=days),
        budget=_budget(fields.get("budget", "").strip()),
        rpm=_whole(fields, "rpm", most=MAX_RPM),
        models=_models(fields.get("models", "")),
        max_tier=_tier(fields.get("max_tier", "")),
        max_cost_nano=_usd(fields.get("max_cost", "").strip()),
    )
    store.submit(InsertVirtualKey(key)).result()
    return IssuedKey(name, secret)


def rotate_key(store: Store, key_id: str) -> IssuedKey:
    """A new secret; the old one stops working. Blocks. Raises NotFound."""
    name = next((key.name for key in store.virtual_keys() if key.id == key_id), None)
    if name is None:
        raise NotFound(f"There is no key {key_id[:60]!r}.")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    store.submit(RotateVirtualKey(key_id, digest=digest_of(secret), last4=secret[-SHOWN:])).result()
    return IssuedKey(name, secret)


def revoke_key(store: Store, key_id: str, *, now: datetime) -> None:
    """Blocks. Raises NotFound."""
    store.submit(RevokeVirtualKey(key_id, at=now)).result()


def _budget(text: str) -> Budget | None:
    try:
        return Budget.parse(text) if text else None
    except ValueError as error:
        raise InvalidRequest(f"Budget: {error}.", param="budget") from None


def _whole(fields: Mapping[str, str], name: str, *, most: int) -> int | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 0 < int(text) <= most):
        raise InvalidRequest(f"{name} is a whole number from 1 to {most}, not {text[:40]!r}.", param=name)
    return int(text)


def _models(text: str) -> tuple[str, ...] | None:
    """Full names, with `*` as a wildcard, separated by commas. A bare name would permit nothing, so it is refused."""
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text[:MAX_MODELS].split(",")))))
    wrong = next((name for name in names if "/" not in name and "*" not in name), None)
    if wrong is not None:
        raise InvalidRequest(
            f"Models are full names such as gemini/gemini-3.8-flash, or patterns such as gemini/*, not {wrong[:60]!r}.",
            param="models",
        )
    return names or None


def _tier(text: str) -> Any:
    if text and text not in TIERS:
        raise InvalidRequest(f"The highest tier is one of {', '.join(TIERS)}, not {text[:40]!r}.", param="max_tier")
    return text or None


def _usd(text: str) -> int | None:
    try:
        amount = Decimal(text) if text else None
    except InvalidOperation:
        amount = Decimal(-1)
    if amount is None:
        return None
    if not (amount.is_finite() and 0 < amount <= 1_000_000):
        raise InvalidRequest(
            f"The cost of a request is USD above 0, such as 0.05, not {text[:40]!r}.", param="max_cost"
        )
    return nano_dollars(amount)
