"""What gateways that share a ledger on several machines agree on through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

# Requests of a key count for this long, in seconds.
WINDOW = 60.0
# Seconds for which permits may be used. Longer than the ledger takes to answer, so that they never arrive too late.
PERMIT_SECONDS = 10.0


class Permits(NamedTuple):
    """The right to admit `granted` requests of a key, within PERMIT_SECONDS from the moment of asking for it.

    With less than was asked for, `wait` is the number of seconds until the limit may allow more.
    """

    number: int
    granted: int
    wait: float = 0.0


class EndedPermits(NamedTuple):
    """What became of permits: `used` of them, the last one `seconds` after they were asked for; the others are given back."""

    number: int
    used: int
    seconds: float


class PermitSource(Protocol):
    """Where permits come from."""

    def take_permits(self, key_id: str, *, rpm: int, wanted: int) -> asyncio.Future[Permits]:
        """Permits for up to `wanted` requests of a key, from the running event loop.

        All replicas together get no more than `rpm` within any 60 seconds. Raises LedgerUnavailable.
        """

    def end_permits(self, ended: Sequence[EndedPermits]) -> asyncio.Future[None]:
        """Give back what was not used. What is never given back counts for as long as if it had been used last of all."""


class Replicas(PermitSource, Protocol):
    """The other gateways on the same ledger."""

    def leads(self, job: str) -> bool:
        """Whether this process is the one that does a job for all; takes the job if nobody does it. Blocks. Raises LedgerUnavailable.

        The job is kept until the store is closed, or cannot be renewed for half a minute.
        """

    def watch_keys(self, changed: Callable[[], None]) -> None:
        """Call `changed`, in a thread of the store, soon after any process made, changed or revoked a key.

        Notifications may be missing, so keys have to be read now and then all the same.
        """
