"""What a coding agent's session costs: `.venv/bin/python -m benchmarks.agents [--turns N] [--seed N]`.

The whole gateway serves one session in front of the simulator, by each policy with a ledger of its own. The shape is that of
recorded sessions of Claude Code and qwen-code: a request for a title, then 30 requests of about 20,000 tokens with long
instructions and 25 tools, three tasks (the last is a bare "yes" to a plan), and a tool's result in all requests between them.
Each of the gateway's APIs for agents that this version serves gets the same session in its own words (`BODIES`).

The history is scripted, so all policies send the same. Caches and the length of answers are the simulator's; costs are the list
prices of the answering model on that usage, because the simulated OpenRouter bills all models alike.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.served import served
from gateway.catalog import cost
from gateway.completion import Json, Usage
from gateway.dialects import DIALECTS
from gateway.settings import load
from llm_simulator.simulation import Simulation

DEFAULT = "claude/claude-sonnet-5-5"
CLAUDE = ("claude",)
# Name of the policy -> the model that the client names, the configuration, and the providers that `auto` may choose.
POLICIES: Mapping[str, tuple[str, str, Sequence[str]]] = {
    f"`{DEFAULT}`, no caching": (DEFAULT, "prompt_caching: off\n", ()),
    f"`{DEFAULT}`, caching": (DEFAULT, "prompt_caching: always\n", ()),
    "`auto` among Claude's models, no caching": ("auto", "prompt_caching: off\n", CLAUDE),
    "`auto` among Claude's models, caching": ("auto", "", CLAUDE),
    "`auto`, caching": ("auto", "", ()),
}
TASKS = (
    "The importer drops rows whose date has no time zone. Find out why and explain what happens in which order.",
    "Plan how to fix it without a change for existing callers, and what has to be tested.",
    "yes",
)
_RULE = "Read a file before you change it, keep changes small, and never guess what a command printed. "
_SYSTEM = "You are a coding agent in a terminal. " + _RULE * 400
_RESULT = "def parse(row): return datetime.fromisoformat(row['date'])  # line of the file that was read\n" * 12
_TITLE = "Generate a concise title (3-7 words) for this coding session."


def tools(count: int = 25) -> list[Json]:
    """Function tools with descriptions of the usual length."""
    path = {"type": "string", "description": "The absolute path of the file. " * 8}
    schema = {"type": "object", "properties": {"path": path}, "required": ["path"]}
    return [
        {
            "type": "function",
            "function": {"name": f"tool_{number}", "description": _RULE * 12, "parameters": schema},
        }
        for number in range(count)
    ]


def requests_of(turns: int) -> list[Json]:
    """The bodies of a session, without a model: a request for a title, then `turns` requests."""
    messages: list[Json] = [{"role": "system", "content": _SYSTEM}]
    each = max(1, turns // len(TASKS))
    offered = tools()
    bodies: list[Json] = [{"messages": [{"role": "user", "content": f"{_TITLE}\n{TASKS[0]}"}]}]
    for turn in range(turns):
        task = TASKS[turn // each] if turn % each == 0 and turn // each < len(TASKS) else None
        if task is not None and turn:
            messages.append({"role": "assistant", "content": "This is what I found, and this is my plan."})
        if task is not None:
            messages.append({"role": "user", "content": task})
        bodies.append({"messages": list(messages), "tools": offered, "max_tokens": 1_000})
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "tool_0", "arguments": '{"path": "/a.py"}'}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{turn}", "content": f"{turn}\n{_RESULT}"})
    return bodies


def messages_body(body: Json) -> Json:
    """The same request for `/v1/messages`."""
    system, *turns = body["messages"] if len(body["messages"]) > 1 else ({"content": ""}, *body["messages"])
    functions = [tool["function"] for tool in body.get("tools") or ()]
    return {
        "max_tokens": body.get("max_tokens", 1_000),
        **({"system": system["content"]} if system["content"] else {}),
        **({"tools": [_tool(each, "input_schema") for each in functions]} if functions else {}),
        "messages": [_message(turn) for turn in turns],
    }


def _message(turn: Json) -> Json:
    if turn["role"] == "tool":
        block = {"type": "tool_result", "tool_use_id": turn["tool_call_id"], "content": turn["content"]}
        return {"role": "user", "content": [block]}
    if "tool_calls" in turn:
        (call,) = turn["tool_calls"]
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        return {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": call["id"], "name": name, "input": arguments}],
        }
    return turn


def responses_body(body: Json) -> Json:
    """The same request for `/v1/responses`, without state at the server."""
    functions = [tool["function"] for tool in body.get("tools") or ()]
    return {
        "store": False,
        "max_output_tokens": body.get("max_tokens", 1_000),
        **({"tools": [{"type": "function", **_tool(each, "parameters")} for each in functions]} if functions else {}),
        "input": [_item(turn) for turn in body["messages"]],
    }


def _item(turn: Json) -> Json:
    if turn["role"] == "tool":
        return {"type": "function_call_output", "call_id": turn["tool_call_id"], "output": turn["content"]}
    if "tool_calls" in turn:
        (call,) = turn["tool_calls"]
        return {"type": "function_call", "call_id": call["id"], **call["function"]}
    return turn


def _tool(function: Json, schema: str) -> Json:
    return {"name": function["name"], "description": function["description"], schema: function["parameters"]}


# Name of the dialect -> the request in it.
BODIES: Mapping[str, Callable[[Json], Json]] = {
    "chat_completions": lambda body: body,
    "messages": messages_body,
    "responses": responses_body,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One answered request: the model, its tokens, USD, and whether it began a task."""

    model: str
    prompt_tokens: int
    cached_tokens: int
    cost: float
    begins_task: bool


async def run(
    model: str,
    config: str,
    providers: Sequence[str] = (),
    *,
    turns: int,
    seed: int,
    folder: Path,
    dialect: str = "chat_completions",
) -> list[Turn]:
    """One session. The first element is the request for a title."""
    hints = {"session_id": "agent", **({"providers": list(providers)} if providers else {})}
    prices, answered = load({}).prices, []
    async with served(Simulation(seed=seed), seed=seed, folder=folder, config=config) as gateway:
        for body in requests_of(turns):
            asked = {**BODIES[dialect](body), "model": model, "routing": hints}
            answer = await gateway.client.post(DIALECTS[dialect].path, json=asked)
            answer.raise_for_status()
            row = gateway.store.request(answer.headers["x-request-id"]) or {}
            provider, name = row["selected_provider"], row["selected_model"]
            usage = Usage(
                row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["cache_write_tokens"]
            )
            spent = cost(usage, prices.price(provider, name, datetime.now(UTC))) or Decimal(0)
            begins_task = body["messages"][-1]["role"] == "user"
            answered.append(
                Turn(f"{provider}/{name}", usage.prompt_tokens, usage.cached_tokens, float(spent), begins_task)
            )
    return answered


def changes_within_tasks(session: Sequence[Turn]) -> int:
    """How often the model changed between a tool's call and its result."""
    return sum(one.model != other.model for one, other in itertools.pairwise(session[1:]) if not other.begins_task)


def table(results: Mapping[str, Sequence[Turn]]) -> str:
    """Markdown: each policy beside the first."""
    lines = [
        "| policy | USD | of the first | tokens from caches | models | changes within a task |",
        "|---|---:|---:|---:|---|---:|",
    ]
    first = sum(turn.cost for turn in next(iter(results.values())))
    for name, session in results.items():
        usd = sum(turn.cost for turn in session)
        cached = sum(turn.cached_tokens for turn in session) / sum(turn.prompt_tokens for turn in session)
        models = ", ".join(f"`{name}`" for name in dict.fromkeys(turn.model for turn in session))
        lines.append(
            f"| {name} | {usd:.4f} | {usd / first:.1%} | {cached:.0%} | {models} | {changes_within_tasks(session)} |"
        )
    return "\n".join(lines)


async def compare(*, turns: int, seed: int, dialect: str = "chat_completions") -> dict[str, list[Turn]]:
    results = {}
    for name, (model, config, providers) in POLICIES.items():
        with tempfile.TemporaryDirectory() as folder:
            results[name] = await run(
                model, config, providers, turns=turns, seed=seed, folder=Path(folder), dialect=dialect
            )
    return results


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    chosen: Any = parser.parse_args(arguments)
    for dialect in BODIES.keys() & DIALECTS.keys():
        results = asyncio.run(compare(turns=chosen.turns, seed=chosen.seed, dialect=dialect))
        sys.stdout.write(f"{DIALECTS[dialect].path}\n\n{table(results)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
