"""Parses a completions request into a chat request with one user message.

https://platform.openai.com/docs/api-reference/completions/create
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.completion import NO_HINTS, ChatRequest
from gateway.dialects.chat_completions.parameters import check_parameters
from gateway.dialects.routing_hints import routing_hints
from gateway.field_checks import boolean, integer, invalid, missing, string, wrong_type
from gateway.json_body import parse_object

MAX_TOKENS = 16  # where the client gives no limit, as in OpenAI's API
MAX_LOGPROBS = 5
_UNSUPPORTED = "unsupported_parameter"
# Members of a chat whose answers a text cannot carry.
_CHAT_ONLY = (
    "messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "modalities", "audio",
    "top_logprobs",
)  # fmt: skip


def parse_completion_request(raw: bytes) -> ChatRequest:
    """Raises InvalidRequest for everything that is wrong with the body, or cannot be done by a chat model."""
    sent = {name: value for name, value in parse_object(raw).items() if value is not None}
    for name in ("model", "prompt"):
        if name not in sent:
            missing(name)
    hints = routing_hints(sent.pop("routing")) if "routing" in sent else NO_HINTS
    body = {name: value for name, value in sent.items() if name not in _CHAT_ONLY}
    prompt = _prompt(body.pop("prompt"))
    if body.pop("suffix", ""):
        invalid("suffix", "'suffix' is not supported: chat models do not insert text.", code=_UNSUPPORTED)
    if "echo" in body:
        boolean(body["echo"], "echo")
    body |= _logprobs(body)
    if "max_completion_tokens" not in body:
        body.setdefault("max_tokens", MAX_TOKENS)
    body["messages"] = [{"role": "user", "content": prompt}]
    best_of = body.pop("best_of", None)
    check_parameters(body)
    _check_best_of(best_of, body.get("n", 1))
    return ChatRequest.of_checked(body, hints=hints, size=len(raw))


def echoed(request: ChatRequest) -> str:
    """The prompt where the client wants it before each answer, else an empty text."""
    prompt: str = request.messages[0]["content"] if request.body.get("echo") else ""
    return prompt


def _prompt(value: object) -> str:
    if isinstance(value, str):
        return string(value, "prompt", empty=False)
    if not isinstance(value, list):
        wrong_type(value, "prompt", expected="a string or an array with one string")
    if any(not isinstance(item, str) for item in value):
        invalid("prompt", "'prompt' must be text: token ids mean something else to each model.", code="invalid_value")
    if len(value) != 1:
        invalid(
            "prompt",
            f"'prompt' has {len(value)} prompts; one is supported in a request. Send a request for each.",
            code=_UNSUPPORTED if value else "empty_array",
        )
    return string(value[0], "prompt[0]", empty=False)


def _logprobs(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The number of alternatives as the two members of a chat request."""
    if "logprobs" not in body:
        return {}
    number = integer(body["logprobs"], "logprobs", low=0, high=MAX_LOGPROBS)
    if body.get("echo"):
        invalid(
            "echo", "'echo' with 'logprobs' is not supported: chat models do not score the prompt.", code=_UNSUPPORTED
        )
    return {"logprobs": True, "top_logprobs": number} if number else {"logprobs": True}


def _check_best_of(best_of: object, choices: int) -> None:
    if best_of is not None and integer(best_of, "best_of", low=1, high=20) != choices:
        invalid(
            "best_of", "'best_of' is only supported where it equals 'n': every answer is returned.", code=_UNSUPPORTED
        )
