"""Holds and spending. Writes run inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from gateway.accounts.budgets import Balance, Hold, refusal
from gateway.store import encoding, sql
from gateway.store.sql import Connection

_OPEN_ACCOUNT = "INSERT INTO budgets (account, period) VALUES (:account, :period) ON CONFLICT DO NOTHING"
_RESERVE = """
UPDATE budgets SET held_nano = held_nano + :amount
WHERE account = :account AND period = :period AND used_nano + held_nano + :amount <= :limit"""
_RELEASE = "UPDATE budgets SET held_nano = held_nano - :amount WHERE account = :account AND period = :period"
_CHARGE = """
UPDATE budgets SET held_nano = held_nano - :amount, used_nano = used_nano + :charge
WHERE account = :account AND period = :period"""
_BALANCE = "SELECT used_nano, held_nano FROM budgets WHERE account = ? AND period = ?"
_INSERT_HOLD = """
INSERT INTO holds (request_id, account, period, amount_nano, expires)
VALUES (:request_id, :account, :period, :amount, :expires)"""
_DELETE_HOLDS = "DELETE FROM holds WHERE request_id = ? RETURNING account, period, amount_nano"
_DELETE_EXPIRED = "DELETE FROM holds WHERE expires < ? RETURNING account, period, amount_nano"
_HELD_FOR = "SELECT max(amount_nano) FROM holds WHERE request_id = ?"


def place_holds(connection: Connection, request_id: str, holds: Sequence[Hold]) -> int:
    """Hold the first amount that fits into every account; returns its index. Raises BudgetExceeded, and then holds nothing."""
    for hold in holds:
        connection.execute(_OPEN_ACCOUNT, {"account": hold.account, "period": hold.period})
    exceeded = holds[0]
    for level in range(len(holds[0].amounts_nano)):
        without_room = _reserve(connection, holds, level=level)
        if without_room is None:
            for hold in holds:
                values = {"request_id": request_id, "expires": encoding.utc(hold.expires)}
                connection.execute(_INSERT_HOLD, _amount(hold, level) | values)
            return level
        exceeded = without_room
    raise refusal(exceeded, balance(connection, exceeded.account, exceeded.period))


def _reserve(connection: Connection, holds: Sequence[Hold], *, level: int) -> Hold | None:
    """Reserve the amount in all accounts, or in none: then the first hold without enough budget is returned."""
    for index, hold in enumerate(holds):
        if sql.changed(connection, _RESERVE, _amount(hold, level)):
            continue
        for reserved in holds[:index]:
            connection.execute(_RELEASE, _amount(reserved, level))
        return hold
    return None


def _amount(hold: Hold, level: int) -> dict[str, object]:
    return {
        "account": hold.account,
        "period": hold.period,
        "amount": hold.amounts_nano[level],
        "limit": hold.budget.limit_nano,
    }


def charge(connection: Connection, request_id: str, *, cost_nano: int | None) -> None:
    """Replace the holds of a request by its cost; an unknown cost (None) charges the held amounts in full."""
    for account, period, amount in sql.tuples(connection, _DELETE_HOLDS, (request_id,)):
        _charge(connection, account, period, amount=amount, cost=amount if cost_nano is None else cost_nano)


def release(connection: Connection, request_id: str) -> None:
    """Give back what is held for a request, of which nothing was spent."""
    for account, period, amount in sql.tuples(connection, _DELETE_HOLDS, (request_id,)):
        connection.execute(_RELEASE, {"account": account, "period": period, "amount": amount})


def charge_expired(connection: Connection, *, now: datetime) -> None:
    """Charge expired holds, whose requests never ended, in full."""
    for account, period, amount in sql.tuples(connection, _DELETE_EXPIRED, (encoding.utc(now),)):
        _charge(connection, account, period, amount=amount, cost=amount)


def _charge(connection: Connection, account: str, period: str, *, amount: int, cost: int) -> None:
    values = {"account": account, "period": period, "amount": amount, "charge": cost}
    connection.execute(_CHARGE, values)


def held_for(connection: Connection, request_id: str) -> Decimal | None:
    """The amount in USD that is held for a request; None without a budget."""
    nano: int | None = connection.execute(_HELD_FOR, (request_id,)).get
    return None if nano is None else Decimal(nano).scaleb(-9)


def balance(connection: Connection, account: str, period: str) -> Balance:
    row = connection.execute(_BALANCE, (account, period)).fetchone()
    return Balance() if row is None else Balance(*row)
