"""OpenRouter's answers, judged by OpenAI's own SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from httpx2 import Response
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel, TypeAdapter

from llm_simulator.simulation import Simulation

Ask = Callable[..., Response]
Satisfies = Callable[[Any, Any], bool]

MODEL = "anthropic/claude-sonnet-5"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": SCHEMA}}
USER: Any = [{"role": "user", "content": "What is the weather in Paris and in Berlin?"}]


class Trip(BaseModel):
    city: str
    days: int


def chunks_of(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def test_plain_answer_has_provider_native_reason_and_cost(openrouter: Ask) -> None:
    """A plain answer is a ChatCompletion of the SDK, with OpenRouter's provider, native reason and cost."""
    body = openrouter("What is 6*7?", model=MODEL).json()
    answer = TypeAdapter(ChatCompletion).validate_json(json.dumps(body), strict=True)
    assert answer.choices[0].message.content
    assert "42" in answer.choices[0].message.content
    assert body["provider"] == "Anthropic"
    assert body["choices"][0]["native_finish_reason"] == "end_turn"
    assert body["usage"]["cost"] > 0
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    parts = body["usage"]["cost_details"]
    assert parts["upstream_inference_prompt_cost"] + parts["upstream_inference_completions_cost"] == pytest.approx(
        body["usage"]["cost"]
    )


def test_given_price_decides_the_cost(openrouter: Ask, simulation: Simulation) -> None:
    """A model whose price is given costs that; the others' prices are invented."""
    simulation.prices = {MODEL: (1.0, 2.0)}
    usage = openrouter("What is 6*7?", model=MODEL).json()["usage"]
    assert usage["cost"] == pytest.approx((usage["prompt_tokens"] + 2 * usage["completion_tokens"]) / 1e6)


def test_stream_has_comments_usage_chunk_and_done(openrouter: Ask) -> None:
    """A stream begins with comments, ends with a usage chunk without choices and [DONE], and finishes once."""
    text = openrouter("Explain tides", stream=True).text
    chunks = chunks_of(text)
    for chunk in chunks:
        TypeAdapter(ChatCompletionChunk).validate_json(json.dumps(chunk), strict=True)
    assert text.startswith(": OPENROUTER PROCESSING\n\n")
    assert text.endswith("data: [DONE]\n\n")
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["cost"] > 0
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]].count("stop") == 1
    assert len(chunks) > 4


def test_stream_equals_completion(openrouter: Ask) -> None:
    """Usage is the same streamed or not."""
    fields: dict[str, Any] = {"model": MODEL, "tools": [WEATHER], "reasoning": {"effort": "high"}}
    plain = openrouter(USER[0]["content"], **fields).json()
    streamed = chunks_of(openrouter(USER[0]["content"], stream=True, **fields).text)
    assert streamed[-1]["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]
    assert streamed[-2]["choices"][0]["finish_reason"] == plain["choices"][0]["finish_reason"] == "tool_calls"


def test_sdk_builds_two_calls_that_satisfy_their_schema(openai_sdk: openai.OpenAI, satisfies: Satisfies) -> None:
    """The SDK's stream helper builds two calls whose arguments satisfy the schema; the results are used."""
    with openai_sdk.chat.completions.stream(model=MODEL, messages=USER, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message
    calls = message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {"city": "Berlin"}]
    for call in calls:
        assert satisfies(json.loads(call.function.arguments), SCHEMA)
    history: Any = [
        *USER,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call.model_dump(include={"id", "type", "function"}) for call in calls],
        },
        *({"role": "tool", "tool_call_id": call.id, "content": f"{n + 17} degrees"} for n, call in enumerate(calls)),
    ]
    for turn in history[1]["tool_calls"]:
        turn["function"].pop("parsed_arguments", None)
    answer = (
        openai_sdk.chat.completions.create(model=MODEL, messages=history, tools=[WEATHER]).choices[0].message.content
    )
    assert answer
    assert "get_weather answered: 17 degrees" in answer
    assert "18 degrees" in answer


def test_sdk_parse_gets_an_object_of_its_schema(openai_sdk: openai.OpenAI) -> None:
    """The SDK's `parse` gets an object that satisfies its schema."""
    trip = openai_sdk.chat.completions.parse(model=MODEL, messages=USER, response_format=Trip).choices[0].message.parsed
    assert isinstance(trip, Trip)
    assert trip.city == "Paris"


def test_json_object_format_brings_bare_json(openrouter: Ask) -> None:
    """`json_object` brings bare JSON."""
    body = openrouter("Explain", response_format={"type": "json_object"}).json()
    assert isinstance(json.loads(body["choices"][0]["message"]["content"]), dict)


@pytest.mark.parametrize(("model", "signed"), [(MODEL, True), ("deepseek/deepseek-r1", False)])
def test_reasoning_is_shown_counted_and_can_be_excluded(openrouter: Ask, model: str, signed: bool) -> None:
    """Reasoning stands in `reasoning` and `reasoning_details`, is counted, and can be left out."""
    body = openrouter("Prove it", model=model, reasoning={"effort": "low"}).json()
    message = body["choices"][0]["message"]
    assert message["reasoning"] == message["reasoning_details"][0]["text"]
    assert ("signature" in message["reasoning_details"][0]) == signed
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    deltas = [
        chunk["choices"][0]["delta"]
        for chunk in chunks_of(openrouter("Prove it", model=model, reasoning_effort="low", stream=True).text)[:-1]
    ]
    assert "".join(delta.get("reasoning", "") for delta in deltas)
    hidden = openrouter("Prove it", model=model, reasoning={"max_tokens": 900, "exclude": True}).json()["choices"][0][
        "message"
    ]
    assert "reasoning" not in hidden


@pytest.mark.parametrize(
    "fields", [{"reasoning": {"enabled": True}}, {"include_reasoning": True}, {"reasoning_effort": "minimal"}]
)
def test_each_documented_switch_turns_reasoning_on(openrouter: Ask, fields: dict[str, Any]) -> None:
    """Each documented switch turns reasoning on."""
    assert openrouter("Prove it", **fields).json()["choices"][0]["message"]["reasoning"]


FINISHES = [
    ("[[tokens:400]]", {"max_completion_tokens": 9}, "length", "MAX_TOKENS"),
    ("[[say:one STOP two]]", {"stop": "STOP"}, "stop", "STOP"),
    ("[[fault:refusal]]", {}, "content_filter", "SAFETY"),
    ("[[fault:unknown_finish]]", {}, "quantum_flux", "quantum_flux"),
]


@pytest.mark.parametrize(("prompt", "fields", "reason", "native"), FINISHES, ids=[row[2] for row in FINISHES])
def test_each_ending_has_its_finish_and_native_reason(
    openrouter: Ask, prompt: str, fields: dict[str, Any], reason: str, native: str
) -> None:
    """Each ending has its finish_reason and the vendor's own word for it."""
    choice = openrouter(prompt, model="google/gemini-3.8-flash", **fields).json()["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == (reason, native)


def test_choices_and_logprobs(openrouter: Ask) -> None:
    """`n` brings so many choices, `logprobs` their log probabilities."""
    body = openrouter("Explain", n=2, logprobs=True).json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["choices"][1]["logprobs"]["content"][0]["logprob"] < 0
    indexes = {chunk["choices"][0]["index"] for chunk in chunks_of(openrouter("Explain", n=2, stream=True).text)[:-1]}
    assert indexes == {0, 1}


def test_media_are_acknowledged_and_counted(openrouter: Ask) -> None:
    """Media are acknowledged with type and size and counted; free models cost nothing."""
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,%%%"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
    ]
    body = openrouter([{"role": "user", "content": content}], model="qwen/qwen3-8b:free").json()
    text = body["choices"][0]["message"]["content"]
    for said in (
        "image (image/png, 4 bytes)",
        "audio (audio/wav, 3 bytes)",
        "pdf (application/pdf, 3 bytes)",
        "image (image/jpeg, by URL)",
    ):
        assert said in text
    assert body["usage"]["prompt_tokens"] > 700
    assert body["usage"]["cost"] == 0


def test_repeated_long_prompt_is_cached_and_cheaper(openrouter: Ask) -> None:
    """A long prompt that comes again is partly cached and cheaper."""
    prompt = "All work and no play makes a dull prompt. " * 300
    first, second = (openrouter(prompt).json()["usage"] for _ in range(2))
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["prompt_tokens_details"]["cached_tokens"] >= 1024
    assert (
        second["cost_details"]["upstream_inference_prompt_cost"]
        < first["cost_details"]["upstream_inference_prompt_cost"]
    )


def test_named_tool_is_always_called(openrouter: Ask) -> None:
    """A named tool is called whatever the prompt says."""
    choice = {"type": "function", "function": {"name": "get_weather"}}
    message = openrouter("Hello", tools=[WEATHER], tool_choice=choice).json()["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["name"] == "get_weather"
