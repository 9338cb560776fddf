from __future__ import annotations

import pytest

from gateway.routing.prompt.envelopes import spoken


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
    assert spoken(text) == said


def test_many_unclosed_tags_take_linear_time() -> None:
    """A megabyte of opening tags is searched once for the closing one, not once for each."""
    text = "<system-reminder>" * 60_000

    assert spoken(text) == text
