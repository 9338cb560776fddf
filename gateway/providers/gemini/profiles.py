"""Capabilities of each Gemini generation, as data: a model's quirk is a field here, never an `if` on its name.

https://ai.google.dev/gemini-api/docs/models, /thinking, /thought-signatures, /function-calling
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

from gateway.providers.reasoning import Reasoning

# Efforts in tokens for models with a thinking budget; "none" is the profile's minimum.
BUDGETS: Mapping[str, int] = MappingProxyType(
    {"minimal": 512, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
)
LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "none": "MINIMAL",
        "minimal": "MINIMAL",
        "low": "LOW",
        "medium": "MEDIUM",
        "high": "HIGH",
        "xhigh": "XHIGH",
        "max": "XHIGH",
    }
)
MAX_BUDGET = 24_576
# From least to most thinking.
ORDER = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
LOW_TO_HIGH = frozenset(("LOW", "MEDIUM", "HIGH"))
MINIMAL_TO_HIGH = LOW_TO_HIGH | {"MINIMAL"}


@dataclass(frozen=True, slots=True)
class GeminiProfile:
    """Capabilities of one generation; the defaults are those of the newest.

    `levels` are the accepted thinking levels. Without levels, `budgets` says whether a token budget is accepted instead;
    `min_budget` is the smallest and stands for "none". `signed_calls`: function calls of the current turn must carry their
    thought signature. `call_ids`: a function response names its call by id. `schema_with_tools`: a JSON response format is
    accepted together with function declarations. `images`, `speech`: the model can generate them.
    """

    max_candidates: int = 1
    levels: frozenset[str] = LOW_TO_HIGH
    budgets: bool = False
    min_budget: int = 0
    penalties: bool = False
    logprobs: bool = False
    call_ids: bool = True
    signed_calls: bool = True
    schema_with_tools: bool = True
    max_output_tokens: int = 65_536
    images: bool = False
    speech: bool = False

    def thinking(self, reasoning: Reasoning) -> dict[str, object]:
        """`thinkingConfig` for the client's reasoning options; empty where the model does not think."""
        if self.levels:
            config: dict[str, object] = {
                "thinkingLevel": self._level(LEVELS[reasoning.effort or nearest_effort(reasoning)])
            }
        elif self.budgets:
            config = {"thinkingBudget": self._budget(reasoning)}
        else:
            return {}
        return config if reasoning.off or not reasoning.shown else config | {"includeThoughts": True}

    def _budget(self, reasoning: Reasoning) -> int:
        if reasoning.budget is not None:
            return min(max(reasoning.budget, self.min_budget), MAX_BUDGET)
        return BUDGETS.get(reasoning.effort or "", self.min_budget)

    def _level(self, requested: str) -> str:
        """The wanted level, else the next higher one, else the highest available."""
        rank = ORDER.index(requested)
        available = [level for level in ORDER if level in self.levels]
        return next((level for level in available if ORDER.index(level) >= rank), available[-1])


def nearest_effort(reasoning: Reasoning) -> str:
    """The smallest effort whose budget is at least the requested one; `high` above all."""
    return next((effort for effort, tokens in BUDGETS.items() if tokens >= (reasoning.budget or 0)), "high")


NEWEST = GeminiProfile()
FLASH_3_5 = GeminiProfile(levels=MINIMAL_TO_HIGH)
FLASH_3 = replace(FLASH_3_5, call_ids=False)
PRO_3 = GeminiProfile(call_ids=False)
FLASH_2_5 = GeminiProfile(
    max_candidates=8,
    levels=frozenset(),
    budgets=True,
    logprobs=True,
    call_ids=False,
    signed_calls=False,
    schema_with_tools=False,
)
LITE_2_5 = replace(FLASH_2_5, logprobs=False)
PRO_2_5 = replace(FLASH_2_5, logprobs=False, min_budget=128)
FLASH_2 = replace(FLASH_2_5, budgets=False, penalties=True, max_output_tokens=8192)


@dataclass(frozen=True, slots=True)
class _Row:
    """The profile of model ids that match `pattern` at their start."""

    pattern: re.Pattern[str] = field(repr=False)
    profile: GeminiProfile


def _row(pattern: str, profile: GeminiProfile) -> _Row:
    return _Row(re.compile(pattern), profile)


# Image and speech models: they ignore thinking options, and those of Gemini 3 require the signatures of their images.
IMAGE_3 = GeminiProfile(levels=frozenset(), max_output_tokens=32_768, images=True)
IMAGE_2_5 = replace(FLASH_2_5, budgets=False, logprobs=False, max_output_tokens=32_768, images=True)
SPEECH = GeminiProfile(levels=frozenset(), signed_calls=False, speech=True)
# Newer than this table: Google decides whether such a model generates images or speech.
UNKNOWN = replace(NEWEST, images=True, speech=True)

# The first matching row applies; an id without a match counts as the newest generation.
ROWS = (
    _row(r"gemini-2[\w.-]*-image", IMAGE_2_5),
    _row(r"gemini-[\w.-]*(?:-image|nano-banana|omni)", IMAGE_3),
    _row(r"gemini-[\w.-]*(?:-tts|-native-audio)", SPEECH),
    _row(r"gemini-(?:1\.|2\.0)", FLASH_2),
    _row(r"gemini-(?:live-)?2\.5-pro", PRO_2_5),
    _row(r"gemini-(?:live-)?2\.5-flash-lite", LITE_2_5),
    _row(r"gemini-(?:live-)?2\.5", FLASH_2_5),
    _row(r"gemini-3-pro", replace(PRO_3, levels=frozenset(("LOW", "HIGH")))),
    _row(r"gemini-3(?:\.[0-4])?-pro", PRO_3),
    _row(r"gemini-3(?:\.[0-4])?-", FLASH_3),
    _row(r"gemini-3\.(?:[56]-flash|\d+-flash-lite)", FLASH_3_5),
    _row(r"gemini-(?:3\.|(?:flash|pro|flash-lite)-latest)", NEWEST),
)


@lru_cache(maxsize=256)
def profile_of(model_id: str) -> GeminiProfile:
    """The profile of a model id; aliases such as `gemini-flash-latest` and unknown ids get the newest one."""
    name = model_id.lower().removeprefix("models/")
    return next((row.profile for row in ROWS if row.pattern.match(name)), UNKNOWN)
