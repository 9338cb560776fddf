"""What each generation of Gemini accepts, as data: a quirk of a model is a field here, never an `if` on its name.

https://ai.google.dev/gemini-api/docs/models, /thinking, /thought-signatures, /function-calling
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

from gateway.providers.reasoning import Reasoning

# Efforts in tokens for the models that take a budget; "none" is the profile's own floor.
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
    """One generation's facts; the defaults are those of the newest.

    `levels` are the thinking levels it takes; with none, `budgets` says whether it takes a token budget instead, and
    `min_budget` is the smallest, which stands for "none". `signed_calls`: function calls of the current turn must come
    back with their thought signature. `call_ids`: a function response names its call by id. `schema_with_tools`: a JSON
    response format may stand beside function declarations. `images` and `speech`: the model can answer with them.
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
        """The `thinkingConfig` for what a client asks for; empty when the model does not think."""
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

    def _level(self, wanted: str) -> str:
        """The wanted level, else the next higher one, else the highest there is."""
        rank = ORDER.index(wanted)
        able = [level for level in ORDER if level in self.levels]
        return next((level for level in able if ORDER.index(level) >= rank), able[-1])


def nearest_effort(reasoning: Reasoning) -> str:
    """The level that stands for a budget in tokens."""
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
    """Model ids that begin as `pattern` says have this profile."""

    pattern: re.Pattern[str] = field(repr=False)
    profile: GeminiProfile


def _row(pattern: str, profile: GeminiProfile) -> _Row:
    return _Row(re.compile(pattern), profile)


# Models that draw or speak: they do not think as they are told, and Gemini 3's want the signatures of their pictures back.
DRAWS_3 = GeminiProfile(levels=frozenset(), max_output_tokens=32_768, images=True)
DRAWS_2_5 = replace(FLASH_2_5, budgets=False, logprobs=False, max_output_tokens=32_768, images=True)
SPEAKS = GeminiProfile(levels=frozenset(), signed_calls=False, speech=True)
# Newer than this table: it is up to Google whether such a model draws or speaks.
UNKNOWN = replace(NEWEST, images=True, speech=True)

# The first row that fits decides; what fits none is taken for the newest generation.
ROWS = (
    _row(r"gemini-2[\w.-]*-image", DRAWS_2_5),
    _row(r"gemini-[\w.-]*(?:-image|nano-banana|omni)", DRAWS_3),
    _row(r"gemini-[\w.-]*(?:-tts|-native-audio)", SPEAKS),
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
    """The facts about a model id; aliases as `gemini-flash-latest` and ids newer than this table have today's."""
    name = model_id.lower().removeprefix("models/")
    return next((row.profile for row in ROWS if row.pattern.match(name)), UNKNOWN)
