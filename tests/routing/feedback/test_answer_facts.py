"""What is noted of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import ChatRequest
from gateway.routing.feedback.answer_facts import AnswerCollector, answer_of
from gateway.routing.feedback.labels import AnswerFacts

REQUEST = ChatRequest(body={"response_format": {"type": "json_object"}}, model="auto", messages=[])
CASES: list[tuple[dict[str, Any], str | None, AnswerFacts]] = [
    ({"content": "{}"}, "stop", AnswerFacts("stop", form="kept")),
    ({"content": ""}, "stop", AnswerFacts("stop", empty=True, form="broken")),
    ({"images": [{"type": "image_url"}]}, "stop", AnswerFacts("stop", form="broken")),
    ({"audio": {"id": "a", "data": "AA=="}}, "stop", AnswerFacts("stop", form="broken")),
    ({"refusal": "No."}, "stop", AnswerFacts("stop", refused=True)),
    ({"reasoning_content": "hm"}, None, AnswerFacts(None, empty=True, form="broken")),
]


@pytest.mark.parametrize(("message", "finish", "expected"), CASES)
def test_streams_are_heard_as_whole_answers_are(
    message: dict[str, Any], finish: str | None, expected: AnswerFacts
) -> None:
    """The same is noted of an answer whether it came whole or in pieces."""
    heard = AnswerCollector(REQUEST)
    heard.add({"index": 0, "delta": message, "finish_reason": None})
    heard.add({"index": 0, "delta": {}, "finish_reason": finish})
    assert heard.answer() == expected
    assert answer_of([{"message": message, "finish_reason": finish}], form=expected.form) == expected
