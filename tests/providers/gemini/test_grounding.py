"""Sources of a Gemini answer as annotations: whose address, and which characters of the text they stand behind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.gemini.grounding import MAX_ANNOTATIONS, Sources
from tests.providers.gemini.asking import answered, check_answer, gemini, said, streamed, wire

WEB: list[Any] = [
    {"web": {"uri": "https://one.test", "title": "One"}},
    {"maps": {"uri": "https://two.test", "title": "Two"}},
    {"retrievedContext": {"text": "no address"}},
]
TEXT = "Größe zählt. Ja."
GROUNDING = {
    "webSearchQueries": ["size"],
    "groundingChunks": WEB,
    "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 15}, "groundingChunkIndices": [0, 1, 2, 7]}],
}


def citation(url: str, title: str, start: int, end: int) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url_citation": {"url": url, "title": title, "start_index": start, "end_index": end},
    }


EXPECTED = [citation("https://one.test", "One", 0, 12), citation("https://two.test", "Two", 0, 12)]


def notes(candidate: Any, *texts: str) -> Any:
    sources = Sources()
    sources.read(candidate)
    return sources.members(texts).get("annotations", [])


def test_grounding_becomes_annotations_in_characters() -> None:
    """Google counts bytes, annotations count characters; what has no counterpart is passed on as Google sent it."""
    body = said({"text": TEXT}, groundingMetadata=GROUNDING)
    check_answer(body)
    message = answered(body).choices[0]["message"]
    assert message["annotations"] == EXPECTED
    assert message["extra_content"] == {"google": {"grounding_metadata": GROUNDING}}
    assert TEXT[0:12] == "Größe zählt."


def test_stream_gives_its_sources_once_before_the_end() -> None:
    """A stream tells its sources once, before its end, of the whole text, each with an index."""
    first, second = (said({"text": piece}, finish=None) for piece in (TEXT[:5], TEXT[5:]))
    last = said({"text": ""}, groundingMetadata=GROUNDING)
    chunks = streamed([wire([first, {**second}, last])], by=gemini())
    told, end = chunks[-2].choices[0], chunks[-1].choices[0]
    assert told["delta"]["annotations"] == [{"index": at, **note} for at, note in enumerate(EXPECTED)]
    assert told["delta"]["extra_content"] == {"google": {"grounding_metadata": GROUNDING}}
    assert (told["finish_reason"], end["delta"], end["finish_reason"]) == (None, {}, "stop")


def test_citations_and_fetched_pages_are_passed_on() -> None:
    """Citations of recited text are annotations; what is known of fetched pages is passed on."""
    source = {"startIndex": 1, "endIndex": 3, "uri": "https://three.test", "license": "MIT"}
    fetched = {"urlMetadata": [{"retrievedUrl": "https://four.test"}]}
    message = answered(
        said({"text": "abcd"}, citationMetadata={"citationSources": [source, {"uri": 1}]}, urlContextMetadata=fetched)
    ).choices[0]["message"]
    assert message["annotations"] == [citation("https://three.test", "", 1, 3)]
    assert message["extra_content"]["google"]["url_context_metadata"] == fetched


def test_finish_message_is_passed_on() -> None:
    """Google's words about the end of an answer are passed on under Google's name."""
    message = answered(said({"text": "a"}, finish="SAFETY", finishMessage="Blocked.")).choices[0]["message"]
    assert message["extra_content"] == {"google": {"finish_message": "Blocked."}}


def test_source_without_a_segment_covers_the_whole_text() -> None:
    """A source that no segment names stands for the whole text."""
    assert notes({"groundingMetadata": {"groundingChunks": WEB[:1]}}, "ab", "c") == [
        citation("https://one.test", "One", 0, 3)
    ]


def test_segment_places_count_within_their_part() -> None:
    """Google counts within a part; a segment without an end goes to the text's end, one beyond it ends there."""
    supports = [
        {"segment": {"partIndex": 1, "startIndex": 2, "endIndex": 4}, "groundingChunkIndices": [0]},
        {"segment": {"partIndex": 1}, "groundingChunkIndices": [0]},
        {"segment": {"partIndex": 9, "startIndex": 1, "endIndex": 99}, "groundingChunkIndices": [0]},
        {"groundingChunkIndices": [0]},
    ]
    found = notes({"groundingMetadata": {"groundingChunks": WEB[:1], "groundingSupports": supports}}, "ää", "öab")
    places = [(note["url_citation"]["start_index"], note["url_citation"]["end_index"]) for note in found]
    assert places == [(3, 5), (2, 5), (1, 5), (0, 5)]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {},
        [],
        "x",
        {"groundingChunks": "x", "groundingSupports": [1, {"segment": 2, "groundingChunkIndices": ["x", -1]}]},
    ],
)
def test_odd_grounding_metadata_does_no_harm(odd: Any) -> None:
    """Metadata that is not what it should be does no harm."""
    assert notes({"groundingMetadata": odd, "citationMetadata": odd}, "a") == []


def test_gemini_annotations_are_bounded() -> None:
    """However many sources an answer names, so many are told."""
    many = {"groundingMetadata": {"groundingChunks": WEB[:1] * 5_000}}
    assert len(notes(many, "a")) == MAX_ANNOTATIONS


@given(st.text(max_size=12), st.integers(0, 12), st.integers(0, 12), st.integers(1, 700))
def test_places_are_those_of_the_text(text: str, start: int, length: int, times: int) -> None:
    """Whatever the text, the characters of an annotation are the bytes that Google named."""
    text = text.encode("utf-8", "ignore").decode() * times
    part = text[start : start + length]
    first = len(text[:start].encode())
    segment = {"startIndex": first, "endIndex": first + len(part.encode())}
    support = {"segment": segment, "groundingChunkIndices": [0]}
    (note,) = notes({"groundingMetadata": {"groundingChunks": WEB[:1], "groundingSupports": [support]}}, text)
    place = note["url_citation"]
    assert text[place["start_index"] : place["end_index"]] == part
