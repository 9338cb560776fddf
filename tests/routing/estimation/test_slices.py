"""Learning beside requests: how much is done between two pauses."""

from __future__ import annotations

import importlib
import sys
from types import FrameType
from typing import cast

from gateway.routing.estimation.trainer import SAVED_EVERY, OnlineTrainer
from gateway.routing.estimation.validation import stored
from gateway.routing.types import Outcome
from gateway.store import InsertOutcome, Store
from tests.routing.estimation.test_estimator import CELLS, WARS
from tests.routing.memory_store import MemoryStore
from tests.routing.worlds import FLASH, HAIKU, SONNET, THREE, said


class Slices:
    """A profile function (`sys.setprofile`) that counts the calls between two pauses, those of functions in C too."""

    def __init__(self) -> None:
        self._calls = 0
        self.calls: list[int] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        self._calls += event in ("call", "c_call")

    def pause(self) -> None:
        self.calls.append(self._calls)
        self._calls = 0


def test_refresh_pauses_after_every_short_step() -> None:
    """2,000 rated outcomes with the fits that they make due and a checkpoint: a pause after each, and little in between.

    Slow: they take a second of CPU.
    """
    store, slices = MemoryStore(), Slices()
    decisions = [said(model, prompt) for model in (FLASH, HAIKU, SONNET) for prompt in WARS + CELLS]
    for number in range(2_000):
        outcome = Outcome(quality=float(number % 7 < 4), cost=0.001, input_tokens=20, output_tokens=100)
        store.submit(InsertOutcome(stored(decisions[number % len(decisions)], outcome)))
    trainer = OnlineTrainer("unused", THREE, store=cast(Store, store), poll_seconds=None)

    importlib.import_module("gateway.routing.estimation.ensemble")  # imports NumPy, once in a process
    sys.setprofile(slices)
    trainer.refresh(slices.pause)
    sys.setprofile(None)

    assert trainer.snapshot().ensemble is not None
    assert store.saved[-1].learned_to >= SAVED_EVERY
    assert len(slices.calls) > 4_000  # after each outcome, and after each example of the checkpoint
    assert max(slices.calls) < 5_000  # about a millisecond; learning an outcome takes 772
