from __future__ import annotations

from array import array
from dataclasses import replace

from gateway.catalog import ModelKey
from gateway.routing.estimation.examples import (
    FIRST_FIT,
    LabelledExample,
    ReplayBuffer,
    ReplayState,
    labelled_example,
)
from gateway.routing.prompt.features import prompt_facts
from tests.routing.worlds import FLASH, MODERATE, SONNET


def example(quality: float = 1.0, *, model: ModelKey = FLASH.key) -> LabelledExample:
    return LabelledExample(model, array("d", [1.0]), array("b", [0]), quality, 1.0)


def filled(count: int) -> ReplayBuffer:
    """A buffer that was given this many examples and fitted whenever that was due."""
    buffer = ReplayBuffer(ReplayState())
    for _ in range(count):
        buffer.add(example())
        if buffer.fit_due:
            buffer.start_fit()
    return buffer


def test_fits_are_due_at_growing_intervals_of_at_most_1000_labels() -> None:
    """First at FIRST_FIT labels, then at 25 % more each time, later once per 1,000 labels."""
    assert filled(FIRST_FIT - 1).state().next_fit == FIRST_FIT
    assert filled(FIRST_FIT).state().next_fit == 312
    assert filled(10_000).state().next_fit - filled(9_000).state().next_fit == 1_000


def test_training_set_is_the_newest_5000_examples_of_the_last_fit() -> None:
    """Examples that came after the last fit are not in it, also after a restart."""
    buffer = filled(8_000)
    buffer.start_fit()
    buffer.add(example(0.0))

    for restored in (buffer, ReplayBuffer(buffer.state())):
        assert len(restored.training_set()) == 5_000
        assert {each.quality for each in restored.training_set()} == {1.0}


def test_examples_of_a_removed_model_are_dropped() -> None:
    """Those of other models stay."""
    buffer = filled(10)
    buffer.add(example(model=SONNET.key))
    buffer.remove_model(FLASH.key)

    assert [each.model for each in buffer.state().examples] == [SONNET.key]


def test_outcome_without_embedding_is_no_example() -> None:
    """An example needs the embedding of its prompt, which older rows do not have."""
    facts = prompt_facts(MODERATE)
    bare = replace(facts, features={"length": 0.5})

    made = labelled_example(FLASH.key, facts, quality=0.5, weight=1.0)
    assert made is not None
    assert tuple(made.features) == facts.vector
    assert labelled_example(FLASH.key, bare, quality=0.5, weight=1.0) is None
