"""The top-level members: ranges, kinds, and which go together."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.chat_completions.parameters import check_parameters
from gateway.errors import InvalidRequest
from tests.dialects.chat_completions.refusals import refused_member

TOOL = {"type": "function", "function": {"name": "f"}}
WHOLE: dict[str, Any] = {
    "model": "auto",
    "messages": [{"role": "user", "content": "hi"}],
    "audio": {"voice": "a", "format": "wav"},
    "frequency_penalty": -2,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "max_completion_tokens": 1,
    "max_tokens": 1,
    "metadata": {"k": "v"},
    "modalities": ["text", "audio", "image"],
    "models": ["a/b"],
    "n": 128,
    "parallel_tool_calls": False,
    "presence_penalty": 2.0,
    "reasoning": {"effort": "high"},
    "reasoning_effort": "xhigh",
    "response_format": {"type": "json_object"},
    "seed": -(2**63),
    "service_tier": "fast",
    "stop": ["a", ""],
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": None, "later": 7},
    "temperature": 2,
    "tool_choice": "required",
    "tools": [TOOL],
    "top_logprobs": 20,
    "top_p": 0,
    "user": "u",
    "verbosity": "low",
    "unknown": object(),
}


def test_every_parameter_is_accepted_at_the_edge_of_its_range() -> None:
    """Every member at the edge of its range is accepted, and an unknown one is passed over."""
    assert refused_member(check_parameters, WHOLE) is None


@pytest.mark.parametrize(
    "body",
    [{"stop": "a"}, {"stop": []}, {"top_logprobs": 0}, {"tools": [], "functions": [{"name": "f"}]}, {"metadata": {}}],
)
def test_parameters_that_ask_for_nothing_are_accepted(body: dict[str, Any]) -> None:
    """What asks for nothing is accepted."""
    assert refused_member(check_parameters, body) is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"messages": []}, "messages"),
        ({"temperature": 2.01}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"presence_penalty": -2.5}, "presence_penalty"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"seed": 1.5}, "seed"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": ["a", 7]}, "stop[1]"),
        ({"stream": 1}, "stream"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"stream_options": {}}, "stream_options"),
        ({"stream": False, "stream_options": {}}, "stream_options"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 1}, "top_logprobs"),
        ({"tools": [TOOL], "functions": [{"name": "f"}]}, "functions"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"logit_bias": []}, "logit_bias"),
        ({"logit_bias": {"7": 101}}, "logit_bias.7"),
        ({"metadata": {str(i): "v" for i in range(17)}}, "metadata"),
        ({"metadata": {"": "v"}}, "metadata"),
        ({"metadata": {"k" * 65: "v"}}, "metadata"),
        ({"metadata": {"__proto__": "v"}}, "metadata"),
        ({"metadata": {"a\nb": "v"}}, "metadata"),
        ({"metadata": {"k": {}}}, "metadata.k"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"modalities": []}, "modalities"),
        ({"modalities": ["smell"]}, "modalities[0]"),
        ({"models": []}, "models"),
        ({"models": [""]}, "models[0]"),
        ({"reasoning_effort": "ultra"}, "reasoning_effort"),
        ({"service_tier": "gold"}, "service_tier"),
        ({"verbosity": 1}, "verbosity"),
        ({"user": 7}, "user"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"response_format": "json"}, "response_format"),
        ({"reasoning": "high"}, "reasoning"),
        ({"top_k": -2}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"min_p": 2}, "min_p"),
        ({"top_a": "x"}, "top_a"),
        ({"repetition_penalty": 3}, "repetition_penalty"),
        ({"include_reasoning": "no"}, "include_reasoning"),
        ({"image_config": "16:9"}, "image_config"),
        ({"image_config": {"aspect_ratio": 1}}, "image_config.aspect_ratio"),
    ],
)
def test_bad_parameter_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    """A member out of its range or of another kind is refused by name."""
    with pytest.raises(InvalidRequest) as refused:
        check_parameters(body)
    assert refused.value.param == param
