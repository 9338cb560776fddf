"""What Gemini refuses in generationConfig, generation by generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

Ask = Callable[..., Response]

OLD, NEW = "gemini-2.5-flash", "gemini-3.8-flash"
SCHEMA = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
JSON = "application/json"
CALLS = [{"functionDeclarations": [{"name": "f"}]}]


def thinking(**config: Any) -> dict[str, Any]:
    return {"config": {"thinkingConfig": config}}


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "unknown",
        NEW,
        {"config": {"max_tokens": 3}},
        "Unknown name \"max_tokens\" at 'generationConfig': Cannot find field.",
    ),
    ("unknown on top", NEW, {"messages": []}, 'Unknown name "messages": Cannot find field.'),
    ("type", NEW, {"config": {"temperature": "hot"}}, "Invalid value at 'generationConfig.temperature'"),
    ("candidates on 3", NEW, {"config": {"candidateCount": 2}}, "Multiple candidates is not enabled for this model"),
    ("nine candidates", OLD, {"config": {"candidateCount": 9}}, "must be between 1 and 8"),
    ("max tokens", NEW, {"config": {"maxOutputTokens": 65_537}}, "maxOutputTokens value of 65537"),
    ("no tokens", NEW, {"config": {"maxOutputTokens": 0}}, "from 1 (inclusive) to 65537 (exclusive)"),
    ("hot", NEW, {"config": {"temperature": 2.1}}, "[0.0, 2.0]"),
    ("topP", NEW, {"config": {"topP": 1.1}}, "[0.0, 1.0]"),
    ("topK", NEW, {"config": {"topK": 0}}, "top_k must be positive"),
    ("int64 seed", NEW, {"config": {"seed": 2**31}}, "(TYPE_INT32), 2147483648"),
    ("penalty", NEW, {"config": {"presencePenalty": 0.1}}, "Penalty is not enabled for models/gemini-3.8-flash"),
    ("big penalty", OLD, {"config": {"frequencyPenalty": 2}}, "[-2.0, 2.0)"),
    ("logprobs", NEW, {"config": {"responseLogprobs": True}}, "Logprobs is not enabled"),
    ("logprobs alone", OLD, {"config": {"logprobs": 2}}, "requires response_logprobs"),
    ("many logprobs", OLD, {"config": {"logprobs": 21, "responseLogprobs": True}}, "between 0 and 20"),
    ("six stops", NEW, {"config": {"stopSequences": list("abcdef")}}, "at most 5 stop sequences"),
    ("empty stop", NEW, {"config": {"stopSequences": [""]}}, "must not be empty"),
    (
        "level and budget",
        NEW,
        thinking(thinkingLevel="LOW", thinkingBudget=5),
        "only one of thinking budget and thinking level",
    ),
    ("level on 2.5", OLD, thinking(thinkingLevel="LOW"), "Thinking level is not supported for this model."),
    (
        "minimal on pro",
        "gemini-3.1-pro-preview",
        thinking(thinkingLevel="MINIMAL"),
        "Thinking level MINIMAL is not supported",
    ),
    ("minimal on 3.8", NEW, thinking(thinkingLevel="MINIMAL"), "Thinking level MINIMAL is not supported"),
    ("xhigh on flash", "gemini-3.5-flash", thinking(thinkingLevel="XHIGH"), "Thinking level XHIGH is not supported"),
    ("unknown level", NEW, thinking(thinkingLevel="ultra"), "Invalid value at"),
    ("pro cannot rest", "gemini-2.5-pro", thinking(thinkingBudget=0), "only works in thinking mode"),
    ("big budget", OLD, thinking(thinkingBudget=24_577), "between 0 and 24576"),
    ("lite budget", "gemini-2.5-flash-lite", thinking(thinkingBudget=100), "between 512 and 24576"),
    ("mime", NEW, {"config": {"responseMimeType": "text/html"}}, "allowed mimetypes are"),
    (
        "both schemas",
        NEW,
        {"config": {"responseMimeType": JSON, "responseSchema": SCHEMA, "responseJsonSchema": {}}},
        "only one of",
    ),
    ("schema without mime", NEW, {"config": {"responseSchema": SCHEMA}}, "only supported with response mime type"),
    (
        "schema list",
        NEW,
        {"config": {"responseMimeType": JSON, "responseJsonSchema": []}},
        "must be a JSON schema object",
    ),
    (
        "JSON and calls",
        OLD,
        {"config": {"responseMimeType": JSON}, "tools": CALLS},
        "Function calling with a response mime type",
    ),
]


@pytest.mark.parametrize(("model", "fields", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_setting_outside_the_generation_is_a_400(gemini: Ask, model: str, fields: dict[str, Any], message: str) -> None:
    """A setting that the generation does not take is a 400 in Google's shape."""
    response = gemini(model=model, **fields)
    error = response.json()["error"]
    assert response.status_code == error["code"] == 400
    assert error["status"] == "INVALID_ARGUMENT"
    assert message in error["message"]


ACCEPTED: list[tuple[str, str, dict[str, Any]]] = [
    ("sampling", NEW, {"config": {"temperature": 2, "topP": 0.5, "topK": 40, "seed": -5, "stopSequences": ["x"]}}),
    ("candidates on 2.5", OLD, {"config": {"candidateCount": 3}}),
    ("penalty on 2.5 flash", OLD, {"config": {"presencePenalty": 1.5}}),
    ("logprobs on 2.5 flash", OLD, {"config": {"responseLogprobs": True, "logprobs": 2}}),
    ("no thinking", OLD, thinking(thinkingBudget=0)),
    ("dynamic", "gemini-2.5-pro", thinking(thinkingBudget=-1)),
    ("lite at rest", "gemini-2.5-flash-lite", thinking(thinkingBudget=0)),
    ("level", "gemini-3.1-pro-preview", thinking(thinkingLevel="low")),
    ("minimal on 3.5", "gemini-3.5-flash", thinking(thinkingLevel="MINIMAL")),
    ("xhigh", "gemini-4-argon", thinking(thinkingLevel="XHIGH")),
    ("JSON and calls on 3", NEW, {"config": {"responseMimeType": JSON}, "tools": CALLS}),
    ("nulls are absent", NEW, {"config": {"temperature": None}, "tools": None}),
    ("snake case", NEW, {"generation_config": {"max_output_tokens": 9}}),
]


@pytest.mark.parametrize(("model", "fields"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_documented_settings_are_answered(gemini: Ask, model: str, fields: dict[str, Any]) -> None:
    """What the generation documents is answered."""
    response = gemini(model=model, **fields)
    assert response.status_code == 200, response.text
