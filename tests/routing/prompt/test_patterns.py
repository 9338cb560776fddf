from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.prompt.patterns import PATTERNS, identify_pattern


@pytest.mark.parametrize(
    ("prompt", "pattern"),
    [
        ("Hello", "conversation"),
        ("Explain how HTTP works", "explanation"),
        ("Write a Python function to reverse a string", "code"),
        ("Debug this traceback: KeyError 'x'", "code"),
        ("Translate 'good morning' to French", "translation"),
        ("Summarize this article in three sentences: the economy grew", "summarization"),
        ("What is the capital of France?", "question"),
        ("Solve 3x + 5 = 20", "math"),
        ("Write a poem about autumn", "creative"),
        ("Extract all names and dates from the following text: John met Mary", "extraction"),
        ("Write a SQL query that lists the top 10 customers", "data"),
        ("Analyze the architectural trade-offs between microservices and monoliths", "analysis"),
        ("Plan a three day trip to Rome", "planning"),
        ("Fix the grammar: he go to school", "rewriting"),
        ("Book a flight to Paris and email me the itinerary", "tool_use"),
        ("Which of these?\nA. one\nB. two\nC. three\nD. four", "multiple_choice"),
        ("asdf qwer", "general"),
        ("", "general"),
    ],
)
def test_prompts_have_the_pattern_a_person_would_name(prompt: str, pattern: str) -> None:
    """The pattern says what kind of work is asked for."""
    assert identify_pattern(prompt) == pattern


@given(st.text(st.characters(), max_size=300))
def test_every_text_has_a_pattern(prompt: str) -> None:
    """Whatever the text, its pattern is one of those listed."""
    assert identify_pattern(prompt) in PATTERNS
