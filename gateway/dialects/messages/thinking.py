"""Carries the reasoning of other models in thinking blocks, as envelopes in place of Anthropic's signatures.

Every answer to this API is signed: a `thinking` block must have a `signature`. For models of other vendors it is an envelope with
the `reasoning_details` of the message. A tool call may need a signature of its own (Gemini's thought signature): it travels in the
thinking block before the call, as a detail of the type `tool_call` with the call's id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.completion import Json
from gateway.dialects.envelope import Envelope, is_sealed, seal, unseal

THINKING_OFF = ("disabled", "between_tools")  # values of `thinking.type`
_CALL = "tool_call"
# Members of a detail that arrive in pieces.
_TEXTS = ("text", "summary")


class ReasoningCollector:
    """Collects the `reasoning_details` of streamed deltas until they are sealed."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._details: dict[object, dict[str, Any]] = {}

    @property
    def waiting(self) -> bool:
        """Whether there are details that no envelope holds yet."""
        return bool(self._details)

    def add(self, details: Sequence[Json]) -> None:
        """Add whole details, or pieces: those with the same index and type are one detail."""
        for detail in details:
            key = (detail.get("index", len(self._details)), detail.get("type"))
            known = self._details.setdefault(key, {})
            for name, value in detail.items():
                known[name] = known.get(name, "") + value if name in _TEXTS and isinstance(value, str) else value

    def add_call(self, id: str, call: Json) -> None:
        """Add what must come back with a tool call, under the id that the client gets."""
        if call.get("extra_content"):
            self._details[_CALL, id] = {"type": _CALL, "id": id, "extra_content": call["extra_content"]}

    def seal(self) -> str:
        """The envelope of all that was added since the last one."""
        details, self._details = [*self._details.values()], {}
        return seal(Envelope(self._model, details))


class ReceivedReasoning:
    """The reasoning of an assistant turn that a client sent back: `details` of the message, `calls` by the id of the call."""

    def __init__(self, blocks: Sequence[Json]) -> None:
        self.details: list[Json] = []
        self.calls: dict[str, Mapping[str, Any]] = {}
        for block in blocks:
            envelope = unseal(_opaque(block))
            for detail in envelope.details if envelope is not None else ():
                id, extra = detail.get("id"), detail.get("extra_content")
                if detail.get("type") != _CALL:
                    self.details.append(detail)
                elif isinstance(id, str) and isinstance(extra, dict):
                    self.calls[id] = {"extra_content": extra}


def is_own(block: Json) -> bool:
    """Whether a thinking block was made by the gateway, so that Anthropic does not know its signature."""
    return is_sealed(_opaque(block))


def _opaque(block: Json) -> object:
    return block.get("signature") if block.get("type") == "thinking" else block.get("data")
