"""The measurement of an agent's session."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.agents import (
    CLAUDE,
    DEFAULT,
    POLICIES,
    TASKS,
    Turn,
    changes_within_tasks,
    compare,
    main,
    messages_body,
    requests_of,
    responses_body,
    run,
    table,
)


def test_session_has_the_recorded_shape() -> None:
    """A title, then tasks between tools' results, each request with the whole history and all tools."""
    title, *bodies = requests_of(6)
    assert "tools" not in title
    assert [len(body["tools"]) for body in bodies] == [25] * 6
    assert [body["messages"][-1]["role"] for body in bodies] == ["user", "tool"] * 3
    assert [body["messages"][-1]["content"] for body in bodies[::2]] == list(TASKS)
    assert all(
        one["messages"] == other["messages"][: len(one["messages"])] for one, other in itertools.pairwise(bodies)
    )


@pytest.mark.parametrize("providers", [(), CLAUDE], ids=["any provider", "Claude only"])
async def test_auto_with_caching_costs_less_than_the_default(tmp_path: Path, providers: Sequence[str]) -> None:
    """Also less than the default model with its cache; the model stays the same within a task, and the title's does not count."""
    sessions = {}
    for name, (model, config, allowed) in {
        "default": (DEFAULT, "prompt_caching: always\n", ()),
        "auto": ("auto", "", providers),
    }.items():
        (folder := tmp_path / name).mkdir()
        sessions[name] = await run(model, config, allowed, turns=6, seed=0, folder=folder)
    costs = {name: sum(turn.cost for turn in session) for name, session in sessions.items()}
    assert 0 < costs["auto"] < costs["default"]
    assert changes_within_tasks(sessions["auto"]) == 0
    assert sum(turn.cached_tokens for turn in sessions["auto"]) > 0.6 * sum(
        turn.prompt_tokens for turn in sessions["auto"]
    )


def turn(model: str, *, begins_task: bool = False) -> Turn:
    return Turn(model, prompt_tokens=100, cached_tokens=50, cost=0.5, begins_task=begins_task)


def test_table_counts_changes_within_a_task_only() -> None:
    """A new task may change the model; the request for a title is no part of a task."""
    session = [turn("t"), turn("a", begins_task=True), turn("b"), turn("c", begins_task=True), turn("c")]
    assert changes_within_tasks(session) == 1
    assert table({"x": session}).splitlines()[-1] == "| x | 2.5000 | 100.0% | 50% | `t`, `a`, `b`, `c` | 1 |"


async def test_every_policy_is_compared() -> None:
    """The default comes first: the others stand beside it."""
    results = await compare(turns=1, seed=0)
    assert list(results) == list(POLICIES)
    assert [len(session) for session in results.values()] == [2] * len(POLICIES)


def test_benchmark_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    """As Markdown, for the documentation."""
    main(["--turns", "1"])
    assert "/v1/chat/completions\n\n| policy | USD |" in capsys.readouterr().out


def test_session_in_the_words_of_messages() -> None:
    """Anthropic's shape: instructions beside the turns, calls and results as blocks, schemas as `input_schema`."""
    title, first, second, *_ = map(messages_body, requests_of(3))
    assert set(title) == {"max_tokens", "messages"}
    assert set(first) == {"max_tokens", "system", "tools", "messages"}
    assert set(first["tools"][0]) == {"name", "description", "input_schema"}
    user, call, result = second["messages"][:3]
    assert user == {"role": "user", "content": TASKS[0]}
    assert call["content"] == [{"type": "tool_use", "id": "c0", "name": "tool_0", "input": {"path": "/a.py"}}]
    assert (result["role"], result["content"][0]["tool_use_id"]) == ("user", "c0")


def test_session_in_the_words_of_responses() -> None:
    """OpenAI's shape: items instead of messages, flat tools, no state."""
    title, first, second, *_ = map(responses_body, requests_of(3))
    assert set(title) == {"store", "max_output_tokens", "input"}
    assert set(first["tools"][0]) == {"type", "name", "description", "parameters"}
    assert [item.get("type") for item in second["input"][:4]] == [None, None, "function_call", "function_call_output"]
    assert second["input"][2]["call_id"] == second["input"][3]["call_id"] == "c0"
