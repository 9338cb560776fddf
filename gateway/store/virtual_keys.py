"""Virtual keys and the admin key. Writes run inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args

from gateway.accounts.budgets import WINDOWS, Budget, Window
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.catalog.catalog import TIERS
from gateway.completion import Cascading
from gateway.errors import Conflict, NotFound
from gateway.store import encoding, sql
from gateway.store.mutations import LimitVirtualKey, RotateVirtualKey
from gateway.store.sql import Connection

_INSERT = """
INSERT INTO virtual_keys (
    id, name, digest, last4, created, expires, revoked, budget_nano, budget_window, rpm, models, max_tier, max_cost_nano,
    session_budget_nano, holdback, cascade
) VALUES (
    :id, :name, :digest, :last4, :created, :expires, NULL, :budget_nano, :budget_window, :rpm, :models, :max_tier, :max_cost_nano,
    :session_budget_nano, :holdback, :cascade
) ON CONFLICT DO NOTHING"""
_ROTATE = "UPDATE virtual_keys SET digest = :digest, last4 = :last4 WHERE id = :id AND revoked IS NULL"
_LIMIT = "UPDATE virtual_keys SET session_budget_nano = :session_budget_nano WHERE id = :id AND revoked IS NULL"
_REVOKE = "UPDATE virtual_keys SET revoked = :at WHERE id = :id AND revoked IS NULL"
_ALL = "SELECT * FROM virtual_keys ORDER BY created, id"
_INSERT_ADMIN = """
INSERT INTO admin_key (id, digest, last4, created) VALUES (1, :digest, :last4, :created) ON CONFLICT DO NOTHING"""
_REPLACE_ADMIN = """
INSERT INTO admin_key (id, digest, last4, created) VALUES (1, :digest, :last4, :created)
ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, last4 = excluded.last4, created = excluded.created"""
_ADMIN = "SELECT digest, last4, created FROM admin_key"


def insert(connection: Connection, key: VirtualKey) -> None:
    values = {
        "id": key.id,
        "name": encoding.text(key.name),
        "digest": key.digest,
        "last4": key.last4,
        "created": encoding.utc(key.created),
        "expires": None if key.expires is None else encoding.utc(key.expires),
        "budget_nano": None if key.budget is None else key.budget.limit_nano,
        "budget_window": None if key.budget is None else key.budget.window,
        "rpm": key.rpm,
        "models": None if key.models is None else encoding.dumps(list(key.models)),
        "max_tier": key.max_tier,
        "max_cost_nano": key.max_cost_nano,
        "session_budget_nano": key.session_budget_nano,
        "holdback": key.holdback,
        "cascade": key.cascade,
    }
    if not sql.changed(connection, _INSERT, values):
        raise Conflict(f"There is a key named {key.name!r} already. Revoke or rotate it, or choose another name.")


def rotate(connection: Connection, mutation: RotateVirtualKey) -> None:
    values = {"id": mutation.key_id, "digest": mutation.digest, "last4": mutation.last4}
    if not sql.changed(connection, _ROTATE, values):
        raise NotFound(f"There is no key {mutation.key_id!r} that could be rotated.")


def limit(connection: Connection, mutation: LimitVirtualKey) -> None:
    values = {"id": mutation.key_id, "session_budget_nano": mutation.session_budget_nano}
    if not sql.changed(connection, _LIMIT, values):
        raise NotFound(f"There is no key {mutation.key_id!r} that could be limited.")


def revoke(connection: Connection, key_id: str, *, at: datetime) -> None:
    if not sql.changed(connection, _REVOKE, {"id": key_id, "at": encoding.utc(at)}):
        raise NotFound(f"There is no key {key_id!r} that could be revoked.")


def insert_admin(connection: Connection, key: AdminKey) -> bool:
    """Returns False, and changes nothing, when there is an admin key already."""
    return bool(sql.changed(connection, _INSERT_ADMIN, _admin_values(key)))


def replace_admin(connection: Connection, key: AdminKey) -> None:
    connection.execute(_REPLACE_ADMIN, _admin_values(key))


def read_admin(connection: Connection) -> AdminKey | None:
    row = connection.execute(_ADMIN).fetchone()
    if row is None:
        return None
    digest, last4, created = row
    return AdminKey(digest, last4, datetime.fromisoformat(created))


def read_all(connection: Connection) -> list[VirtualKey]:
    """All keys including the revoked, oldest first."""
    return [_decode(row) for row in sql.dicts(connection, _ALL)]


def _admin_values(key: AdminKey) -> dict[str, object]:
    return {"digest": key.digest, "last4": key.last4, "created": encoding.utc(key.created)}


def _decode(row: Mapping[str, Any]) -> VirtualKey:
    """An unreadable limit (of a newer gateway) becomes the strictest one."""
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
        session_budget_nano=row["session_budget_nano"],
        holdback=bool(row["holdback"]),
        cascade=next((each for each in get_args(Cascading) if each == row["cascade"]), None),
    )
    if row["max_tier"] is not None:
        tier = next((tier for tier in TIERS if tier == row["max_tier"]), TIERS[0])
        key = replace(key, max_tier=tier)
    if row["budget_nano"] is not None:
        window: Window = next((window for window in WINDOWS if window == row["budget_window"]), "total")
        key = replace(key, budget=Budget(row["budget_nano"], window))
    return key
