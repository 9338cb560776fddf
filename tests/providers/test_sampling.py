"""Every documented field of sampling and reasoning, at every provider: mapped, passed, left out, or refused with a 400.

`docs/providers.md` has the same table for people; a field that is left out is one that only hints, or that the model lacks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import pytest

from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import InvalidRequest
from gateway.providers import PROVIDERS
from gateway.providers.base import UpstreamEndpoint
from tests.documents import table

MODELS = {
    "claude": "claude-sonnet-4-6",
    "claude new": "claude-opus-5-5",
    "gemini": "gemini-3.8-flash",
    "gemini 2.0": "gemini-2.0-flash",
    "openrouter": "qwen/qwen3.8-flash",
    "openai": "gpt-x",
}
REFUSED = "400"


class Field(NamedTuple):
    """What a client sends, and what each of `MODELS` is sent beyond a bare request, in that order; `REFUSED` is a 400."""

    name: str
    value: Any
    sent: tuple[Any, ...]
    beside: dict[str, Any] = {}  # noqa: RUF012  # never changed


def config(**members: Any) -> dict[str, Any]:
    return {"generationConfig": members}


def same(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


FIELDS = [
    Field(
        "temperature", 1.5, ({"temperature": 1}, {}, *[config(temperature=1.5)] * 2, *[same("temperature", 1.5)] * 2)
    ),
    Field("top_p", 0.5, ({"top_p": 0.5}, {}, *[config(topP=0.5)] * 2, *[same("top_p", 0.5)] * 2)),
    Field("top_k", 40, ({"top_k": 40}, {}, *[config(topK=40)] * 2, same("top_k", 40), {})),
    Field("top_k", 0, ({}, {}, {}, {}, same("top_k", 0), {})),
    Field("min_p", 0.1, ({}, {}, {}, {}, same("min_p", 0.1), {})),
    Field("top_a", 0.1, ({}, {}, {}, {}, same("top_a", 0.1), {})),
    Field("repetition_penalty", 1.1, ({}, {}, {}, {}, same("repetition_penalty", 1.1), {})),
    Field(
        "frequency_penalty",
        0.5,
        ({}, {}, {}, config(frequencyPenalty=0.5), *[same("frequency_penalty", 0.5)] * 2),
    ),
    Field("presence_penalty", 2, ({}, {}, {}, config(presencePenalty=1.99), *[same("presence_penalty", 2)] * 2)),
    Field("seed", 7, ({}, {}, *[config(seed=7)] * 2, *[same("seed", 7)] * 2)),
    Field(
        "stop",
        ["x"],
        (*[{"stop_sequences": ["x"]}] * 2, *[config(stopSequences=["x"])] * 2, *[same("stop", ["x"])] * 2),
    ),
    Field("logit_bias", {"7": 1}, ({}, {}, {}, {}, *[same("logit_bias", {"7": 1})] * 2)),
    Field("logprobs", True, ({}, {}, {}, config(responseLogprobs=True), *[same("logprobs", True)] * 2)),
    Field(
        "top_logprobs",
        2,
        ({}, {}, {}, config(responseLogprobs=True, logprobs=2), *[{"logprobs": True, "top_logprobs": 2}] * 2),
        {"logprobs": True},
    ),
    Field("n", 2, (REFUSED, REFUSED, REFUSED, config(candidateCount=2), *[same("n", 2)] * 2)),
    Field("verbosity", "high", ({}, {}, {}, {}, *[same("verbosity", "high")] * 2)),
    Field(
        "reasoning_effort",
        "high",
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
            config(thinkingConfig={"thinkingLevel": "HIGH", "includeThoughts": True}),
            {},
            *[same("reasoning_effort", "high")] * 2,
        ),
    ),
    Field(
        "reasoning",
        {"effort": "low"},
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}},
            config(thinkingConfig={"thinkingLevel": "LOW", "includeThoughts": True}),
            {},
            same("reasoning", {"effort": "low"}),
            {},
        ),
    ),
    Field("include_reasoning", False, ({}, {}, {}, {}, same("include_reasoning", False), {})),
    Field("modalities", ["image", "text"], (*[REFUSED] * 4, *[same("modalities", ["image", "text"])] * 2)),
    Field("image_config", {"aspect_ratio": "1:1"}, ({}, {}, {}, {}, same("image_config", {"aspect_ratio": "1:1"}), {})),
    Field(
        "audio",
        {"voice": "v", "format": "wav"},
        (*[REFUSED] * 4, *[same("audio", {"voice": "v", "format": "wav"})] * 2),
    ),
    Field("prediction", {"type": "content"}, ({}, {}, {}, {}, *[same("prediction", {"type": "content"})] * 2)),
]


def sent(model: str, **body: Any) -> Any:
    name = model.partition(" ")[0]
    provider = PROVIDERS[name](UpstreamEndpoint("https://upstream.test", "made-up-key"), name=name)
    request = parse_chat_request(
        orjson.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "stream": True, **body})
    )
    return dict(provider.build_request(request, MODELS[model]).json)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.name}={orjson.dumps(field.value).decode()}")
def test_each_sampling_field_becomes_what_the_table_says(field: Field, model: str) -> None:
    """What a field becomes at a provider is the table's; nothing else of the request changes."""
    expected = dict(zip(MODELS, field.sent, strict=True))[model]
    asked = {**field.beside, field.name: field.value}
    if expected == REFUSED:
        with pytest.raises(InvalidRequest) as caught:
            sent(model, **asked)
        assert caught.value.param == field.name
        return
    assert sent(model, **asked) == {**sent(model), **expected}


def test_top_k_gives_way_to_thinking() -> None:
    """Claude refuses `top_k` beside thinking that is switched on."""
    assert "top_k" not in sent("claude", top_k=40, reasoning_effort="high")


def test_every_field_is_documented() -> None:
    """The table for people names every field of this one."""
    documented = "".join(row[0] for row in table("providers.md", "field"))
    assert [field.name for field in FIELDS if f"`{field.name}`" not in documented] == []
