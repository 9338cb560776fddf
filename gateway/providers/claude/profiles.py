"""Capabilities of each Claude generation, as data looked up by model id."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

Thinking = Literal["none", "manual", "adaptive"]
ThinkingOff = Literal["omit", "disabled", "between_tools", "least"]
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ClaudeProfile:
    """Capabilities of one generation. The defaults are those of the newest, which also apply to unknown ids.

    `max_output` is in tokens. `thinking` is how thinking is enabled: with a budget (`manual`), by the model itself
    (`adaptive`), or not at all. `thinking_off` is how it is disabled: by omitting the field, by a value of `thinking.type`,
    or by the `least` effort where it cannot be disabled. `thinks_unasked`: the model thinks by default. `hides_thinking`: no
    thinking text unless requested. `forced_tools`: `tool_choice` any and tool are accepted. `prefill`: the last message may
    be the assistant's. `system_turns`: role system is accepted inside `messages`. `least_cached`: tokens of the shortest
    prefix that is cached.
    https://platform.claude.com/docs/en/about-claude/models/overview and the migration guides there.
    """

    max_output: int = 128_000
    sampling: bool = False
    temperature_with_top_p: bool = False
    thinking: Thinking = "adaptive"
    thinking_off: ThinkingOff = "least"
    thinks_unasked: bool = True
    hides_thinking: bool = True
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    forced_tools: bool = False
    prefill: bool = False
    system_turns: bool = True
    structured_output: bool = True
    least_cached: int = 512

    @property
    def forces_despite_thinking(self) -> bool:
        """Whether a tool can be forced although thinking cannot be disabled."""
        return self.forced_tools and self.thinking_off == "least"


NEWEST = ClaudeProfile()

_FIFTH = replace(NEWEST, thinking_off="disabled", forced_tools=True, system_turns=False, least_cached=1024)
_OPUS_4_8 = replace(_FIFTH, thinks_unasked=False, system_turns=True)
_OPUS_4_7 = replace(_OPUS_4_8, system_turns=False)
_4_6 = replace(
    _OPUS_4_7, sampling=True, thinking_off="omit", hides_thinking=False, efforts=("low", "medium", "high", "max")
)
_4_5 = replace(_4_6, max_output=64_000, thinking="manual", efforts=(), prefill=True)
_4_0 = replace(_4_5, structured_output=False)
_3_7 = replace(_4_0, temperature_with_top_p=True)
_3_5 = replace(_3_7, max_output=8_192, thinking="none")
_3_0 = replace(_3_5, max_output=4_096)

_OLD: tuple[tuple[Version, ClaudeProfile], ...] = (
    ((4, 6), _4_6),
    ((4, 5), _4_5),
    ((4, 0), _4_0),
    ((3, 7), _3_7),
    ((3, 5), _3_5),
)


def _cached_from(tokens: int, *versions: tuple[Version, ClaudeProfile]) -> tuple[tuple[Version, ClaudeProfile], ...]:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching, cache limitations."""
    return tuple((since, replace(profile, least_cached=tokens)) for since, profile in versions)


# For each family: the first version with a profile, newest first.
_SINCE: dict[str, tuple[tuple[Version, ClaudeProfile], ...]] = {
    "opus": (
        ((5, 5), NEWEST),
        ((5, 0), replace(_FIFTH, system_turns=True)),
        ((4, 8), _OPUS_4_8),
        *_cached_from(4096, ((4, 7), _OPUS_4_7), *_OLD[:2]),
        ((4, 0), replace(_4_0, max_output=32_000)),
        *_OLD[3:],
    ),
    "sonnet": (((5, 5), replace(NEWEST, thinking_off="between_tools")), ((5, 0), _FIFTH), *_OLD),
    # Sources differ on which `thinking.type` disables thinking of Haiku 5.5; the least effort is valid in all of them.
    "haiku": (((5, 0), replace(NEWEST, forced_tools=True)), *_cached_from(4096, *_OLD)),
    "fable": _cached_from(1024, ((5, 1), NEWEST), ((0, 0), replace(NEWEST, forced_tools=True, system_turns=False))),
    "mythos": _cached_from(1024, ((5, 1), NEWEST), ((0, 0), replace(NEWEST, forced_tools=True, system_turns=False))),
}

# claude-sonnet-4-5-20250929, claude-opus-4-20250514, claude-opus-4-1@20250805, claude-3-5-haiku-latest, claude-mythos-preview
_FAMILY_FIRST = re.compile(
    r"claude-(?P<family>[a-z]+)(?:[-.](?P<major>\d{1,2})(?!\d)(?:[-.](?P<minor>\d{1,2})(?!\d))?)?"
)
_VERSION_FIRST = re.compile(r"claude-(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2})(?!\d))?-(?P<family>[a-z]+)")


@lru_cache(maxsize=256)
def profile_of(model_id: str) -> ClaudeProfile:
    """The profile of a model, by family and version; a dated id counts as its version, an unknown one as the newest."""
    name = model_id.lower()
    match = _VERSION_FIRST.search(name) or _FAMILY_FIRST.search(name)
    if match is None or match["family"] not in _SINCE:
        return NEWEST
    if match["major"] is None:
        return _SINCE[match["family"]][-1][1] if match["family"] in ("fable", "mythos") else NEWEST
    version = (int(match["major"]), int(match["minor"] or 0))
    return next((profile for since, profile in _SINCE[match["family"]] if version >= since), _3_0)
