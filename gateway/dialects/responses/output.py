"""Builds the output items of a response from the deltas of chat completions, and tells the events of each step.

One item is open at a time. A response that is not streamed goes through the same steps as one delta.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.completion import Json
from gateway.dialects.envelope import Envelope, seal
from gateway.dialects.responses.answer import visible_items
from gateway.dialects.responses.earlier import item_id
from gateway.dialects.responses.reasoning import call_detail, merge_details
from gateway.dialects.responses.tools import ClientTool, ToolNames, custom_input
from gateway.errors import UpstreamInvalidResponse

Tell = Callable[[str, dict[str, Any]], None]  # an event's type and its members

_NO_TOOL = ClientTool("")


@dataclass(slots=True)
class OpenPart:
    """The open content part of the open message: `text` or `refusal`."""

    kind: str
    pieces: list[str] = field(default_factory=list)
    annotations: list[Json] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)

    def whole(self) -> dict[str, Any]:
        said = "".join(self.pieces)
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": said}
        return {"type": "output_text", "text": said, "annotations": self.annotations, "logprobs": self.logprobs}


@dataclass(slots=True)
class OpenItem:
    """The open item. `place` are the members that its events share; None while the client does not see it."""

    id: str
    kind: str
    place: dict[str, Any] | None = None
    content: list[dict[str, Any]] = field(default_factory=list)  # of a message
    part: OpenPart | None = None
    tool: ClientTool = _NO_TOOL  # of a call
    call_id: str = ""
    pieces: list[str] = field(default_factory=list)  # of a call's arguments, or of a summary
    details: list[dict[str, Any]] = field(default_factory=list)  # of reasoning


class OutputBuilder:
    """`items` are the finished items, with all reasoning, in order; `response` is the response's id without its prefix.

    Reasoning is shown as a summary, as an opaque string, as both, or not at all.
    """

    def __init__(
        self, response: str, model: str, names: ToolNames, *, summary: bool, encrypted: bool, tell: Tell
    ) -> None:
        self.items: list[Json] = []
        self.open: OpenItem | None = None
        self._response = response
        self._model = model
        self._names = names
        self._summary = summary
        self._encrypted = encrypted
        self._tell = tell
        self._made = 0
        self._shown = 0
        self._call_ids: dict[int, str] = {}  # by the index of the call
        self._late_details: list[dict[str, Any]] = []  # that came after the item they belong to

    def add(self, delta: Json, logprobs: Json | None = None) -> None:
        """Raises UpstreamInvalidResponse for calls that are mixed with each other."""
        if thought := delta.get("reasoning_content"):
            self._think(thought)
        for entry in delta.get("reasoning_details") or ():
            self._add_detail(entry)
        if text := delta.get("content"):
            self._say("text", text, list((logprobs or {}).get("content") or ()))
        if refusal := delta.get("refusal"):
            self._say("refusal", refusal, [])
        for annotation in delta.get("annotations") or ():
            self._annotate(annotation)
        for number, call in enumerate(delta.get("tool_calls") or ()):
            self._call(call, call.get("index", number))
        for image in delta.get("images") or ():
            self._image(image["image_url"]["url"])

    def finish(self, status: str) -> None:
        """End the open item with this status. A whole answer without content becomes an empty message, because clients expect one."""
        self._close(status)
        if self._late_details:
            self._open_reasoning().details = self._late_details
            self._close("completed")
        if status == "completed" and all(item["type"] == "reasoning" for item in self.items):
            self._open_part("text")
            self._close(status)

    def _think(self, thought: str) -> None:
        item = self.open if self.open is not None and self.open.kind == "reasoning" else self._open_reasoning()
        if not self._summary:
            return
        if item.place is None:
            self._show(item, {"summary": []})
        if not item.pieces:
            part = {"type": "summary_text", "text": ""}
            self._event(item, "response.reasoning_summary_part.added", summary_index=0, part=part)
        item.pieces.append(thought)
        self._event(item, "response.reasoning_summary_text.delta", summary_index=0, delta=thought)

    def _add_detail(self, entry: Json) -> None:
        if self.open is not None and self.open.kind == "reasoning":
            merge_details(self.open.details, entry)
        elif self.open is None and not self.items:
            merge_details(self._open_reasoning().details, entry)
        else:
            merge_details(self._late_details, entry)

    def _open_reasoning(self) -> OpenItem:
        item = self._open("rs", "reasoning")
        if self._encrypted:
            self._show(item, {"summary": []})
        return item

    def _say(self, kind: str, text: str, logprobs: list[Json]) -> None:
        item = self.open
        if item is None or item.part is None or item.part.kind != kind:
            item, part = self._open_part(kind)
        else:
            part = item.part
        part.pieces.append(text)
        content_index = len(item.content)
        if kind == "refusal":
            self._event(item, "response.refusal.delta", content_index=content_index, delta=text)
        else:
            part.logprobs += logprobs
            self._event(item, "response.output_text.delta", content_index=content_index, delta=text, logprobs=logprobs)

    def _open_part(self, kind: str) -> tuple[OpenItem, OpenPart]:
        item, part = self.open, OpenPart(kind)
        if item is not None and item.part is not None:
            self._close_part(item, item.part)
        else:
            item = self._open("msg", "message")
            self._show(item, {"status": "in_progress", "role": "assistant", "content": []})
        item.part = part
        self._event(item, "response.content_part.added", content_index=len(item.content), part=part.whole())
        return item, part

    def _annotate(self, annotation: Json) -> None:
        """A source of the open text; the members of chat completions stand one level deeper."""
        item, cited = self.open, annotation.get("url_citation")
        if item is None or item.part is None or not isinstance(cited, dict):
            return
        flat = {"type": "url_citation", **cited}
        self._event(
            item,
            "response.output_text.annotation.added",
            content_index=len(item.content),
            annotation_index=len(item.part.annotations),
            annotation=flat,
        )
        item.part.annotations.append(flat)

    def _call(self, call: Json, index: int) -> None:
        function = call.get("function") or {}
        item = self.open
        if index not in self._call_ids:
            item = self._open_call(str(call.get("id") or ""), str(function.get("name") or ""), index)
        elif item is None or item.call_id != self._call_ids[index]:
            raise UpstreamInvalidResponse("The upstream mixed the pieces of several tool calls.")
        if call.get("extra_content"):
            self._late_details.append(dict(call_detail(item.call_id, call["extra_content"])))
        if arguments := function.get("arguments"):
            item.pieces.append(arguments)
            if not item.tool.custom:
                self._event(item, "response.function_call_arguments.delta", delta=arguments)

    def _open_call(self, call_id: str, name: str, index: int) -> OpenItem:
        tool = self._names.declared(name)
        item = self._open(*(("ctc", "custom_tool_call") if tool.custom else ("fc", "function_call")))
        call_id = call_id or f"call_{self._response}_{index}"
        item.call_id = call_id if call_id not in self._call_ids.values() else f"{call_id}_{index}"
        self._call_ids[index] = item.call_id
        item.tool = tool
        self._show(item, _call_members(item, "", "in_progress"))
        return item

    def _image(self, url: str) -> None:
        item = self._open("ig", "image_generation_call")
        self._show(item, {"status": "in_progress", "result": None})
        item.pieces = [url.partition(",")[2] if url.startswith("data:") else url]
        self._close("completed")

    def _open(self, prefix: str, kind: str) -> OpenItem:
        self._close("completed")
        self.open = OpenItem(item_id(prefix, self._response, self._made), kind)
        self._made += 1
        return self.open

    def _show(self, item: OpenItem, members: dict[str, Any]) -> None:
        """Give the item a place in the output."""
        item.place = {"item_id": item.id, "output_index": self._shown}
        self._shown += 1
        added = {"id": item.id, "type": item.kind, **members}
        self._tell("response.output_item.added", {"output_index": item.place["output_index"], "item": added})

    def _event(self, item: OpenItem, type: str, **members: Any) -> None:
        self._tell(type, {**(item.place or {}), **members})

    def _close(self, status: str) -> None:
        item, self.open = self.open, None
        if item is None:
            return
        if item.part is not None:
            self._close_part(item, item.part)
            done = {"id": item.id, "type": item.kind, "status": status, "role": "assistant", "content": item.content}
        elif item.kind == "reasoning":
            done = self._reasoning_done(item)
        elif item.kind == "image_generation_call":
            done = {"id": item.id, "type": item.kind, "status": status, "result": "".join(item.pieces)}
        else:
            done = self._call_done(item, status)
        self.items.append(done)
        if item.place is not None:
            (seen,) = visible_items([done], encrypted=self._encrypted)
            self._tell("response.output_item.done", {"output_index": item.place["output_index"], "item": seen})

    def _close_part(self, item: OpenItem, part: OpenPart) -> None:
        whole, content_index = part.whole(), len(item.content)
        if part.kind == "refusal":
            self._event(item, "response.refusal.done", content_index=content_index, refusal=whole["refusal"])
        else:
            self._event(
                item,
                "response.output_text.done",
                content_index=content_index,
                text=whole["text"],
                logprobs=whole["logprobs"],
            )
        self._event(item, "response.content_part.done", content_index=content_index, part=whole)
        item.content.append(whole)

    def _reasoning_done(self, item: OpenItem) -> dict[str, Any]:
        done: dict[str, Any] = {"id": item.id, "type": item.kind, "summary": []}
        if item.pieces:
            text = "".join(item.pieces)
            part = {"type": "summary_text", "text": text}
            self._event(item, "response.reasoning_summary_text.done", summary_index=0, text=text)
            self._event(item, "response.reasoning_summary_part.done", summary_index=0, part=part)
            done["summary"] = [part]
        if item.details:
            done["encrypted_content"] = seal(Envelope(self._model, item.details))
        return done

    def _call_done(self, item: OpenItem, status: str) -> dict[str, Any]:
        text = "".join(item.pieces)
        if item.tool.custom:
            text = custom_input(text)
            self._event(item, "response.custom_tool_call_input.delta", delta=text)
            self._event(item, "response.custom_tool_call_input.done", input=text)
        else:
            if not text:
                text = "{}"
                self._event(item, "response.function_call_arguments.delta", delta=text)
            name = item.tool.name
            self._event(item, "response.function_call_arguments.done", arguments=text, name=name)
        return {"id": item.id, "type": item.kind, **_call_members(item, text, status)}


def _call_members(item: OpenItem, text: str, status: str) -> dict[str, Any]:
    members = {"status": status, "call_id": item.call_id, "name": item.tool.name}
    if item.tool.namespace is not None:
        members["namespace"] = item.tool.namespace
    members["input" if item.tool.custom else "arguments"] = text
    return members
