"""`POST /v1/responses` over HTTP: state, limits and errors."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from gateway.api.response_state import MAX_BYTES, ResponseMemory
from gateway.api.responses import MAX_REFERENCED, ResponseToKeep
from gateway.json_body import MAX_VALUES
from gateway.store.sqlite import SqliteStore
from tests.api.test_response_state import Clock
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.upstreams import answer, failing, vendor

LEDGER = "responses: {store: ledger}\n"
OFF = "responses: {store: off}\n"
MODELS = ["claude/claude-haiku-4-5", "gemini/gemini-3.8-flash", "openrouter/qwen/qwen3.8-flash"]


def ask(gateway: GatewayUnderTest, input: Any = "2+2?", *, key: str = "", **body: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return gateway.client.post("/v1/responses", json={"model": "auto", "input": input, **body}, headers=headers)


def events(response: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    return [orjson.loads(line) for line in lines]


class Upstreams:
    """Answers of every vendor; `bodies` are what they were sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(request.content)
        return answer("four")(request)


@pytest.mark.parametrize("config", [None, LEDGER], ids=["memory", "ledger"])
@pytest.mark.parametrize("stream", [False, True])
def test_conversation_is_continued(make_gateway: MakeGateway, config: str | None, stream: bool) -> None:
    """The upstream gets the earlier turns; the row has its endpoint; the answer says that it is kept."""
    upstreams = Upstreams()
    gateway = make_gateway(upstreams, config=config)
    first = ask(gateway, "What is 2+2?", stream=stream)
    response = events(first)[-1]["response"] if stream else first.json()
    assert (response["store"], response["status"]) == (True, "completed")
    second = ask(gateway, "Sure?", previous_response_id=response["id"], model=MODELS[0]).json()
    third = ask(gateway, "Really?", previous_response_id=second["id"], model=MODELS[1]).json()
    assert third["previous_response_id"] == second["id"]
    assert all(said in upstreams.bodies[-1] for said in (b"What is 2+2?", b"four", b"Sure?", b"Really?"))
    assert {row["endpoint"] for row in gateway.rows} == {"responses"}
    assert gateway.rows[2]["prompt_tokens"] == 10


@pytest.mark.parametrize("config", [None, LEDGER], ids=["memory", "ledger"])
def test_items_are_referred_to_by_id(make_gateway: MakeGateway, config: str | None) -> None:
    """An item of an earlier answer stands for itself."""
    upstreams = Upstreams()
    gateway = make_gateway(upstreams, config=config)
    item = ask(gateway).json()["output"][0]
    again = [
        {"role": "user", "content": "2+2?"},
        {"type": "item_reference", "id": item["id"]},
        {"role": "user", "content": "Why?"},
    ]
    assert ask(gateway, again).status_code == 200
    assert upstreams.bodies[-1].count(b"four") == 1


@pytest.mark.parametrize(("config", "body"), [(OFF, {}), (OFF, {"store": True}), (None, {"store": False})])
def test_what_is_not_kept_is_said_and_not_found(
    make_gateway: MakeGateway, config: str | None, body: dict[str, Any]
) -> None:
    """`store` is what was done; a reference to it is an error in OpenAI's words, nothing is charged and no upstream called."""
    gateway = make_gateway(config=config)
    response = ask(gateway, **body).json()
    assert response["store"] is False
    missing = ask(gateway, previous_response_id=response["id"])
    assert missing.status_code == 400
    assert missing.json()["error"]["code"] == "previous_response_not_found"
    item = ask(gateway, [{"type": "item_reference", "id": response["output"][0]["id"]}])
    assert (item.status_code, item.json()["error"]["param"]) == (404, "input[0].id")
    assert len(gateway.rows) == 1


def test_keys_do_not_share_responses(make_gateway: MakeGateway) -> None:
    """Another key's response does not exist, by any way to name it."""
    keys = ["first-key-0123456789", "second-key-0123456789"]
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": ",".join(keys)})
    response = ask(gateway, key=keys[0]).json()
    named = [{"type": "item_reference", "id": response["output"][0]["id"]}]
    assert ask(gateway, key=keys[1], previous_response_id=response["id"]).status_code == 400
    assert ask(gateway, named, key=keys[1]).status_code == 404
    assert ask(gateway, named, key=keys[0]).status_code == 200
    headers = {"authorization": f"Bearer {keys[1]}"}
    for method in ("GET", "DELETE"):
        assert gateway.client.request(method, f"/v1/responses/{response['id']}", headers=headers).status_code == 404


def test_earlier_items_count_as_the_body(make_gateway: MakeGateway) -> None:
    """A conversation cannot grow above the limit of a body by reference."""
    gateway = make_gateway(config="limits: {body_bytes: 3000}\n")
    first = ask(gateway, "x" * 2000).json()
    refused = ask(gateway, "y" * 2000, previous_response_id=first["id"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")
    assert len(gateway.rows) == 1


def test_earlier_values_count_as_the_bodys(make_gateway: MakeGateway) -> None:
    """The limit of values holds for a request with its earlier responses."""
    gateway = make_gateway()
    item = [{"role": "user", "content": "x", "unknown": [0] * (MAX_VALUES * 2 // 3)}]
    first = ask(gateway, item).json()
    second = ask(gateway, item, previous_response_id=first["id"]).json()
    refused = ask(gateway, previous_response_id=second["id"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "too_many_values")


def test_named_responses_are_bounded(make_gateway: MakeGateway) -> None:
    """The items of one input come from a limited number of responses."""
    named = [{"type": "item_reference", "id": f"msg_{n}_0"} for n in range(MAX_REFERENCED + 1)]
    refused = ask(make_gateway(), named)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")


def to_keep(memory: ResponseMemory) -> ResponseToKeep:
    return ResponseToKeep(memory, None, previous=None, items=[], created=0.0, ttl=1.0)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_large_response_is_not_kept() -> None:
    """A response above its limit is not kept, and says so."""
    response = {"id": "resp_1", "metadata": {}}
    assert to_keep(ResponseMemory(Clock())).keep(response, [])
    assert not to_keep(ResponseMemory(Clock())).keep(response, [{"text": "x" * MAX_BYTES}])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' size of a process")
async def test_kept_responses_take_the_memory_that_is_counted() -> None:
    """What is kept has no larger buffers behind it: memory grows by less than twice the counted bytes."""
    memory = ResponseMemory(Clock())
    before = resident_bytes()
    for number in range(5_000):
        response = to_keep(memory)
        response.keep({"id": f"resp_{number}", "text": "x" * 1_400}, [{"text": "y" * 1_400}])
        await response.commit()
    assert resident_bytes() - before < 2 * 5_000 * 2_800


async def test_nothing_is_committed_that_was_not_kept() -> None:
    """A response that was not finished, or is too large, leaves nothing."""
    memory = ResponseMemory(Clock())
    unfinished, large, kept = to_keep(memory), to_keep(memory), to_keep(memory)
    large.keep({"id": "resp_1"}, [{"text": "x" * MAX_BYTES}])
    await unfinished.commit()
    await large.commit()
    assert len(memory) == 0
    kept.keep({"id": "resp_1"}, [])
    await kept.commit()
    assert len(memory) == 1


def test_failed_state_is_not_told_as_kept(make_gateway: MakeGateway) -> None:
    """A client is not told that its response is complete and kept where the ledger could not keep it."""
    gateway = make_gateway(config=LEDGER)
    assert isinstance(gateway.store, SqliteStore)
    with closing(sqlite3.connect(gateway.store.path)) as connection:
        connection.execute("DROP TABLE responses")
    failed = ask(gateway)
    assert (failed.status_code, failed.json()["error"]["code"]) == (503, "ledger_unavailable")
    last = events(ask(gateway, stream=True))[-1]
    assert (last["type"], last["response"]["store"]) == ("response.failed", False)
    assert {row["status"] for row in gateway.rows} == {"ok"}


def test_dropped_members_are_said(make_gateway: MakeGateway) -> None:
    """What is left out is named in a header, on whole answers and streams."""
    gateway = make_gateway()
    for stream in (False, True):
        response = ask(gateway, tools=[{"type": "web_search"}], stream=stream)
        assert (response.status_code, response.headers["x-gateway-dropped"]) == (200, "tools[0]:web_search")
    assert "x-gateway-dropped" not in ask(gateway).headers


@pytest.mark.parametrize("model", MODELS)
def test_provider_refusal_names_the_clients_member(make_gateway: MakeGateway, model: str) -> None:
    """A provider that cannot take an item is an error about that item."""
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{"}
    result = {"type": "function_call_output", "call_id": "c1", "output": "x"}
    response = ask(make_gateway(), [{"role": "user", "content": "x"}, call, result], model=model)
    if response.status_code == 400:
        error = response.json()["error"]
        assert error["param"] == "input[1]"
        assert "messages" not in error["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_upstream_failure_has_openais_shape(make_gateway: MakeGateway, stream: bool) -> None:
    """Before the first byte an upstream's failure is its status, streamed or not."""
    response = ask(make_gateway(failing(500, "gemini", "claude", "openrouter")), stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "no_candidate")


def test_broken_stream_ends_as_failed(make_gateway: MakeGateway) -> None:
    """After the first byte the stream ends with `response.failed`, and nothing looks complete."""

    def cut(request: httpx2.Request) -> httpx2.Response:
        whole = answer("four")(request)
        end = {"claude": b"event: content_block_stop", "gemini": b"\x00", "openrouter": b'"finish_reason":"stop"'}
        return httpx2.Response(200, headers=whole.headers, content=whole.content.partition(end[vendor(request)])[0])

    response = ask(make_gateway(cut), model=MODELS[0], stream=True)
    assert events(response)[-1]["type"] == "response.failed"
    assert b"[DONE]" not in response.content


def test_large_body_is_parsed_in_a_thread(make_gateway: MakeGateway) -> None:
    """A large input is served, and continued."""
    gateway = make_gateway()
    first = ask(gateway, "word " * 60_000).json()
    assert ask(gateway, "And?", previous_response_id=first["id"]).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v1/responses", b"{}", 405),
        ("POST", "/v1/responses", b"{", 400),
        ("POST", "/v1/responses", b"[]", 400),
        ("POST", "/v1/responses/resp_1", b"{}", 405),
        ("GET", "/v1/responses/resp_1/cancel", b"", 404),
        ("POST", "/v1/responses/compact/x/y", b"{}", 404),
    ],
)
def test_errors_have_openais_shape(make_gateway: MakeGateway, method: str, path: str, body: bytes, status: int) -> None:
    """Whatever is wrong, the answer is OpenAI's error object."""
    response = make_gateway().client.request(method, path, content=body)
    assert response.status_code == status
    assert response.json()["error"]["message"]
