"""What routing learns from: one outcome with its request, and the labelled examples that the ensemble is fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.routing.types import Outcome

Key = tuple[str, str]  # provider and model


@dataclass(frozen=True, slots=True)
class Observation:
    """An outcome and the features of its request. `weight` (0 to 1) is the weight of the outcome's quality."""

    model: Key
    pattern: str
    complexity: float
    features: Mapping[str, float]
    outcome: Outcome
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class LabelledExample:
    """A training example of the ensemble. Thousands are kept, so both vectors are compact arrays."""

    model: Key
    features: Sequence[float]
    embedding: Sequence[float]
    quality: float
    weight: float
