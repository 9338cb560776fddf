"""Everything a client does with the official SDK's `responses`, against the strict simulator."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import FunctionToolParam, Response, ResponseFunctionToolCall
from pydantic import BaseModel

from tests.end_to_end.conftest import Served
from tests.end_to_end.test_openai_sdk import MODELS, PIXEL

EACH_PROVIDER = ["claude/claude-haiku-4-5", "gemini/gemini-3.8-flash", "openrouter/qwen/qwen3.8-flash"]
CODEX: dict[str, Any] = json.loads(Path(__file__).with_name("codex_request.json").read_text())
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
ASKED = "What is the weather in Paris?"


class City(BaseModel):
    name: str
    population: int


def call_in(response: Response) -> ResponseFunctionToolCall:
    return next(item for item in response.output if item.type == "function_call")


@pytest.mark.parametrize("model", MODELS)
def test_create_has_text_usage_and_a_consistent_row(served: Served, model: str) -> None:
    """A response has text, usage and the costs of its row, which names the endpoint."""
    raw = served.openai.responses.with_raw_response.create(model=model, input="What is a list in Python?")
    response = raw.parse()
    row = served.row(raw.headers["x-request-id"])
    assert response.output_text
    assert response.usage is not None
    assert (row["prompt_tokens"], row["completion_tokens"]) == (
        response.usage.input_tokens,
        response.usage.output_tokens,
    )
    assert (row["endpoint"], row["status"]) == ("responses", "ok")
    assert response.model == f"{row['selected_provider']}/{row['selected_model']}"
    assert float(raw.headers["x-gateway-cost"]) == pytest.approx(row["actual_cost"])


@pytest.mark.parametrize("model", EACH_PROVIDER)
def test_the_same_call_costs_the_same_through_chat(served: Served, model: str) -> None:
    """Both APIs send the provider the same tokens."""
    prompt = "Tell me about tuples."
    response = served.openai.responses.create(model=model, instructions="Be brief.", input=prompt)
    chat = served.openai.chat.completions.create(
        model=model, messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]
    )
    assert response.usage is not None
    assert chat.usage is not None
    assert response.usage.input_tokens == chat.usage.prompt_tokens


@pytest.mark.parametrize("effort", [None, "high"])
@pytest.mark.parametrize("model", MODELS)
def test_stream_helper_accepts_every_event(served: Served, model: str, effort: Any) -> None:
    """The SDK's `.stream()` helper checks the order of events; thoughts come before the text."""
    reasoning: Any = {"effort": effort, "summary": "auto"}
    with served.openai.responses.stream(
        model=model, input="Tell me about lists.", reasoning=reasoning, include=["reasoning.encrypted_content"]
    ) as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        response = stream.get_final_response()
    assert said == response.output_text != ""
    assert response.status == "completed"
    assert response.output[0].type in ("reasoning", "message")


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_two_turn_tool_loop(served: Served, model: str, stateful: bool) -> None:
    """A call is answered with the whole input, or with the previous response's id alone."""
    client = served.openai
    first: dict[str, Any] = {"model": model, "tools": [WEATHER], "reasoning": {"effort": "low", "summary": "auto"}}
    if not stateful:
        first |= {"store": False, "include": ["reasoning.encrypted_content"]}
    with client.responses.stream(input=ASKED, **first) as stream:
        response = stream.get_final_response()
    call = call_in(response)
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny, 21 degrees"}
    if stateful:
        second = client.responses.create(**first, previous_response_id=response.id, input=[result])
    else:
        items: list[Any] = [
            item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output
        ]
        second = client.responses.create(**first, input=[{"role": "user", "content": ASKED}, *items, result])
    assert "Sunny" in second.output_text
    assert second.to_dict()["store"] is stateful


def test_conversation_moves_between_providers(served: Served) -> None:
    """Every turn may be answered by another provider; reasoning of the others is left out."""
    previous: str | None = None
    for model in [*EACH_PROVIDER, *EACH_PROVIDER]:
        response = served.openai.responses.create(
            model=model,
            input="What is the weather in Rome?" if previous is None else "And now?",
            previous_response_id=previous,
            tools=[WEATHER],
            tool_choice="none",
            reasoning={"effort": "low", "summary": "auto"},
        )
        previous = response.id
        assert response.output_text


@pytest.mark.parametrize("model", EACH_PROVIDER)
def test_item_references_as_vercels_ai_sends_them(served: Served, model: str) -> None:
    """Reasoning and texts are named by id, calls and results are repeated."""
    first = served.openai.responses.create(
        model=model, input=ASKED, tools=[WEATHER], reasoning={"effort": "medium", "summary": "auto"}
    )
    call = call_in(first)
    items: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": ASKED}]}]
    for item in first.output:
        named = {"type": "item_reference", "id": item.id}
        items.append(item.model_dump(exclude_none=True) if item.type == "function_call" else named)
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "Sunny"})
    assert "Sunny" in served.openai.responses.create(model=model, input=items, tools=[WEATHER]).output_text


@pytest.mark.parametrize("model", MODELS)
def test_parse_gives_an_object_of_the_callers_class(served: Served, model: str) -> None:
    """`.parse()` gives an object of the caller's class."""
    response = served.openai.responses.parse(model=model, input="Invent a city.", text_format=City)
    assert isinstance(response.output_parsed, City)


@pytest.mark.parametrize("model", ["auto", *EACH_PROVIDER])
def test_the_recorded_request_of_codex(served: Served, model: str) -> None:
    """Codex's own body: a namespace, a web search that is left out, developer messages; and its next turn."""
    body = {name: value for name, value in CODEX.items() if name not in ("client_metadata", "stream")}
    body |= {"model": model, "extra_body": {"client_metadata": CODEX["client_metadata"]}}
    with served.openai.responses.with_streaming_response.create(**body, stream=True) as raw:
        assert raw.headers["x-gateway-dropped"] == f"tools[{len(CODEX['tools']) - 1}]:web_search"
        events = list(raw.parse())
    last = events[-1]
    assert last.type == "response.completed"
    items: list[Any] = [item.model_dump(exclude_none=True) for item in last.response.output]
    for item in items:
        if item["type"] == "reasoning":
            item["content"] = None
    results = [
        {"type": "function_call_output", "id": f"fco_{n}", "call_id": item["call_id"], "output": "done"}
        for n, item in enumerate(items)
        if item["type"] == "function_call"
    ]
    body["input"] = [*CODEX["input"], *items, *results, {"role": "user", "content": "Go on without tools."}]
    again = served.openai.responses.create(**{**body, "tool_choice": "none"})
    assert again.output_text


@pytest.mark.parametrize("model", EACH_PROVIDER)
def test_namespace_and_custom_tools(served: Served, model: str) -> None:
    """Calls come back with the tool's own name, its namespace, or as free text."""
    tools: list[Any] = [
        {"type": "namespace", "name": "maps", "description": "Maps", "tools": [{**WEATHER, "name": "find_route"}]},
        {"type": "custom", "name": "run_query", "description": "Runs SQL."},
    ]
    client = served.openai
    found = client.responses.create(
        model=model, input="Route?", tools=tools, tool_choice={"type": "function", "name": "find_route"}
    )
    call = call_in(found)
    assert (call.name, call.namespace) == ("find_route", "maps")
    free = client.responses.create(
        model=model, input="Query?", tools=tools, tool_choice={"type": "custom", "name": "run_query"}
    )
    custom = next(item for item in free.output if item.type == "custom_tool_call")
    assert custom.name == "run_query"
    result: Any = {"type": "custom_tool_call_output", "call_id": custom.call_id, "output": "3 rows"}
    answered = client.responses.create(
        model=model, previous_response_id=free.id, input=[result], tools=tools, tool_choice="none"
    )
    assert answered.output_text


@pytest.mark.parametrize("model", ["auto", "claude/claude-haiku-4-5", "gemini/gemini-3.8-flash"])
def test_picture_and_pdf_reach_the_model(served: Served, model: str) -> None:
    """Pictures and files are accepted, also in the result of a tool."""
    image: Any = {"type": "input_image", "image_url": f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"}
    pdf: Any = {
        "type": "input_file",
        "filename": "a.pdf",
        "file_data": f"data:application/pdf;base64,{base64.b64encode(b'%PDF-1.4 x').decode()}",
    }
    text: Any = {"type": "input_text", "text": "What is this?"}
    call: Any = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    result: Any = {"type": "function_call_output", "call_id": "c1", "output": [image]}
    response = served.openai.responses.create(
        model=model, input=[{"role": "user", "content": [text, image, pdf]}, call, result]
    )
    assert response.output_text


def test_limit_makes_an_incomplete_response(served: Served) -> None:
    """An answer cut at its limit says so."""
    response = served.openai.responses.create(
        model="openrouter/qwen/qwen3.8-flash", input="Tell me about lists at length.", max_output_tokens=2
    )
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


def test_kept_responses_are_read_and_deleted(served: Served) -> None:
    """`retrieve`, `input_items.list` and `delete` do what they do at OpenAI."""
    client = served.openai
    made = client.responses.create(model="auto", input="Hello")
    assert client.responses.retrieve(made.id).output_text == made.output_text
    (item,) = client.responses.input_items.list(made.id).data
    assert item.type == "message"
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_errors_have_the_sdks_classes(served: Served) -> None:
    """Errors are the SDK's classes with the member's name."""
    with pytest.raises(openai.BadRequestError) as refused:
        served.openai.responses.create(model="auto", input="x", previous_response_id="resp_gone")
    assert refused.value.param == "previous_response_id"
    with pytest.raises(openai.NotFoundError):
        served.openai.responses.create(model="no/such", input="x")


def test_broken_stream_ends_as_failed(served: Served) -> None:
    """A stream that breaks ends with `response.failed`."""
    stream = served.openai.responses.create(
        model="claude/claude-haiku-4-5", input="Tell me about lists. [[fault:cut]]", stream=True
    )
    assert [event.type for event in stream][-1] == "response.failed"


async def test_async_client(served: Served) -> None:
    """The asynchronous client and its stream helper."""
    async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0) as client:
        first = await client.responses.create(model="auto", input="Hello")
        async with client.responses.stream(model="auto", input="And?", previous_response_id=first.id) as stream:
            response = await stream.get_final_response()
    assert response.output_text
