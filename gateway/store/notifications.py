"""Brings the writer's answers to who waits for them; to an event loop all of one commit with one wake-up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple

from gateway.store import CommitCallback


class LoopWaiter(NamedTuple):
    """Somebody in an event loop, who may stop waiting, and a listener that does not."""

    future: asyncio.Future[Any]
    then: CommitCallback | None


def resolve(answers: Iterable[tuple[Future[Any] | LoopWaiter, Any]]) -> None:
    """In the writer's thread, or any other. An answer that is an error is raised where it is waited for."""
    arrivals: dict[asyncio.AbstractEventLoop, list[tuple[LoopWaiter, Any]]] = {}
    for receiver, answer in answers:
        if isinstance(receiver, LoopWaiter):
            arrivals.setdefault(receiver.future.get_loop(), []).append((receiver, answer))
        elif isinstance(answer, Exception):
            receiver.set_exception(answer)
        else:
            receiver.set_result(answer)
    for loop, arrived in arrivals.items():
        with suppress(RuntimeError):  # the loop is closed, so nobody waits in it
            loop.call_soon_threadsafe(_arrive, loop, arrived)


def _arrive(loop: asyncio.AbstractEventLoop, arrived: Sequence[tuple[LoopWaiter, Any]]) -> None:
    """In the loop."""
    for (future, then), answer in arrived:
        error = answer if isinstance(answer, Exception) else None
        if then is not None:
            loop.call_soon(then, error)
        if future.done():
            continue
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)
