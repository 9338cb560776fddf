"""Gemini's answers, judged by Google's own SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from google import genai
from google.genai import types
from httpx2 import Response

Ask = Callable[..., Response]
Satisfies = Callable[[Any, Any], bool]

MODEL = "gemini-3.8-flash"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
}
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="get_weather", description="Weather", parameters_json_schema=SCHEMA)
    ]
)


def test_plain_answer_is_a_response_of_the_sdk(genai_sdk: genai.Client) -> None:
    """A plain answer is a response of the SDK, and its usage adds up."""
    answer = genai_sdk.models.generate_content(model=MODEL, contents="Explain tides")
    usage = answer.usage_metadata
    assert answer.candidates
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.text
    assert usage
    assert usage.total_token_count == sum(
        n or 0 for n in (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
    )
    types.GenerateContentResponse.model_validate(answer.model_dump())


def test_stream_equals_response(genai_sdk: genai.Client) -> None:
    """The chunks hold the text of the plain answer; the last has the finish reason, usage and an empty signed part."""
    plain = genai_sdk.models.generate_content(model=MODEL, contents="Explain tides to me")
    chunks = list(genai_sdk.models.generate_content_stream(model=MODEL, contents="Explain tides to me"))
    joined = "".join(chunk.text or "" for chunk in chunks)
    last = chunks[-1]
    assert len(chunks) > 2
    assert joined.startswith("You asked: Explain tides to me.")
    assert plain.text
    assert plain.text.startswith("You asked: Explain tides to me.")
    assert [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates][:-1] == [None] * (
        len(chunks) - 1
    )
    assert last.candidates
    assert last.candidates[0].content
    assert last.candidates[0].content.parts
    assert last.candidates[0].content.parts[0].thought_signature
    assert last.candidates[0].content.parts[0].text == ""
    assert last.usage_metadata
    assert last.usage_metadata.candidates_token_count


def test_thoughts_are_shown_on_request_and_always_counted(genai_sdk: genai.Client) -> None:
    """Thoughts are shown when asked for, and count either way."""
    shown = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    with_thoughts = genai_sdk.models.generate_content(model=MODEL, contents="Prove it", config=shown)
    without = genai_sdk.models.generate_content(model=MODEL, contents="Prove it")
    assert with_thoughts.candidates
    assert with_thoughts.candidates[0].content
    assert [part.thought for part in with_thoughts.candidates[0].content.parts or []] == [True, None]
    assert without.usage_metadata
    assert without.usage_metadata.thoughts_token_count


def test_calls_satisfy_the_schema_and_the_first_is_signed(genai_sdk: genai.Client, satisfies: Satisfies) -> None:
    """Calls satisfy the schema, the first one is signed, each has its id, and the results are used."""
    asked = types.Content(role="user", parts=[types.Part(text="Weather in Paris and Berlin?")])
    config = types.GenerateContentConfig(
        tools=[WEATHER], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    first = genai_sdk.models.generate_content(model=MODEL, contents=[asked], config=config)
    assert first.candidates
    content = first.candidates[0].content
    assert content
    parts = content.parts or []
    calls = first.function_calls or []
    assert [bool(part.thought_signature) for part in parts] == [True, False]
    assert len({call.id for call in calls}) == 2
    for call in calls:
        assert satisfies(call.args, SCHEMA)
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"output": f"{n + 17} degrees"}
            )
        )
        for n, call in enumerate(calls)
    ]
    turns = [asked, content, types.Content(role="user", parts=results)]
    second = genai_sdk.models.generate_content(model=MODEL, contents=list(turns), config=config)
    assert second.text
    assert "17 degrees" in second.text
    assert "18 degrees" in second.text


def test_old_models_have_no_call_ids(gemini: Ask) -> None:
    """Before 3.5 a call has no id."""
    tools = [
        {
            "functionDeclarations": [
                {
                    "name": "get_weather",
                    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
                }
            ]
        }
    ]
    part = gemini("Weather in Paris?", model="gemini-2.5-flash", tools=tools).json()["candidates"][0]["content"][
        "parts"
    ][0]
    assert part["functionCall"] == {"name": "get_weather", "args": {"city": "Paris"}}


@pytest.mark.parametrize("field", ["response_json_schema", "response_schema"])
def test_structured_answer_satisfies_its_schema(genai_sdk: genai.Client, field: str, satisfies: Satisfies) -> None:
    """A structured answer is JSON that satisfies its schema."""
    settings: dict[str, Any] = {"response_mime_type": "application/json", field: SCHEMA}
    answer = genai_sdk.models.generate_content(
        model=MODEL, contents="Trip to Rome", config=types.GenerateContentConfig(**settings)
    )
    assert satisfies(json.loads(answer.text or ""), SCHEMA)


def test_json_without_schema(gemini: Ask) -> None:
    """The JSON mime type alone brings bare JSON."""
    body = gemini("Say exactly: no", config={"responseMimeType": "application/json"}).json()
    assert isinstance(json.loads(body["candidates"][0]["content"]["parts"][0]["text"]), dict)


FINISHES = [
    ("[[tokens:400]]", "MAX_TOKENS"),
    ("[[say:one STOP two]]", "STOP"),
    ("[[fault:refusal]] tell me everything", "SAFETY"),
    ("[[fault:recitation]] tell me everything", "RECITATION"),
    ("[[fault:malformed_call]]", "MALFORMED_FUNCTION_CALL"),
    ("[[fault:context_window]]", "MAX_TOKENS"),
    ("[[fault:unknown_finish]]", "QUANTUM_FLUX"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("prompt", "reason"), FINISHES, ids=[row[1] + row[0][8:14] for row in FINISHES])
def test_each_ending_has_its_finish_reason(gemini: Ask, prompt: str, reason: str, stream: bool) -> None:
    """Each ending has its finishReason, streamed or not."""
    config = {"maxOutputTokens": 60, "stopSequences": ["STOP"]}
    response = gemini(prompt, config=config, stream=stream)
    body = json.loads(response.text.strip().split("\r\n\r\n")[-1].removeprefix("data: ")) if stream else response.json()
    assert body["candidates"][0]["finishReason"] == reason
    assert body["usageMetadata"].get("candidatesTokenCount", 0) <= 60


@pytest.mark.parametrize("stream", [False, True])
def test_blocked_prompt_has_feedback_and_no_candidates(gemini: Ask, stream: bool) -> None:
    """A blocked prompt has no candidates, only its promptFeedback and the prompt's tokens."""
    text = gemini("[[fault:blocked]]", stream=stream).text
    body = json.loads(text.removeprefix("data: "))
    assert "candidates" not in body
    assert body["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert body["usageMetadata"]["totalTokenCount"] == body["usageMetadata"]["promptTokenCount"]


def test_several_candidates_are_answered_and_counted(gemini: Ask) -> None:
    """2.5 answers several candidates, streamed or not, and counts them all."""
    body = gemini(model="gemini-2.5-flash", config={"candidateCount": 3, "responseLogprobs": True}).json()
    assert [entry["index"] for entry in body["candidates"]] == [0, 1, 2]
    assert body["candidates"][0]["logprobsResult"]
    text = gemini(model="gemini-2.5-flash", config={"candidateCount": 2}, stream=True).text
    assert text.count('"finishReason":"STOP"') == 2


def test_stream_without_thinking_is_unsigned(gemini: Ask) -> None:
    """A 2.5 model that did not think signs nothing."""
    text = gemini("Explain tides", model="gemini-2.5-flash-lite", stream=True).text
    assert "thoughtSignature" not in text
    assert "thoughtsTokenCount" not in text


def test_events_end_with_crlf_and_default_stream_is_an_array(gemini: Ask) -> None:
    """Events are framed with CR LF; without `alt=sse` the stream is one JSON array."""
    assert "\r\n\r\ndata: {" in gemini("Explain tides", stream=True).text
    array = gemini("Explain tides", url=f"/v1beta/models/{MODEL}:streamGenerateContent").json()
    assert array[-1]["candidates"][0]["finishReason"] == "STOP"


def test_repeated_long_prompt_is_partly_cached(gemini: Ask) -> None:
    """A long prompt that comes again is partly cached, inside the prompt's tokens."""
    prompt = "All work and no play makes a dull prompt. " * 300
    first, second = (gemini(prompt).json()["usageMetadata"] for _ in range(2))
    assert "cachedContentTokenCount" not in first
    assert 1024 <= second["cachedContentTokenCount"] <= second["promptTokenCount"] == first["promptTokenCount"]
