"""OpenAI's `annotations` of a message: the sources of ranges of its text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.completion import Json


def url_citation(url: object, title: object, start: int, end: int, *, quote: object = None) -> Iterator[Json]:
    """One annotation; none where the source has no URL. `quote` is text of the source, which OpenRouter calls `content`.

    https://platform.openai.com/docs/api-reference/chat/object
    """
    if not isinstance(url, str) or "://" not in url:
        return
    citation: dict[str, Any] = {
        "url": url,
        "title": title if isinstance(title, str) else "",
        "start_index": start,
        "end_index": end,
    }
    if isinstance(quote, str) and quote:
        citation["content"] = quote
    yield {"type": "url_citation", "url_citation": citation}
