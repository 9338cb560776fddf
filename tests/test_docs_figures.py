"""Figures and levels in the documents are those of the code."""

from __future__ import annotations

import pytest

from gateway.catalog.catalog import TRADEOFFS
from gateway.providers.claude.profiles import profile_of as claude
from gateway.providers.claude.thinking import thinking_fields
from gateway.providers.gemini.profiles import profile_of as gemini
from gateway.providers.reasoning import Reasoning
from gateway.resilience import RetryBudget, upstream_health
from gateway.resilience.failover import SHORT_RETRY_AFTER
from gateway.routing.estimation.evidence import HIGH_ERROR, HIGH_FROM, MEDIUM_FROM
from gateway.routing.estimation.usage import EXPECTED_OUTPUT
from gateway.routing.prompt.complexity import MODERATE_BELOW, SIMPLE_BELOW
from gateway.routing.prompt.patterns import PATTERNS
from gateway.routing.prompt.text_stats import END
from gateway.routing.strategies.hybrid import ENOUGH_OUTCOMES
from gateway.transport import TimeLimits
from tests.documents import quoted, table, text_of

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def claude_level(model: str, effort: str) -> str:
    """As the table writes it: a budget, a level, how thinking is switched off."""
    fields = thinking_fields(claude(model), Reasoning(effort=effort), max_tokens=64_000, forced_tool=False)
    if fields.thinking is None:
        return f"least: {fields.effort}" if fields.effort else "off"
    kind = fields.thinking["type"]
    return str({"enabled": fields.thinking.get("budget_tokens"), "adaptive": fields.effort}.get(kind, kind))


def gemini_level(model: str, effort: str) -> str:
    config = gemini(model).thinking(Reasoning(effort=effort))
    return str(config.get("thinkingLevel", config.get("thinkingBudget")))


@pytest.mark.parametrize("row", table("providers.md", "model"), ids=lambda row: quoted(row[0])[0])
def test_reasoning_levels(row: list[str]) -> None:
    """What each reasoning effort becomes at a model is what its dialect would send."""
    (model,) = quoted(row[0])
    level = claude_level if model.startswith("claude") else gemini_level
    assert row[1:] == [level(model, effort) for effort in EFFORTS]


def test_patterns() -> None:
    """The patterns are named, in the order in which ties are broken."""
    told = text_of("strategies.md").partition("**Patterns**:")[2].partition("\n\n")[0]
    assert quoted(told) == list(PATTERNS)


@pytest.mark.parametrize(
    "sentence",
    [
        f"first and last {END} characters",
        f"Below {SIMPLE_BELOW} is `simple`",
        f"below {MODERATE_BELOW} `moderate`",
        f"{EXPECTED_OUTPUT} tokens while nothing is known",
        f"below {MEDIUM_FROM} `low`",
        f"`high` from {HIGH_FROM} on",
        f"standard error of the mean of at most {HIGH_ERROR}",
        f"at least {ENOUGH_OUTCOMES} outcomes",
    ],
)
def test_routing(sentence: str) -> None:
    """Thresholds of the routing."""
    assert sentence in " ".join(text_of("strategies.md").split())


@pytest.mark.parametrize(
    "sentence",
    [
        f"up to {SHORT_RETRY_AFTER:g} s",
        f"{RetryBudget.SHARE:.0%} of its attempts in the last minute, and {RetryBudget.FLOOR} more".replace("%", " %"),
        f"at most {upstream_health.LONGEST_RETRY_AFTER / 60:g} minutes",
        f"| a model that is not there | {upstream_health.MODEL_MISSING / 60:g} minutes |",
    ],
)
def test_failover(sentence: str) -> None:
    """Times and budgets of the failover."""
    assert sentence in " ".join(text_of("running.md").split())


@pytest.mark.parametrize("name", TimeLimits._fields)
def test_time_limits(name: str) -> None:
    """Default time limits, in both chapters that tell of them."""
    seconds = f"{getattr(TimeLimits(), name):g}"
    assert [row[-1] for row in table("configuration.md", "key") if row[0] == f"`timeouts.{name}`"] == [f"`{seconds}`"]
    assert [row[1] for row in table("running.md", "limit") if row[0] == f"`timeouts.{name}`"] == [f"{seconds} s"]


def test_tradeoffs() -> None:
    """The trade-offs behind `auto:` names."""
    (row,) = [row for row in table("configuration.md", "key") if row[0] == "`tradeoffs`"]
    assert quoted(row[-1]) == [f"{name}: {value}" for name, value in TRADEOFFS.items()]
