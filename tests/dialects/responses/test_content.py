"""Parts of content: text, pictures, files and audio."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.responses.bodies import messages, refused

PNG = "data:image/png;base64,AAAA"


def user(*parts: Any) -> list[Any]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("part", "chat"),
    [
        ({"type": "input_text", "text": "Hi"}, {"type": "text", "text": "Hi"}),
        (
            {"type": "input_image", "image_url": PNG, "detail": "low"},
            {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        ),
        (
            {"type": "input_file", "file_data": "QUFB", "filename": "a.txt"},
            {"type": "file", "file": {"file_data": "QUFB", "filename": "a.txt"}},
        ),
        (
            {"type": "input_file", "file_url": "https://x.example/a.pdf"},
            {"type": "file", "file": {"file_data": "https://x.example/a.pdf"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ),
        (
            {"type": "input_text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
        ),
    ],
    ids=lambda part: part["type"],
)
def test_parts_are_translated(part: dict[str, Any], chat: dict[str, Any]) -> None:
    """Each part has its counterpart in chat completions, cache marks included."""
    assert messages(user(part))[0]["content"] == [chat]


def test_instructions_have_only_text() -> None:
    """Parts of a system message are joined; other content is refused."""
    parts = [{"type": "input_text", "text": "A"}, {"type": "input_text", "text": "B"}]
    assert messages([{"role": "system", "content": parts}])[0]["content"] == "AB"
    picture = {"type": "input_image", "image_url": PNG}
    assert refused([{"role": "system", "content": [picture]}]).param == "input[0].content[0].type"


@pytest.mark.parametrize(
    ("part", "member"),
    [
        ("x", ""),
        ({}, ".type"),
        ({"type": "video"}, ".type"),
        ({"type": "input_text"}, ".text"),
        ({"type": "input_text", "text": "x", "cache_control": 7}, ".cache_control"),
        ({"type": "input_image"}, ".image_url"),
        ({"type": "input_image", "image_url": "ftp://x"}, ".image_url"),
        ({"type": "input_image", "image_url": "data:x"}, ".image_url"),
        ({"type": "input_image", "image_url": PNG, "detail": "much"}, ".detail"),
        ({"type": "input_image", "file_id": "file_1"}, ".file_id"),
        ({"type": "input_file"}, ""),
        ({"type": "input_file", "file_id": "file_1"}, ".file_id"),
        ({"type": "input_file", "file_url": "file:///etc/passwd"}, ".file_url"),
        ({"type": "input_file", "file_data": ""}, ".file_data"),
        ({"type": "input_file", "file_data": "data:x"}, ".file_data"),
        ({"type": "input_file", "file_data": "QQ==", "filename": 7}, ".filename"),
        ({"type": "input_audio"}, ".input_audio"),
        ({"type": "input_audio", "input_audio": {"data": "data:x", "format": "wav"}}, ".input_audio.data"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA"}}, ".input_audio.format"),
    ],
    ids=str,
)
def test_invalid_part_is_named(part: Any, member: str) -> None:
    """The wrong member is named by its path."""
    assert refused(user(part)).param == f"input[0].content[0]{member}"


@pytest.mark.parametrize(
    ("part", "member"), [("x", ""), ({"type": "input_image"}, ".type"), ({"type": "refusal"}, ".refusal")], ids=str
)
def test_invalid_part_of_an_assistant_is_named(part: Any, member: str) -> None:
    """Assistants have texts and refusals."""
    assert refused([{"role": "assistant", "content": [part]}]).param == f"input[0].content[0]{member}"
