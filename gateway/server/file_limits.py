"""The limit of open files: two for each request (client and upstream), one for each waiting request, and the gateway's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.settings.settings import Limits

try:
    import resource as system
except ImportError:  # pragma: no cover - Windows, which has no such limit
    system = None  # type: ignore[assignment]  # looked at before it is used

RESERVED = (
    128  # the ledger and its readers, the log, upstream connections that are idle, clients that are being refused
)


def needed(limits: Limits) -> int:
    return 2 * limits.in_flight + limits.queue + RESERVED


def raise_to(wanted: int, resource: Any = system) -> int | None:
    """How many files this process may have open, raised to the system's bound, or to `wanted` where that is refused; None: no limit."""
    if resource is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (hard, wanted):
        if soft in (hard, resource.RLIM_INFINITY):
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):  # macOS says that there is no bound, and has one
            continue
        soft = most
        break
    return None if soft == resource.RLIM_INFINITY else int(soft)


def fitted(limits: Limits, files: int | None) -> tuple[Limits, str | None]:
    """The limits that fit `files` open files, and a warning where they are lower than what was set."""
    if files is None or needed(limits) <= files:
        return limits, None
    queue = min(limits.queue, max(0, files - RESERVED) // 4)
    fewer = replace(limits, in_flight=max(1, (files - RESERVED - queue) // 2), queue=queue)
    return fewer, (
        f"warning: this process may have {files} files open, limits.in_flight of {limits.in_flight} and limits.queue of "
        f"{limits.queue} need {needed(limits)}: {fewer.in_flight} and {fewer.queue} are used. Raise the limit (ulimit -Hn)."
    )
