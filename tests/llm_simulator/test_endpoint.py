"""Answers with the faults that a prompt asks for, in process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response
from starlette.types import Message

from llm_simulator.claude import ClaudeVendor
from llm_simulator.endpoint import VendorEndpoint
from llm_simulator.faults import FAULTS
from llm_simulator.simulation import Simulation

Ask = Callable[..., Response]

REFUSALS = [fault for fault in FAULTS.values() if fault.stage == "refuse" and fault.name != "status"]


@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: fault.name)
def test_each_vendor_refuses_in_its_own_shape(claude: Ask, gemini: Ask, openrouter: Ask, fault: Any) -> None:
    """Each vendor refuses in its own shape, streamed or not, with its own idea of 401 and 529."""
    prompt = f"[[fault:{fault.name}]]"
    answers = {
        "claude": claude(prompt),
        "gemini": gemini(prompt, stream=True),
        "openrouter": openrouter(prompt, stream=True),
    }
    expected = dict.fromkeys(answers, fault.status)
    if fault.name == "unauthorized":
        expected["gemini"] = 400
    if fault.status == 529:
        expected |= {"gemini": 503, "openrouter": 503}
    assert {name: answer.status_code for name, answer in answers.items()} == expected
    assert answers["claude"].json()["type"] == "error"
    assert answers["gemini"].json()["error"]["code"] == expected["gemini"]
    assert answers["openrouter"].json()["error"]["code"] == expected["openrouter"]


def test_each_vendor_gives_its_retry_hints(claude: Ask, gemini: Ask, openrouter: Ask) -> None:
    """Anthropic and OpenRouter say Retry-After, Google says RetryInfo; dates, milliseconds and absurd values are there too."""
    assert claude("[[fault:rate_limit=12]]").headers["retry-after"] == "12"
    assert openrouter("[[fault:429]]").headers["retry-after"] == "7"
    google = gemini("[[fault:rate_limit=2.5]]")
    assert "retry-after" not in google.headers
    assert google.json()["error"]["details"][-1]["retryDelay"] == "2.5s"
    assert claude("[[fault:rate_limit_date=60]]").headers["retry-after"].endswith("GMT")
    assert claude("[[fault:rate_limit_ms=1.5]]").headers["retry-after-ms"] == "1500"
    assert claude("[[fault:rate_limit_absurd]]").headers["retry-after"] == "1000000000"
    assert "retry-after" not in claude("[[fault:rate_limit_bare]]").headers
    assert claude("[[fault:status=418]]").status_code == 418


def test_quota_says_so(claude: Ask, gemini: Ask, openrouter: Ask) -> None:
    """A used-up quota can be told from a rate limit."""
    prompt = "[[fault:insufficient_quota]]"
    assert claude(prompt).json()["error"]["details"]["type"] == "enforced_spend_limit_reached"
    assert "QuotaFailure" in gemini(prompt).json()["error"]["details"][0]["@type"]
    assert openrouter(prompt).json()["error"]["metadata"]["error_type"] == "insufficient_quota"


def test_marker_for_one_provider(claude: Ask, gemini: Ask) -> None:
    """A marker with a provider leaves the others alone."""
    assert gemini("[[fault:overloaded@gemini]]").status_code == 503
    assert claude("[[fault:overloaded@gemini]]").status_code == 200


@pytest.mark.parametrize("name", ["error_200", "choice_error"])
def test_error_with_status_200(claude: Ask, openrouter: Ask, name: str) -> None:
    """An error may come with status 200, as a body, as a choice, or as the first event."""
    prompt = f"[[fault:{name}]]"
    plain, streamed = openrouter(prompt), openrouter(prompt, stream=True)
    assert plain.status_code == streamed.status_code == 200
    body = plain.json()
    assert ("choices" in body) == (name == "choice_error")
    assert (body if name == "error_200" else body["choices"][0])["error"]["code"] == 503
    event = json.loads(streamed.text.split("data: ")[1])
    assert event["error"]["code"] == 503
    assert event["choices"][0]["finish_reason"] == "error"
    assert claude(prompt).json()["type"] == "error"


@pytest.mark.parametrize(("name", "status"), [("first_event_error", 529), ("mid_error", 500)])
def test_errors_in_streams(claude: Ask, gemini: Ask, name: str, status: int) -> None:
    """A stream breaks with an error event at its start or middle; a plain request is refused instead."""
    prompt = f"Explain tides [[fault:{name}]]"
    text = claude(prompt, stream=True).text
    assert "event: error\n" in text
    assert "message_stop" not in text
    assert ("message_start" in text) == (name == "mid_error")
    assert claude(prompt).status_code == status
    assert '{"error":{"code":' in gemini(prompt, stream=True).text


USAGES: list[tuple[str, Callable[[Any], bool]]] = [
    ("no_usage", lambda body: "usage" not in body),
    ("null_usage", lambda body: body["usage"] is None),
    ("negative_usage", lambda body: body["usage"]["output_tokens"] < 0),
    ("string_usage", lambda body: isinstance(body["usage"]["output_tokens"], str)),
    ("absurd_usage", lambda body: body["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 10**15),
]


@pytest.mark.parametrize(("name", "holds"), USAGES, ids=[row[0] for row in USAGES])
def test_usage_may_be_missing_or_absurd(claude: Ask, name: str, holds: Callable[[Any], bool]) -> None:
    """Usage may be missing, null, negative, text or absurd; in a stream everywhere it stands."""
    assert holds(claude(f"[[fault:{name}]]").json())
    text = claude(f"[[fault:{name}]]", stream=True).text
    start = json.loads(text.split("data: ")[1].split("\n")[0])
    assert holds(start["message"])


def test_strange_usage_in_lists(gemini: Ask) -> None:
    """Counts in lists are changed too."""
    details = gemini("[[fault:negative_usage]]").json()["usageMetadata"]["promptTokensDetails"]
    assert details[0]["tokenCount"] < 0
    assert details[0]["modality"] == "TEXT"


def test_nan_usage_makes_the_body_invalid_json(openrouter: Ask) -> None:
    """NaN stands bare in the body, which is not JSON."""
    assert '"prompt_tokens":NaN' in openrouter("[[fault:nan_usage]]").text


@pytest.mark.parametrize("stream", [False, True])
def test_odd_content_comes_on_request(claude: Ask, gemini: Ask, openrouter: Ask, stream: bool) -> None:
    """Unknown blocks, events and raw line separators are there when asked for."""
    for ask in (claude, gemini, openrouter):
        fields: dict[str, Any] = {"stream": stream}
        assert "hologram" in ask("[[fault:unknown_block]]", **fields).text
        assert "\u2028" in ask("[[fault:odd_unicode]]", **fields).content.decode()
        assert ("future_event" in ask("Explain tides [[fault:unknown_event]]", **fields).text) == stream
        assert ask("[[fault:empty_answer]]", **fields).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_broken_bodies_come_on_request(gemini: Ask, stream: bool) -> None:
    """Pages, empty, truncated and unparsable bodies."""
    assert gemini("[[fault:html]]", stream=stream).headers["content-type"] == "text/html"
    assert gemini("[[fault:html_502]]", stream=stream).status_code == 502
    assert gemini("[[fault:empty]]", stream=stream).content == b""
    assert '{"broken": tru' in gemini("[[fault:invalid_json]]", stream=stream).text
    cut = gemini("Explain [[fault:truncated]]", stream=stream).text
    assert "{" in cut
    assert not cut.rstrip().endswith("}")
    assert gemini("[[fault:redirect]]", stream=stream).status_code == 302
    assert len(gemini("[[fault:huge=1]]", stream=stream).content) > 1_000_000
    assert "finishReason" in gemini("[[fault:split_utf8]] ü", stream=stream).text
    assert "finishReason" in gemini("[[fault:slow=0]]", stream=stream).text
    assert "finishReason" in gemini("[[fault:drip=0]]", stream=stream).text
    assert len(gemini("[[fault:gzip_bomb=1]]", stream=stream).content) == 1 << 20
    assert len(gemini("[[fault:huge_header]]", stream=stream).headers["x-huge"]) == 1 << 20


def test_cut_stream_has_no_end(claude: Ask, openrouter: Ask) -> None:
    """A cut stream is well framed but has no end marker."""
    text = claude("Explain tides [[fault:cut]]", stream=True).text
    assert text.endswith("\n\n")
    assert "message_stop" not in text
    assert "[DONE]" not in openrouter("Explain tides [[fault:cut]]", stream=True).text
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        claude("Explain tides [[fault:cut]]").json()


def test_arrived_request_is_kept_with_its_outcome(claude: Ask, simulation: Simulation) -> None:
    """A request is kept as it arrived, with what became of it."""
    claude("Hello")
    claude("[[fault:overloaded]]", stream=True)
    claude([])
    good, faulty, bad = simulation.requests
    assert (good.provider, good.model, good.path, good.status, good.outcome) == (
        "claude",
        "claude-sonnet-4-6",
        "/v1/messages",
        200,
        "answered",
    )
    assert good.body["messages"] == [{"role": "user", "content": "Hello"}]
    assert good.headers["x-api-key"] == "k"
    assert (faulty.fault, faulty.stream, faulty.error) == ("overloaded", True, "Overloaded")
    assert bad.status == 400


def test_big_bodies_are_not_kept(claude: Ask, simulation: Simulation) -> None:
    """A body over a megabyte is answered but not kept."""
    assert claude("word " * 300_000).status_code == 200
    assert simulation.requests[0].body is None


def test_answers_are_repeatable(claude: Ask) -> None:
    """The same request has the same text each time, and ids of its own."""
    first, second = claude("Explain tides").json(), claude("Explain tides").json()
    assert first["id"] != second["id"]
    assert first["usage"] == second["usage"]


async def test_client_leaves_while_sending(simulation: Simulation) -> None:
    """A request whose body never came is not noted."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "headers": [], "query_string": b""}
    await VendorEndpoint(ClaudeVendor(), simulation)(scope, receive, send)
    assert not simulation.requests


def test_latency_does_not_change_the_bytes(claude: Ask, simulation: Simulation) -> None:
    """With a latency and a delay the same bytes come."""
    plain = claude("[[say:one two three]]", stream=True).text
    simulation.latency = simulation.chunk_delay = 1e-9
    slow = claude("[[say:one two three]]", stream=True).text
    assert slow.count("event: ") == plain.count("event: ")
