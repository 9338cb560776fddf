"""The simulated models and the capabilities of each generation, as of 2026-11."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class ClaudeModel:
    """A Claude model; `generation` (4.5 to 5.5) decides which parameters it accepts."""

    id: str
    family: str
    generation: float
    max_output: int = 128_000
    context: int = 1_000_000

    @cached_property
    def sampling(self) -> bool:
        return self.generation < 4.7

    @cached_property
    def always_thinks(self) -> bool:
        """Whether thinking cannot be disabled, and tool use cannot be forced."""
        if self.family == "opus":
            return self.generation >= 5.5
        return self.family in ("fable", "mythos") and self.generation >= 5.1

    @cached_property
    def thinking(self) -> tuple[str, ...]:
        """The accepted values of `thinking.type`."""
        if self.generation <= 4.5:
            return ("enabled", "disabled")
        if self.generation == 4.6:
            return ("enabled", "adaptive", "disabled")
        if self.always_thinks:
            return ("adaptive",)
        if self.generation < 5.5:
            return ("adaptive", "disabled")
        return ("adaptive", "between_tools") if self.family == "sonnet" else ("adaptive", "disabled", "between_tools")

    @cached_property
    def thinks_unasked(self) -> bool:
        """Whether a request without `thinking` uses adaptive thinking."""
        return self.generation >= 5

    @cached_property
    def hides_thinking(self) -> bool:
        """Whether thinking text is omitted unless the request sets `summarized`."""
        return self.generation >= 4.7

    @cached_property
    def least_cached(self) -> int:
        """Tokens of the shortest cacheable prefix."""
        if self.generation >= 5.5:
            return 512
        return 4096 if self.family == "haiku" else 1024

    @cached_property
    def default_effort(self) -> str:
        return "medium" if self.generation >= 5.5 and self.family in ("opus", "haiku") else "high"

    @cached_property
    def efforts(self) -> tuple[str, ...]:
        if self.generation <= 4.5:
            return ("low", "medium", "high") if self.family == "opus" else ()
        return ("low", "medium", "high", "max") if self.generation == 4.6 else ("low", "medium", "high", "xhigh", "max")

    @cached_property
    def prefill(self) -> bool:
        return self.generation < 4.6

    @cached_property
    def system_turns(self) -> bool:
        return self.generation >= 4.8


@dataclass(frozen=True)
class GeminiModel:
    """A Gemini model; `generation` (2.5 to 4.0) decides which parameters it accepts."""

    id: str
    generation: float
    kind: str
    levels: tuple[str, ...] = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
    budget: tuple[int, int] = (0, 24_576)
    can_skip_thinking: bool = True
    penalties: bool = False
    logprobs: bool = False
    context: int = 1_048_576
    max_output: int = 65_536

    @cached_property
    def signs_thoughts(self) -> bool:
        return self.generation >= 3

    @cached_property
    def call_ids(self) -> bool:
        return self.generation >= 3.5


PRO_LEVELS = ("LOW", "MEDIUM", "HIGH")
ALL_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
OLD = {"max_output": 64_000, "context": 200_000}

CLAUDE: dict[str, ClaudeModel] = {
    model.id: model
    for model in (
        ClaudeModel("claude-haiku-4-5", "haiku", 4.5, **OLD),
        ClaudeModel("claude-haiku-4-5-20251001", "haiku", 4.5, **OLD),
        ClaudeModel("claude-sonnet-4-5", "sonnet", 4.5, **OLD),
        ClaudeModel("claude-sonnet-4-5-20250929", "sonnet", 4.5, **OLD),
        ClaudeModel("claude-opus-4-5", "opus", 4.5, **OLD),
        ClaudeModel("claude-opus-4-5-20251101", "opus", 4.5, **OLD),
        ClaudeModel("claude-sonnet-4-6", "sonnet", 4.6),
        ClaudeModel("claude-opus-4-6", "opus", 4.6),
        ClaudeModel("claude-opus-4-7", "opus", 4.7),
        ClaudeModel("claude-opus-4-8", "opus", 4.8),
        ClaudeModel("claude-opus-5", "opus", 5.0),
        ClaudeModel("claude-sonnet-5", "sonnet", 5.0),
        ClaudeModel("claude-fable-5", "fable", 5.0),
        ClaudeModel("claude-mythos-5", "mythos", 5.0),
        ClaudeModel("claude-fable-5-1", "fable", 5.1),
        ClaudeModel("claude-mythos-5-1", "mythos", 5.1),
        ClaudeModel("claude-fable-5-2", "fable", 5.2),
        ClaudeModel("claude-mythos-5-2", "mythos", 5.2),
        ClaudeModel("claude-opus-5-5", "opus", 5.5),
        ClaudeModel("claude-sonnet-5-5", "sonnet", 5.5),
        ClaudeModel("claude-haiku-5-5", "haiku", 5.5),
    )
}

GEMINI: dict[str, GeminiModel] = {
    model.id: model
    for model in (
        GeminiModel("gemini-2.5-pro", 2.5, "pro", (), (128, 32_768), can_skip_thinking=False),
        GeminiModel("gemini-2.5-flash", 2.5, "flash", (), penalties=True, logprobs=True),
        GeminiModel("gemini-2.5-flash-lite", 2.5, "lite", (), (512, 24_576), penalties=True),
        GeminiModel("gemini-3-flash-preview", 3.0, "flash"),
        GeminiModel("gemini-3.1-pro-preview", 3.1, "pro", PRO_LEVELS, can_skip_thinking=False),
        GeminiModel("gemini-3.1-flash-lite", 3.1, "lite"),
        GeminiModel("gemini-3.5-flash", 3.5, "flash"),
        GeminiModel("gemini-3.5-flash-lite", 3.5, "lite"),
        GeminiModel("gemini-3.6-flash", 3.6, "flash"),
        GeminiModel("gemini-3.7-flash", 3.7, "flash"),
        GeminiModel("gemini-3.8-flash", 3.8, "flash", PRO_LEVELS, can_skip_thinking=False),
        GeminiModel("gemini-4-argon", 4.0, "pro", ALL_LEVELS),
    )
}

OPENROUTER_VENDORS_TEXT = """01-ai aetherwiing agentica-org ai21 aion-labs alfredpros all-hands allenai alpindale amazon anthracite-org anthropic
    arcee-ai arliai baidu bytedance bytedance-research bytedance-seed cloudflare cognitivecomputations cohere deepcogito deepseek
    dots-studio eleutherai elorian essentialai eva-unit-01 featherless fireworks google gryphe huggingfaceh4 ibm-granite inception
    inclusionai inference-net infermatic inflection jondurbin kwaipilot latitudegames liquid mancer meituan meta meta-llama microsoft
    minimax mistral mistralai moondream moonshotai morph neversleep nex-agi nothingiisreal nousresearch nvidia open-r1 openai openchat
    openrouter particle-ai perceptron perplexity poolside prime-intellect prism-ml pygmalionai qwen raifle recursive reflection rekaai
    relace ricursiveai sakana sao10k scaledown scb10x shisa-ai sophosympatheia stealth steelskull stepfun switchpoint tencent
    thedrummer thinkingmachines thudm typesafe unbiased undi95 upstage writer x-ai xiaomi xingchen-agi xwin-lm z-ai"""
OPENROUTER_VENDORS = frozenset(OPENROUTER_VENDORS_TEXT.split())
OPENROUTER_ID = re.compile(r"~?(?P<vendor>[a-z0-9-]+)/(?P<name>[a-z0-9._-]+)(?::(?P<variant>[a-z0-9-]+))?")
MADE_UP_WORDS = re.compile(r"nope|no-such|does-not-exist|not-a-model|unknown|missing|invalid|imaginary")
OPENROUTER_AUTO = "openrouter/auto"
AUTO_CHOICE = "openai/gpt-5.4-mini"


def openrouter_serves(model: str) -> bool:
    """Whether OpenRouter lists this id: a known vendor, a well-formed name, and none of MADE_UP_WORDS."""
    match = OPENROUTER_ID.fullmatch(model)
    return bool(match and match["vendor"] in OPENROUTER_VENDORS and not MADE_UP_WORDS.search(match["name"]))
