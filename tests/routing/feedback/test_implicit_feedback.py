"""Who asks again, and who goes to a stronger model."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.accounts.label_weight import FULL_WEIGHT_LABELS
from gateway.routing.feedback.implicit_feedback import WINDOW, ImplicitFeedback, PromptTurn
from gateway.routing.prompt.features import RecentPrompts
from gateway.store import StoredOutcome

PROMPT = "Why is the sky blue at noon?"


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def outcome(request_id: str | None = "r1") -> StoredOutcome:
    return StoredOutcome("gemini", "flash", "explanation", 0.4, request_id=request_id, source="served")


def turn(
    memory: ImplicitFeedback, prompt: str = PROMPT, *, key: str | None = "k", session: str = "s", fresh: bool = True
) -> PromptTurn:
    return memory.turn(prompt, key_id=key, session_id=session, fresh=fresh)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> ImplicitFeedback:
    return ImplicitFeedback(clock, secret=b"secret", capacity=3)


def test_the_same_again(memory: ImplicitFeedback, clock: Clock) -> None:
    """The same turn within minutes of its answer is a label for that answer, once."""
    memory.on_response(turn(memory), outcome(), rank=0)
    clock.now = WINDOW
    label = memory.on_request(turn(memory, session="another"), named_rank=None)
    assert label is not None
    assert (label.source, label.request_id, label.model) == ("resent", "r1", "flash")
    assert memory.on_request(turn(memory), named_rank=None) is None


def test_expecting(memory: ImplicitFeedback, clock: Clock) -> None:
    """Something can be said of an answer for some minutes; before the first one and long after the last nobody need listen."""
    before = memory.has_recent
    memory.on_response(turn(memory), outcome(), rank=0)
    clock.now = WINDOW
    meanwhile = memory.has_recent
    clock.now += 1
    assert (before, meanwhile, memory.has_recent) == (False, True, False)


def test_over_and_over(memory: ImplicitFeedback, clock: Clock) -> None:
    """A person asks again once; a program that sends the same on and on says nothing of the answers, until it pauses."""
    labels = []
    for number in range(6):
        labels.append(memory.on_request(turn(memory), named_rank=None))
        memory.on_response(turn(memory), outcome(f"r{number}"), rank=0)
        clock.now += WINDOW / 2
    assert [label.request_id if label else None for label in labels] == [None, "r0", None, None, None, None]
    clock.now += WINDOW
    memory.on_response(turn(memory), outcome("late"), rank=0)
    assert memory.on_request(turn(memory), named_rank=None) is not None


def test_repetitions_are_bounded(memory: ImplicitFeedback) -> None:
    """As much is remembered of repeated words as of answers."""
    for number in range(5):
        words = f"{PROMPT} {number}"
        memory.on_response(turn(memory, words), outcome(f"r{number}"), rank=0)
        assert memory.on_request(turn(memory, words), named_rank=None) is not None
    memory.on_response(turn(memory, f"{PROMPT} 0"), outcome("r9"), rank=0)
    assert memory.on_request(turn(memory, f"{PROMPT} 0"), named_rank=None) is not None


@pytest.mark.parametrize(
    ("prompt", "key", "fresh"),
    [("Why is the sky grey at noon?", "k", True), (PROMPT, "other", True), (PROMPT, "k", False)],
)
def test_what_is_not_the_same(memory: ImplicitFeedback, prompt: str, key: str, fresh: bool) -> None:
    """Other words, another key, or a turn whose tools are still at work are no repetition."""
    memory.on_response(turn(memory), outcome(), rank=0)
    assert memory.on_request(turn(memory, prompt, key=key, fresh=fresh), named_rank=None) is None


def test_small_words_mean_nothing(memory: ImplicitFeedback) -> None:
    """What is said in any conversation may be said again."""
    memory.on_response(turn(memory, "go on"), outcome(), rank=0)
    assert memory.on_request(turn(memory, "go on"), named_rank=None) is None


def test_long_after(memory: ImplicitFeedback, clock: Clock) -> None:
    """After the window nothing is meant by it."""
    memory.on_response(turn(memory), outcome(), rank=0)
    clock.now = WINDOW + 1
    assert memory.on_request(turn(memory), named_rank=None) is None


@pytest.mark.parametrize(
    ("prompt", "session", "rank", "source"),
    [
        (PROMPT, "x", 2, "overridden"),
        ("And at night?", "s", 2, "overridden"),
        (PROMPT, "s", 0, None),
        ("And at night?", "x", 2, None),
        (PROMPT, "s", -1, None),
    ],
)
def test_a_stronger_model(memory: ImplicitFeedback, prompt: str, session: str, rank: int, source: str | None) -> None:
    """Naming a stronger model for the same turn, or next in the same conversation, is a label; a weaker one is none."""
    memory.on_response(turn(memory), outcome(), rank=0)
    label = memory.on_request(turn(memory, prompt, session=session), named_rank=rank)
    assert (label and label.source) == source


def test_judged_already(memory: ImplicitFeedback) -> None:
    """An answer that its client has rated, or that has no row, is not judged again."""
    memory.on_response(turn(memory), outcome(), rank=0)
    memory.forget("r1")
    memory.forget("unknown")
    memory.on_response(turn(memory), outcome(None), rank=0)
    assert memory.on_request(turn(memory), named_rank=2) is None


def test_newer_answers_take_the_place(memory: ImplicitFeedback) -> None:
    """The newest answer to a turn is the one that is judged, and forgetting an older one leaves it."""
    memory.on_response(turn(memory), outcome("r1"), rank=0)
    memory.on_response(turn(memory), outcome("r2"), rank=0)
    memory.forget("r1")
    label = memory.on_request(turn(memory), named_rank=None)
    assert label is not None
    assert label.request_id == "r2"


def test_bounded(memory: ImplicitFeedback) -> None:
    """The oldest answers and keys are forgotten when there are too many."""
    for number in range(5):
        words = f"{PROMPT} {number}"
        memory.on_response(turn(memory, words, key=f"k{number}", session=f"{number}"), outcome(f"r{number}"), rank=0)
    found = [
        memory.on_request(turn(memory, f"{PROMPT} {number}", key=f"k{number}"), named_rank=None) for number in range(5)
    ]
    assert [label and label.request_id for label in found] == [None, None, "r2", "r3", "r4"]
    memory.on_response(turn(memory, key="k9"), outcome("r9"), rank=0)
    assert memory.on_request(turn(memory, key="k9"), named_rank=None) is not None


def test_many_labels_of_one_key(memory: ImplicitFeedback, clock: Clock) -> None:
    """The more of a key's behaviour is judged on one day, the less each label weighs; the next day starts from zero."""

    def weight(number: int) -> float:
        words = f"{PROMPT} {number}"
        memory.on_response(turn(memory, words), outcome(), rank=0)
        label = memory.on_request(turn(memory, words), named_rank=None)
        assert label is not None
        return label.weight

    weights = [weight(number) for number in range(FULL_WEIGHT_LABELS + 2)]
    assert weights[0] == weights[FULL_WEIGHT_LABELS - 1] > weights[FULL_WEIGHT_LABELS] > weights[FULL_WEIGHT_LABELS + 1]
    clock.now = 86_400
    assert weight(0) == weights[0]


def test_digest_of_the_prompt_cache_is_the_digest_of_feedback() -> None:
    """A prompt is hashed once: with the same secret, the digest from the cache of prompts finds the answer to the same prompt."""
    memory, recent = ImplicitFeedback(lambda: 0.0, secret=b"s" * 80), RecentPrompts(secret=b"s" * 80)
    digest = recent.extract(PROMPT).digest

    given = memory.turn("another prompt, not hashed", key_id="k", session_id="s", fresh=True, digest=digest)

    assert given == memory.turn(PROMPT, key_id="k", session_id="s", fresh=True)
