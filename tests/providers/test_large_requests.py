"""Translating takes time in proportion to the request, whatever it holds."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from gateway.completion import ChatRequest
from gateway.errors import InvalidRequest
from gateway.providers.base import Provider, UpstreamEndpoint
from gateway.providers.claude import Claude
from gateway.providers.gemini import Gemini

PROVIDERS = (Claude(UpstreamEndpoint("http://upstream", "key")), Gemini(UpstreamEndpoint("http://upstream", "key")))
MODELS = {"claude": "claude-haiku-4-5", "gemini": "gemini-2.5-flash"}


def request(*messages: dict[str, Any], **members: Any) -> ChatRequest:
    return ChatRequest({"model": "m", "messages": messages, **members}, model="m", messages=messages)


def call(id: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": calls}


def tool(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "t", "parameters": parameters}}


HI = {"role": "user", "content": "hi"}
REQUIRED = [{"properties": {}, "required": [f"{i}" for i in range(1000)]} for _ in range(15)]
CASES = {
    "calls of one id": request(HI, calling(*[call("c", "f")] * 10_000)),
    "names that are alike": request(HI, calling(*[call(f"c{i}", "é" * 200 + str(i)) for i in range(10_000)])),
    "names of properties that are alike": request(
        HI, tools=[tool({"type": "object", "properties": {"é" * 60 + str(i): {} for i in range(10_000)}})]
    ),
    "required by all branches": request(HI, tools=[tool({"anyOf": REQUIRED})]),
    "a long reference": request(HI, tools=[tool({"$ref": "#" + "/a" * 2_000_000})]),
    "a long user": request(HI, user="5" * 10_000_000),
}


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize("name", CASES)
def test_large_requests_take_no_quadratic_time(provider: Provider, name: str) -> None:
    """Names that have to be told apart, and lists that are compared, take no quadratic time."""
    began = time.process_time()
    provider.build_request(CASES[name], MODELS[provider.name])
    assert time.process_time() - began < 3.0  # 10,000 that are alike took some ten seconds


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_too_deep_arguments_are_text_or_refused(provider: Provider) -> None:
    """JSON within a message's text that could not be written out again is passed on as text, or is the request's mistake."""
    deep = '{"a":' * 900 + "1" + "}" * 900
    asked = request(HI, calling(call("c", "f", deep)), {"role": "tool", "tool_call_id": "c", "content": deep})
    if provider.name == "claude":
        with pytest.raises(InvalidRequest, match="deeper"):
            provider.build_request(asked, MODELS["claude"])
    else:
        sent = provider.build_request(asked, MODELS[provider.name])
        assert orjson.dumps(deep) in orjson.dumps(sent.json)


def test_ids_stay_distinct() -> None:
    """An id that is given twice is told apart from all others, those that look like it included."""
    ids = ["c", "c_2", "c", "c", "c_2"]
    sent = PROVIDERS[0].build_request(request(HI, calling(*(call(each, "f") for each in ids))), MODELS["claude"])
    given = [block["id"] for block in sent.json["messages"][1]["content"]]
    assert len(set(given)) == len(ids)
    assert given[:2] == ["c", "c_2"]
