"""The shape of a Messages request."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

Ask = Callable[..., Response]

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n0000").decode()


def image(**source: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG, **source}}


def document(**source: str) -> dict[str, Any]:
    return {"type": "document", "source": source}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("unknown block", {"type": "image_url"}, "Input tag 'image_url' found using 'type'"),
    ("no type", {"text": "x"}, "messages.0.content.0.type: Field required"),
    (
        "extra member",
        {"type": "text", "text": "x", "reasoning": ""},
        "messages.0.content.0.text.reasoning: Extra inputs",
    ),
    ("jpg", image(media_type="image/jpg"), "image.source.base64.media_type: Input should be 'image/jpeg'"),
    ("not base64", image(data="%%%"), "invalid base64 data"),
    ("no data", image(data=""), "data cannot be empty"),
    ("other image", image(media_type="image/webp"), "the image appears to be a image/png image"),
    ("http URL", {"type": "image", "source": {"type": "url", "url": "http://a.example/b.png"}}, "Only HTTPS URLs"),
    ("not a PDF", document(type="base64", media_type="text/plain", data=PNG), "'application/pdf'"),
    ("cache type", {"type": "text", "text": "x", "cache_control": {"type": "forever"}}, "Input should be 'ephemeral'"),
    ("cache life", {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2h"}}, "'5m' or '1h'"),
]


@pytest.mark.parametrize(("block", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_undocumented_block_is_refused_with_its_path(claude: Ask, block: dict[str, Any], message: str) -> None:
    """A block that is not as documented is refused with its path."""
    response = claude([{"role": "user", "content": [block]}])
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


ACCEPTED: list[tuple[str, dict[str, Any], str]] = [
    ("image", image(), "image (image/png, 12 bytes)"),
    ("image URL", {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}, "by URL"),
    ("PDF", document(type="base64", media_type="application/pdf", data=PNG), "pdf (application/pdf, 12 bytes)"),
    ("plain text", document(type="text", media_type="text/plain", data="words"), "text/plain"),
    ("search result", {"type": "search_result", "content": [], "source": "s", "title": "t"}, "asked"),
]


@pytest.mark.parametrize(("block", "said"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_media_blocks_are_acknowledged_with_type_and_size(claude: Ask, block: dict[str, Any], said: str) -> None:
    """Media are acknowledged with their type and size."""
    response = claude([{"role": "user", "content": [block, {"type": "text", "text": "What is this?"}]}])
    assert response.status_code == 200, response.text
    assert said in response.json()["content"][-1]["text"]


def test_missing_required_fields_are_named(claude: Ask) -> None:
    """Required fields are named when they are missing."""
    assert "messages: List should have at least 1 item" in claude([]).json()["error"]["message"]
    assert "messages.0.content: Field required" in claude([{"role": "user"}]).json()["error"]["message"]
    assert "messages.0.role: Input should be" in claude([{"role": "tool", "content": "x"}]).json()["error"]["message"]


def test_own_tools_pass(claude: Ask) -> None:
    """A dated tool of Anthropic's own is let through."""
    tools = [{"type": "web_search_20260318", "name": "web_search", "max_uses": 3}]
    assert claude(tools=tools).status_code == 200
