from __future__ import annotations

import pytest

from gateway.routing.prompt.user_text import MOST_READ, strip_harness_text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  plain ", "plain"),
        ("a < b and b > c", "a < b and b > c"),
        ("<system-reminder>Be careful.</system-reminder>\nFix the bug", "Fix the bug"),
        ("Fix\n<environment_details>\ncwd /tmp\n</environment_details>", "Fix"),
        ('<file_contents path="a.py">x</file_contents>Explain', "Explain"),
        ("<user_query>Rename it</user_query><additional_data>...</additional_data>", "Rename it"),
        ("<task></task>Do <b>it</b>", "<task></task>Do <b>it</b>"),
        ("<system-reminder>only this</system-reminder>", ""),
        ("What does <system-reminder> mean?", "What does <system-reminder> mean?"),
        ("lost </user_query> end", "lost </user_query> end"),
    ],
)
def test_only_the_persons_words_are_left(text: str, said: str) -> None:
    """Elements of a harness go, unclosed and foreign ones stay."""
    assert strip_harness_text(text) == said


def test_many_unclosed_tags_take_linear_time() -> None:
    """A megabyte of opening tags is searched once for the closing one, not once for each."""
    text = "<system-reminder>" * (MOST_READ // 17)

    assert strip_harness_text(text) == text


def test_only_the_ends_of_a_huge_turn_are_looked_through() -> None:
    """What a harness put around a turn of megabytes is taken off its ends; the work does not grow with the middle."""
    filler = "<a> " * 500_000
    text = f"<system-reminder>Careful.</system-reminder>Fix this: {filler} Please.<context>cwd</context>"

    said = strip_harness_text(text)

    assert said.startswith("Fix this: <a>")
    assert said.endswith("<a>  Please.")
    assert len(said) <= MOST_READ + 1
    assert strip_harness_text(f"<context>{filler}</context>Explain it") == "Explain it"
    assert strip_harness_text("word " * 500_000) == ("word " * 500_000).strip()
