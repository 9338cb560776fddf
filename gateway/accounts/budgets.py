"""How much may be spent within which calendar window, and what is held of it while a request is under way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal, get_args

from gateway.catalog import nano_dollars
from gateway.errors import BudgetExceeded

Window = Literal["hour", "day", "week", "month", "total"]
WINDOWS: tuple[Window, ...] = get_args(Window)
# The account of everybody together, for the cap that the configuration sets.
GLOBAL = "*"
# A hold whose request never ended is charged in full after this; longer than any request may take.
HOLD_SECONDS = 900.0
HELD_RETRY_SECONDS = 1.0
_BUDGET = re.compile(r"\$?([0-9]{1,9}(?:\.[0-9]{1,9})?)(?:/(\w+))?")


@dataclass(frozen=True, slots=True)
class Budget:
    """`limit_nano` nano-dollars (1e-9 USD) in each window; windows begin with the UTC calendar's hours, days, Mondays and months."""

    limit_nano: int
    window: Window = "total"

    @classmethod
    def parse(cls, text: str) -> Budget:
        """`5/day`: 5 USD in every day; `100`: 100 USD in all. Raises ValueError."""
        found = _BUDGET.fullmatch(text.strip())
        window = (found[2] or "total") if found else ""
        for known in WINDOWS:
            if found and window == known:
                return cls(nano_dollars(Decimal(found[1])), known)
        raise ValueError(f"{text!r} is no budget: write USD per {', '.join(WINDOWS)}, such as 5/day")

    def __str__(self) -> str:
        return f"{usd(self.limit_nano)}/{self.window}"


def period(window: Window, now: datetime) -> str:
    """The name of the window that `now` lies in: its kind and when it began."""
    began = _began(window, now.astimezone(UTC))
    return window if began is None else f"{window} {began:%Y-%m-%dT%H}"


def resets(window: Window, now: datetime) -> datetime | None:
    """When the window that `now` lies in ends; never for `total`."""
    began = _began(window, now.astimezone(UTC))
    if began is None:
        return None
    if window == "month":
        return (began + timedelta(days=32)).replace(day=1)
    return began + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[window]


def _began(window: Window, now: datetime) -> datetime | None:
    if window == "total":
        return None
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    began = {"hour": hour, "day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}
    return began[window]


@dataclass(frozen=True, slots=True)
class Hold:
    """What one request sets aside at a moment from one account's budget.

    `amounts_nano` are what it would take, best first: the first that still fits is held.
    """

    account: str
    budget: Budget
    amounts_nano: tuple[int, ...]
    at: datetime

    @property
    def period(self) -> str:
        """The window it belongs to, also when it is settled in a later one."""
        return period(self.budget.window, self.at)

    @property
    def resets(self) -> datetime | None:
        return resets(self.budget.window, self.at)

    @property
    def expires(self) -> datetime:
        return self.at + timedelta(seconds=HOLD_SECONDS)


@dataclass(frozen=True, slots=True)
class Balance:
    """What is spent and what is held of an account's budget in one window, in nano-dollars."""

    used_nano: int = 0
    held_nano: int = 0


def refusal(hold: Hold, balance: Balance) -> BudgetExceeded:
    """Why the least that the request would take is not to be had: spent, or only held by requests under way."""
    least, budget = hold.amounts_nano[-1], hold.budget
    whose = "This gateway's budget" if hold.account == GLOBAL else "This key's budget"
    each = "in all" if budget.window == "total" else f"per {budget.window}"
    figures = (
        f"{whose} is {usd(budget.limit_nano)} USD {each}: {usd(balance.used_nano)} spent, {usd(balance.held_nano)} held by "
        f"requests under way; this one may cost up to {usd(least)}."
    )
    if balance.used_nano + least <= budget.limit_nano:
        words = "The money is not spent, only held: try again when those requests have ended."
        return BudgetExceeded(f"{figures} {words}", retry_after=HELD_RETRY_SECONDS)
    spent = "What is left is too little" if balance.used_nano < budget.limit_nano else "The money is spent"
    if hold.resets is None:
        return BudgetExceeded(f"{figures} {spent}; this budget does not reset.")
    when = f"it resets at {hold.resets:%Y-%m-%dT%H:%M:%SZ}."
    return BudgetExceeded(f"{figures} {spent}; {when}", retry_after=(hold.resets - hold.at).total_seconds())


def usd(nano: int) -> str:
    """Nano-dollars as USD in plain digits."""
    return f"{Decimal(nano).scaleb(-9):f}".rstrip("0").rstrip(".") if nano else "0"
