"""Content parts: what of them goes to Gemini, in what form, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.providers.gemini.media import parts_of, text_of

PNG = base64.b64encode(b"\x89PNG\xfb\xff\xfe picture").decode()
PDF = base64.b64encode(b"%PDF-1.7 paper").decode()


def parts(*content: Any) -> list[Any]:
    return list(parts_of(list(content), path="c"))


def image(url: Any) -> Any:
    return {"type": "image_url", "image_url": {"url": url}}


def file(**members: Any) -> Any:
    return {"type": "file", "file": members}


def audio(**members: Any) -> Any:
    return {"type": "input_audio", "input_audio": members}


def test_order_is_kept_and_empty_text_is_not() -> None:
    """Parts keep their order; empty ones are left out, because Gemini refuses them."""
    made = parts(
        {"type": "text", "text": "a"},
        {"type": "text", "text": ""},
        image("https://x.test/a.PNG"),
        {"type": "text", "text": " "},
    )
    assert made == [
        {"text": "a"},
        {"fileData": {"fileUri": "https://x.test/a.PNG", "mimeType": "image/png"}},
        {"text": " "},
    ]


@pytest.mark.parametrize(("content", "expected"), [("", []), (None, []), ("hi", [{"text": "hi"}])])
def test_string_content_is_one_part(content: Any, expected: list[Any]) -> None:
    """A string is one part; nothing is none."""
    assert list(parts_of(content, path="c")) == expected


@pytest.mark.parametrize(
    ("url", "mime"),
    [
        (f"data:image/png;base64,{PNG}", "image/png"),
        (f"DATA:IMAGE/PNG;BASE64,{PNG}", "image/png"),
        (f"data:image/jpg;base64,{PNG}", "image/jpeg"),
        (f"data:image/jpeg;charset=utf-8;name=a;base64,{PNG}", "image/jpeg"),
        (f"data:image/svg+xml; base64,{PNG}", "image/svg+xml"),
        (f"data:image/png;base64,{PNG.rstrip('=')}", "image/png"),
        (f"data:image/png;base64,{PNG.replace('+', '-').replace('/', '_')}", "image/png"),
        (f"data:image/png;base64,{PNG[:8]}\r\n{PNG[8:]}\n", "image/png"),
        (f"data:image/png;base64,{PNG.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}", "image/png"),
    ],
)
def test_data_url_becomes_inline_data(url: str, mime: str) -> None:
    """A data URL is inline data, whatever its case, parameters and dialect of base64."""
    assert parts(image(url)) == [{"inlineData": {"mimeType": mime, "data": PNG}}]


def test_percent_encoded_data_url_is_encoded_as_base64() -> None:
    """A percent-encoded data URL is encoded anew."""
    assert (
        parts(image("data:image/svg+xml,%3Csvg%2F%3E"))[0]["inlineData"]["data"] == base64.b64encode(b"<svg/>").decode()
    )


@pytest.mark.parametrize("head", ["data:image/png,", "data:image/png;base64,"])
def test_large_images_have_no_percent_signs(head: str) -> None:
    """Percent signs are undone in up to a million characters; a larger image is sent without them."""
    assert parts(image(head + "%41" * 333_332))
    with pytest.raises(InvalidRequest, match="base64"):
        parts(image(head + "%41" * 333_336))


@pytest.mark.parametrize("url", ["https://x.test/pic", "HTTPS://x.test/a.unknown"])
def test_https_image_is_left_for_google_to_fetch(url: str) -> None:
    """An https image is left for Google to fetch; its type is told only where the name tells it."""
    assert parts(image(url)) == [{"fileData": {"fileUri": url}}]
    assert parts({"type": "image_url", "image_url": url}) == [{"fileData": {"fileUri": url}}]


@pytest.mark.parametrize(
    "url",
    [
        "http://x.test/a.png",
        "file:///etc/passwd",
        "ftp://x.test/a",
        "gs://bucket/a.png",
        "//x.test/a.png",
        "https://",
        "https://x.test/a b",
        "https://x.test\\@evil.test/",
        "https://[::1",
        "garbage",
        "data:image/png;base64,",
        "data:image/png;base64,!!!!",
        "data:image/png;base64,A",
        "data:;base64,QUJD",
        "data:nonsense",
        "data:no-slash;base64,QUJD",
        "data:image/png;base64,%FF%FF",
    ],
)
def test_image_of_another_scheme_is_refused_by_path(url: str) -> None:
    """Only https and well-formed data URLs are images; the error names the member."""
    with pytest.raises(InvalidRequest) as caught:
        parts({"type": "text", "text": "look"}, image(url))
    assert caught.value.param == "c[1].image_url.url"


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "video"}, "c[0].type"),
        ({}, "c[0].type"),
        ("text", "c[0].type"),
        (image(None), "c[0].image_url.url"),
        ({"type": "image_url"}, "c[0].image_url.url"),
        (file(), "c[0].file.file_data"),
        (file(file_id="file-1"), "c[0].file.file_id"),
        (file(file_data="?"), "c[0].file.file_data"),
        (audio(format="wav"), "c[0].input_audio.data"),
        (audio(data="QUJD", format="flac"), "c[0].input_audio.format"),
        (audio(data="QUJD"), "c[0].input_audio.format"),
        (audio(data="", format="wav"), "c[0].input_audio.data"),
    ],
)
def test_unsupported_part_is_refused_by_path(part: Any, param: str) -> None:
    """What Gemini cannot be given is refused by the path of the member that is to blame."""
    with pytest.raises(InvalidRequest) as caught:
        parts(part)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("members", "mime"),
    [
        ({"file_data": PDF}, "application/pdf"),
        ({"file_data": PDF, "filename": "a.pdf"}, "application/pdf"),
        ({"file_data": f"data:application/x-pdf;base64,{PDF}", "filename": "a"}, "application/pdf"),
        ({"file_data": PDF, "filename": "a.MP4"}, "video/mp4"),
        ({"file_data": f"data:;base64,{PDF}", "filename": "a.pdf"}, "application/pdf"),
    ],
)
def test_file_is_inline_data_of_its_own_type(members: dict[str, str], mime: str) -> None:
    """A file is inline data of its own type: the data URL's, else its name's, else PDF."""
    assert parts(file(**members)) == [{"inlineData": {"mimeType": mime, "data": PDF}}]


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        (b"a,b", "t.csv", "t.csv:\na,b"),
        (b'\xef\xbb\xbf{"a": 1}', "t.json", 't.json:\n{"a": 1}'),
    ],
)
def test_text_file_becomes_text_under_its_name(data: bytes, name: str, text: str) -> None:
    """A text file is text, under its name."""
    assert parts(file(file_data=base64.b64encode(data).decode(), filename=name)) == [{"text": text}]


def test_unnamed_text_file_becomes_plain_text() -> None:
    """Without a name it is just its text, and nothing when it holds none."""
    assert parts(file(file_data="data:text/plain;base64,aGk=")) == [{"text": "hi"}]
    assert parts(file(file_data="data:text/plain;base64,77u/")) == []


def test_text_file_in_another_encoding() -> None:
    """Text that is not UTF-8 is left for Gemini to read."""
    assert parts(file(file_data="data:text/plain;base64,/w==")) == [
        {"inlineData": {"mimeType": "text/plain", "data": "/w=="}}
    ]


@pytest.mark.parametrize(("told", "mime"), [("wav", "audio/wav"), ("mp3", "audio/mp3"), ("MP3", "audio/mp3")])
def test_audio_formats_have_media_types(told: str, mime: str) -> None:
    """OpenAI's two audio formats have media types."""
    assert parts(audio(data="QUJD", format=told)) == [{"inlineData": {"mimeType": mime, "data": "QUJD"}}]


def test_audio_data_url_decides_its_type() -> None:
    """Audio sent as a data URL has the type that the URL says."""
    assert parts(audio(data="data:audio/x-wav;base64,QUJD", format="mp3")) == [
        {"inlineData": {"mimeType": "audio/wav", "data": "QUJD"}}
    ]


def test_text_parts_are_joined_by_lines() -> None:
    """Text parts and refusals are joined by lines; other parts are refused by path."""
    assert text_of(None, path="c") == ""
    assert (
        text_of(
            [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}, {"type": "text", "text": ""}], path="c"
        )
        == "a\nb"
    )
    with pytest.raises(InvalidRequest) as caught:
        text_of([image("https://x.test/a.png")], path="c")
    assert caught.value.param == "c[0].type"


@given(st.text() | st.from_regex(r"(data|DATA):[a-z/;,=+%]{0,30}"))
def test_any_image_url_becomes_one_part_or_is_refused(url: str) -> None:
    """Whatever stands in an image's URL, it becomes one part or is refused."""
    outcome: object
    try:
        outcome = len(parts(image(url)))
    except InvalidRequest as error:
        outcome = error.param
    assert outcome in (1, "c[0].image_url.url")


def test_https_file_is_left_for_google_to_fetch() -> None:
    """A file by its URL is fetched by Google; its name tells the type, a PDF where it does not."""
    found = parts(file(file_data="https://x.test/a", filename="a.csv"), file(file_data="https://x.test/b"))
    assert [part["fileData"] for part in found] == [
        {"fileUri": "https://x.test/a", "mimeType": "text/csv"},
        {"fileUri": "https://x.test/b", "mimeType": "application/pdf"},
    ]
