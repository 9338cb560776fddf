"""Holds and charges of a whole batch, with a few statements.

The rows of the accounts are locked, in the order of their keys, before their balances are read. So no other replica can hold or spend
money in between, and a limit is never exceeded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.accounts.budgets import Balance, Hold, refusal
from gateway.errors import BudgetExceeded
from gateway.store import encoding
from gateway.store.mutations import InsertRequest
from gateway.store.postgres.connection import PostgresConnection

_Account = tuple[str, str]

_OPEN_ACCOUNTS = """
INSERT INTO budgets (account, period) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"""
_LOCK_ACCOUNTS = """
SELECT account, period, used_nano, held_nano FROM budgets
WHERE (account, period) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY account, period FOR UPDATE"""
_ADD_HELD = """
UPDATE budgets SET held_nano = held_nano + new.amount
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS new (account, period, amount)
WHERE budgets.account = new.account AND budgets.period = new.period"""
_INSERT_HOLDS = """
INSERT INTO holds (request_id, account, period, amount_nano, expires)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])"""
# An unknown cost charges the held amount in full.
_CHARGE = """
WITH ended AS (DELETE FROM holds WHERE request_id = ANY($1::text[]) RETURNING request_id, account, period, amount_nano),
    sums AS (
        SELECT account, period, sum(amount_nano) AS held, sum(coalesce(cost, amount_nano)) AS used
        FROM ended JOIN unnest($1::text[], $2::bigint[]) AS costs (request_id, cost) USING (request_id) GROUP BY account, period
    ),
    locked AS (
        SELECT account, period FROM budgets WHERE (account, period) IN (SELECT account, period FROM sums)
        ORDER BY account, period FOR UPDATE
    )
UPDATE budgets SET held_nano = held_nano - sums.held, used_nano = used_nano + sums.used
FROM sums JOIN locked USING (account, period)
WHERE budgets.account = sums.account AND budgets.period = sums.period RETURNING 1"""


def place_holds(connection: PostgresConnection, mutations: Sequence[InsertRequest]) -> list[int | BudgetExceeded]:
    """For each mutation, in order, the index of the amount that is held now, or its refusal."""
    balances = _lock(connection, {(hold.account, hold.period) for mutation in mutations for hold in mutation.holds})
    added: dict[_Account, int] = {}
    rows: list[tuple[Any, ...]] = []
    results: list[int | BudgetExceeded] = []
    for mutation in mutations:
        level = _fitting_level(mutation.holds, balances)
        results.append(level)
        if isinstance(level, BudgetExceeded):
            continue
        for hold in mutation.holds:
            account, amount = (hold.account, hold.period), hold.amounts_nano[level]
            used, held = balances[account].used_nano, balances[account].held_nano
            balances[account] = Balance(used, held + amount)
            added[account] = added.get(account, 0) + amount
            request_id = encoding.text(mutation.record.request_id)
            rows.append((request_id, *account, amount, encoding.utc(hold.expires)))
    if rows:
        connection.bulk(_ADD_HELD, [(*account, amount) for account, amount in added.items()])
        connection.bulk(_INSERT_HOLDS, rows)
    return results


def charge(connection: PostgresConnection, costs: Mapping[str, int | None]) -> None:
    """Replace the holds of requests by their costs in nano-dollars."""
    connection.bulk(_CHARGE, list(costs.items()))


def _lock(connection: PostgresConnection, accounts: set[_Account]) -> dict[_Account, Balance]:
    keys = sorted(accounts)
    rows = connection.bulk(_LOCK_ACCOUNTS, keys).fetchall()
    if len(rows) < len(keys):
        connection.bulk(_OPEN_ACCOUNTS, keys)
        rows = connection.bulk(_LOCK_ACCOUNTS, keys).fetchall()
    return {(account, period): Balance(used, held) for account, period, used, held in rows}


def _fitting_level(holds: Sequence[Hold], balances: Mapping[_Account, Balance]) -> int | BudgetExceeded:
    """The first amount that fits into every account."""
    exceeded = holds[0]
    for level in range(len(holds[0].amounts_nano)):
        without_room = next((hold for hold in holds if not _fits(hold, level, balances)), None)
        if without_room is None:
            return level
        exceeded = without_room
    return refusal(exceeded, balances[exceeded.account, exceeded.period])


def _fits(hold: Hold, level: int, balances: Mapping[_Account, Balance]) -> bool:
    balance = balances[hold.account, hold.period]
    return balance.used_nano + balance.held_nano + hold.amounts_nano[level] <= hold.budget.limit_nano
