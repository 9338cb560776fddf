"""Parses the client's reasoning options: `reasoning_effort`, or OpenRouter's `reasoning` object."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.catalog.model_effort import EFFORTS
from gateway.completion import Json
from gateway.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Requested reasoning: an effort or a budget in tokens. `shown`: the client wants the thinking text."""

    effort: str | None = None
    budget: int | None = None
    shown: bool = True

    @property
    def off(self) -> bool:
        return self.effort == "none"


def asked_reasoning(body: Json) -> Reasoning | None:
    """The requested reasoning; None where the client does not mention it. Raises InvalidRequest for invalid values."""
    if "reasoning" not in body and "reasoning_effort" not in body:
        return None
    options = body.get("reasoning") or {}
    # `include_reasoning` is OpenRouter's older name for the opposite of `exclude`.
    shown = not options.get("exclude") and body.get("include_reasoning") is not False
    effort = body.get("reasoning_effort") or options.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise InvalidRequest(
            f"Invalid value for 'reasoning.effort': expected one of {', '.join(EFFORTS)}.", param="reasoning.effort"
        )
    budget = options.get("max_tokens")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 0):
        raise InvalidRequest(
            "Invalid 'reasoning.max_tokens': expected a number of tokens.", param="reasoning.max_tokens"
        )
    if effort is not None:
        return Reasoning(effort=effort, shown=shown)
    if options.get("enabled") is False or budget == 0:
        return Reasoning(effort="none", shown=shown)
    if budget is not None:
        return Reasoning(budget=budget, shown=shown)
    return Reasoning(effort="medium", shown=shown) if options.get("enabled") else None
