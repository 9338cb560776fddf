"""openai-agents and pydantic-ai, each by its default API, on one model: `python frameworks.py BASE_URL MODEL FILE`.

Runs in an environment of its own, without the gateway's packages.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agents import Agent, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIResponsesModel as PydanticResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

PROMPT = '[[call:write_file {"text": "four"}]] [[call:read_file {}]] Reply with exactly: finished'
BASE, MODEL, FILE = sys.argv[1], sys.argv[2], Path(sys.argv[3])


def write_file(text: str) -> str:
    """Write the file."""
    FILE.write_text(text)
    return "written"


def read_file() -> str:
    """Read the file."""
    return FILE.read_text()


async def openai_agents() -> None:
    client = AsyncOpenAI(base_url=f"{BASE}/v1", api_key="unused")
    model = OpenAIResponsesModel(model=MODEL, openai_client=client)
    agent = Agent(name="writer", model=model, tools=[function_tool(write_file), function_tool(read_file)])
    result = await Runner.run(agent, PROMPT)
    assert result.final_output == "finished", result.final_output
    streamed = Runner.run_streamed(agent, PROMPT)
    events = [event.type async for event in streamed.stream_events()]
    assert streamed.final_output == "finished", streamed.final_output
    assert "raw_response_event" in events


async def pydantic_ai() -> None:
    openai = OpenAIProvider(base_url=f"{BASE}/v1", api_key="unused")
    anthropic = AnthropicProvider(anthropic_client=AsyncAnthropic(base_url=BASE, api_key="unused"))
    for model in (PydanticResponsesModel(MODEL, provider=openai), AnthropicModel(MODEL, provider=anthropic)):
        agent = PydanticAgent(model, tools=[write_file, read_file])
        result = await agent.run(PROMPT)
        assert result.output == "finished", result.output
        async with agent.run_stream("Reply with exactly: streamed") as stream:
            assert await stream.get_output() == "streamed"


async def main() -> None:
    set_tracing_disabled(True)
    await openai_agents()
    await pydantic_ai()


asyncio.run(main())
