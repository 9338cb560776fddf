"""Virtual keys, holds and what was spent: changes inside the writer's transaction, and readings of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import apsw

from gateway.accounts.budgets import WINDOWS, Balance, Budget, Hold, Window, refusal
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.catalog.catalog import TIERS
from gateway.errors import BudgetExceeded, Conflict, NotFound
from gateway.store import encoding, sql

_ADD_KEY = """
INSERT INTO virtual_keys (
    id, name, digest, last4, created, expires, revoked, budget_nano, budget_window, rpm, models, max_tier, max_cost_nano
) VALUES (
    :id, :name, :digest, :last4, :created, :expires, NULL, :budget_nano, :budget_window, :rpm, :models, :max_tier, :max_cost_nano
) ON CONFLICT DO NOTHING"""
_ROTATE = "UPDATE virtual_keys SET digest = :digest, last4 = :last4 WHERE id = :id AND revoked IS NULL"
_REVOKE = "UPDATE virtual_keys SET revoked = :at WHERE id = :id AND revoked IS NULL"
_ADD_ADMIN_KEY = """
INSERT INTO admin_key (id, digest, last4, created) VALUES (1, :digest, :last4, :created) ON CONFLICT DO NOTHING"""
_REPLACE_ADMIN_KEY = """
INSERT OR REPLACE INTO admin_key (id, digest, last4, created) VALUES (1, :digest, :last4, :created)"""
_ADMIN_KEY = "SELECT digest, last4, created FROM admin_key"
_KEYS = "SELECT * FROM virtual_keys ORDER BY created, id"

_OPEN_BUDGET = "INSERT INTO budgets (account, period) VALUES (:account, :period) ON CONFLICT DO NOTHING"
_HOLD = """
UPDATE budgets SET held_nano = held_nano + :amount
WHERE account = :account AND period = :period AND used_nano + held_nano + :amount <= :limit"""
_UNHOLD = "UPDATE budgets SET held_nano = held_nano - :amount WHERE account = :account AND period = :period"
_CHARGE = """
UPDATE budgets SET held_nano = held_nano - :amount, used_nano = used_nano + :charge
WHERE account = :account AND period = :period"""
_BALANCE = "SELECT used_nano, held_nano FROM budgets WHERE account = ? AND period = ?"
_KEEP = """
INSERT INTO holds (request_id, account, period, amount_nano, expires)
VALUES (:request_id, :account, :period, :amount, :expires)"""
_TAKE = "DELETE FROM holds WHERE request_id = ? RETURNING account, period, amount_nano"
_TAKE_EXPIRED = "DELETE FROM holds WHERE expires < ? RETURNING account, period, amount_nano"
_HELD_FOR = "SELECT max(amount_nano) FROM holds WHERE request_id = ?"


def hold(connection: apsw.Connection, request_id: str, holds: Sequence[Hold]) -> int:
    """Hold the first of the amounts that fits into every account; which one. BudgetExceeded when none does; nothing is held then."""
    for each in holds:
        connection.execute(_OPEN_BUDGET, {"account": each.account, "period": each.period})
    lacking = holds[0]
    for level in range(len(holds[0].amounts_nano)):
        short = _reserved_at(connection, holds, level=level)
        if short is None:
            for each in holds:
                kept = {"request_id": request_id, "expires": _time(each.expires)}
                connection.execute(_KEEP, _amount(each, level) | kept)
            return level
        lacking = short
    raise _exceeded(connection, lacking)


def _reserved_at(connection: apsw.Connection, holds: Sequence[Hold], *, level: int) -> Hold | None:
    """None when all accounts hold the amount now, else the first that has not got it left."""
    for index, each in enumerate(holds):
        if sql.changed(connection, _HOLD, _amount(each, level)):
            continue
        for earlier in holds[:index]:
            connection.execute(_UNHOLD, _amount(earlier, level))
        return each
    return None


def _amount(each: Hold, level: int) -> dict[str, object]:
    return {
        "account": each.account,
        "period": each.period,
        "amount": each.amounts_nano[level],
        "limit": each.budget.limit_nano,
    }


def _exceeded(connection: apsw.Connection, lacking: Hold) -> BudgetExceeded:
    return refusal(lacking, balance(connection, lacking.account, lacking.period))


def charge(connection: apsw.Connection, request_id: str, *, cost_nano: int | None) -> None:
    """Turn what was held for a request into what it cost; a cost that nobody knows is all that was held."""
    for account, period, amount in sql.tuples(connection, _TAKE, (request_id,)):
        _charge(connection, account, period, amount=amount, cost=amount if cost_nano is None else cost_nano)


def charge_expired(connection: apsw.Connection, *, now: datetime) -> None:
    """Holds whose requests never ended are charged in full."""
    for account, period, amount in sql.tuples(connection, _TAKE_EXPIRED, (_time(now),)):
        _charge(connection, account, period, amount=amount, cost=amount)


def _charge(connection: apsw.Connection, account: str, period: str, *, amount: int, cost: int) -> None:
    values = {"account": account, "period": period, "amount": amount, "charge": cost}
    connection.execute(_CHARGE, values)


def held_for(connection: apsw.Connection, request_id: str) -> Decimal | None:
    """USD that a request has set aside; None without a budget."""
    nano: int | None = connection.execute(_HELD_FOR, (request_id,)).get
    return None if nano is None else Decimal(nano).scaleb(-9)


def add_key(connection: apsw.Connection, key: VirtualKey) -> None:
    values = {
        "id": key.id,
        "name": encoding.text(key.name),
        "digest": key.digest,
        "last4": key.last4,
        "created": _time(key.created),
        "expires": None if key.expires is None else _time(key.expires),
        "budget_nano": None if key.budget is None else key.budget.limit_nano,
        "budget_window": None if key.budget is None else key.budget.window,
        "rpm": key.rpm,
        "models": None if key.models is None else encoding.dumps(list(key.models)),
        "max_tier": key.max_tier,
        "max_cost_nano": key.max_cost_nano,
    }
    if not sql.changed(connection, _ADD_KEY, values):
        raise Conflict(f"There is a key named {key.name!r} already. Revoke or rotate it, or choose another name.")


def rotate_key(connection: apsw.Connection, key_id: str, *, digest: bytes, last4: str) -> None:
    if not sql.changed(connection, _ROTATE, {"id": key_id, "digest": digest, "last4": last4}):
        raise NotFound(f"There is no key {key_id!r} that could be rotated.")


def revoke_key(connection: apsw.Connection, key_id: str, *, at: datetime) -> None:
    if not sql.changed(connection, _REVOKE, {"id": key_id, "at": _time(at)}):
        raise NotFound(f"There is no key {key_id!r} that could be revoked.")


def add_admin_key(connection: apsw.Connection, key: AdminKey) -> bool:
    """Whether it is the admin key now; where there is one already, that stays."""
    return bool(sql.changed(connection, _ADD_ADMIN_KEY, _admin_values(key)))


def replace_admin_key(connection: apsw.Connection, key: AdminKey) -> None:
    connection.execute(_REPLACE_ADMIN_KEY, _admin_values(key))


def admin_key(connection: apsw.Connection) -> AdminKey | None:
    found = sql.tuples(connection, _ADMIN_KEY, ())
    if not found:
        return None
    digest, last4, created = found[0]
    return AdminKey(digest, last4, datetime.fromisoformat(created))


def _admin_values(key: AdminKey) -> dict[str, object]:
    return {"digest": key.digest, "last4": key.last4, "created": _time(key.created)}


def keys(connection: apsw.Connection) -> list[VirtualKey]:
    """All of them, the revoked too, oldest first."""
    return [_key(row) for row in sql.found(connection, _KEYS)]


def balance(connection: apsw.Connection, account: str, period: str) -> Balance:
    found = sql.tuples(connection, _BALANCE, (account, period))
    return Balance(*found[0]) if found else Balance()


def _key(row: Mapping[str, Any]) -> VirtualKey:
    """A limit that cannot be read (a newer gateway's) becomes the strictest there is."""
    key = VirtualKey(
        id=row["id"],
        name=row["name"],
        digest=row["digest"],
        last4=row["last4"],
        created=datetime.fromisoformat(row["created"]),
        expires=None if row["expires"] is None else datetime.fromisoformat(row["expires"]),
        revoked=None if row["revoked"] is None else datetime.fromisoformat(row["revoked"]),
        rpm=row["rpm"],
        models=None if row["models"] is None else tuple(map(str, encoding.loads(row["models"]) or ())),
        max_cost_nano=row["max_cost_nano"],
    )
    if row["max_tier"] is not None:
        tier = next((tier for tier in TIERS if tier == row["max_tier"]), TIERS[0])
        key = replace(key, max_tier=tier)
    if row["budget_nano"] is not None:
        window: Window = next((each for each in WINDOWS if each == row["budget_window"]), "total")
        key = replace(key, budget=Budget(row["budget_nano"], window))
    return key


def _time(moment: datetime) -> str:
    """UTC ISO 8601 of fixed width, so that texts compare as times do."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
