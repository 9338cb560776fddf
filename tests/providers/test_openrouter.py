"""What OpenRouter does in its own way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from gateway.completion import ChatRequest, RoutedConversation
from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import (
    InvalidRequest,
    UpstreamAccountEmpty,
    UpstreamAuth,
    UpstreamError,
    UpstreamModelNotFound,
    UpstreamRejected,
)
from gateway.providers.base import UpstreamEndpoint
from gateway.providers.openrouter import OpenRouter
from gateway.sse import ServerSentEvent

USER = {"role": "user", "content": "hi"}
MODEL = "anthropic/claude-haiku-4.5"
DETAIL = {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}


def openrouter() -> OpenRouter:
    return OpenRouter(UpstreamEndpoint("https://openrouter.test/api/v1", "hunter2"))


def body(*messages: dict[str, Any], model: str = MODEL, **members: object) -> dict[str, Any]:
    request = parse_chat_request(orjson.dumps({"model": "auto", "messages": [USER, *messages], **members}))
    return dict(openrouter().build_request(request, model).json)


def assistant(**members: object) -> Any:
    return body({"role": "assistant", "content": "a", **members})["messages"][1]


def failure(status: int, message: str, **error: object) -> UpstreamError:
    return openrouter().parse_error(status, {}, orjson.dumps({"error": {"code": status, "message": message, **error}}))


@pytest.mark.parametrize("model", [MODEL, "openrouter/auto", "deepseek/deepseek-chat:free"])
def test_whole_model_id_is_sent_and_cost_requested(model: str) -> None:
    """The model's id is passed whole, and the cost is always asked for."""
    assert body(model=model) == {"model": model, "messages": [USER], "usage": {"include": True}}


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (
            {"top_k": 3, "min_p": 0.1, "transforms": [], "provider": {"sort": "price"}},
            {"top_k": 3, "min_p": 0.1, "transforms": [], "provider": {"sort": "price"}},
        ),
        ({"usage": {"include": False}, "moderation": {"model": "m"}, "safety_identifier": "s", "unknown": 1}, {}),
        ({"reasoning": {"effort": "high"}, "reasoning_effort": "low"}, {"reasoning": {"effort": "high"}}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"models": ["openrouter/a/b", "openrouter/auto", "c/d"]}, {"models": ["a/b", "openrouter/auto", "c/d"]}),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]},
            {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]},
        ),
    ],
)
def test_documented_parameters_are_sent_and_no_others(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    """Its documented parameters are sent on, and no others."""
    assert body(**asked) == {"model": MODEL, "messages": [USER], "usage": {"include": True}, **sent}


FUNCTIONS = [{"type": "function", "function": {"name": name}} for name in "fg"]


def test_unlisted_tools_are_not_given() -> None:
    """It knows no list of allowed tools, so the others are not given."""
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": FUNCTIONS[1:]}}
    made = body(tools=FUNCTIONS, tool_choice=choice)
    assert (made["tools"], made["tool_choice"]) == (FUNCTIONS[1:], "required")
    named = {"type": "function", "function": {"name": "f"}}
    assert body(tools=FUNCTIONS, tool_choice=named)["tool_choice"] == named


def test_custom_tools_are_refused() -> None:
    """Tools that it does not know are refused here, so that `auto` asks somebody else."""
    with pytest.raises(InvalidRequest) as refused:
        body(tools=[*FUNCTIONS, {"type": "custom", "custom": {"name": "run"}}])
    assert refused.value.param == "tools[2]"


def test_history_keeps_refusals_and_drops_foreign_audio() -> None:
    """A refusal is text, and spoken answers of another model are left out."""
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}]
    message = body({"role": "assistant", "content": parts, "audio": {"id": "x"}})["messages"][1]
    assert message == {"role": "assistant", "content": [parts[0], {"type": "text", "text": "no"}]}


def test_anthropic_models_need_cache_breakpoints() -> None:
    """Anthropic's do, by the same minimum as at Anthropic; others cache by themselves."""
    assert openrouter().least_cached("anthropic/claude-sonnet-4.5") == 1024
    assert openrouter().least_cached("anthropic/claude-haiku-4.5") == 4096
    assert openrouter().least_cached("qwen/qwen3.8-flash") is None
    assert openrouter().least_cached("openrouter/auto") is None


def test_cache_marks_are_sent() -> None:
    """Cache marks on parts are sent on."""
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    assert body({"role": "user", "content": [part]})["messages"][1]["content"] == [part]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (
            {"reasoning_details": [{**DETAIL, "model": MODEL}], "reasoning_content": "hm"},
            {"reasoning_details": [DETAIL]},
        ),
        ({"reasoning_details": [{**DETAIL, "model": "claude-haiku-4-5"}, DETAIL], "reasoning_content": "hm"}, {}),
        ({"reasoning_content": "hm"}, {"reasoning": "hm"}),
        ({"reasoning": "hm"}, {"reasoning": "hm"}),
        ({"reasoning_details": []}, {}),
    ],
)
def test_history_keeps_reasoning_of_the_same_model(given: dict[str, Any], sent: dict[str, Any]) -> None:
    """A model gets back the reasoning it gave here itself; signatures from elsewhere are left out."""
    assert assistant(**given) == {"role": "assistant", "content": "a", **sent}


def test_reasoning_details_are_sent_back_as_received() -> None:
    """What an answer tells of its reasoning is sent back as it came."""
    request = parse_chat_request(orjson.dumps({"model": "auto", "messages": [USER]}))
    sent = openrouter().build_request(request, MODEL)
    answer = {"choices": [{"message": {"content": "a", "reasoning": "hm", "reasoning_details": [DETAIL]}}]}
    message = dict(openrouter().parse_response(answer, sent).choices[0]["message"])
    assert message["reasoning_content"] == "hm"
    assert body(message)["messages"][1]["reasoning_details"] == [DETAIL]


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost": 0.00123}, Decimal("0.00123")),
        ({"cost": 0}, Decimal(0)),
        ({"cost": 1e-7}, Decimal("1E-7")),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, Decimal("0.021")),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, Decimal("0.001")),
        ({"cost": 0.001, "is_byok": True}, Decimal("0.001")),
        ({"cost": 0.001, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.02}}, Decimal("0.001")),
        ({"cost": -1}, None),
        ({"cost": float("nan")}, None),
        ({"cost": float("inf")}, None),
        ({"cost": 1e12}, None),
        ({"cost": "0.1"}, None),
        ({"cost": True}, None),
        ({}, None),
    ],
)
def test_cost_is_the_count_of_openrouter(usage: dict[str, Any], cost: Decimal | None) -> None:
    """The cost is its own count in USD, exactly as written, with the provider's where that is charged to one's own key."""
    read = openrouter().usage({"usage": {"prompt_tokens": 1, **usage}})
    assert read is not None
    assert read.reported_cost == cost


def test_cost_without_a_count_is_no_usage() -> None:
    """A cost without a single count is no usage."""
    assert openrouter().usage({"usage": {"cost": 1}}) is None


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, "Forbidden", UpstreamAuth),
        (403, "openai/x requires moderation. Your input was flagged for violence", UpstreamRejected),
        (404, "No endpoints found for a/b.", UpstreamModelNotFound),
        (404, "No endpoints found that support tool use.", UpstreamRejected),
        (402, "Insufficient credits", UpstreamAccountEmpty),
        (400, "a/b is not a valid model ID", UpstreamModelNotFound),
    ],
)
def test_flagged_input_and_missing_feature_blame_the_request(
    status: int, message: str, kind: type[UpstreamError]
) -> None:
    """Flagged input and a missing feature are about this request; the key and the model are not to blame."""
    error = failure(status, message)
    assert type(error) is kind
    assert (error.provider, error.upstream_status) == ("openrouter", status)


def test_flagged_input_error_says_why_without_the_key() -> None:
    """The client is told why its input was refused, without the key."""
    error = failure(403, "Your input was flagged (hunter2)", metadata={"reasons": ["violence"]})
    assert (error.status, error.message) == (400, "Your input was flagged ([redacted])")
    assert failure(403, "", metadata={"flagged_input": "x"}).message == "The input was flagged."


def test_numeric_error_code_decides_the_class() -> None:
    """An error told inside a 200 answer has the class of its numeric code."""
    request = parse_chat_request(orjson.dumps({"model": "auto", "messages": [USER]}))
    with pytest.raises(UpstreamAccountEmpty):
        openrouter().parse_response(
            {"error": {"code": 402, "message": "m"}}, openrouter().build_request(request, MODEL)
        )


def test_pictures_of_the_history_are_sent_back() -> None:
    """Pictures that a model made go back to it, without what other providers' answers carry beside them."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    made = {"index": 0, **image, "extra_content": {"google": {"thought_signature": "U0lH"}}}
    assert assistant(images=[made]) == {"role": "assistant", "content": "a", "images": [image]}
    request = parse_chat_request(
        orjson.dumps({"model": "auto", "messages": [USER, {"role": "assistant", "content": None, "images": [image]}]})
    )
    assert openrouter().build_request(request, MODEL).json["messages"][1] == {
        "role": "assistant",
        "content": "",
        "images": [image],
    }


def test_modalities_and_image_config_are_sent() -> None:
    """Modalities and the form of pictures are passed on."""
    sent = body(modalities=["image", "text"], image_config={"aspect_ratio": "16:9"})
    assert (sent["modalities"], sent["image_config"]) == (["image", "text"], {"aspect_ratio": "16:9"})


def test_native_finish_reason_is_passed_on() -> None:
    """The reason of the provider behind OpenRouter is passed on, whole and streamed."""
    request = parse_chat_request(orjson.dumps({"model": "auto", "messages": [USER]}))
    sent = openrouter().build_request(request, MODEL)
    ended = {"index": 0, "finish_reason": "stop", "native_finish_reason": "end_turn"}
    whole = openrouter().parse_response({"id": "r", "choices": [{**ended, "message": {"content": "a"}}]}, sent)
    assert whole.choices[0]["native_finish_reason"] == "end_turn"
    parser = openrouter().stream_parser(sent)
    parser.feed(ServerSentEvent(orjson.dumps({"id": "r", "choices": [{**ended, "delta": {"content": "a"}}]})))
    (last,) = parser.feed(ServerSentEvent(b"[DONE]"))
    assert last.choices[0]["native_finish_reason"] == "end_turn"


def sent_in(conversation: RoutedConversation, model: str = "qwen/qwen3", **body: Any) -> Any:
    messages = [{"role": "user", "content": "Hi"}]
    request = ChatRequest({"messages": messages, **body}, "auto", messages, conversation=conversation)
    return openrouter().build_request(request, model).json


def test_conversation_is_kept_at_its_host() -> None:
    """OpenRouter gets a key that does not reveal the client's id, and the last host as a preference, not as the only one."""
    first, later, other = (sent_in(RoutedConversation(*each)) for each in (("k/s1",), ("k/s1", "DeepInfra"), ("k/s2",)))
    assert "provider" not in first
    assert later["provider"] == {"order": ["DeepInfra"], "allow_fallbacks": True}
    assert first["session_id"] == later["session_id"] != other["session_id"]
    assert "s1" not in first["session_id"]


def test_choices_of_the_client_win_over_the_kept_host() -> None:
    """Its own preferences and session go up unchanged; where OpenRouter chooses the model, no host is preferred."""
    own: dict[str, Any] = {"provider": {"only": ["Groq"]}, "session_id": "mine"}
    sent = sent_in(RoutedConversation("k/s1", "DeepInfra"), **own)
    assert {name: sent[name] for name in own} == own
    assert "provider" not in sent_in(RoutedConversation("k/s1", "DeepInfra"), models=["a/b"])
    assert "provider" not in sent_in(RoutedConversation("k/s1", "DeepInfra"), "openrouter/auto")


def test_usage_names_the_host() -> None:
    """The row says who answered behind OpenRouter."""
    usage = openrouter().usage({"usage": {"prompt_tokens": 1}, "provider": "DeepInfra"})
    assert usage is not None
    assert usage.raw == {"prompt_tokens": 1, "provider": "DeepInfra"}
