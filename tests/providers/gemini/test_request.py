"""The whole request: where each part stands, and what depends on two of them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.providers.base import SignatureCache
from gateway.providers.gemini.profiles import NEWEST
from gateway.providers.gemini.provider import CONTEXT_KEY
from gateway.providers.gemini.request import RequestContext, build_body, request_url
from tests.providers.gemini.asking import NEW, OLD, body_sent, request, sent

TOOL: Any = {"type": "function", "function": {"name": "2fa", "parameters": {"type": "object", "properties": {}}}}
JSON = {"type": "json_object"}


@pytest.mark.parametrize(
    ("model", "stream", "url"),
    [
        ("gemini-3.5-flash", False, "https://x.test/v1beta/models/gemini-3.5-flash:generateContent"),
        ("gemini-3.5-flash", True, "https://x.test/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse"),
        ("../files?key=x#", False, "https://x.test/v1beta/models/..%2Ffiles%3Fkey%3Dx%23:generateContent"),
        ("a:b@c", False, "https://x.test/v1beta/models/a%3Ab%40c:generateContent"),
    ],
)
def test_model_id_is_one_path_segment(model: str, stream: bool, url: str) -> None:
    """A model id is one path segment, whatever it holds."""
    assert request_url("https://x.test/", model=model, stream=stream) == url


def test_full_request_has_every_member_in_its_place() -> None:
    """A request that uses all of it has every member where Google's types have it."""
    made = body_sent(
        messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        tools=[TOOL],
        tool_choice="required",
        temperature=0.5,
        service_tier="flex",
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    )
    assert made == {
        "contents": [{"role": "user", "parts": [{"text": "u"}]}],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [{"name": "_2fa", "parametersJsonSchema": TOOL["function"]["parameters"]}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "temperature": 0.5,
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
        },
        "serviceTier": "flex",
    }


def test_request_contains_only_what_was_asked() -> None:
    """What was not asked is not said."""
    assert body_sent() == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


def test_unknown_fields_are_not_sent() -> None:
    """Fields that Gemini does not have never reach it; it refuses unknown names."""
    assert body_sent(
        store=True, user="u", metadata={"a": "b"}, provider={"order": ["x"]}, prompt_cache_key="k"
    ).keys() == {"contents"}


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ("default", "standard"),
        ("flex", "flex"),
        ("priority", "priority"),
        ("fast", "priority"),
        ("auto", None),
        ("scale", None),
    ],
)
def test_service_tier_is_sent_where_gemini_knows_it(tier: str, expected: str | None) -> None:
    """A tier that Gemini knows is asked for; the others mean: as usual."""
    body, _ = build_body(request(service_tier=tier), profile=NEWEST, signature_cache=SignatureCache(), number=1)
    assert body.get("serviceTier") == expected


def test_json_beside_tools_before_gemini_3() -> None:
    """Gemini 2.5 refuses a JSON format beside tools: it gets the tools, and the format in words."""
    made = body_sent(OLD, tools=[TOOL], response_format=JSON)
    assert "generationConfig" not in made
    assert "JSON object" in made["systemInstruction"]["parts"][-1]["text"]
    assert body_sent(NEW, tools=[TOOL], response_format=JSON)["generationConfig"] == {
        "responseMimeType": "application/json"
    }


def test_json_beside_forbidden_tools_before_gemini_3() -> None:
    """Tools that must not be called give way to the JSON format."""
    made = body_sent(OLD, tools=[TOOL], tool_choice="none", response_format=JSON)
    assert made.keys() == {"contents", "generationConfig"}
    assert body_sent(OLD, tools=[TOOL], tool_choice="none").keys() == {"contents", "tools", "toolConfig"}


@pytest.mark.parametrize(
    ("body", "context"),
    [
        ({}, RequestContext()),
        ({"tools": [TOOL]}, RequestContext(renamed={"_2fa": "2fa"})),
        ({"tools": [TOOL], "parallel_tool_calls": False}, RequestContext(renamed={"_2fa": "2fa"}, one_call=True)),
        (
            {"tools": [{"type": "custom", "custom": {"name": "x"}}], "parallel_tool_calls": True},
            RequestContext(custom=frozenset("x")),
        ),
        ({"functions": [{"name": "f"}]}, RequestContext(one_call=True)),
    ],
)
def test_request_context_keeps_what_the_answer_needs(body: Any, context: RequestContext) -> None:
    """Renamed and custom tools, and whether one call is all that was asked, are known when the answer is read."""
    assert sent(**body).context[CONTEXT_KEY] == context
