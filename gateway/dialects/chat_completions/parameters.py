"""Validates the top-level parameters of a request by one table; unlisted parameters are not checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.dialects.chat_completions.messages import check_messages
from gateway.dialects.chat_completions.tools import (
    check_choice_is_offered,
    check_function_call,
    check_functions,
    check_response_format,
    check_tool_choice,
    check_tools,
)
from gateway.field_checks import (
    array,
    boolean,
    choice,
    integer,
    invalid,
    mapping,
    number,
    string,
    strings,
    wrong_type,
)

MAX_STOPS = 16
MAX_BIASES = 4096  # tokens of `logit_bias`
MAX_MODALITIES = 8
# Names like `__proto__` mean something to programs that read metadata as an object.
_METADATA_KEY = re.compile(r"(?!__)[A-Za-z0-9._:/ -]+")


def check_parameters(body: dict[str, Any]) -> None:
    """Check each parameter, then combinations. Raises InvalidRequest for the first violation."""
    for name, value in body.items():
        check = _CHECKS.get(name)
        if check is not None:
            check(value, name)
    if "stream_options" in body and not body.get("stream"):
        invalid("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    if body.get("top_logprobs") and not body.get("logprobs"):
        invalid("top_logprobs", "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.")
    if body.get("tools") and "functions" in body:
        invalid("functions", "'functions' is the deprecated form of 'tools'; give only one of them.")
    check_choice_is_offered(body)


def _stop(value: object, path: str) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        wrong_type(value, path, expected="a string or an array of strings")
    for i, item in enumerate(array(value, path, most=MAX_STOPS)):
        string(item, f"{path}[{i}]")


def _stream_options(value: object, path: str) -> None:
    for name, option in mapping(value, path).items():
        if name in ("include_usage", "include_obfuscation") and option is not None:
            boolean(option, f"{path}.{name}")


def _logit_bias(value: object, path: str) -> None:
    biases = mapping(value, path)
    if len(biases) > MAX_BIASES:
        message = f"Invalid '{path}': {len(biases)} tokens are too many. Expected at most {MAX_BIASES}."
        invalid(path, message, code="object_above_max_properties")
    for token, bias in biases.items():
        number(bias, f"{path}.{token[:64]}", low=-100, high=100)


def check_metadata(value: object, path: str) -> None:
    metadata = mapping(value, path)
    if len(metadata) > 16:
        invalid(path, f"Invalid '{path}': {len(metadata)} members are too many. Expected at most 16.")
    for key, text in metadata.items():
        if not 1 <= len(key) <= 64:
            invalid(path, f"Invalid '{path}': a key must have 1 to 64 characters.")
        if not _METADATA_KEY.fullmatch(key):
            invalid(
                path,
                f"Invalid '{path}': a key has letters, digits, spaces and any of . _ : / - in it, and begins with no two '_'.",
            )
        if len(string(text, f"{path}.{key}")) > 512:
            invalid(f"{path}.{key}", f"Invalid '{path}.{key}': the value is longer than 512 characters.")


def _image_config(value: object, path: str) -> None:
    for name in ("aspect_ratio", "image_size"):
        option = mapping(value, path).get(name)
        if option is not None:
            string(option, f"{path}.{name}")


def _modalities(value: object, path: str) -> None:
    # "image" is OpenRouter's extension.
    for i, item in enumerate(array(value, path, least=1, most=MAX_MODALITIES)):
        choice(item, f"{path}[{i}]", of=("text", "audio", "image"))


_PENALTY = partial(number, low=-2, high=2)
_TOKENS = partial(integer, low=1)

_CHECKS: Mapping[str, Callable[[Any, str], object]] = {
    "audio": mapping,
    "cache_control": mapping,
    "frequency_penalty": _PENALTY,
    "function_call": check_function_call,
    "functions": check_functions,
    # OpenRouter's, as are `include_reasoning`, `min_p`, `repetition_penalty`, `top_a` and `top_k`:
    # https://openrouter.ai/docs/api-reference/parameters
    "image_config": _image_config,
    "include_reasoning": boolean,
    "logit_bias": _logit_bias,
    "logprobs": boolean,
    "max_completion_tokens": _TOKENS,
    "max_tokens": _TOKENS,
    "messages": check_messages,
    "metadata": check_metadata,
    "modalities": _modalities,
    "min_p": partial(number, low=0, high=1),
    "model": partial(string, empty=False),
    "models": partial(strings, least=1, most=64),
    "moderation": mapping,
    "n": partial(integer, low=1, high=128),
    "parallel_tool_calls": boolean,
    "prediction": mapping,
    "presence_penalty": _PENALTY,
    "prompt_cache_key": string,
    "prompt_cache_options": mapping,
    "prompt_cache_retention": string,
    "reasoning": mapping,
    "reasoning_effort": partial(choice, of=("none", "minimal", "low", "medium", "high", "xhigh", "max")),
    "repetition_penalty": partial(number, low=0, high=2),
    "response_format": check_response_format,
    "safety_identifier": string,
    "seed": integer,
    "service_tier": partial(choice, of=("auto", "default", "flex", "scale", "priority", "fast")),
    "stop": _stop,
    "store": boolean,
    "stream": boolean,
    "stream_options": _stream_options,
    "temperature": partial(number, low=0, high=2),
    "tool_choice": check_tool_choice,
    "tools": check_tools,
    "top_a": partial(number, low=0, high=1),
    # Servers differ on whether 0 or -1 means no limit.
    "top_k": partial(integer, low=-1),
    "top_logprobs": partial(integer, low=0, high=20),
    "top_p": partial(number, low=0, high=1),
    "user": string,
    "verbosity": partial(choice, of=("low", "medium", "high")),
    "web_search_options": mapping,
}
