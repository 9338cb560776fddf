"""A chat history as Claude's turns: user first, roles in turn, every tool call answered in the very next turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from gateway.completion import Json
from gateway.errors import InvalidRequest
from gateway.providers.claude.content import Block, cache_mark, mark_last, message_blocks, text_block
from gateway.providers.claude.profiles import ClaudeProfile
from gateway.providers.claude.thinking import ThinkingMemory
from gateway.providers.claude.tools import ToolCallIds, ToolCalls

BEGIN = "(The conversation begins with the assistant.)"
CONTINUE = "Continue."
NO_RESULT = "(no result)"

ClaudeTurn = dict[str, Any]


def system_blocks(messages: Sequence[Json]) -> list[Block]:
    """The text of the system and developer messages that a history begins with."""
    blocks: list[Block] = []
    for i, message in enumerate(messages):
        if not _instructs(message):
            break
        blocks += _instruction(message, i)
    return blocks


def claude_turns(
    messages: Sequence[Json], *, profile: ClaudeProfile, calls: ToolCalls, memory: ThinkingMemory | None
) -> list[ClaudeTurn]:
    """The turns after the leading instructions; without `memory` no thinking is put back. May end with the assistant's."""
    return _History(messages, profile=profile, calls=calls, memory=memory).turns()


def ended(history: list[ClaudeTurn], *, prefill: bool) -> list[ClaudeTurn]:
    """The turns with an end the model can answer: where the last one cannot be continued, a user turn asks to go on."""
    if not history:
        raise InvalidRequest("'messages' has no content.", param="messages")
    last = history[-1]
    if last["role"] != "assistant":
        return history
    if not prefill:
        return [*history, {"role": "user", "content": [{"type": "text", "text": CONTINUE}]}]
    *before, final = last["content"]
    return [*history[:-1], {"role": "assistant", "content": [*before, {**final, "text": final["text"].rstrip()}]}]


def _instructs(message: Json) -> bool:
    return message["role"] in ("system", "developer")


def _instruction(message: Json, index: int) -> list[Block]:
    return message_blocks(message, f"messages[{index}]")


class _History:
    """Walks a history once; `_turns` grows, consecutive blocks of one role in one turn."""

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
        while index < len(self._messages) and _instructs(self._messages[index]):
            index += 1
        while index < len(self._messages):
            message = self._messages[index]
            content = message.get("content")
            if len(message) == 2 and type(content) is str and message["role"] in ("user", "assistant"):
                block = text_block(content)
                self._add(message["role"], [block] if block else [])
            elif message["role"] == "assistant":
                index = self._assistant(index)
                continue
            elif _instructs(message):
                self._instruct(index)
            elif message["role"] == "user":
                self._add("user", message_blocks(message, f"messages[{index}]"))
            elif index not in self._answered:
                self._add("user", self._orphan(index))
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

    def _instruct(self, index: int) -> None:
        """A later instruction: a system turn where the model has those and one fits, else marked text of the user's turn."""
        blocks = _instruction(self._messages[index], index)
        after = self._turns[-1]["role"] if self._turns else ""
        fits = after == "system" or (after == "user" and self._answer_follows(index))
        if self._profile.system_turns and fits:
            self._add("system", blocks)
        else:
            self._add("user", [{**block, "text": f"<system>\n{block['text']}\n</system>"} for block in blocks])

    def _answer_follows(self, index: int) -> bool:
        rest = (i for i in range(index + 1, len(self._messages)) if i not in self._answered)
        following = next((self._messages[i] for i in rest if not _instructs(self._messages[i])), None)
        return following is None or following["role"] == "assistant"

    def _assistant(self, begin: int) -> int:
        """The assistant messages from `begin` on as one turn, and the results of its calls as the next; the index after them."""
        end = begin
        while end < len(self._messages) and self._messages[end]["role"] == "assistant":
            end += 1
        blocks, used = [], []
        for index in range(begin, end):
            spoken, called = self._spoken(index)
            blocks += spoken
            used += called
        self._add("assistant", blocks + [block for _, _, block in used])
        if used:
            self._add("user", self._results(used, after=end))
        return end

    def _spoken(self, index: int) -> tuple[list[Block], list[tuple[int, str, Block]]]:
        """What a message says, with the thinking before it, and what it calls: (order, the client's id, block)."""
        message, path = self._messages[index], f"messages[{index}]"
        said = message_blocks({**message, "cache_control": None}, path)
        refused = text_block(message.get("refusal") or "")
        said += [refused] if refused else []
        used = [
            (i, call["id"], self._calls.block(call, id=self._ids.new(call["id"]), path=f"{path}.tool_calls[{i}]"))
            for i, call in enumerate(message.get("tool_calls") or ())
        ]
        if not said and not used:
            return [], []
        mark_last([block for _, _, block in used] or said, message)
        thought = self._memory.blocks(message) if self._memory else []
        first = [block for calls, block in thought if calls == 0]
        later = [(calls, "", block) for calls, block in thought if calls > 0]
        # A block that came after n calls stands before call n; thinking sorts before the call of the same number.
        return first + said, sorted([*later, *used], key=lambda entry: (entry[0], entry[1] != ""))

    def _results(self, used: list[tuple[int, str, Block]], *, after: int) -> list[Block]:
        """One result for each call, looked for among the messages up to the assistant's next."""
        found: dict[str, list[int]] = {}
        for index in self._until_assistant(after):
            if self._messages[index]["role"] == "tool":
                found.setdefault(self._messages[index].get("tool_call_id") or "", []).append(index)
        results = []
        for _, call_id, block in used:
            if block["type"] != "tool_use":
                continue
            answers = found.get(call_id)
            results.append(self._result(block["id"], answers.pop(0) if answers else None))
        return results

    def _until_assistant(self, index: int) -> Iterator[int]:
        return takewhile(lambda i: self._messages[i]["role"] != "assistant", range(index, len(self._messages)))

    def _result(self, id: str, index: int | None) -> Block:
        if index is None:
            return {"type": "tool_result", "tool_use_id": id, "content": NO_RESULT}
        self._answered.add(index)
        blocks, mark = self._tool_content(index)
        result: Block = {"type": "tool_result", "tool_use_id": id}
        if blocks:
            result["content"] = blocks if len(blocks) > 1 or blocks[0]["type"] != "text" else blocks[0]["text"]
        return result if mark is None else {**result, "cache_control": mark}

    def _tool_content(self, index: int) -> tuple[list[Block], dict[str, str] | None]:
        """A result's blocks without marks, and the last cache mark of its parts or of the message, which is the whole result's."""
        message = self._messages[index]
        blocks = message_blocks(message, f"messages[{index}]")
        marks = [block.pop("cache_control", None) for block in blocks] or [cache_mark(message)]
        return blocks, next((mark for mark in reversed(marks) if mark), None)

    def _orphan(self, index: int) -> list[Block]:
        """A result without its call, which the API refuses: told as text."""
        head: Block = {
            "type": "text",
            "text": f"Result of tool call {self._messages[index].get('tool_call_id') or ''}:",
        }
        blocks, mark = self._tool_content(index)
        if not blocks:
            return []
        if mark is not None:
            blocks[-1]["cache_control"] = mark
        return [head, *blocks]
