"""What the newest prompts say, known without reading them again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.prompt.cache import RecentPrompts
from gateway.routing.prompt.features import extract, prompt_facts
from gateway.routing.types import RoutingContext


@given(st.text(st.characters(), max_size=200))
def test_the_same_as_reading(prompt: str) -> None:
    """What is remembered of a prompt is what a reading finds, in whatever request it stands."""
    recent = RecentPrompts(secret=b"secret")
    context = RoutingContext(prompt, prompt_tokens=5000, turns=3, needs=frozenset({"tools"}))
    for _ in range(2):
        assert prompt_facts(prompt, context, said=recent.said_in(prompt)) == prompt_facts(prompt, context)


def test_read_once() -> None:
    """A prompt that comes again is not read again; another one is, and so is a huge one each time."""
    recent = RecentPrompts(secret=b"secret")
    assert recent.said_in("Explain HTTP") is recent.said_in("Explain HTTP")
    assert recent.said_in("Explain TCP") is not recent.said_in("Explain HTTP")
    huge = "word " * 10_000
    assert recent.said_in(huge) == recent.said_in(huge) == extract(huge)
    assert recent.said_in(huge) is not recent.said_in(huge)


def test_bounded() -> None:
    """Only the newest are remembered, and asking again makes a prompt new."""
    recent = RecentPrompts(secret=b"secret", capacity=2)
    first, second = recent.said_in("one"), recent.said_in("two")
    assert recent.said_in("one") is first
    recent.said_in("three")
    assert recent.said_in("one") is first
    assert recent.said_in("two") is not second


def test_no_text_is_kept() -> None:
    """Nothing of what was said can be found in what is remembered."""
    recent = RecentPrompts(secret=b"secret")
    recent.said_in("my very secret prompt")
    assert "secret prompt" not in repr(vars(recent))
