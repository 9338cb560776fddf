"""What a simulated model says."""

from __future__ import annotations

import json
from statistics import mean

import pytest

from llm_simulator.answers import GOOD, compose, pieces
from llm_simulator.conversation import Task, ToolResult

HARD = "Analyze concurrency architecture tradeoffs carefully considering distributed algorithm complexity number {n}"


def task(prompt: str, *, model: str = "claude-sonnet-5", **fields: object) -> Task:
    return Task(model=model, prompt=prompt, transcript=prompt, **fields)  # type: ignore[arg-type]  # any field of a task


def to_the_point(model: str) -> float:
    """Share of sentences that are to the point, over many hard prompts."""
    good = tuple(sentence.split("{word}")[1] for sentence in GOOD)
    shares = []
    for n in range(40):
        text = compose(task(HARD.format(n=n), model=model), key=str(n)).text
        sentences = text.removeprefix(f"You asked: {HARD.format(n=n)}. ").split(". ")
        shares.append(mean(any(end.strip(".") in sentence for end in good) for sentence in sentences))
    return mean(shares)


def test_quality_shows_in_the_text() -> None:
    """A strong model is more often to the point on hard prompts than a weak one."""
    assert to_the_point("claude-opus-5-5") > to_the_point("gemini-2.5-flash-lite") + 0.2


SAID = [
    ("Reply with exactly: pong", "pong"),
    ('Please answer only with "yes".', "yes"),
    ("[[say:a\u2028b]] and more", "a\u2028b"),
    ("", "Hello."),
]


@pytest.mark.parametrize(("prompt", "text"), SAID)
def test_prompt_can_script_the_answer(prompt: str, text: str) -> None:
    """A prompt can ask for the very words."""
    assert compose(task(prompt), key="k").text == text


@pytest.mark.parametrize(("prompt", "result"), [("2+2?", 4), ("What is 7 - 9?", -2), ("17*3", 51), ("6 x 7", 42)])
def test_easy_sum_is_right(prompt: str, result: int) -> None:
    """An easy sum is right."""
    assert f"The result is {result}." in compose(task(prompt), key="k").text


def test_weak_model_is_sometimes_off_by_one() -> None:
    """A weak model gets sums in hard prompts wrong now and then, by one."""
    wrong = 0
    for n in range(40):
        text = compose(task(f"{HARD.format(n='')} and prove 100 + {n}", model="gemini-2.5-flash-lite"), key="k").text
        wrong += f"The result is {100 + n}." not in text
    assert 5 < wrong < 35


def test_results_and_json() -> None:
    """Tool results are used, also where the answer must be JSON."""
    asked = task("Weather?", results=(ToolResult("", "12 degrees"),), json_only=True)
    assert "12 degrees" in json.loads(compose(asked, key="k").text)["answer"]


def test_stop_sequences_come_before_the_token_limit() -> None:
    """Stop sequences come before the limit, the earliest first; reasoning takes at most half of the limit."""
    stopped = compose(task("[[say:one END two STOP]]", stop=("STOP", "END"), max_tokens=100), key="k")
    assert (stopped.text, stopped.finish, stopped.stop_sequence) == ("one ", "stop_sequence", "END")
    short = compose(task("[[tokens:99]]", max_tokens=20, thinking=4000), key="k")
    assert short.finish == "length"
    assert short.reasoning_tokens <= 10
    assert short.text_tokens + short.reasoning_tokens <= 20
    assert compose(task("[[tokens:30]]"), key="k").text_tokens == 30


def test_candidates_of_one_request_differ() -> None:
    """Several candidates of one request are not the same."""
    asked = task(HARD, model="gemini-2.5-flash")
    assert len({compose(asked, key="k", number=n).text for n in range(4)}) > 1


def test_pieces_join_to_the_text() -> None:
    """Pieces join to the text, whatever is in it."""
    for text in ("", "a", "word " * 30, "x" * 100, "ü" * 31):
        assert "".join(pieces(text)) == text
