"""`generationConfig`: what of a request it holds, per generation."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.providers.gemini.generation import (
    generation_config,
    json_config,
    json_instruction,
    modalities_config,
    schema_of,
)
from gateway.providers.gemini.profiles import profile_of

DRAWS, TALKS = "gemini-3.1-flash-image", "gemini-2.5-flash-preview-tts"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def config(model: str = "gemini-3.5-flash", **body: Any) -> Any:
    return generation_config(body, profile=profile_of(model))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "topP": 0.5}),
        ({"max_tokens": 10}, {"maxOutputTokens": 10}),
        ({"max_tokens": 10, "max_completion_tokens": 20}, {"maxOutputTokens": 20}),
        ({"max_tokens": 1_000_000}, {"maxOutputTokens": 65_536}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": 2**40 + 5}, {"seed": 5}),
        ({"seed": -1}, {"seed": 2**31 - 1}),
        ({"stop": "a"}, {"stopSequences": ["a"]}),
        ({"stop": ["a", "", "b"]}, {"stopSequences": ["a", "b"]}),
        ({"stop": []}, {}),
        ({"n": 1}, {}),
        ({"frequency_penalty": 1, "presence_penalty": 1, "logit_bias": {"1": 1}, "user": "u"}, {}),
        ({"top_k": 3}, {"topK": 3}),
        ({"top_k": 0}, {}),
        ({"top_k": -1}, {}),
        ({"logprobs": True, "top_logprobs": 3}, {}),
        ({"verbosity": "low", "store": True, "metadata": {"a": "b"}, "prediction": {}, "web_search_options": {}}, {}),
    ],
)
def test_generation_config_maps_what_has_the_same_meaning(body: Any, expected: Any) -> None:
    """What has the same meaning is mapped, limits are kept, hints that Gemini lacks are left out."""
    assert config(**body) == expected


def test_penalties_are_sent_where_enabled_and_within_range() -> None:
    """Penalties go only where they are enabled, within Gemini's range, which ends just before OpenAI's."""
    asked = {"frequency_penalty": 2, "presence_penalty": -2}
    assert config("gemini-2.0-flash", **asked) == {"frequencyPenalty": 1.99, "presencePenalty": -2}
    assert config("gemini-2.0-flash") == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"logprobs": True}, {"responseLogprobs": True}),
        ({"logprobs": True, "top_logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
        ({"logprobs": False}, {}),
    ],
)
def test_logprobs_are_asked_of_models_that_have_them(body: Any, expected: Any) -> None:
    """Log probabilities are asked of the models that have them."""
    assert config("gemini-2.5-flash", **body) == expected


def test_too_many_choices_are_refused_by_generation() -> None:
    """Gemini 2.5 gives up to eight choices, later ones a single one; more is refused, never silently cut."""
    assert config("gemini-2.5-flash", n=8) == {"candidateCount": 8}
    for model, wanted in (("gemini-2.5-flash", 9), ("gemini-3.5-flash", 2)):
        with pytest.raises(InvalidRequest) as caught:
            config(model, n=wanted)
        assert caught.value.param == "n"


def test_too_many_stop_sequences_are_refused() -> None:
    """More stop sequences than Gemini takes are refused; empty ones do not count."""
    assert len(config(stop=["a", "b", "c", "d", "e", ""])["stopSequences"]) == 5
    with pytest.raises(InvalidRequest) as caught:
        config(stop=["a", "b", "c", "d", "e", "f"])
    assert caught.value.param == "stop"


def test_effort_becomes_the_thinking_of_the_profile() -> None:
    """Effort is the profile's thinking; one that nobody knows is refused."""
    assert config(reasoning_effort="high") == {"thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True}}
    assert config("gemini-2.5-flash", reasoning_effort="none") == {"thinkingConfig": {"thinkingBudget": 0}}
    assert config("gemini-2.0-flash", reasoning_effort="low") == {}
    with pytest.raises(InvalidRequest) as caught:
        config(reasoning_effort="huge")
    assert caught.value.param == "reasoning.effort"
    assert config(reasoning={"effort": "low", "exclude": True}) == {"thinkingConfig": {"thinkingLevel": "LOW"}}


@pytest.mark.parametrize(
    ("model", "body", "param"),
    [
        ("gemini-3.5-flash", {"modalities": ["text", "audio"]}, "modalities"),
        ("gemini-3.5-flash", {"modalities": ["image", "text"]}, "modalities"),
        ("gemini-3.8-flash", {"audio": {"voice": "Kore", "format": "wav"}}, "audio"),
        (TALKS, {"modalities": ["image"]}, "modalities"),
        (DRAWS, {"modalities": ["audio"]}, "modalities"),
        (TALKS, {"audio": {"voice": "Kore", "format": "mp3"}}, "audio.format"),
        (TALKS, {"audio": {"voice": "Kore"}}, "audio.format"),
        (TALKS, {"audio": {"format": "wav"}}, "audio.voice"),
        (TALKS, {"audio": {"voice": {"id": "x"}, "format": "wav"}}, "audio.voice"),
        (TALKS, {"audio": {"voice": "", "format": "wav"}}, "audio.voice"),
    ],
)
def test_output_that_a_model_cannot_make(model: str, body: Any, param: str) -> None:
    """Who asks a model for pictures or speech that it does not make is told so, never given text instead."""
    with pytest.raises(InvalidRequest) as caught:
        modalities_config(body, profile=profile_of(model), stream=False)
    assert caught.value.param == param


VOICE = {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}}


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        ("gemini-3.5-flash", {}, {}),
        ("gemini-3.5-flash", {"modalities": ["text"]}, {}),
        ("gemini-3.5-flash", {"image_config": {"aspect_ratio": "1:1"}}, {}),
        (DRAWS, {}, {}),
        (DRAWS, {"modalities": ["image", "text"]}, {"responseModalities": ["IMAGE", "TEXT"]}),
        (DRAWS, {"modalities": ["image"]}, {"responseModalities": ["IMAGE"]}),
        (DRAWS, {"modalities": ["text"]}, {"responseModalities": ["TEXT"]}),
        ("gemini-2.5-flash-image", {"modalities": ["image"]}, {"responseModalities": ["IMAGE"]}),
        ("gemini-nano-banana-2.1", {"modalities": ["image"]}, {"responseModalities": ["IMAGE"]}),
        ("gemini-9-unheard-of", {"modalities": ["image"]}, {"responseModalities": ["IMAGE"]}),
        (
            DRAWS,
            {"image_config": {"aspect_ratio": "16:9", "image_size": "2K", "strength": 1}},
            {"imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}},
        ),
        (
            TALKS,
            {"modalities": ["text", "audio"], "audio": {"voice": "Kore", "format": "wav"}},
            {"responseModalities": ["AUDIO"], **VOICE},
        ),
        (TALKS, {"audio": {"voice": "Kore", "format": "pcm16"}}, VOICE),
    ],
)
def test_picture_and_speech_output_is_requested_by_modality(model: str, body: Any, expected: Any) -> None:
    """Pictures and speech are asked for in Gemini's words, with their form; a model of text alone is told nothing."""
    assert modalities_config(body, profile=profile_of(model), stream=False) == expected


def test_streamed_wav_speech_is_refused() -> None:
    """A stream has no WAV header, whose length is not known yet: it is refused, as OpenAI does."""
    profile = profile_of(TALKS)
    assert modalities_config({"audio": {"voice": "Kore", "format": "pcm16"}}, profile=profile, stream=True) == VOICE
    with pytest.raises(InvalidRequest) as caught:
        modalities_config({"audio": {"voice": "Kore", "format": "wav"}}, profile=profile, stream=True)
    assert "'pcm16' when streamed" in caught.value.message


@pytest.mark.parametrize("effort", ["none", "high"])
def test_models_that_draw_or_speak_are_not_told_to_think(effort: str) -> None:
    """Google refuses thinking levels there."""
    for model in (DRAWS, TALKS, "gemini-2.5-flash-image"):
        assert config(model, reasoning_effort=effort) == {}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (None, (False, None)),
        ({"type": "text"}, (False, None)),
        ({"type": "json_object"}, (True, None)),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}, (True, SCHEMA)),
    ],
)
def test_response_format_becomes_mime_type_and_schema(form: Any, expected: Any) -> None:
    """A response format is text, any JSON, or JSON by a schema."""
    assert schema_of({"response_format": form}) == expected


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"type": "grammar"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, "response_format.json_schema.schema"),
    ],
)
def test_unknown_response_format_is_refused(form: Any, param: str) -> None:
    """Other formats, and a schema format without a schema, are refused."""
    with pytest.raises(InvalidRequest) as caught:
        schema_of({"response_format": form})
    assert caught.value.param == param


def test_json_is_asked_for_by_schema_or_in_words() -> None:
    """JSON is asked for by type and schema, or in words that hold the schema."""
    assert json_config(None) == {"responseMimeType": "application/json"}
    assert json_config(SCHEMA)["responseJsonSchema"] is SCHEMA
    assert "schema" not in json_instruction(None)
    assert '"properties"' in json_instruction(SCHEMA)
