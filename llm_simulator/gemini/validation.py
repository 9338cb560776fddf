"""Validates generationConfig as each Gemini generation does."""

from __future__ import annotations

from typing import Any

from llm_simulator.models import GeminiModel
from llm_simulator.validators import Problem

INT32 = 1 << 31
MAX_STOPS = 5
MAX_CANDIDATES = 8
MIME_TYPES = ("text/plain", "application/json", "text/x.enum", "application/xml", "application/yaml", "text/yaml")
NO_CALLS_WITH_JSON = "Function calling with a response mime type: '{mime}' is unsupported"


def refuse(message: str) -> Problem:
    return Problem((), "value", message)


def check_config(body: dict[str, Any], model: GeminiModel) -> None:
    config = body.get("generationConfig", {})
    check_numbers(config, model)
    check_candidates(config, model)
    check_stops(config.get("stopSequences", []))
    check_thinking(config.get("thinkingConfig"), model)
    check_format(config, body, model)


def check_numbers(config: dict[str, Any], model: GeminiModel) -> None:
    requested = config.get("maxOutputTokens", 1)
    if not 1 <= requested <= model.max_output:
        limits = f"from 1 (inclusive) to {model.max_output + 1} (exclusive)"
        raise refuse(
            f"Unable to submit request because it has a maxOutputTokens value of {requested} but the supported range is {limits}. "
            "Update the value and try again."
        )
    for name, low, high in (("temperature", 0, 2), ("topP", 0, 1)):
        if not low <= config.get(name, low) <= high:
            raise Problem(("generation_config", name), "value", f"{name} must be in the range [{low:.1f}, {high:.1f}].")
    if not -INT32 <= config.get("seed", 0) < INT32:
        raise Problem(("generation_config", "seed"), "type", f"(TYPE_INT32), {config['seed']}")
    if config.get("topK", 1) < 1:
        raise Problem(("generation_config", "top_k"), "value", "top_k must be positive.")
    for name in ("presencePenalty", "frequencyPenalty"):
        if name in config and not model.penalties:
            raise refuse(f"Penalty is not enabled for models/{model.id}")
        if not -2 <= config.get(name, 0) < 2:
            raise Problem(("generation_config", name), "value", f"{name} must be in the range [-2.0, 2.0).")


def check_candidates(config: dict[str, Any], model: GeminiModel) -> None:
    requested = config.get("candidateCount", 1)
    if not 1 <= requested <= MAX_CANDIDATES:
        raise Problem(("generation_config", "candidate_count"), "value", "must be between 1 and 8 (inclusive).")
    if requested > 1 and model.generation >= 3:
        raise refuse("Multiple candidates is not enabled for this model")
    if "logprobs" in config and not config.get("responseLogprobs"):
        raise Problem(("generation_config", "logprobs"), "value", "logprobs requires response_logprobs to be true.")
    if config.get("responseLogprobs") and not model.logprobs:
        raise refuse(f"Logprobs is not enabled for models/{model.id}")
    if not 0 <= config.get("logprobs", 0) <= 20:
        raise Problem(("generation_config", "logprobs"), "value", "must be between 0 and 20 (inclusive).")


def check_stops(stops: list[str]) -> None:
    if len(stops) > MAX_STOPS:
        raise Problem(
            ("generation_config", "stop_sequences"), "value", f"at most {MAX_STOPS} stop sequences are allowed."
        )
    for index, stop in enumerate(stops):
        if not stop:
            raise Problem(("generation_config", "stop_sequences", index), "value", "stop sequence must not be empty.")


def check_thinking(thinking: dict[str, Any] | None, model: GeminiModel) -> None:
    if not thinking:
        return
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    if level is not None and budget is not None:
        raise refuse("You can only set only one of thinking budget and thinking level.")
    if level is not None and not model.levels:
        raise refuse("Thinking level is not supported for this model.")
    if level is not None and level not in model.levels:
        raise refuse(f"Thinking level {level} is not supported for this model. Please retry with other thinking level.")
    if budget is None or budget == -1:
        return
    if budget == 0 and not model.can_skip_thinking:
        raise refuse("Budget 0 is invalid. This model only works in thinking mode.")
    low, high = model.budget
    if budget != 0 and not low <= budget <= high:
        raise refuse(f"The thinking budget {budget} is invalid. Please choose a value between {low} and {high}.")


def check_format(config: dict[str, Any], body: dict[str, Any], model: GeminiModel) -> None:
    mime = config.get("responseMimeType", "text/plain")
    if mime not in MIME_TYPES:
        raise Problem(
            ("generation_config", "response_mime_type"), "value", f"allowed mimetypes are {', '.join(MIME_TYPES)}."
        )
    schemas = [name for name in ("responseSchema", "responseJsonSchema") if name in config]
    if len(schemas) == 2:
        raise Problem(
            ("generation_config",), "value", "only one of response_schema and response_json_schema can be set."
        )
    if schemas and mime not in ("application/json", "text/x.enum"):
        message = "response_schema is only supported with response mime type application/json or text/x.enum"
        raise Problem(("generation_config", "response_schema"), "value", message)
    if schemas and not isinstance(config[schemas[0]], dict):
        raise Problem(("generation_config", "response_json_schema"), "value", "must be a JSON schema object.")
    calls = any(tool.get("functionDeclarations") for tool in body.get("tools", []))
    if calls and mime != "text/plain" and model.generation < 3:
        raise refuse(NO_CALLS_WITH_JSON.format(mime=mime))
