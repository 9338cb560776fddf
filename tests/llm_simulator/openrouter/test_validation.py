"""What OpenRouter refuses, and which models it serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

Ask = Callable[..., Response]

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def called(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def tool(id: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": "ok"}


def parts(*found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(found)}]


REFUSED: list[tuple[str, Any, dict[str, Any], str]] = [
    ("unknown field", "x", {"routing": {}}, 'Unrecognized key: "routing"'),
    ("unknown member", [{**USER, "cache": 1}], {}, 'Unrecognized key: "cache" at messages.0.user'),
    ("role", [{"role": "bot", "content": "x"}], {}, "Input tag 'bot'"),
    ("hot", "x", {"temperature": 2.5}, "temperature: Input should be less than or equal to 2"),
    ("functions", "x", {"functions": []}, "Unrecognized key"),
    ("n", "x", {"n": 9}, "n: Input should be"),
    ("tool name", "x", {"tools": [{"type": "function", "function": {"name": "a b"}}]}, "must match pattern"),
    ("same name", "x", {"tools": [TOOL, TOOL]}, "Tool names must be unique."),
    ("choice alone", "x", {"tool_choice": "auto"}, "only allowed when 'tools' are specified"),
    (
        "other choice",
        "x",
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "'g' not found",
    ),
    ("parallel alone", "x", {"parallel_tool_calls": True}, "only allowed when 'tools' are specified"),
    ("unanswered", [USER, called(CALL), USER], {}, "did not have response messages: c1"),
    ("open", [USER, called(CALL)], {}, "did not have response messages: c1"),
    ("orphan", [USER, tool()], {}, "must be a response to a preceeding message"),
    (
        "broken arguments",
        [USER, called({**CALL, "function": {"name": "f", "arguments": "{"}}), tool()],
        {},
        "JSON object",
    ),
    ("empty file", parts({"type": "file", "file": {"filename": "a"}}), {}, "file_data is required"),
    ("image URL", parts({"type": "image_url", "image_url": {"url": "file:///etc"}}), {}, "Invalid image URL"),
    (
        "image data",
        parts({"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}}),
        {},
        "Invalid base64 data",
    ),
    ("schema", "x", {"response_format": {"type": "json_schema"}}, "json_schema: Field required"),
    ("format", "x", {"response_format": {"type": "yaml"}}, "does not match any of the expected tags"),
    ("top_logprobs", "x", {"top_logprobs": 2}, "'logprobs' must be true"),
    ("stream_options", "x", {"stream_options": {"include_usage": True}}, "only allowed when 'stream' is true"),
    ("two efforts", "x", {"reasoning": {"effort": "low", "max_tokens": 5}}, "Only one of"),
    ("conflict", "x", {"reasoning": {"effort": "low"}, "reasoning_effort": "high"}, "conflicts with"),
    ("five stops", "x", {"stop": list("abcde")}, "at most 4 items"),
    ("four models", "x", {"models": ["a/b"] * 4}, "must have 3 items or fewer"),
    ("bare id", "x", {"model": "gpt-4o"}, "gpt-4o is not a valid model ID"),
]


@pytest.mark.parametrize(("prompt", "fields", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_undocumented_request_is_a_400_with_numeric_code(
    openrouter: Ask, prompt: Any, fields: dict[str, Any], message: str
) -> None:
    """What is not documented is a 400 with a numeric code."""
    response = openrouter(prompt, **fields)
    error = response.json()["error"]
    assert response.status_code == error["code"] == 400
    assert message in error["message"]


ACCEPTED: list[tuple[str, Any, dict[str, Any]]] = [
    ("nulls", "x", {"temperature": None, "stop": None, "n": None, "response_format": {"type": "text"}}),
    (
        "own fields",
        "x",
        {
            "provider": {"order": ["openai"]},
            "top_k": 3,
            "min_p": 0.1,
            "transforms": [],
            "session_id": "s",
            "plugins": [],
        },
    ),
    ("developer", [{"role": "developer", "content": [{"type": "text", "text": "x"}]}, USER], {}),
    ("tool loop", [USER, called(CALL), tool()], {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False}),
    ("none without tools", "x", {"tool_choice": "none"}),
    ("video", parts({"type": "video_url", "video_url": {"url": "https://a.example/v.mp4"}}), {}),
    (
        "reasoning kept",
        [
            USER,
            {
                "role": "assistant",
                "content": "x",
                "reasoning_details": [{"type": "reasoning.text", "text": "t", "index": 0}],
            },
            USER,
        ],
        {},
    ),
]


@pytest.mark.parametrize(("prompt", "fields"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_documented_request_is_answered(openrouter: Ask, prompt: Any, fields: dict[str, Any]) -> None:
    """What is documented is answered."""
    response = openrouter(prompt, **fields)
    assert response.status_code == 200, response.text


MODELS = [
    ({"model": "openai/gpt-5.4-mini"}, 200, "openai/gpt-5.4-mini"),
    ({"model": "~anthropic/claude-sonnet-latest"}, 200, "~anthropic/claude-sonnet-latest"),
    ({"model": "deepseek/deepseek-r1:free"}, 200, "deepseek/deepseek-r1:free"),
    ({"model": "openrouter/auto"}, 200, "openai/gpt-5.4-mini"),
    ({"model": "openai/nope", "models": ["qwen/qwen3-max"]}, 200, "qwen/qwen3-max"),
    ({"models": ["qwen/qwen3-max"]}, 200, "qwen/qwen3-max"),
    ({"model": "openai/nope"}, 404, "No endpoints found for openai/nope."),
    ({"model": "nobody/gpt-5"}, 404, "No endpoints found for nobody/gpt-5."),
    ({}, 400, "model: Input required"),
]


@pytest.mark.parametrize(("fields", "status", "expected"), MODELS)
def test_first_known_model_answers_else_404(
    openrouter: Ask, fields: dict[str, Any], status: int, expected: str
) -> None:
    """The first known model of `model` and `models` answers; an unknown vendor or a made-up name is a 404."""
    response = openrouter(**{"model": None, **fields})
    body = response.json()
    assert response.status_code == status
    assert expected in (body["model"] if status == 200 else body["error"]["message"])


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer "}, {"authorization": "Basic k"}, {"authorization": "Bearer invalid"}]
)
def test_only_a_bearer_key_is_accepted(client: TestClient, headers: dict[str, str]) -> None:
    """Only a bearer key is taken."""
    response = client.post(
        "/api/v1/chat/completions", json={"model": "openai/gpt-5", "messages": [USER]}, headers=headers
    )
    assert response.status_code == response.json()["error"]["code"] == 401


def test_body_that_is_no_object_is_a_400(client: TestClient) -> None:
    """A body that is not a JSON object is a 400."""
    response = client.post("/api/v1/chat/completions", content=b"[", headers={"authorization": "Bearer k"})
    assert response.json()["error"] == {"message": "Invalid JSON", "code": 400}
