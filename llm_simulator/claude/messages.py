"""Validates the turns of a conversation as Claude does."""

from __future__ import annotations

from typing import Any

from llm_simulator.claude import signatures
from llm_simulator.claude.validation import enables_thinking
from llm_simulator.models import ClaudeModel
from llm_simulator.validators import Path, Problem

Turn = dict[str, Any]
NO_PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."
EXPECTED_THINKING = (
    "Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final `assistant` message must "
    "start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
)
USER_BLOCKS = ("text", "image", "document", "search_result", "tool_result")
ASSISTANT_BLOCKS = ("text", "thinking", "redacted_thinking", "tool_use")


def blocks_of(message: Turn) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def check_turns(body: dict[str, Any], model: ClaudeModel) -> None:
    messages = body["messages"]
    check_roles(messages, model)
    system = body.get("system", [])
    for index, block in enumerate(system if isinstance(system, list) else []):
        check_text(block, ("system", index), "system: text content blocks must be non-empty")
    for index, message in enumerate(messages):
        check_content(message, index, last=index == len(messages) - 1)
        check_signatures(message, index, model)
    turns = merged(messages)
    check_tool_pairs(turns)
    check_end(body, turns, model)
    check_thinking_returned(body, turns)


def check_roles(messages: list[Turn], model: ClaudeModel) -> None:
    if messages[0]["role"] == "assistant":
        raise Problem(("messages",), "value", 'first message must use the "user" role')
    for index, message in enumerate(messages):
        if message["role"] != "system":
            continue
        if not model.system_turns:
            raise Problem(("messages", index), "value", "role 'system' is not supported on this model")
        if index == 0 or messages[index - 1]["role"] != "user":
            raise Problem(("messages", index), "value", "role 'system' must directly follow a 'user' message")


def check_content(message: Turn, index: int, *, last: bool) -> None:
    role, blocks = message["role"], blocks_of(message)
    empty = not blocks or (isinstance(message["content"], str) and not message["content"])
    if empty and not (last and role == "assistant"):
        text = (
            "user messages must have non-empty content"
            if role == "user"
            else "all messages must have non-empty content"
        )
        raise Problem(("messages", index), "value", text)
    allowed = {"user": USER_BLOCKS, "assistant": ASSISTANT_BLOCKS, "system": ("text",)}[role]
    for number, block in enumerate([] if empty else blocks):
        path: Path = ("messages", index, "content", number)
        if block["type"] not in allowed:
            raise Problem(path, "value", f"`{block['type']}` blocks can not be in `{role}` messages")
        check_text(block, (), "messages: text content blocks must be non-empty")
        for inner in block.get("content") or [] if isinstance(block.get("content"), list) else []:
            check_text(inner, (), "messages: text content blocks must be non-empty")


def check_text(block: dict[str, Any], path: Path, empty: str) -> None:
    if block["type"] != "text":
        return
    if not block["text"]:
        if block.get("cache_control"):
            raise Problem((*path, "cache_control"), "value", "cache_control cannot be set for empty text blocks")
        raise Problem((), "value", empty)
    if not block["text"].strip():
        raise Problem((), "value", "messages: text content blocks must contain non-whitespace text")


def check_signatures(message: Turn, index: int, model: ClaudeModel) -> None:
    for number, block in enumerate(blocks_of(message)):
        path = ("messages", index, "content", number)
        if block["type"] == "thinking" and not signatures.valid(block["signature"], block["thinking"], model):
            raise Problem(path, "value", "Invalid `signature` in `thinking` block")
        if block["type"] == "redacted_thinking" and not signatures.valid(block["data"], "", model):
            raise Problem(path, "value", "Invalid `data` in `redacted_thinking` block")


def merged(messages: list[Turn]) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Role, index of the last message and blocks of each turn: consecutive messages of one role are one turn."""
    turns: list[tuple[str, int, list[dict[str, Any]]]] = []
    for index, message in enumerate(messages):
        if turns and turns[-1][0] == message["role"]:
            turns[-1] = (message["role"], index, turns[-1][2] + blocks_of(message))
        else:
            turns.append((message["role"], index, list(blocks_of(message))))
    return turns


def check_tool_pairs(turns: list[tuple[str, int, list[dict[str, Any]]]]) -> None:
    call_ids: list[str] = []
    seen: set[str] = set()
    for number, (_role, index, blocks) in enumerate(turns):
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        check_results(results, call_ids, index, blocks)
        call_ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(set(call_ids)) < len(call_ids) or seen & set(call_ids):
            raise Problem(("messages",), "value", "`tool_use` ids must be unique")
        seen |= set(call_ids)
        following = turns[number + 1][2] if number + 1 < len(turns) else []
        check_answered(call_ids, following, index)


def check_results(results: list[str], call_ids: list[str], index: int, blocks: list[dict[str, Any]]) -> None:
    for number, block in enumerate(blocks):
        if block["type"] == "tool_result" and block["tool_use_id"] not in call_ids:
            unpaired = (
                f"unexpected `tool_use_id` found in `tool_result` blocks: {block['tool_use_id']}. Each `tool_result` block must "
                "have a corresponding `tool_use` block in the previous message."
            )
            raise Problem(("messages", index, "content", number), "value", unpaired)
    if len(set(results)) < len(results):
        duplicate = "each tool_use must have a single result. Found multiple `tool_result` blocks with id: "
        raise Problem(("messages", index), "value", duplicate + next(r for r in results if results.count(r) > 1))


def check_answered(call_ids: list[str], following: list[dict[str, Any]], index: int) -> None:
    """Check that the next turn starts with the results of all calls; a result after a text does not count."""
    first = next((n for n, block in enumerate(following) if block["type"] != "tool_result"), len(following))
    answered = {block["tool_use_id"] for block in following[:first]}
    missing = [call for call in call_ids if call not in answered]
    if missing:
        text = (
            f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}. "
            "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        )
        raise Problem(("messages", index), "value", text)


def check_end(body: dict[str, Any], turns: list[tuple[str, int, list[dict[str, Any]]]], model: ClaudeModel) -> None:
    role, _index, blocks = turns[-1]
    if role != "assistant":
        return
    if not model.prefill or enables_thinking(body) or body.get("output_config", {}).get("format"):
        raise Problem((), "value", NO_PREFILL)
    if blocks and blocks[-1]["type"] == "text" and blocks[-1]["text"] != blocks[-1]["text"].rstrip():
        raise Problem(("messages",), "value", "final assistant content cannot end with trailing whitespace")


def check_thinking_returned(body: dict[str, Any], turns: list[tuple[str, int, list[dict[str, Any]]]]) -> None:
    """Check that with manual thinking an open tool loop still starts with its thinking block."""
    if body.get("thinking", {}).get("type") != "enabled" or len(turns) < 2:
        return
    if not any(block["type"] == "tool_result" for block in turns[-1][2]):
        return
    _role, index, blocks = turns[-2]
    if blocks[0]["type"] not in ("thinking", "redacted_thinking"):
        message = EXPECTED_THINKING.format(found=blocks[0]["type"])
        raise Problem(("messages", index, "content", 0, "type"), "value", message)
