"""One chat completion through the whole gateway: answered, priced, settled, or failed over."""

from __future__ import annotations

import re

import httpx2
import orjson
import pytest

from tests.conftest import MakeGateway
from tests.upstreams import Upstream, answer, failing, vendor

# Not the hexadecimal digits between the dashes of an id.
EXPONENT = re.compile(r"(?<![\w.-])-?[0-9][0-9.]*e-[0-9]+(?![\w-])")


def events(response: httpx2.Response) -> list[dict[str, object]]:
    """A stream's JSON events, without [DONE]."""
    return [orjson.loads(line[6:]) for line in response.text.split("\n\n") if line.startswith("data: {")]


@pytest.mark.parametrize(
    "model",
    [
        "auto",
        "auto:cheap",
        "auto:quality",
        "gemini/gemini-3.8-flash",
        "claude/claude-haiku-5-5",
        "openrouter/qwen/qwen3.8-flash",
    ],
)
def test_every_model_name_is_answered_and_recorded(make_gateway: MakeGateway, model: str) -> None:
    """Whatever name is asked for, the answer is OpenAI's and one settled row says who gave it and what it cost."""
    gateway = make_gateway(answer("four"))
    response = gateway.ask(model=model)
    assert response.status_code == 200, response.text
    body = response.json()
    (row,) = gateway.rows
    assert body["choices"][0]["message"]["content"] == "four"
    assert body["model"] == f"{row['selected_provider']}/{row['selected_model']}"
    assert response.headers["x-request-id"] == row["request_id"]
    assert row["status"] == "ok"
    assert row["policy_version"]
    assert row["actual_cost"] > 0
    assert body["usage"]["cost"] == pytest.approx(row["actual_cost"])
    assert float(response.headers["x-gateway-cost"]) == pytest.approx(row["actual_cost"], abs=1e-9)


@pytest.mark.parametrize(
    "model", ["auto", "gemini/gemini-3.8-flash", "claude/claude-haiku-5-5", "openrouter/qwen/qwen3.8-flash"]
)
def test_streams_cost_what_answers_cost(make_gateway: MakeGateway, model: str) -> None:
    """Usage and cost are the same streamed or not, and the stream ends with usage and [DONE]."""
    gateway = make_gateway(answer("four"))
    whole = gateway.ask(model=model).json()
    response = gateway.ask(model=model, stream=True, stream_options={"include_usage": True})
    chunks = events(response)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n")
    assert chunks[-1]["usage"] == whole["usage"]
    assert chunks[-1]["choices"] == []
    first, second = gateway.rows
    assert first["actual_cost"] == second["actual_cost"]
    assert second["finish_reason"] == "stop"


def test_pinned_rows_have_no_decision(make_gateway: MakeGateway) -> None:
    """A pinned request's pattern, complexity and confidence are null, and it saves nothing."""
    gateway = make_gateway()
    gateway.ask(model="claude/claude-haiku-5-5")
    (row,) = gateway.rows
    assert row["strategy_used"] == "pinned"
    assert row["confidence"] is row["pattern_detected"] is row["complexity_score"] is None
    assert row["cost_savings"] == 0
    assert row["evidence"] == "exact"


def test_pinned_with_auto_route_is_its_own_baseline(make_gateway: MakeGateway) -> None:
    """`?auto_route=true` routes a named model's request and measures savings against that model."""
    gateway = make_gateway()
    response = gateway.ask(model="claude/claude-opus-5-5", path="/v1/chat/completions?auto_route=true")
    (row,) = gateway.rows
    assert row["strategy_used"] != "pinned"
    assert (row["baseline_provider"], row["baseline_model"]) == ("claude", "claude-opus-5-5")
    assert response.headers["x-gateway-baseline-model"] == "claude-opus-5-5"


def test_auto_without_learning_is_complexity(make_gateway: MakeGateway) -> None:
    """`?auto_route=false` leaves `auto` to complexity alone, which is then its own baseline."""
    gateway = make_gateway()
    gateway.ask("Hello", path="/v1/chat/completions?auto_route=false")
    (row,) = gateway.rows
    assert row["strategy_used"] == "complexity"
    assert row["selected_model"] == row["baseline_model"] == "gemini-3.8-flash"


def test_baseline_hint_and_setting(make_gateway: MakeGateway) -> None:
    """A request's hint names the baseline, else the configuration, else complexity does."""
    gateway = make_gateway(config="baseline: claude/claude-opus-5-5\n")
    gateway.ask("Hello")
    gateway.ask("Hello", routing={"baseline": "claude/claude-sonnet-5-5"})
    assert [row["baseline_model"] for row in gateway.rows] == ["claude-opus-5-5", "claude-sonnet-5-5"]
    assert gateway.ask("Hello", routing={"baseline": "auto"}).status_code == 400


def test_routing_hints_narrow_and_stay_here(make_gateway: MakeGateway) -> None:
    """`routing.providers` narrows the choice, under either name of Claude, and is not forwarded."""
    sent: list[httpx2.Request] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return answer()(request)

    gateway = make_gateway(upstream)
    response = gateway.ask("Hello", routing={"providers": ["anthropic"]})
    assert response.headers["x-gateway-provider"] == "claude"
    assert "routing" not in orjson.loads(sent[0].content)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/route"])
@pytest.mark.parametrize("names", [["openai"], ["openai", "mistral"]], ids=str)
def test_providers_that_there_are_not(make_gateway: MakeGateway, path: str, names: list[str]) -> None:
    """A hint that names none of the gateway's providers is the client's mistake: a 400 that names them and those there are."""
    response = make_gateway().ask("Hello", path=path, routing={"providers": names})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "routing.providers")
    assert all(repr(name) in error["message"] for name in names)
    assert "gemini, claude, openrouter" in error["message"]
    assert make_gateway().ask("Hello", path=path, routing={"providers": [*names, "gemini"]}).status_code == 200


def test_small_money_is_written_out(make_gateway: MakeGateway) -> None:
    """A cost below a thousandth of a cent has no exponent: in the body, in the headers, in the decision, in the ledger's routes, in the refusal of a limit."""
    gateway = make_gateway(answer(prompt_tokens=2, completion_tokens=1))
    response = gateway.ask("Hi", model="gemini/gemini-2.5-flash-lite")
    limited = gateway.ask("Hi", routing={"max_cost": 1e-9})
    texts = [
        response.text,
        *response.headers.values(),
        gateway.ask("Hi", path="/v1/route").text,
        gateway.client.get("/v1/routing/summary").text,
        gateway.client.get("/v1/routing/requests").text,
        limited.text,
    ]
    assert 0 < response.json()["usage"]["cost"] < 1e-5
    assert limited.status_code == 503
    assert "above 0.000000001 USD" in limited.text
    assert not [text for text in texts if EXPONENT.search(text)]


def refuse_connections(*vendors: str) -> Upstream:
    def upstream(request: httpx2.Request) -> httpx2.Response:
        if vendor(request) in vendors:
            raise httpx2.ConnectError("refused", request=request)
        return answer()(request)

    return upstream


@pytest.mark.parametrize(
    "upstream",
    [
        refuse_connections("gemini"),
        *(failing(status, "gemini") for status in (401, 402, 403, 404, 429, 500, 503, 529)),
        failing(200, "gemini", body="<html>"),
    ],
    ids=["refused", "401", "402", "403", "404", "429", "500", "503", "529", "html"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_auto_fails_over(make_gateway: MakeGateway, upstream: Upstream, stream: bool) -> None:
    """Under `auto` a candidate that cannot answer is followed by another one, and the row says why."""
    gateway = make_gateway(upstream)
    response = gateway.ask("Hello", stream=stream, path="/v1/chat/completions?auto_route=false")
    assert response.status_code == 200, response.text
    assert response.headers["x-gateway-provider"] != "gemini"
    assert response.headers["x-gateway-fallback"] == "true"
    assert response.headers["x-gateway-attempts"] != "1"
    (row,) = gateway.rows
    assert row["fallback_used"] == 1
    assert row["fallback_reason"].startswith("upstream: gemini/")
    assert [attempt["status"] for attempt in row["attempts"]][-1] == "settled"


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (503, 503, "upstream_overloaded"),
        (401, 502, "upstream_auth"),
        (500, 502, "upstream_error"),
        (404, 404, "model_not_found"),
    ],
)
def test_pinned_keeps_its_failure(make_gateway: MakeGateway, status: int, told: int, code: str) -> None:
    """A named model's failure is told as what it is; nobody else answers in its place."""
    body = '{"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}' if status == 404 else ""
    gateway = make_gateway(failing(status, "claude", body=body))
    response = gateway.ask(model="claude/claude-haiku-5-5")
    assert (response.status_code, response.json()["error"]["code"]) == (told, code)
    assert response.headers["x-should-retry"] == "false"
    (row,) = gateway.rows
    assert (row["status"], row["error_code"]) == ("error", code)
    assert (row["fallback_used"], row["fallback_reason"]) == (0, None)


OWN_404 = {
    "gemini": '{"error": {"code": 404, "message": "File abc123 was not found.", "status": "NOT_FOUND"}}',
    "claude": '{"type": "error", "error": {"type": "not_found_error", "message": "File abc123 was not found."}}',
    "openrouter": '{"error": {"message": "File abc123 was not found.", "code": 404}}',
}
NAMED = {
    "gemini": "gemini/gemini-3.8-flash",
    "claude": "claude/claude-haiku-5-5",
    "openrouter": "openrouter/qwen/qwen3.8-flash",
}


@pytest.mark.parametrize("provider", OWN_404)
@pytest.mark.parametrize("stream", [False, True])
def test_a_providers_own_404_is_the_clients(make_gateway: MakeGateway, provider: str, stream: bool) -> None:
    """What a provider itself does not find is a 404 with its words, though the model is there; it does no harm to the model."""
    gateway = make_gateway(failing(404, provider, body=OWN_404[provider]))
    response = gateway.ask(model=NAMED[provider], stream=stream)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (404, "not_found", "invalid_request_error")
    assert "File abc123 was not found." in error["message"]


@pytest.mark.parametrize("provider", OWN_404)
@pytest.mark.parametrize(
    "body", ["<html>Not Found</html>", '{"detail": "Not Found"}', '{"message": "no Route matched"}', ""]
)
def test_a_foreign_404_is_a_bad_gateway(make_gateway: MakeGateway, provider: str, body: str) -> None:
    """A 404 that the provider did not write comes from a wrong address or a proxy: it is not the client's."""
    gateway = make_gateway(failing(404, provider, body=body))
    response = gateway.ask(model=NAMED[provider])
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_invalid_response")


def test_auto_goes_on_after_a_404(make_gateway: MakeGateway) -> None:
    """Under `auto` another candidate may know what one provider does not find."""
    gateway = make_gateway(failing(404, "gemini", body=OWN_404["gemini"]))
    response = gateway.ask("Hello", path="/v1/chat/completions?auto_route=false")
    assert response.status_code == 200
    assert response.headers["x-gateway-provider"] != "gemini"
    assert gateway.rows[0]["fallback_reason"].endswith("not_found")


def test_content_without_a_place_is_counted_and_logged(
    make_gateway: MakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """What an answer holds beyond OpenAI's shape is never dropped silently: a metric counts it, the log names its kind."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        body = orjson.loads(answer("four")(request).content.removeprefix(b"data: "))
        body["candidates"][0]["content"]["parts"].insert(
            0, {"executableCode": {"language": "PYTHON", "code": "secret"}}
        )
        if "stream" in request.url.path:
            return httpx2.Response(
                200, headers={"content-type": "text/event-stream"}, content=b"data: %b\n\n" % orjson.dumps(body)
            )
        return httpx2.Response(200, json=body)

    gateway = make_gateway(upstream)
    for stream in (False, True):
        assert "four" in gateway.ask(model=NAMED["gemini"], stream=stream).text
    (told,) = [message for message in caplog.messages if "executableCode" in message]
    assert "secret" not in told
    assert 'gateway_incomplete_answers_total{provider="gemini"} 2.0' in gateway.client.get("/metrics").text


def test_all_candidates_down(make_gateway: MakeGateway) -> None:
    """When every candidate of `auto` fails, the client gets 503 and the reasons."""
    gateway = make_gateway(failing(503, "gemini", "claude", "openrouter"))
    response = gateway.ask("Hello")
    assert response.status_code == 503
    assert response.headers["x-gateway-attempts"] == "3"
    assert "claude/" in response.json()["error"]["message"]


def test_upstream_400_is_the_clients(make_gateway: MakeGateway) -> None:
    """A request that the provider refuses is not tried elsewhere, and its message is passed on."""
    body = '{"error": {"code": 400, "message": "Bad schema.", "status": "INVALID_ARGUMENT"}}'
    gateway = make_gateway(failing(400, "gemini", body=body))
    response = gateway.ask(model="gemini/gemini-3.8-flash")
    assert response.status_code == 400
    assert "Bad schema." in response.json()["error"]["message"]


def test_broken_stream_is_an_error(make_gateway: MakeGateway) -> None:
    """A stream that ends without its end mark becomes an error event without [DONE]; its row is estimated."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        whole = answer("four", completion_tokens=7)(request)
        return httpx2.Response(200, headers=whole.headers, content=whole.content.split(b"event: message_delta")[0])

    gateway = make_gateway(upstream)
    response = gateway.ask(model="claude/claude-haiku-5-5", stream=True)
    chunks = events(response)
    assert "error" in chunks[-1]
    assert "[DONE]" not in response.text
    (row,) = gateway.rows
    assert (row["status"], row["estimated"]) == ("error", 1)
    assert row["actual_cost"] > 0


def test_missing_usage_is_estimated(make_gateway: MakeGateway) -> None:
    """An answer without usage is still priced, on an estimate that is flagged."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        body = orjson.loads(answer("x" * 40)(request).content)
        return httpx2.Response(200, json={**body, "usage": None})

    gateway = make_gateway(upstream)
    assert gateway.ask(model="claude/claude-haiku-5-5").json()["usage"]["completion_tokens"] == 10
    (row,) = gateway.rows
    assert (row["estimated"], row["evidence"]) == (1, "modelled")


def test_unknown_price_costs_null(make_gateway: MakeGateway) -> None:
    """A model that no price table knows is served; its cost is null and says so."""
    gateway = make_gateway()
    response = gateway.ask(model="claude/claude-nobody-knows")
    assert response.status_code == 200
    assert response.headers["x-gateway-cost"] == "unknown"
    assert response.json()["usage"]["cost"] is None


def test_not_enabled_provider(make_gateway: MakeGateway) -> None:
    """A model of a provider without a key is a 404 that says which key is missing."""
    gateway = make_gateway(environment={"GEMINI_API_KEY": "x"})
    response = gateway.ask(model="claude/claude-haiku-5-5")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert gateway.rows == []


def test_error_in_a_status_200(make_gateway: MakeGateway) -> None:
    """OpenRouter's errors told with status 200 are errors, streamed or not."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"error": {"code": 503, "message": "No instances."}})

    gateway = make_gateway(upstream)
    for stream in (False, True):
        response = gateway.ask(model="openrouter/qwen/qwen3.8-flash", stream=stream)
        assert response.status_code in (502, 503), response.text


@pytest.mark.parametrize("stream", [False, True])
def test_a_router_behind_us_says_who_answered(make_gateway: MakeGateway, stream: bool) -> None:
    """Where the choice is left to OpenRouter, the answer and the row name the model it took."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        whole = answer("four")(request)
        return httpx2.Response(
            200, headers=whole.headers, content=whole.content.replace(b'"m"', b'"qwen/qwen3.8-flash"')
        )

    gateway = make_gateway(upstream)
    response = gateway.ask(model="openrouter/auto", stream=stream)
    body = events(response)[0] if stream else response.json()
    (row,) = gateway.rows
    assert (body["model"], row["selected_model"]) == ("openrouter/qwen/qwen3.8-flash", "qwen/qwen3.8-flash")
    assert row["attempts"][0]["upstream_id"] == "gen-1"
    assert (row["evidence"], row["cost_savings"]) == ("exact", 0)


def test_a_named_model_again(make_gateway: MakeGateway) -> None:
    """What is remembered of a named model's plan is the model's: a session that one request names is not the next one's."""
    gateway = make_gateway()
    for routing in ({}, {"session_id": "mine"}, {}):
        gateway.ask(model="claude/claude-haiku-4-5", routing=routing)
    assert [row["session_id"] for row in gateway.rows] == [None, "mine", None]
    assert {row["selected_model"] for row in gateway.rows} == {"claude-haiku-4-5"}


STOPS = [str(number) for number in range(9)]  # Gemini takes at most five


def test_a_request_that_a_named_model_cannot_take_is_the_clients_error(make_gateway: MakeGateway) -> None:
    """What the dialect of a named model cannot express is a 400, and its attempt is free."""
    gateway = make_gateway(answer())
    response = gateway.ask(model="gemini/gemini-3.8-flash", stop=STOPS)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "stop")
    (row,) = gateway.rows
    assert (row["status"], [attempt["status"] for attempt in row["attempts"]]) == ("error", ["failed_free"])


def test_auto_goes_on_after_a_model_that_cannot_take_the_request(make_gateway: MakeGateway) -> None:
    """Under `auto` the next candidate is called, which is not counted as a retry."""
    gateway = make_gateway(answer())
    routing = {"models": ["gemini/gemini-3.8-flash", "claude/claude-haiku-5-5"]}
    response = gateway.ask(model="auto:cheap", routing=routing, stop=STOPS)
    assert response.status_code == 200, response.text
    (row,) = gateway.rows
    assert row["selected_provider"] == "claude"
