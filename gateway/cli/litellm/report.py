"""What became of each entry of the other gateway's configuration."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Fate = Literal["taken over", "changed", "not supported", "not needed"]
FATES: tuple[Fate, ...] = get_args(Fate)


class ReportEntry(NamedTuple):
    """`place` is a line of the file and what stands there; `text` says what it is here, or what to do instead."""

    place: str
    fate: Fate
    text: str


def summary(entries: list[ReportEntry]) -> str:
    """How many entries met each fate, for example `3 taken over, 1 not supported`."""
    counts = ((sum(entry.fate == fate for entry in entries), fate) for fate in FATES)
    return ", ".join(f"{count} {fate}" for count, fate in counts if count) or "nothing to take over"
