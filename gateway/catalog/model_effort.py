"""Models at a reasoning effort: `claude-sonnet-5-5@low` is the model `claude-sonnet-5-5` that is sent `reasoning_effort: low`.

Such a name is a candidate, a row and a set of learned figures of its own, because effort changes quality and cost as much as the
model does. A provider is only sent the model's own id.
"""

from __future__ import annotations

from functools import lru_cache

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# What a low effort costs in strength, in standard deviations. Published figures by effort: 0.75 from high to low
# (claude-sonnet-5-5), 0.8 from medium to none (gpt-6-luna), 1.1 from the default to none (deepseek-v4-pro); Artificial Analysis
# Intelligence Index v4.3, October 2026.
LOST_STRENGTH = {"none": 1.0, "minimal": 1.0, "low": 0.75}
# The standard error of a strength that is derived so.
DERIVED_ERROR = 0.7


def at_effort(name: str, effort: str) -> str:
    """The name of a model at an effort."""
    return f"{name}@{effort}"


@lru_cache(maxsize=1000)  # clients choose the names
def split_effort(name: str) -> tuple[str, str | None]:
    """The model's own id and the effort in its name, None where it has none. Other ids with an `@` are left alone."""
    model, _, effort = name.rpartition("@")
    return (model, effort) if model and effort in EFFORTS else (name, None)
