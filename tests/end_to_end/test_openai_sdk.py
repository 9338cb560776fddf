"""Everything a client does with the official SDK, against the strict simulator."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.end_to_end.conftest import Served

MODELS = [
    "auto",
    "gemini/gemini-3.8-flash",
    "gemini/gemini-2.5-flash",
    "claude/claude-haiku-5-5",
    "claude/claude-haiku-4-5",
    "claude/claude-opus-5-5",
    "openrouter/qwen/qwen3.8-flash",
]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class City(BaseModel):
    name: str
    population: int


def user(content: Any) -> ChatCompletionMessageParam:
    return {"role": "user", "content": content}


@pytest.mark.parametrize("model", [*MODELS, "auto:cheap", "auto:quality", "gemini-flash", "claude-3-haiku"])
def test_create_has_text_usage_and_a_consistent_row(served: Served, model: str) -> None:
    """An answer has text, usage and a consistent row."""
    raw = served.openai.chat.completions.with_raw_response.create(
        model=model, messages=[user("What is a list in Python?")]
    )
    answer = raw.parse()
    row = served.row(raw.headers["x-request-id"])
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (row["prompt_tokens"], row["completion_tokens"]) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert answer.model == f"{row['selected_provider']}/{row['selected_model']}"
    assert row["status"] == "ok"
    assert row["cost_savings"] == pytest.approx(row["baseline_cost"] - row["actual_cost"])


@pytest.mark.parametrize("model", MODELS)
def test_stream_has_role_one_finish_reason_and_usage(served: Served, model: str) -> None:
    """A stream's pieces make an answer: a role first, one finish reason last, usage when asked for."""
    stream = served.openai.chat.completions.create(
        model=model, messages=[user("Tell me about lists.")], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1] if chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("model", MODELS)
def test_stream_helper_assembles_a_tool_call(served: Served, model: str) -> None:
    """The SDK's `.stream()` helper assembles a tool call."""
    with served.openai.chat.completions.stream(
        model=model, messages=[user("What is the weather in Paris?")], tools=[WEATHER]
    ) as stream:
        for _ in stream:
            continue
        final = stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls or []
    assert final.choices[0].finish_reason == "tool_calls"
    assert "city" in json.loads(call.function.arguments)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("echo", ["whole", "plain"])
@pytest.mark.parametrize("effort", [None, "high"])
def test_tool_result_is_answered_for_full_and_plain_echo(served: Served, model: str, echo: str, effort: Any) -> None:
    """A tool's result gets an answer, for clients that echo the whole message and those that keep id, name and arguments."""
    client = served.openai
    messages = [user("What is the weather in Paris and in Rome? Use the tool for each.")]
    options: dict[str, Any] = {"reasoning_effort": effort} if effort else {}
    first = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER], **options)
    message = first.choices[0].message
    assert message.tool_calls
    if echo == "whole":
        whole: Any = message.to_dict()
        messages.append(whole)
    else:
        calls: Any = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls
            if call.type == "function"
        ]
        messages.append({"role": "assistant", "content": message.content, "tool_calls": calls})
    messages += [{"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'} for call in message.tool_calls]
    second = client.chat.completions.create(
        model=first.model if model == "auto" else model, messages=messages, tools=[WEATHER], **options
    )
    assert second.choices[0].message.content


def test_conversation_moves_between_providers(served: Served) -> None:
    """A history made by one provider, signatures and all, is taken by the others."""
    client = served.openai
    messages = [user("What is the weather in Paris?")]
    for model in (
        "gemini/gemini-3.8-flash",
        "claude/claude-sonnet-5-5",
        "claude/claude-haiku-4-5",
        "openrouter/qwen/qwen3.8-flash",
        "gemini/gemini-2.5-flash",
    ):
        answer = (
            client.chat.completions.create(model=model, messages=messages, tools=[WEATHER], reasoning_effort="medium")
            .choices[0]
            .message
        )
        whole: Any = answer.to_dict()
        messages.append(whole)
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in answer.tool_calls or []]
        messages.append(user("And what is the weather in Rome?"))
        assert answer.tool_calls or answer.content


@pytest.mark.parametrize("model", MODELS)
def test_parse_gives_an_object_of_the_callers_class(served: Served, model: str) -> None:
    """`parse()` gives an object of the caller's class."""
    answer = served.openai.chat.completions.parse(model=model, messages=[user("Name a city.")], response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City)


@pytest.mark.parametrize("model", MODELS[:-1])
def test_image_reaches_a_model_that_can_see(served: Served, model: str) -> None:
    """An image in the prompt reaches a model that can see."""
    url = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert served.openai.chat.completions.create(model=model, messages=[user(content)]).choices[0].message.content


@pytest.mark.parametrize("model", MODELS[:-1])
def test_pdf_reaches_a_model_that_can_read_it(served: Served, model: str) -> None:
    """A PDF in the prompt reaches a model that can read it."""
    data = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.4 minimal").decode()
    content = [{"type": "text", "text": "Sum up."}, {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}]
    assert served.openai.chat.completions.create(model=model, messages=[user(content)]).choices[0].message.content


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
@pytest.mark.parametrize("model", MODELS)
def test_every_effort_is_accepted_by_every_generation(served: Served, model: str, effort: Any) -> None:
    """Every level of effort is taken by every generation: an unknown one becomes the nearest it has."""
    answer = served.openai.chat.completions.create(model=model, messages=[user("Think: 2+2?")], reasoning_effort=effort)
    assert answer.choices[0].message.content


def test_sampling_fields_that_a_generation_refuses(served: Served) -> None:
    """Sampling wishes never make a request fail where the model no longer takes them."""
    for model in MODELS:
        answer = served.openai.chat.completions.create(
            model=model,
            messages=[user("Hi")],
            temperature=0.3,
            top_p=0.9,
            stop=["END"],
            seed=2**40,
            frequency_penalty=0.1,
            user="someone@example.com",
        )
        assert answer.choices[0].message.content


def test_errors_have_the_sdks_classes(served: Served) -> None:
    """Errors arrive as the SDK's own exceptions."""
    client = served.openai
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=[user("Hi")])
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="auto", messages=[])
    audio = [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="claude/claude-haiku-5-5", messages=[user(audio)])


def test_broken_stream_raises(served: Served) -> None:
    """A stream that the upstream cuts raises in the SDK instead of looking finished."""
    for model in ("gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/qwen/qwen3.8-flash"):
        stream = served.openai.chat.completions.create(
            model=model, messages=[user("Go on. [[fault:cut]]")], stream=True
        )
        with pytest.raises(openai.APIError):
            list(stream)


def test_model_list_starts_with_auto_and_each_can_be_fetched(served: Served) -> None:
    """The model list starts with `auto`, and each entry can be fetched by its name with slashes."""
    listed = served.openai.models.list().data
    assert listed[0].id == "auto"
    for model in (listed[0], listed[-1]):
        assert served.openai.models.retrieve(model.id).id == model.id


async def test_async_client_and_200_parallel_streams(served: Served) -> None:
    """Two hundred streams at once each carry their own answer."""
    async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0) as client:

        async def ask(number: int) -> bool:
            mark = f"canary{number:05d}"
            stream = await client.chat.completions.create(
                model=MODELS[number % len(MODELS)], messages=[user(f"Say {mark}.")], stream=True
            )
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            return set(re.findall(r"canary\d+", text)) == {mark}

        assert all(await asyncio.gather(*(ask(number) for number in range(200))))
