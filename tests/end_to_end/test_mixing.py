"""Many clients at once, some of whom leave: nobody is given what was meant for another."""

from __future__ import annotations

import asyncio
import random
import re

import httpx2
import pytest

from tests.end_to_end.conftest import Served

CLIENTS = 150
MODELS = ("gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/qwen/qwen3.8-flash")
MARK = re.compile(r"canary\d+x")


@pytest.mark.parametrize("stream", [False, True])
async def test_abandoned_connection_is_never_reused(served: Served, stream: bool) -> None:
    """A connection to an upstream that a leaving client left half read is never used for another's request."""
    chance = random.Random(1)
    leaving = {number: chance.random() * 0.05 for number in range(CLIENTS) if chance.random() < 0.5}
    told: dict[int, set[str]] = {}

    async def ask(client: httpx2.AsyncClient, number: int) -> None:
        prompt = f"[[say:canary{number:05d}x]] [[fault:slow=0.002]]"
        body = {"model": MODELS[number % 3], "stream": stream, "messages": [{"role": "user", "content": prompt}]}
        try:
            async with asyncio.timeout(leaving.get(number)):
                response = await client.post(f"{served.url}/v1/chat/completions", json=body)
        except TimeoutError:
            return
        told[number] = set(MARK.findall(response.text))

    async with httpx2.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(ask(client, number) for number in range(CLIENTS)))
        await asyncio.gather(*(ask(client, number) for number in range(CLIENTS) if number not in leaving))
    assert told.keys() >= set(range(CLIENTS)) - leaving.keys()
    assert {number: marks for number, marks in told.items() if marks != {f"canary{number:05d}x"}} == {}
