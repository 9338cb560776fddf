"""Where cache breakpoints pay, and where they stand."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.catalog.catalog import Catalog, Model, ModelKey
from gateway.completion import ChatRequest, RoutingHints
from gateway.routing.sessions.affinity import PinnedModel, SessionLookup
from gateway.routing.sessions.prompt_caching import (
    CacheBreakpoints,
    CachingMode,
    PromptCaching,
    has_marks,
    with_breakpoints,
)

OWN = Model("claude", "sonnet", "complex", 3.0, 15.0, cache_read_price=0.3, cache_write_price=3.75)
DEARER = Model("claude", "opus", "complex", 5.0, 25.0, cache_read_price=0.5, cache_write_price=30.0)
OTHER = Model("gemini", "flash", "simple", 1.0, 2.0, cache_read_price=0.1)
CATALOG = Catalog([OWN, DEARER, OTHER])
MARK = {"type": "ephemeral"}

SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}
ASSISTANT = {"role": "assistant", "content": "Hi"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f"}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {}}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "4"}
TITLE = {"role": "user", "content": "Generate a short title for this chat"}
NAMED, SHARED = RoutingHints(session_id="s"), RoutingHints(session_id="s", shared_session=True)


def least(provider: str, model: str) -> int | None:
    return 1024 if provider == "claude" else None


def asking(*messages: dict[str, Any], hints: RoutingHints | None = None, **body: Any) -> ChatRequest:
    return ChatRequest(body=body, model="auto", messages=list(messages), hints=hints or RoutingHints())


def caching(mode: CachingMode = "auto") -> PromptCaching:
    return PromptCaching(mode, CATALOG, minimum=least)


def routed(request: ChatRequest, *, lookup: SessionLookup | None = None, tokens: int = 5000) -> CacheBreakpoints:
    return caching().routed(request, lookup, prompt_tokens=tokens)


LIKELY = {
    "tools": asking(SYSTEM, USER, tools=[TOOL]),
    "a tool's result": asking(USER, CALLS, RESULT),
    "a continued conversation": asking(USER, ASSISTANT, USER),
    "a forced tool later on": asking(USER, ASSISTANT, USER, tools=[TOOL], tool_choice="required"),
    "a named session": asking(USER, hints=NAMED),
}
UNLIKELY = {
    "a single question": asking(SYSTEM, USER),
    "one structured answer": asking(USER, tools=[TOOL], tool_choice="required"),
    "a shared cache key": asking(USER, hints=SHARED),
    "a title": asking(USER, ASSISTANT, TITLE, tools=[TOOL]),
}


@pytest.mark.parametrize("case", LIKELY)
def test_a_conversation_that_goes_on_is_written(case: str) -> None:
    """Where the prefix is likely read again, a model whose reads save more than its writes cost gets breakpoints."""
    assert routed(LIKELY[case]).models == {OWN.key}


@pytest.mark.parametrize("case", UNLIKELY)
def test_what_is_asked_once_is_not_written(case: str) -> None:
    """Where it is not, nothing is paid for a write."""
    marks = routed(UNLIKELY[case])
    assert (marks.models, marks.placed_by(OWN.key), marks.act_at(OWN.key)) == (frozenset(), None, False)


def test_what_is_cached_is_read() -> None:
    """A prefix that the model holds pays for a breakpoint by itself; another model's or a cold one does not."""
    request = asking(SYSTEM, USER)
    warm = SessionLookup("s", "s", pinned=PinnedModel(*OWN.key, 4000, 0.0), cached=4000)
    assert routed(request, lookup=warm).models == {OWN.key}
    assert not routed(
        request, lookup=SessionLookup("s", "s", pinned=PinnedModel(*OTHER.key, 4000, 0.0), cached=4000)
    ).models
    assert not routed(request, lookup=SessionLookup("s", "s", pinned=PinnedModel(*OWN.key, 4000, 0.0))).models
    assert not routed(LIKELY["tools"], lookup=SessionLookup("s", "s", auxiliary=True)).models


def test_a_short_prompt_is_not_marked() -> None:
    """Below the model's minimum a breakpoint has no effect."""
    assert routed(LIKELY["tools"], tokens=1024).models
    assert not routed(LIKELY["tools"], tokens=1023).models


def test_the_setting() -> None:
    """`off` places none, `auto` only where the gateway chooses the model, `always` where the client does too."""
    request = LIKELY["tools"]
    assert not caching("off").routed(request, None, prompt_tokens=5000).models
    expected = {"off": None, "auto": None, "always": "gateway"}
    modes: tuple[CachingMode, ...] = ("off", "auto", "always")
    assert {
        mode: caching(mode).named(request, OWN.key, prompt_tokens=lambda: 5000).placed_by(OWN.key) for mode in modes
    } == expected


def test_a_named_model_is_weighed_by_the_same_rule() -> None:
    """Unknown prices count as Anthropic's usual ones; a model that needs no breakpoints gets none and is not counted."""
    always = caching("always")
    unlisted = ModelKey("claude", "unlisted")
    assert always.named(LIKELY["tools"], unlisted, prompt_tokens=lambda: 5000).models == {unlisted}
    assert not always.named(UNLIKELY["a single question"], unlisted, prompt_tokens=lambda: 5000).models
    assert not always.named(LIKELY["tools"], unlisted, prompt_tokens=lambda: 10).models
    assert not always.named(LIKELY["tools"], OTHER.key, prompt_tokens=lambda: pytest.fail("not needed")).models


MARKED = [
    asking(USER, cache_control=MARK),
    asking({**USER, "cache_control": MARK}),
    asking({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": MARK}]}),
    asking({"role": "user", "content": [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}]}),
    asking(USER, tools=[{**TOOL, "cache_control": MARK}]),
    asking(USER, tools=[{"type": "function", "function": {"name": "f", "cache_control": MARK}}]),
]  # fmt: skip


@pytest.mark.parametrize("request_", MARKED)
def test_a_client_s_own_marks_are_left_alone(request_: ChatRequest) -> None:
    """Wherever they stand, and whatever is set."""
    assert has_marks(request_)
    for marks in (routed(request_), caching("always").named(request_, OWN.key, prompt_tokens=lambda: 5000)):
        assert (marks.models, marks.placed_by(OWN.key), marks.act_at(OWN.key)) == (frozenset(), "client", True)


HISTORIES: dict[str, tuple[list[dict[str, Any]], list[int]]] = {
    "one question": ([SYSTEM, USER], [0, 1]),
    "without instructions": ([USER], [0]),
    "two instructions": ([SYSTEM, SYSTEM, USER], [1, 2]),
    "a later turn": ([SYSTEM, USER, ASSISTANT, USER], [0, 1, 3]),
    "a tool loop": ([SYSTEM, USER, CALLS, RESULT, CALLS, RESULT, RESULT], [0, 3, 6]),
    "several answers in a row": ([USER, ASSISTANT, ASSISTANT, USER, USER], [0, 4]),
    "the assistant first": ([SYSTEM, ASSISTANT, USER], [0, 2]),
    "only instructions": ([SYSTEM], [0]),
    "ends with the assistant": ([USER, ASSISTANT, USER, ASSISTANT], [0, 3]),
}


@pytest.mark.parametrize("case", HISTORIES)
def test_breakpoints_stand_where_prefixes_end(case: str) -> None:
    """After the instructions, where the request before ended, and at the end; the client's request is not changed."""
    history, places = HISTORIES[case]
    request = asking(*history)
    marked = with_breakpoints(request)
    assert [index for index, message in enumerate(marked.messages) if "cache_control" in message] == places
    assert marked.body["messages"] == marked.messages
    assert not has_marks(request)


def test_tools_are_marked_where_there_are_no_instructions() -> None:
    """The last tool ends the prefix then; with instructions, which come after the tools, it needs no mark."""
    assert "cache_control" in with_breakpoints(asking(USER, tools=[TOOL, TOOL])).body["tools"][-1]
    assert not has_marks(asking(USER, tools=with_breakpoints(asking(SYSTEM, USER, tools=[TOOL])).body["tools"]))
