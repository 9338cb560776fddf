"""Pictures and documents become parts."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.messages.media import document_parts, image_parts
from gateway.dialects.messages.native_only import NativeOnly
from gateway.errors import InvalidRequest

PDF_URL = "data:application/pdf;base64,JVBERi0="


def documents(source: Any, **more: Any) -> list[dict[str, Any]]:
    return [*document_parts({"source": source, **more}, "p", native=NativeOnly())]


def test_pictures_are_urls() -> None:
    """A base64 picture is a data URL; an URL stays one."""
    base64 = {"source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
    url = {"source": {"type": "url", "url": "https://x.test/a.png"}}
    found = [
        part["image_url"]["url"] for block in (base64, url) for part in image_parts(block, "p", native=NativeOnly())
    ]
    assert found == ["data:image/png;base64,iVBO", "https://x.test/a.png"]


def test_documents_are_files_or_text() -> None:
    """A PDF is a file with a name that tells its type; a text, or a list of blocks, is text and pictures."""
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    assert documents(pdf) == [{"type": "file", "file": {"filename": "document.pdf", "file_data": PDF_URL}}]
    assert documents({"type": "url", "url": "https://x.test/a"}, title="a.pdf")[1]["file"] == {
        "filename": "a.pdf",
        "file_data": "https://x.test/a",
    }
    assert documents({"type": "text", "media_type": "text/plain", "data": "words"}, title="T", context="C") == [
        {"type": "text", "text": "T\nC"},
        {"type": "text", "text": "words"},
    ]
    inner = [{"type": "text", "text": "a"}, {"type": "image", "source": {"type": "url", "url": "https://x.test/b"}}]
    assert [part["type"] for part in documents({"type": "content", "content": inner})] == ["text", "image_url"]
    assert documents({"type": "content", "content": "words"}) == [{"type": "text", "text": "words"}]


@pytest.mark.parametrize("converter", [image_parts, document_parts])
def test_files_of_anthropic_stay_there(converter: Any) -> None:
    """A file by its id is readable only for Anthropic."""
    native = NativeOnly()
    assert [*converter({"source": {"type": "file", "file_id": "file_1"}}, "p", native=native)] == []
    assert native.untranslatable is not None
    assert native.untranslatable.path == "p.source.type"
    assert "'file'" in native.untranslatable.reason


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (None, "p.source"),
        (7, "p.source"),
        ({}, "p.source.type"),
        ({"type": "base64", "data": "x"}, "p.source.media_type"),
        ({"type": "base64", "media_type": "image/png", "data": ""}, "p.source.data"),
        ({"type": "url"}, "p.source.url"),
    ],
)
def test_a_wrong_source_is_named(source: Any, path: str) -> None:
    """What a source lacks is told with its path."""
    for converter in (image_parts, document_parts):
        with pytest.raises(InvalidRequest) as refused:
            [*converter({"source": source}, "p", native=NativeOnly())]
        assert refused.value.param == path
