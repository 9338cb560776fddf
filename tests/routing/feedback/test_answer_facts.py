"""What is noted of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import ChatRequest
from gateway.routing.feedback.answer_facts import AnswerCollector, answer_of
from gateway.routing.feedback.labels import AnswerFacts

REQUEST = ChatRequest(body={"response_format": {"type": "json_object"}}, model="auto", messages=[])
CASES: list[tuple[dict[str, Any], str | None, AnswerFacts]] = [
    ({"content": "{}"}, "stop", AnswerFacts("stop", validity="valid")),
    ({"content": ""}, "stop", AnswerFacts("stop", empty=True, validity="invalid")),
    ({"images": [{"type": "image_url"}]}, "stop", AnswerFacts("stop", validity="invalid")),
    ({"audio": {"id": "a", "data": "AA=="}}, "stop", AnswerFacts("stop", validity="invalid")),
    ({"refusal": "No."}, "stop", AnswerFacts("stop", refused=True)),
    ({"reasoning_content": "hm"}, None, AnswerFacts(None, empty=True, validity="invalid")),
]


@pytest.mark.parametrize(("message", "finish", "expected"), CASES)
def test_streamed_answer_has_the_facts_of_the_whole_answer(
    message: dict[str, Any], finish: str | None, expected: AnswerFacts
) -> None:
    """The facts are the same whether the answer arrives in one piece or in chunks."""
    collector = AnswerCollector(REQUEST)
    collector.add({"index": 0, "delta": message, "finish_reason": None})
    collector.add({"index": 0, "delta": {}, "finish_reason": finish})
    assert collector.answer() == expected
    assert answer_of([{"message": message, "finish_reason": finish}], validity=expected.validity) == expected
