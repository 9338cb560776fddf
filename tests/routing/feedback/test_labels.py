"""Labels that need nobody's opinion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.routing.feedback.labels import AnswerFacts, Label, label_of
from tests.routing.worlds import SONNET

CASES: list[tuple[AnswerFacts, int | None, str | None]] = [
    (AnswerFacts("tool_calls", validity="invalid"), None, "failed_validation"),
    (AnswerFacts("stop", validity="valid"), None, "passed_validation"),
    (AnswerFacts("content_filter"), None, "refused"),
    (AnswerFacts("stop", refused=True), None, "refused"),
    (AnswerFacts("length"), None, "truncated"),
    (AnswerFacts("length"), 256, "truncated"),
    (AnswerFacts("length"), 16, None),
    (AnswerFacts("stop", empty=True), None, "empty"),
    (AnswerFacts("stop"), None, None),
]


@pytest.mark.parametrize(("answer", "max_tokens", "source"), CASES)
def test_labels(answer: AnswerFacts, max_tokens: int | None, source: str | None) -> None:
    """The most telling fact of an answer is its label; a cut that the client asked for is none."""
    label = label_of(answer, max_tokens=max_tokens, model=None, request_id="r")
    assert (label and label.source) == source
    assert label is None or (0 <= label.quality <= 1 and 0 < label.weight <= 1)


def test_answers_with_nothing_wrong() -> None:
    """About one in sixteen says that the model did what is expected of it, always the same ones."""
    ids = [f"req_{number}" for number in range(3200)]
    labels = [label_of(AnswerFacts("stop"), max_tokens=None, model=SONNET, request_id=each) for each in ids]
    assert labels == [label_of(AnswerFacts("stop"), max_tokens=None, model=SONNET, request_id=each) for each in ids]
    assert set(labels) == {None, Label("unremarkable", 0.9, 0.1)}
    assert 140 < sum(label is not None for label in labels) < 260
    strong = replace(SONNET, strength=1.0)
    of_strong = [label_of(AnswerFacts("stop"), max_tokens=None, model=strong, request_id=each) for each in ids]
    assert {round(label.quality, 2) for label in of_strong if label} == {0.88}
