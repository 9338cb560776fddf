"""Content parts beyond the wire cases."""

from __future__ import annotations

import pytest

from gateway.errors import InvalidRequest
from gateway.providers.claude.content import cache_control_of, content_blocks


def test_unknown_part_is_refused() -> None:
    """A part that nobody knows is refused, not dropped."""
    with pytest.raises(InvalidRequest) as caught:
        content_blocks([{"type": "text", "text": "x"}, {"type": "video_url"}], "messages[3].content")
    assert caught.value.param == "messages[3].content[1].type"


@pytest.mark.parametrize("content", [None, [], "", " \n\t\u2003"])
def test_empty_text_becomes_no_block(content: object) -> None:
    """Nothing, and white space of any kind, is no block."""
    assert content_blocks(content, "p") == []


def test_file_title_is_cut_to_the_limit() -> None:
    """A file's name is its title, as far as the API takes it."""
    part = {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "x" * 600}}
    assert content_blocks([part], "p")[0]["title"] == "x" * 500


@pytest.mark.parametrize("told", ["ephemeral", {"type": "other"}, None, 1])
def test_odd_cache_mark_is_ignored(told: object) -> None:
    """What is no cache mark is none."""
    assert cache_control_of({"cache_control": told}) is None
    assert cache_control_of({"cache_control": {"ttl": "1y"}}) == {"type": "ephemeral"}


def test_large_images_are_in_base64() -> None:
    """A data URL in percent signs is taken up to a million characters, one in base64 whatever its size."""

    def image(url: str) -> list[dict[str, object]]:
        return [{"type": "image_url", "image_url": {"url": url}}]

    assert content_blocks(image("data:image/png," + "%41" * 333_333), "p")
    assert content_blocks(image("data:image/png;base64," + "AAAA" * 300_000), "p")
    with pytest.raises(InvalidRequest, match="base64"):
        content_blocks(image("data:image/png," + "%41" * 333_334), "p")
