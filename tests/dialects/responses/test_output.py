"""Output items from deltas, and the events of each step."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import Json
from gateway.dialects.envelope import unseal
from gateway.dialects.responses.output import OutputBuilder
from gateway.dialects.responses.tools import ToolNames, tool_names
from gateway.errors import UpstreamInvalidResponse
from tests.dialects.responses.bodies import WEATHER

SIGNED = {"type": "reasoning.text", "index": 0, "signature": "s"}


class Written:
    """What came of some deltas."""

    def __init__(
        self,
        *deltas: Json,
        names: ToolNames | None = None,
        summary: bool = True,
        encrypted: bool = False,
        status: str = "completed",
    ) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.output = OutputBuilder(
            "r1",
            "claude/x",
            names or ToolNames(),
            summary=summary,
            encrypted=encrypted,
            tell=lambda type, members: self.events.append((type, members)),
        )
        for delta in deltas:
            self.output.add(delta)
        self.output.finish(status)

    @property
    def types(self) -> list[str]:
        return [type.removeprefix("response.") for type, _ in self.events]

    @property
    def done(self) -> list[dict[str, Any]]:
        """The finished items as the client saw them."""
        return [members["item"] for type, members in self.events if type == "response.output_item.done"]

    def of(self, type: str) -> list[dict[str, Any]]:
        return [members for name, members in self.events if name == f"response.{type}"]


def call(index: int, id: str = "", name: str = "", arguments: str = "", **members: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": id, "type": "function", "function": function, **members}]}


def test_text_is_a_message() -> None:
    """A message opens, has one part, and closes with the whole text."""
    written = Written({"role": "assistant", "content": ""}, {"content": "four "}, {"content": "and"})
    assert written.types == [
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done"),
        *("content_part.done", "output_item.done"),
    ]
    (item,) = written.output.items
    assert item["id"] == "msg_r1_0"
    assert item["content"] == [{"type": "output_text", "text": "four and", "annotations": [], "logprobs": []}]


def test_reasoning_comes_before_the_text() -> None:
    """Thoughts are an item with a summary, closed before the message opens."""
    written = Written({"reasoning_content": "Hm. "}, {"reasoning_content": "Yes."}, {"content": "four"})
    assert [item["type"] for item in written.done] == ["reasoning", "message"]
    assert written.done[0]["summary"] == [{"type": "summary_text", "text": "Hm. Yes."}]
    assert written.types[:6] == [
        *("output_item.added", "reasoning_summary_part.added"),
        *("reasoning_summary_text.delta", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done"),
    ]


def test_reasoning_is_hidden_where_nobody_asked() -> None:
    """Without summary and opaque string the client sees no reasoning, and the indexes have no gap; the item is kept."""
    written = Written({"reasoning_content": "Hm."}, {"reasoning_details": [SIGNED]}, {"content": "four"}, summary=False)
    assert [item["type"] for item in written.done] == ["message"]
    assert written.done[0]["id"] == "msg_r1_1"
    assert written.of("output_item.added")[0]["output_index"] == 0
    (kept, _) = written.output.items
    assert unseal(kept["encrypted_content"]) == ("claude/x", [SIGNED])


def test_encrypted_reasoning_is_shown_on_request() -> None:
    """The opaque string is in the finished item, without thoughts too, and not in the added one."""
    written = Written({"reasoning_details": [SIGNED]}, {"content": "four"}, summary=False, encrypted=True)
    assert "encrypted_content" not in written.of("output_item.added")[0]["item"]
    assert unseal(written.done[0]["encrypted_content"]) == ("claude/x", [SIGNED])


def test_late_signatures_follow_in_an_item_of_their_own() -> None:
    """What comes after the text, and the signatures of calls, close the output."""
    extra = {"google": {"thought_signature": "s"}}
    written = Written(
        {"content": "four", "reasoning_details": []},
        {"reasoning_details": [SIGNED]},
        call(0, "c1", "f", extra_content=extra),
        encrypted=True,
    )
    assert [item["type"] for item in written.done] == ["message", "function_call", "reasoning"]
    envelope = unseal(written.done[2]["encrypted_content"])
    assert envelope is not None
    assert [detail.get("id") for detail in envelope.details] == [None, "c1"]


def test_calls_are_items() -> None:
    """Each call is an item: its pieces are deltas, and no arguments are an empty object."""
    written = Written(call(0, "c1", "f", '{"a"'), call(0, arguments=":1}"), call(1, "c2", "g"))
    assert [(item["call_id"], item["name"], item["arguments"]) for item in written.done] == [
        ("c1", "f", '{"a":1}'),
        ("c2", "g", "{}"),
    ]
    assert [event["delta"] for event in written.of("function_call_arguments.delta")] == ['{"a"', ":1}", "{}"]
    assert [event["arguments"] for event in written.of("function_call_arguments.done")] == ['{"a":1}', "{}"]


def test_call_ids_are_unique() -> None:
    """Missing and repeated ids are replaced, because clients answer by id."""
    written = Written(call(0, "c1", "f"), call(1, "c1", "f"), call(2, "", "f"))
    assert [item["call_id"] for item in written.done] == ["c1", "c1_1", "call_r1_2"]


def test_mixed_calls_are_an_error() -> None:
    """Only one item is open at a time, so pieces of a closed call cannot be delivered."""
    with pytest.raises(UpstreamInvalidResponse):
        Written(call(0, "c1", "f"), call(1, "c2", "g"), call(0, arguments="{}"))


def test_custom_call_has_its_input_at_once() -> None:
    """The string of a custom tool is told once its arguments are whole; the tool has its own name and namespace."""
    space = {"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "patch"}]}
    names = tool_names({"tools": [WEATHER, space]})
    written = Written(call(0, "c1", "patch", '{"input":'), call(0, arguments='"x"}'), names=names)
    assert written.types == [
        *("output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done")
    ]
    assert written.done == [
        {
            "id": "ctc_r1_0",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": "c1",
            "name": "patch",
            "namespace": "n",
            "input": "x",
        }
    ]


def test_refusal_is_a_part_of_its_own() -> None:
    """A refusal after text is the message's second part."""
    written = Written({"content": "Well. "}, {"refusal": "No."})
    assert [part["type"] for part in written.done[0]["content"]] == ["output_text", "refusal"]
    assert written.of("refusal.delta")[0]["content_index"] == 1
    assert written.of("refusal.done")[0]["refusal"] == "No."


def test_annotations_belong_to_the_open_text() -> None:
    """Sources are told flat and are in the finished part; without an open text, and of other kinds, they are left out."""
    cited = {"url": "https://x", "title": "X", "start_index": 0, "end_index": 4}
    annotations = {"annotations": [{"type": "url_citation", "url_citation": cited}, {"type": "file"}]}
    written = Written(annotations, {"content": "four"}, annotations)
    assert written.of("output_text.annotation.added")[0]["annotation_index"] == 0
    assert written.done[0]["content"][0]["annotations"] == [{"type": "url_citation", **cited}]


def test_pictures_are_items() -> None:
    """A picture is an item with its base64; a URL stays one."""
    images = [{"type": "image_url", "image_url": {"url": url}} for url in ("data:image/png;base64,AAAA", "https://x")]
    assert [item["result"] for item in Written({"images": images}).done] == ["AAAA", "https://x"]


def test_empty_answer_is_an_empty_message() -> None:
    """Clients expect something to show; an answer that was cut may have none."""
    assert [part["text"] for part in Written().done[0]["content"]] == [""]
    assert Written(status="incomplete").done == []
    assert [item["type"] for item in Written({"reasoning_content": "Hm."}).done] == ["reasoning", "message"]


def test_only_the_last_item_is_incomplete() -> None:
    """What was finished before the cut is complete."""
    written = Written(call(0, "c1", "f"), {"content": "fo"}, status="incomplete")
    assert [item["status"] for item in written.done] == ["completed", "incomplete"]


def test_log_probabilities_are_passed_on() -> None:
    """They are in the delta and in the finished part."""
    output = Written().output
    output.add({"content": "four"}, {"content": [{"token": "four", "logprob": -0.1}]})
    output.finish("completed")
    assert output.items[-1]["content"][0]["logprobs"] == [{"token": "four", "logprob": -0.1}]


def test_whole_message_gives_the_same_items() -> None:
    """A message that is not streamed becomes the items that its deltas become."""
    made = {name: value for name, value in call(0, "c1", "f", "{}")["tool_calls"][0].items() if name != "index"}
    whole = Written({"reasoning_content": "Hm.", "content": "four", "tool_calls": [made]})
    pieces = Written(
        {"reasoning_content": "Hm."}, {"content": "fo"}, {"content": "ur"}, call(0, "c1", "f"), call(0, arguments="{}")
    )
    assert whole.output.items == pieces.output.items


def test_thoughts_that_nobody_sees_still_end_the_message() -> None:
    """Thoughts after text close the message, also where they are hidden: the text after them is another one."""
    written = Written({"content": "a"}, {"reasoning_content": "Hm."}, {"content": "b"}, summary=False)
    assert [item["type"] for item in written.output.items] == ["message", "reasoning", "message"]
