"""Collects what a request contains that only Anthropic's own API understands, and what changes the price by an unknown amount."""

from __future__ import annotations

from gateway.completion import NativeContent


class NativeOnly:
    """The first such member of each kind; an error or a routing decision needs no more."""

    def __init__(self) -> None:
        self.untranslatable: NativeContent | None = None
        self.unpriced: str | None = None

    def needs_anthropic(self, path: str, what: str) -> None:
        """`what` is the subject of a sentence, such as `a tool of type 'web_search_20250305'`."""
        if self.untranslatable is None:
            reason = (
                f"'{path}': {what} is part of Anthropic's own API, so only a claude/ model can take this request. "
                "Name one, or leave this out."
            )
            self.untranslatable = NativeContent(path, reason)

    def costs_extra(self, path: str) -> None:
        if self.unpriced is None:
            self.unpriced = path
