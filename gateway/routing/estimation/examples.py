"""Training data: one outcome with the features of its request, and the buffer of labelled examples for the ensemble."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.catalog import ModelKey
from gateway.records import Agreement
from gateway.routing.prompt.embedding import unpacked
from gateway.routing.types import Outcome, PromptFacts

# The ensemble is fitted first at this many labels, then each time there are 25 % more, at the latest after 1,000.
FIRST_FIT = 250
_FIT_GROWTH = 1.25
_MAX_FIT_INTERVAL = 1_000
# A fit uses this many of the newest labels.
_TRAINING_SIZE = 5_000


@dataclass(frozen=True, slots=True)
class Observation:
    """An outcome and the features of its request. `weight` (0 to 1) is the weight of the outcome's quality.

    `agreement` is set where several models were asked. `compared`: their answers were compared, and this outcome tells it first.
    `rated`: the quality is somebody's judgement of this answer, and not derived from the comparison.
    """

    model: ModelKey
    pattern: str
    complexity: float
    features: Mapping[str, float]
    outcome: Outcome
    weight: float = 1.0
    agreement: Agreement | None = None
    compared: bool = True
    rated: bool = True


@dataclass(frozen=True, slots=True)
class LabelledExample:
    """A training example of the ensemble. Thousands are kept and converted at once, so both vectors are compact arrays.

    `features` are of type "d", `embedding` of type "b".
    """

    model: ModelKey
    features: array[float]
    embedding: array[int]
    quality: float
    weight: float


def labelled_example(model: ModelKey, facts: PromptFacts, *, quality: float, weight: float) -> LabelledExample | None:
    """None if the stored features hold no embedding."""
    embedding = unpacked(facts.features)
    if embedding is None:
        return None
    return LabelledExample(model, array("d", facts.vector), array("b", map(int, embedding)), quality, weight)


@dataclass(frozen=True, slots=True)
class ReplayState:
    """A replay buffer as a value: the last `since_fit` of `examples` came after the last fit. `labels` counts all labels ever."""

    examples: Sequence[LabelledExample] = ()
    labels: int = 0
    next_fit: int = FIRST_FIT
    since_fit: int = 0


class ReplayBuffer:
    """The newest labelled examples and the schedule of ensemble fits.

    It also holds all examples of the last fit, so that a restart can repeat that fit.
    """

    def __init__(self, state: ReplayState) -> None:
        self._examples = deque(state.examples, maxlen=_TRAINING_SIZE + _MAX_FIT_INTERVAL)
        self._labels = state.labels
        self._next_fit = state.next_fit
        self._since_fit = state.since_fit

    def state(self) -> ReplayState:
        return ReplayState(tuple(self._examples), self._labels, self._next_fit, self._since_fit)

    @property
    def fit_due(self) -> bool:
        return self._labels >= self._next_fit

    def add(self, example: LabelledExample) -> None:
        self._examples.append(example)
        self._labels += 1
        self._since_fit += 1

    def remove_model(self, model: ModelKey) -> None:
        """Drops the examples of a model whose quality has changed."""
        others = [example for example in self._examples if example.model != model]
        self._examples = deque(others, maxlen=self._examples.maxlen)

    def start_fit(self) -> None:
        """Makes all examples so far part of the training set and schedules the next fit."""
        self._since_fit = 0
        if self.fit_due:
            self._next_fit = min(int(_FIT_GROWTH * self._labels), self._labels + _MAX_FIT_INTERVAL)

    def training_set(self) -> list[LabelledExample]:
        """The examples of the last fit."""
        end = len(self._examples) - self._since_fit
        return list(self._examples)[max(0, end - _TRAINING_SIZE) : end]
