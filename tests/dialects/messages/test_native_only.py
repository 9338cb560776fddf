"""What only Anthropic's own API understands."""

from __future__ import annotations

from gateway.dialects.messages.native_only import NativeOnly


def test_the_first_member_is_named() -> None:
    """One member is enough for the error, which says what to do; the first one is kept."""
    native = NativeOnly()
    for path in ("a", "b"):
        native.needs_anthropic(path, "this")
        native.costs_extra(path)
    assert native.untranslatable is not None
    assert (native.untranslatable.path, native.unpriced) == ("a", "a")
    assert native.untranslatable.reason.startswith("'a': this is part of Anthropic's own API")
