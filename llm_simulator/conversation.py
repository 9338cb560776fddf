"""Vendor-neutral values: the task of a request, and the reply of the simulated model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Finish = Literal[
    "stop",
    "stop_sequence",
    "length",
    "tools",
    "refusal",
    "blocked",
    "recitation",
    "malformed_call",
    "pause_turn",
    "context_window",
    "unknown_finish",
]


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    schema: Mapping[str, Any]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A part that is not text; `size` is in decoded bytes, 0 for a URL."""

    kind: Literal["image", "audio", "video", "pdf", "text"]
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool; `name` is empty where the vendor's format has none."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Task:
    model: str
    prompt: str
    """The newest text of the user."""
    transcript: str
    """Everything the model reads, as one text: the basis of token counts, caches and ids."""
    media: tuple[Media, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `any`, or `tool:<name>`."""
    parallel_tools: bool = True
    results: tuple[ToolResult, ...] = ()
    """The tool results at the end of the conversation."""
    schema: Mapping[str, Any] | None = None
    json_only: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    thinking: int = 0
    """The maximum number of reasoning tokens; 0 for none."""
    candidates: int = 1
    user_text: str = ""
    """Every text of the user in the conversation."""
    calls_made: int = 0
    """Tool calls of the model so far in the conversation."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    finish: Finish
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    stop_sequence: str | None = None
    text_tokens: int = 0
    """Tokens of the text and the tool calls."""
    reasoning_tokens: int = 0
    key: str = ""
    """Unique per reply; ids and signatures are derived from it."""


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Tokens of a prompt; the cached ones are part of `total`."""

    total: int
    text: int
    media: Mapping[str, int] = field(default_factory=dict)
    """Tokens by kind of media."""
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
