"""Builds `generationConfig`: sampling, limits, thinking, modalities and the response format."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.completion import Json, output_limit
from gateway.errors import InvalidRequest
from gateway.providers.gemini.profiles import GeminiProfile
from gateway.providers.reasoning import asked_reasoning

MAX_STOP_SEQUENCES = 5
MAX_PENALTY = 1.99  # OpenAI's range includes 2, Gemini's excludes it
INT32 = 0x7FFF_FFFF
# OpenRouter's `image_config`: https://openrouter.ai/docs/features/multimodal/image-generation
IMAGE_CONFIG = {"aspect_ratio": "aspectRatio", "image_size": "imageSize"}
SERVICE_TIERS = {"default": "standard", "flex": "flex", "priority": "priority", "fast": "priority"}


def generation_config(body: Json, *, profile: GeminiProfile) -> dict[str, Any]:
    """Everything but modalities and response format. Unsupported sampling parameters are left out."""
    config: dict[str, Any] = {}
    for client_name, gemini_name in (("temperature", "temperature"), ("top_p", "topP")):
        if body.get(client_name) is not None:
            config[gemini_name] = body[client_name]
    if (body.get("top_k") or 0) > 0:
        config["topK"] = body["top_k"]
    if profile.penalties:
        for client_name, gemini_name in (
            ("frequency_penalty", "frequencyPenalty"),
            ("presence_penalty", "presencePenalty"),
        ):
            if body.get(client_name) is not None:
                config[gemini_name] = min(body[client_name], MAX_PENALTY)
    limit = output_limit(body)
    if limit is not None:
        config["maxOutputTokens"] = min(limit, profile.max_output_tokens)
    if body.get("seed") is not None:
        config["seed"] = body["seed"] & INT32
    for more in (
        _stop(body),
        _candidates(body, profile=profile),
        _logprobs(body, profile=profile),
        _thinking(body, profile=profile),
    ):
        config.update(more)
    return config


def _stop(body: Json) -> Json:
    stop = body.get("stop") or ()
    sequences = [sequence for sequence in ([stop] if isinstance(stop, str) else stop) if sequence]
    if len(sequences) > MAX_STOP_SEQUENCES:
        raise InvalidRequest(f"Gemini models take at most {MAX_STOP_SEQUENCES} stop sequences.", param="stop")
    return {"stopSequences": sequences} if sequences else {}


def _candidates(body: Json, *, profile: GeminiProfile) -> Json:
    wanted = body.get("n") or 1
    if wanted > profile.max_candidates:
        raise InvalidRequest(f"This model gives at most {profile.max_candidates} choices per request (`n`).", param="n")
    return {"candidateCount": wanted} if wanted > 1 else {}


def _logprobs(body: Json, *, profile: GeminiProfile) -> Json:
    if not body.get("logprobs") or not profile.logprobs:
        return {}
    return {"responseLogprobs": True} | ({"logprobs": body["top_logprobs"]} if body.get("top_logprobs") else {})


def _thinking(body: Json, *, profile: GeminiProfile) -> Json:
    reasoning = asked_reasoning(body)
    if reasoning is None:
        return {}
    config = profile.thinking(reasoning)
    return {"thinkingConfig": config} if config else {}


def modalities_config(body: Json, *, profile: GeminiProfile, stream: bool) -> dict[str, Any]:
    """Output modalities, and the image and audio settings. Raises InvalidRequest for what the model cannot generate."""
    modalities = [*dict.fromkeys(body.get("modalities") or ())]
    for kind, called, is_supported in (("image", "pictures", profile.images), ("audio", "audio", profile.speech)):
        if kind in modalities and not is_supported:
            raise InvalidRequest(f"This Gemini model does not answer with {called}.", param="modalities")
    speech = body.get("audio")
    if speech is not None and not profile.speech:
        raise InvalidRequest("This Gemini model does not answer with audio.", param="audio")
    config: dict[str, Any] = {}
    if modalities and (modalities != ["text"] or profile.images):
        # Speech models reject TEXT beside AUDIO.
        config["responseModalities"] = ["AUDIO"] if "audio" in modalities else [kind.upper() for kind in modalities]
    if speech is not None:
        config |= _speech(speech, stream=stream)
    image = {
        gemini_name: value
        for client_name, gemini_name in IMAGE_CONFIG.items()
        if (value := (body.get("image_config") or {}).get(client_name))
    }
    return config | {"imageConfig": image} if image and profile.images else config


def _speech(speech: Json, *, stream: bool) -> dict[str, Any]:
    """`speechConfig` from OpenAI's `audio`. Gemini returns raw PCM: streamed as it is, otherwise optionally as WAV."""
    formats = ("pcm16",) if stream else ("wav", "pcm16")
    if speech.get("format") not in formats:
        raise InvalidRequest(
            f"Gemini models answer in the audio format {' or '.join(map(repr, formats))}{' when streamed' if stream else ''}.",
            param="audio.format",
        )
    voice = speech.get("voice")
    if not isinstance(voice, str) or not voice:
        raise InvalidRequest("The voice must be the name of one of Gemini's voices.", param="audio.voice")
    return {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}}


def wants_wav(body: Json) -> bool:
    """Whether audio is returned as a WAV file."""
    return (body.get("audio") or {}).get("format") == "wav"


def schema_of(body: Json) -> tuple[bool, Any]:
    """Returns whether JSON is requested, and its schema (None for any)."""
    wanted = body.get("response_format") or {"type": "text"}
    kind = wanted.get("type")
    if kind == "text":
        return False, None
    if kind == "json_object":
        return True, None
    if kind != "json_schema":
        raise InvalidRequest(f"Unknown response_format {kind!r}.", param="response_format.type")
    schema = (wanted.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        raise InvalidRequest(
            "A json_schema response format needs a schema.", param="response_format.json_schema.schema"
        )
    return True, schema


def json_config(schema: Any) -> dict[str, Any]:
    return {"responseMimeType": "application/json"} | ({} if schema is None else {"responseJsonSchema": schema})


def json_instruction(schema: Any) -> str:
    """The instruction for models that accept no response format together with tools."""
    instruction = "When you are not calling a tool, answer with one bare JSON object: no code fence, no other text."
    return (
        instruction
        if schema is None
        else f"{instruction} It must be valid against this JSON schema:\n{orjson.dumps(schema).decode()}"
    )
