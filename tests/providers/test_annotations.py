"""OpenAI's annotations."""

from __future__ import annotations

import pytest
from openai.types.chat.chat_completion_message import Annotation

from gateway.providers.annotations import url_citation


def test_url_citation_is_read_by_the_official_client() -> None:
    """An annotation is what the official client reads, with the source's text where there is one."""
    (note,) = url_citation("https://one.test", "One", 1, 2, quote="q")
    assert Annotation.model_validate(note).url_citation.model_dump() == note["url_citation"]
    assert note["url_citation"]["content"] == "q"
    (bare,) = url_citation("https://one.test", None, 1, 2, quote=7)
    assert bare["url_citation"] == {"url": "https://one.test", "title": "", "start_index": 1, "end_index": 2}


@pytest.mark.parametrize("url", [None, "", 7, "handbook.pdf"])
def test_source_without_an_address_has_no_annotation(url: object) -> None:
    """Without an address there is no annotation."""
    assert [*url_citation(url, "One", 1, 2)] == []
