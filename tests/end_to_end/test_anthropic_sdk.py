"""Everything a client does with Anthropic's official SDK, against the strict simulator."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from pydantic import BaseModel

from tests.end_to_end.conftest import Served
from tests.end_to_end.test_openai_sdk import PIXEL

MODELS = [
    "auto",
    "claude-auto",
    "gemini/gemini-3.8-flash",
    "gemini/gemini-2.5-flash",
    "claude-haiku-5-5",
    "claude/claude-haiku-4-5",
    "claude-opus-5-5[1m]",
    "openrouter/qwen/qwen3.8-flash",
]
CLAUDES = [
    "claude-haiku-4-5",
    "claude-sonnet-4-6",
    "claude-sonnet-5",
    "claude-opus-5",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
]
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PDF = base64.b64encode(b"%PDF-1.4 minimal").decode()
IMAGE: Any = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXEL).decode()},
}


class City(BaseModel):
    name: str
    population: int


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[Anthropic]:
    with Anthropic(base_url=served.url, api_key="any", max_retries=0) as sdk:
        yield sdk


def text_of(message: Any) -> str:
    """The text; Claude's newest models think before it without being asked."""
    return "".join(block.text for block in message.content if block.type == "text")


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


@pytest.mark.parametrize("model", MODELS)
def test_create_has_text_usage_and_a_consistent_row(client: Anthropic, served: Served, model: str) -> None:
    """An answer has text, usage as Anthropic counts it, and a row with the same counts."""
    raw = client.messages.with_raw_response.create(
        model=model, max_tokens=500, messages=[user("What is a list in Python?")]
    )
    answer = raw.parse()
    row = served.row(raw.headers["request-id"])
    assert raw.headers["x-request-id"] == raw.headers["request-id"]
    assert text_of(answer)
    assert (answer.stop_reason, answer.stop_sequence, answer.type) == ("end_turn", None, "message")
    usage = answer.usage
    prompt = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (prompt, usage.output_tokens)
    assert answer.model == f"{row['selected_provider']}/{row['selected_model']}"
    assert (row["status"], row["endpoint"]) == ("ok", "messages")
    assert float(raw.headers["x-gateway-cost"]) == pytest.approx(row["actual_cost"], abs=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_stream_helper_makes_a_message(client: Anthropic, model: str) -> None:
    """The SDK's `.stream()` helper takes the events, which must follow the grammar, and makes a message of them."""
    with client.messages.stream(model=model, max_tokens=500, messages=[user("Tell me about lists.")]) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text
    assert text_of(final) == text
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0
    assert final.usage.input_tokens > 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("thinking", [None, {"type": "adaptive"}], ids=["plain", "thinking"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_tool_loop_of_two_turns(client: Anthropic, model: str, thinking: Any, streamed: bool) -> None:
    """The content of an answer is sent back whole, with the results of its calls, and is answered."""
    if "4-5" in model and thinking:
        thinking = {"type": "enabled", "budget_tokens": 1024}
    options: dict[str, Any] = {"thinking": thinking} if thinking else {}
    options |= {"model": model, "max_tokens": 3000, "tools": [WEATHER]}
    messages = [user("What is the weather in Paris and in Rome? Use the tool for each.")]
    first = ask(client, streamed, messages=messages, **options)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use"
    assert all("city" in call.input for call in calls)
    messages.append({"role": "assistant", "content": first.content})
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"} for call in calls]
    messages.append(user([*results, {"type": "text", "text": "Go on."}]))
    second = ask(client, streamed, messages=messages, **options)
    assert any(block.type == "text" and block.text for block in second.content)


def ask(client: Anthropic, streamed: bool, **options: Any) -> Any:
    if not streamed:
        return client.messages.create(**options)
    with client.messages.stream(**options) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_no_thinking_without_being_asked(client: Anthropic, streamed: bool) -> None:
    """A client that reads `content[0].text` finds the text there, though a Gemini model signs its answer."""
    answer = ask(client, streamed, model="gemini/gemini-3.8-flash", max_tokens=500, messages=[user("Hello")])
    assert [block.type for block in answer.content] == ["text"]


def test_conversation_moves_between_providers(client: Anthropic) -> None:
    """A history made by one provider, signatures and all, is taken by the others, and by the first one again."""
    messages = [user("What is the weather in Paris?")]
    for model in (
        "gemini/gemini-3.8-flash",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
        "openrouter/qwen/qwen3.8-flash",
        "gemini/gemini-2.5-flash",
        "claude-sonnet-5-5",
        "gemini/gemini-3.8-flash",
    ):
        answer = ask(
            client,
            True,
            model=model,
            max_tokens=3000,
            messages=messages,
            tools=[WEATHER],
            thinking={"type": "adaptive", "display": "summarized"},
        )
        messages.append({"role": "assistant", "content": answer.content})
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "sunny"}, IMAGE]}
            for block in answer.content
            if block.type == "tool_use"
        ]
        messages.append(user([*results, {"type": "text", "text": "And what is the weather in Rome?"}]))
        assert answer.content


@pytest.mark.parametrize("model", MODELS)
def test_parse_gives_an_object_of_the_callers_class(client: Anthropic, model: str) -> None:
    """`parse()` gives an object of the caller's class."""
    answer = client.messages.parse(model=model, max_tokens=500, messages=[user("Name a city.")], output_format=City)
    assert isinstance(answer.parsed_output, City)


@pytest.mark.parametrize("model", MODELS[:-1])
def test_picture_and_pdf_reach_a_model_that_can_read_them(client: Anthropic, model: str) -> None:
    """A picture and a PDF in the prompt reach a model that can read them."""
    document: Any = {
        "type": "document",
        "title": "report",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
    }
    content = [IMAGE, document, {"type": "text", "text": "Compare these."}]
    answer = client.messages.create(model=model, max_tokens=500, messages=[user(content)])
    assert answer.content


@pytest.mark.parametrize("model", MODELS)
def test_count_tokens(client: Anthropic, served: Served, model: str) -> None:
    """Tokens are counted for every model, tools included, and no row is made of it."""
    rows = served.rows()
    messages = [user("Count these words.")]
    plain = client.messages.count_tokens(model=model, messages=messages).input_tokens
    tools = client.messages.count_tokens(model=model, messages=messages, tools=[WEATHER]).input_tokens
    assert 0 < plain < tools
    assert served.rows() == rows


def test_many_counts_at_once(served: Served) -> None:
    """Claude Code counts each of its tools with a call of its own, all at once."""

    async def count() -> list[int]:
        async with AsyncAnthropic(base_url=served.url, api_key="any", max_retries=0) as sdk:
            calls = [
                sdk.messages.count_tokens(model="claude-haiku-5-5", messages=[user("x")], tools=[WEATHER])
                for _ in range(30)
            ]
            return [counted.input_tokens for counted in await asyncio.gather(*calls)]

    assert len(asyncio.run(count())) == 30


def test_async_client(served: Served) -> None:
    """The asynchronous client streams and creates."""

    async def run() -> tuple[str, str]:
        async with AsyncAnthropic(base_url=served.url, api_key="any", max_retries=0) as sdk:
            whole = await sdk.messages.create(model="auto", max_tokens=100, messages=[user("Hello")])
            async with sdk.messages.stream(model="auto", max_tokens=100, messages=[user("Hello")]) as stream:
                final = await stream.get_final_message()
        return text_of(whole), text_of(final)

    assert all(asyncio.run(run()))


def test_models_in_anthropics_form(client: Anthropic) -> None:
    """`models.list` and `models.retrieve` parse, with names that clients for Claude show."""
    listed = list(client.models.list())
    names = [model.id for model in listed]
    assert {"auto", "claude-auto", "claude/claude-haiku-5-5"} <= set(names)
    assert all(model.type == "model" and model.lifecycle == "active" and model.display_name for model in listed)
    assert client.models.retrieve("claude/claude-haiku-5-5").max_tokens == 128_000
    with pytest.raises(anthropic.NotFoundError) as refused:
        client.models.retrieve("gpt-4o")
    assert refused.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "error", "mentions"),
    [
        ({"model": "gpt-4o"}, anthropic.NotFoundError, "gpt-4o"),
        ({"max_tokens": 0}, anthropic.BadRequestError, "max_tokens"),
        ({"messages": []}, anthropic.BadRequestError, "messages"),
        ({"tools": [{"name": "x"}]}, anthropic.BadRequestError, "tools[0].input_schema"),
    ],
    ids=["model", "max_tokens", "messages", "tools"],
)
def test_errors_are_anthropics(
    client: Anthropic, served: Served, body: Any, error: type[Exception], mentions: str
) -> None:
    """A refusal is raised as the SDK's own class, with the request's id, and names the member."""
    rows = served.rows()
    with pytest.raises(error) as refused:
        client.messages.create(**{"model": "auto", "max_tokens": 9, "messages": [user("Hi")], **body})
    assert isinstance(refused.value, anthropic.APIStatusError)
    assert mentions in str(refused.value)
    assert refused.value.request_id
    assert served.rows() == rows


@pytest.mark.parametrize("model", CLAUDES)
@pytest.mark.parametrize("forced", [False, True], ids=["auto", "forced"])
def test_every_generation_takes_what_an_agent_sends(client: Anthropic, model: str, forced: bool) -> None:
    """A request of Claude Code for `auto` is adapted to the generation that is chosen, in the middle of a tool loop too."""
    messages: list[Any] = [
        user([{"type": "text", "text": "What is the weather in Paris?"}]),
        {"role": "system", "content": "cwd: /tmp", "output_config": {"effort": "low"}},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}],
        },
        user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]),
    ]
    answer = client.messages.create(
        model="auto",
        max_tokens=20_000,
        messages=messages,
        tools=[WEATHER],
        tool_choice={"type": "any"} if forced else {"type": "auto"},
        thinking={"type": "adaptive", "display": "omitted"},
        output_config={"effort": "xhigh"},
        extra_headers={"anthropic-beta": "context-management-2025-06-27,per-turn-control-2026-07-01"},
        extra_body={
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "routing": {"models": [f"claude/{model}"]},
        },
    )
    assert answer.model == f"claude/{model}"
    assert answer.content
