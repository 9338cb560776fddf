"""Citations and blocks that have no place of their own, whole and streamed; and two answers in one stream."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UpstreamInvalidResponse
from gateway.providers.claude.sources import MAX_ANNOTATIONS, Sources
from gateway.sse import SSEDecoder
from tests.providers.claude.asking import claude, deltas, read, sent, wire

USAGE = {"input_tokens": 3, "output_tokens": 5}
WEB = {
    "type": "web_search_result_location",
    "url": "https://one.test",
    "title": "One",
    "cited_text": "quoted",
    "encrypted_index": "x",
}
FOUND = {"type": "search_result_location", "source": "https://two.test", "title": None, "cited_text": ""}
PAGE = {"type": "page_location", "document_index": 0, "cited_text": "q"}
START: dict[str, Any] = {"type": "message_start", "message": {"id": "msg_1", "usage": USAGE}}
END: list[dict[str, Any]] = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
    {"type": "message_stop"},
]
SEARCH: list[dict[str, Any]] = [
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
]
NOTES = [
    {
        "type": "url_citation",
        "url_citation": {
            "url": "https://one.test",
            "title": "One",
            "start_index": 3,
            "end_index": 7,
            "content": "quoted",
        },
    },
    {
        "type": "url_citation",
        "url_citation": {"url": "https://two.test", "title": "", "start_index": 3, "end_index": 7},
    },
]


def block(index: int, block: dict[str, Any], *further: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in further),
        {"type": "content_block_stop", "index": index},
    ]


def piece(text: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": text}


def cited(citation: Any) -> dict[str, Any]:
    return {"type": "citations_delta", "citation": citation}


EVENTS = [
    START,
    *block(0, SEARCH[0]),
    *block(1, SEARCH[1]),
    *block(2, {"type": "text", "text": ""}, piece("So "), piece("")),
    *block(
        3, {"type": "text", "text": ""}, cited(WEB), piece("it "), piece("is"), piece("."), cited(FOUND), cited(PAGE)
    ),
    *END,
]


def test_citations_become_annotations() -> None:
    """Citations with an address are annotations of their block's text; what has no place is named as dropped."""
    local = {"type": "search_result_location", "source": "handbook.pdf"}
    text = {"type": "text", "text": "it is", "citations": [WEB, FOUND, PAGE, None, {"type": [1]}, local]}
    content = [
        *SEARCH,
        {"type": "text", "text": "So ", "citations": None},
        text | {"text": "is it"[:4]},
        {"type": "text", "text": "", "citations": 7},
    ]
    completion = claude().parse_response({"content": content, "stop_reason": "end_turn", "usage": USAGE}, sent())
    assert completion.choices[0]["message"]["annotations"] == NOTES
    assert completion.dropped == [
        "server_tool_use",
        "web_search_tool_result",
        "citation page_location",
        "citation None",
        "citation [1]",
        "citation search_result_location",
    ]


def test_streamed_citations_follow_their_text() -> None:
    """A stream's annotations stand behind the text of their block so far, each with its own index."""
    chunks = read(claude().stream_parser(sent(stream=True)), [wire(EVENTS)])
    notes = [note for delta in deltas(chunks) for note in delta.get("annotations", ())]
    assert [note["index"] for note in notes] == [0, 1]
    assert [note["url_citation"]["url"] for note in notes] == ["https://one.test", "https://two.test"]
    assert [(note["url_citation"]["start_index"], note["url_citation"]["end_index"]) for note in notes] == [
        (3, 3),
        (3, 9),
    ]
    assert [kind for chunk in chunks for kind in chunk.dropped] == [
        "server_tool_use",
        "web_search_tool_result",
        "citation page_location",
    ]


def test_text_that_is_not_decoded_counts() -> None:
    """Where deltas are taken as the learned event with another text, their characters count all the same."""
    parser = claude().stream_parser(sent(stream=True))
    decoder = SSEDecoder()
    found = []
    for event in EVENTS:
        raw = wire([event])
        chunk = parser.fast_path(raw)
        found += [chunk] if chunk else [made for each in decoder.feed(raw) for made in parser.feed(each)]
    notes = [note for delta in deltas(found) for note in delta.get("annotations", ())]
    assert notes[1]["url_citation"]["end_index"] == 9


def test_bare_json_has_no_annotations() -> None:
    """An answer that has to be bare JSON loses its code fence, so places in it are not known: the citation is dropped."""
    asked = sent(stream=True, response_format={"type": "json_object"})
    events = [START, *block(0, {"type": "text", "text": "{}"}, cited(WEB)), *END]
    assert not [
        delta for delta in deltas(read(claude().stream_parser(asked), [wire(events)])) if "annotations" in delta
    ]
    content = [{"type": "text", "text": "{}", "citations": [WEB]}]
    whole = claude().parse_response({"content": content, "usage": USAGE}, asked)
    assert "annotations" not in whole.choices[0]["message"]


def test_claude_annotations_are_bounded() -> None:
    """However many citations an answer has, so many are told."""
    sources = Sources()
    for _ in range(MAX_ANNOTATIONS + 5):
        sources.cite(WEB)
    assert len(sources.annotations) == MAX_ANNOTATIONS


def test_second_message_within_a_stream_is_an_error() -> None:
    """A second message_start with another id is an error: two answers are never glued together."""
    other: dict[str, Any] = {"type": "message_start", "message": {"id": "msg_2", "usage": USAGE}}
    events = [
        START,
        *block(0, {"type": "text", "text": "one"}),
        other,
        *block(0, {"type": "text", "text": "two"}),
        *END,
    ]
    parser = claude().stream_parser(sent(stream=True))
    with pytest.raises(UpstreamInvalidResponse, match="another message begins"):
        read(parser, [wire(events)])


@pytest.mark.parametrize("message", [START["message"], {}, {"id": None}, {"id": 7}])
def test_repeated_message_start_is_ignored(message: Any) -> None:
    """The same message_start again, or one without an id, is legal and changes nothing."""
    again = {"type": "message_start", "message": message}
    events = [START, *block(0, {"type": "text", "text": "one"}), again, *block(1, {"type": "text", "text": "!"}), *END]
    chunks = read(claude().stream_parser(sent(stream=True)), [wire(events)])
    assert "".join(delta.get("content") or "" for delta in deltas(chunks)) == "one!"


def test_refusal_reason_is_passed_on() -> None:
    """The reason that Claude gives for a refusal is OpenAI's `refusal`, whole and streamed."""
    ended = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "bio", "explanation": "Unsafe."}}
    whole = claude().parse_response({"content": [], "usage": USAGE, **ended}, sent())
    assert whole.choices[0]["message"]["refusal"] == "Unsafe."
    events = [START, {"type": "message_delta", "delta": ended, "usage": USAGE}, END[1]]
    chunks = read(claude().stream_parser(sent(stream=True)), [wire(events)])
    assert [delta["refusal"] for delta in deltas(chunks) if "refusal" in delta] == ["Unsafe."]
    assert chunks[-1].choices[0]["finish_reason"] == "content_filter"
