from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.prompt.text_stats import END, sampled, text_stats, tokens_of

anything = st.text(st.characters(), max_size=300)


@given(anything)
def test_any_text_can_be_read(prompt: str) -> None:
    """Whatever characters a prompt holds, lone surrogates too, its counts are finite and shares stay shares."""
    reading = text_stats(prompt)

    assert reading.length == len(prompt)
    assert all(0 <= share <= 1 for share in (reading.long_words, reading.capitals, reading.variety, reading.non_ascii))


@given(st.text(max_size=50), st.text(max_size=50))
def test_middle_of_a_long_prompt_is_not_read(one: str, other: str) -> None:
    """Only head and tail count: prompts that differ in between read the same, so cost does not grow with length."""
    head, tail = "Explain this. " * END, " and be brief" * END
    filler = len(one) + len(other)

    assert text_stats(head + one.ljust(filler) + tail) == text_stats(head + other.ljust(filler) + tail)


def test_sample_is_at_most_16_kilobytes() -> None:
    """A prompt of ten million characters is read in 16 KB of UTF-8, in any script."""
    assert len(sampled("𠀋" * 10_000_000).encode()) <= 16 * 1024


def test_words_of_a_long_prompt_are_extrapolated() -> None:
    """The number of words stands for the whole prompt, not only for what was read of it."""
    assert text_stats("one two " * 50_000).words == pytest.approx(100_000, rel=0.01)


def test_unspaced_scripts_have_words() -> None:
    """Two Chinese or Thai characters count as a word, so that such prompts do not all look short."""
    assert text_stats("分析微服务架构与单体架构之间的权衡").words > 8


@pytest.mark.parametrize(
    ("prompt", "cue"),
    [
        ("Explain how HTTP works", "explain"),
        ("Erkläre, wie HTTP funktioniert", "explain"),
        ("解释 HTTP 是如何工作的", "explain"),
        ("Проанализируйте договор", "deep"),
        ("traduce esta frase", "translate"),
        ("요약해 주세요", "summary"),
    ],
)
def test_cues_are_found_in_many_languages(prompt: str, cue: str) -> None:
    """What is asked for is recognised in the languages that clients write most."""
    assert text_stats(prompt).cues[cue] > 0


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        ("word " * 400, 400, 600),
        ("字" * 100, 50, 130),
        ("naïve café " * 100, 250, 500),
        ("é" * 9000, 4000, 9000),
    ],
    ids=["empty", "english", "chinese", "accents", "long"],
)
def test_tokens_are_estimated_by_script(text: str, low: int, high: int) -> None:
    """About four ASCII characters are a token, but less than two of other scripts."""
    assert low <= tokens_of(text) <= high


@given(st.text(st.sampled_from("aB1 .,?!\n\\$=<>(){}[];_-:/*•`A\"'“？。，≥\ud800"), max_size=60))
def test_marks_are_counted_wherever_they_stand(prompt: str) -> None:
    """A mark counts each time it stands there, in plain ASCII as beside other scripts and lone surrogates."""

    def counted(*marks: str) -> int:
        return sum(map(prompt.count, marks))

    reading = text_stats(prompt)

    assert reading.questions == counted("?", "？")
    assert reading.sentences == counted(". ", ".\n", "? ", "?\n", "! ", "!\n", "。", "？")
    assert reading.commas == counted(",", "，")
    assert reading.quotes == counted('"', "'", "“")
    assert reading.math_signs == counted("$", "\\", "=", "<", ">", "≥")
    assert reading.code_signs == counted(*"{}[];_", "()", "==", "->", "=>", "::", "//")
    assert reading.items == counted("\n- ", "\n* ", "\n• ", "\n1. ", "\n1) ")
    assert reading.choices == counted("\nA.", "\nA)", "\n(A)", "\nB.", "\nB)", "\n(B)")


def test_repeated_words_count_each_time() -> None:
    """Shares are of all words, not of the distinct ones; case counts as written."""
    reading = text_stats("Ab ab Ab 12 12 3 elephants elephants")

    assert reading.capitals == pytest.approx(2 / 8)
    assert reading.long_words == pytest.approx(2 / 8)
    assert reading.variety == pytest.approx(4 / 8)
    assert (reading.numbers, reading.digits) == (3, 5)
    assert reading.mean_word_length == pytest.approx((3 * 2 + 2 * 2 + 1 + 2 * 9) / 8)
