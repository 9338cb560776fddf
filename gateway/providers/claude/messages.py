"""Converts the messages to Claude's turns: user first, alternating roles, tool results in the turn after their calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from gateway.completion import Json
from gateway.errors import InvalidRequest
from gateway.providers.claude.content import Block, cache_control_of, message_blocks, set_last_cache_control, text_block
from gateway.providers.claude.profiles import ClaudeProfile
from gateway.providers.claude.thinking import ThinkingMemory
from gateway.providers.claude.tools import ToolCallIds, ToolCalls

BEGIN = "(The conversation begins with the assistant.)"
CONTINUE = "Continue."
NO_RESULT = "(no result)"

ClaudeTurn = dict[str, Any]


def system_blocks(messages: Sequence[Json]) -> list[Block]:
    """The blocks of the leading system and developer messages."""
    blocks: list[Block] = []
    for i, message in enumerate(messages):
        if not _is_instruction(message):
            break
        blocks += _instruction(message, i)
    return blocks


def build_turns(
    messages: Sequence[Json], *, profile: ClaudeProfile, calls: ToolCalls, memory: ThinkingMemory | None
) -> list[ClaudeTurn]:
    """The turns after the leading instructions; they may end with an assistant turn. `memory` restores thinking blocks."""
    return _History(messages, profile=profile, calls=calls, memory=memory).turns()


def with_answerable_end(history: list[ClaudeTurn], *, prefill: bool) -> list[ClaudeTurn]:
    """The turns with an end that the model accepts. Without `prefill` a user turn follows a last assistant turn."""
    if not history:
        raise InvalidRequest("'messages' has no content.", param="messages")
    last = history[-1]
    if last["role"] != "assistant":
        return history
    if not prefill:
        return [*history, {"role": "user", "content": [{"type": "text", "text": CONTINUE}]}]
    *before, final = last["content"]
    return [*history[:-1], {"role": "assistant", "content": [*before, {**final, "text": final["text"].rstrip()}]}]


def _is_instruction(message: Json) -> bool:
    return message["role"] in ("system", "developer")


def _instruction(message: Json, index: int) -> list[Block]:
    return message_blocks(message, f"messages[{index}]")


class _History:
    """Converts the messages in one pass; consecutive blocks of one role share a turn."""

    def __init__(
        self, messages: Sequence[Json], *, profile: ClaudeProfile, calls: ToolCalls, memory: ThinkingMemory | None
    ) -> None:
        self._messages = messages
        self._profile = profile
        self._calls = calls
        self._memory = memory
        self._ids = ToolCallIds()
        self._answered: set[int] = set()
        self._turns: list[ClaudeTurn] = []

    def turns(self) -> list[ClaudeTurn]:
        index = 0
        while index < len(self._messages) and _is_instruction(self._messages[index]):
            index += 1
        while index < len(self._messages):
            message = self._messages[index]
            content = message.get("content")
            if len(message) == 2 and type(content) is str and message["role"] in ("user", "assistant"):
                block = text_block(content)
                self._add(message["role"], [block] if block else [])
            elif message["role"] == "assistant":
                index = self._add_assistant_turn(index)
                continue
            elif _is_instruction(message):
                self._add_instruction(index)
            elif message["role"] == "user":
                self._add("user", message_blocks(message, f"messages[{index}]"))
            elif index not in self._answered:
                self._add("user", self._unpaired_result(index))
            index += 1
        return self._turns

    def _add(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if role == "assistant" and not self._turns:
            self._turns.append({"role": "user", "content": [{"type": "text", "text": BEGIN}]})
        if self._turns and self._turns[-1]["role"] == role:
            self._turns[-1]["content"] += blocks
        else:
            self._turns.append({"role": role, "content": blocks})

    def _add_instruction(self, index: int) -> None:
        """Add a later instruction: a system turn where the model supports it, else text in `<system>` tags in the user turn."""
        blocks = _instruction(self._messages[index], index)
        after = self._turns[-1]["role"] if self._turns else ""
        fits = after == "system" or (after == "user" and self._answer_follows(index))
        if self._profile.system_turns and fits:
            self._add("system", blocks)
        else:
            self._add("user", [{**block, "text": f"<system>\n{block['text']}\n</system>"} for block in blocks])

    def _answer_follows(self, index: int) -> bool:
        later = (i for i in range(index + 1, len(self._messages)) if i not in self._answered)
        following = next((self._messages[i] for i in later if not _is_instruction(self._messages[i])), None)
        return following is None or following["role"] == "assistant"

    def _add_assistant_turn(self, begin: int) -> int:
        """Add the assistant messages from `begin` as one turn, then their tool results. Returns the index after them."""
        end = begin
        while end < len(self._messages) and self._messages[end]["role"] == "assistant":
            end += 1
        blocks, tool_calls = [], []
        for index in range(begin, end):
            texts, calls = self._message_blocks(index)
            blocks += texts
            tool_calls += calls
        self._add("assistant", blocks + [block for _, _, block in tool_calls])
        if tool_calls:
            self._add("user", self._results(tool_calls, after=end))
        return end

    def _message_blocks(self, index: int) -> tuple[list[Block], list[tuple[int, str, Block]]]:
        """Returns a message's thinking and text blocks, and its tool calls as (order, the client's id, block)."""
        message, path = self._messages[index], f"messages[{index}]"
        texts = message_blocks({**message, "cache_control": None}, path)
        refusal = text_block(message.get("refusal") or "")
        texts += [refusal] if refusal else []
        tool_calls = [
            (i, call["id"], self._calls.block(call, id=self._ids.new(call["id"]), path=f"{path}.tool_calls[{i}]"))
            for i, call in enumerate(message.get("tool_calls") or ())
        ]
        if not texts and not tool_calls:
            return [], []
        set_last_cache_control([block for _, _, block in tool_calls] or texts, message)
        thinking = self._memory.blocks(message) if self._memory else []
        first = [block for calls, block in thinking if calls == 0]
        later = [(calls, "", block) for calls, block in thinking if calls > 0]
        # A thinking block after n calls comes before call n; it sorts before the call of the same number.
        return first + texts, sorted([*later, *tool_calls], key=lambda entry: (entry[0], entry[1] != ""))

    def _results(self, tool_calls: list[tuple[int, str, Block]], *, after: int) -> list[Block]:
        """One result per call, from the messages up to the next assistant message."""
        results_by_id: dict[str, list[int]] = {}
        for index in self._until_assistant(after):
            if self._messages[index]["role"] == "tool":
                results_by_id.setdefault(self._messages[index].get("tool_call_id") or "", []).append(index)
        results = []
        for _, call_id, block in tool_calls:
            if block["type"] != "tool_use":
                continue
            answers = results_by_id.get(call_id)
            results.append(self._result(block["id"], answers.pop(0) if answers else None))
        return results

    def _until_assistant(self, index: int) -> Iterator[int]:
        return takewhile(lambda i: self._messages[i]["role"] != "assistant", range(index, len(self._messages)))

    def _result(self, id: str, index: int | None) -> Block:
        if index is None:
            return {"type": "tool_result", "tool_use_id": id, "content": NO_RESULT}
        self._answered.add(index)
        blocks, cache_control = self._tool_content(index)
        result: Block = {"type": "tool_result", "tool_use_id": id}
        if blocks:
            result["content"] = blocks if len(blocks) > 1 or blocks[0]["type"] != "text" else blocks[0]["text"]
        return result if cache_control is None else {**result, "cache_control": cache_control}

    def _tool_content(self, index: int) -> tuple[list[Block], dict[str, str] | None]:
        """The blocks of a tool result without `cache_control`, and the last `cache_control` of its parts or of the message."""
        message = self._messages[index]
        blocks = message_blocks(message, f"messages[{index}]")
        cache_controls = [block.pop("cache_control", None) for block in blocks] or [cache_control_of(message)]
        return blocks, next((cache_control for cache_control in reversed(cache_controls) if cache_control), None)

    def _unpaired_result(self, index: int) -> list[Block]:
        """A tool result without its call, which the API rejects, as text."""
        head: Block = {
            "type": "text",
            "text": f"Result of tool call {self._messages[index].get('tool_call_id') or ''}:",
        }
        blocks, cache_control = self._tool_content(index)
        if not blocks:
            return []
        if cache_control is not None:
            blocks[-1]["cache_control"] = cache_control
        return [head, *blocks]
