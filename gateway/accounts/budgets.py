"""Spending limits per calendar window, and the amounts held while a request runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, get_args

from gateway.catalog import nano_dollars
from gateway.errors import BudgetExceeded, SessionBudgetExceeded

Window = Literal["hour", "day", "week", "month", "total"]
WINDOWS: tuple[Window, ...] = get_args(Window)
# The account of all callers together, for the cap in the configuration.
GLOBAL = "*"
# Prefix of the accounts of sessions, whose only window is the session itself.
SESSION = "session:"
# The share of a session's budget from which on its client is told what is spent.
TOLD_FROM = 0.8
# After this time the hold of a request that never ended is charged in full. Longer than any request may take.
HOLD_SECONDS = 900.0
HELD_RETRY_SECONDS = 1.0
_BUDGET = re.compile(r"\$?([0-9]{1,9}(?:\.[0-9]{1,9})?)(?:/(\w+))?")


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit of `limit_nano` nano-dollars (1e-9 USD) per window. Windows are hours, days, weeks (from Monday) and months in UTC."""

    limit_nano: int
    window: Window = "total"

    @classmethod
    def parse(cls, text: str) -> Budget:
        """`5/day` is 5 USD per day, `100` is 100 USD in total. Raises ValueError."""
        match = _BUDGET.fullmatch(text.strip())
        name = (match[2] or "total") if match else ""
        for window in WINDOWS:
            if match and name == window:
                return cls(nano_dollars(Decimal(match[1])), window)
        raise ValueError(f"{text!r} is not a budget: write USD per {', '.join(WINDOWS)}, such as 5/day")

    def __str__(self) -> str:
        return f"{usd(self.limit_nano)}/{self.window}"


def period(window: Window, now: datetime) -> str:
    """The name of the window that contains `now`: its kind and its start."""
    start = _window_start(window, now.astimezone(UTC))
    return window if start is None else f"{window} {start:%Y-%m-%dT%H}"


def resets(window: Window, now: datetime) -> datetime | None:
    """The end of the window that contains `now`; None for `total`, which never ends."""
    start = _window_start(window, now.astimezone(UTC))
    if start is None:
        return None
    if window == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[window]


def _window_start(window: Window, now: datetime) -> datetime | None:
    if window == "total":
        return None
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    starts = {"hour": hour, "day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}
    return starts[window]


@dataclass(frozen=True, slots=True)
class Hold:
    """A reservation of money from one account's budget for one request, made at `at`.

    `amounts_nano` are alternatives in nano-dollars, preferred first; the store holds the first that fits.
    """

    account: str
    budget: Budget
    amounts_nano: tuple[int, ...]
    at: datetime

    @property
    def period(self) -> str:
        """The window that is charged, even if the request is settled in a later one."""
        return period(self.budget.window, self.at)

    @property
    def resets(self) -> datetime | None:
        return resets(self.budget.window, self.at)

    @property
    def expires(self) -> datetime:
        return self.at + timedelta(seconds=HOLD_SECONDS)


@dataclass(frozen=True, slots=True)
class Balance:
    """Spent and held amounts of one account in one window, in nano-dollars."""

    used_nano: int = 0
    held_nano: int = 0


def session_account(session: str, *, key_id: str | None) -> str:
    """The account of a session. The same name from another key is another session."""
    return f"{SESSION}{session}" if key_id is None else f"{SESSION}{key_id}/{session}"


class SessionSpending(NamedTuple):
    """What a session had spent of its budget before a request, in nano-dollars."""

    used_nano: int
    limit_nano: int

    def share(self, cost: Decimal | None) -> float:
        """The spent share with this request's `cost` in USD, where it is known; 0.82 is 82 %."""
        used = self.used_nano + (0 if cost is None else nano_dollars(cost))
        return used / self.limit_nano


def refusal(hold: Hold, balance: Balance) -> BudgetExceeded:
    """The error for a request whose smallest amount does not fit: the budget is spent, or held by running requests."""
    least, budget = hold.amounts_nano[-1], hold.budget
    of_session = hold.account.startswith(SESSION)
    whose = f"This {'session' if of_session else 'gateway' if hold.account == GLOBAL else 'key'}'s budget"
    exceeded = SessionBudgetExceeded if of_session else BudgetExceeded
    each = "in all" if budget.window == "total" else f"per {budget.window}"
    figures = (
        f"{whose} is {usd(budget.limit_nano)} USD {each}: {usd(balance.used_nano)} spent, {usd(balance.held_nano)} held by "
        f"running requests; this one may cost up to {usd(least)}."
    )
    if balance.used_nano + least <= budget.limit_nano:
        words = "The money is not spent, only held: try again when those requests have ended."
        return exceeded(f"{figures} {words}", retry_after=HELD_RETRY_SECONDS, spent=False, window=budget.window)
    spent = "What is left is too little" if balance.used_nano < budget.limit_nano else "The money is spent"
    if of_session:
        words = "the session pauses. To go on, raise 'routing.session_budget' or, for the key, `gateway keys limit`."
        return exceeded(f"{figures} {spent}; {words}")
    if hold.resets is None:
        return BudgetExceeded(f"{figures} {spent}; this budget does not reset.")
    when = f"it resets at {hold.resets:%Y-%m-%dT%H:%M:%SZ}."
    return BudgetExceeded(
        f"{figures} {spent}; {when}",
        retry_after=(hold.resets - hold.at).total_seconds(),
        window=budget.window,
        resets_at=hold.resets,
    )


def usd(nano: int) -> str:
    """Nano-dollars as USD, without an exponent or trailing zeros."""
    return f"{Decimal(nano).scaleb(-9):f}".rstrip("0").rstrip(".") if nano else "0"
