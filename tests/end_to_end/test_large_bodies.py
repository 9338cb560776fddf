"""Bodies of many megabytes: accepted up to a limit, bounded in sum, and no burden on the event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx2
import orjson
import pytest

from gateway.api.chat import parse_inbound
from gateway.completion import ChatRequest, Completion, UpstreamRequest
from gateway.dialects import CHAT_COMPLETIONS, InboundRequest
from gateway.errors import InvalidRequest
from gateway.long_json import dumps
from gateway.providers.base import Provider, UpstreamEndpoint
from gateway.providers.claude import Claude
from gateway.providers.gemini import Gemini
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.proxy.upstream import call_upstream
from gateway.transport import Timeouts
from gateway.transport.httpx_client import HttpxTransport
from tests.conftest import MakeGateway
from tests.serving import MODEL, Client, chat, serving
from tests.soak.heavy import CASES
from tests.upstreams import answer, vendor

pytestmark = pytest.mark.anyio

HELD = 0.1  # CPU seconds; half of it on a machine that does nothing else
IMAGE = "data:image/png;base64,iVBORw0KGgo" + "A" * 29
CLAUDE = "claude/claude-haiku-5-5"


def with_image(size: int, *, model: str) -> dict[str, object]:
    """A request of about `size` bytes."""
    part = {"type": "image_url", "image_url": {"url": IMAGE + "A" * (size // 4 * 4)}}
    return {"model": model, "messages": [{"role": "user", "content": [part]}]}


def in_bytes(payload: dict[str, object]) -> bytes:
    """What orjson itself does not write."""
    head = orjson.dumps({**payload, "choices": "CHOICES"})
    choice = b'{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"x","z":%b},"delta":{"content":"x","z":%b}}'
    nested = b"[" * 900 + b"1" + b"]" * 900
    return head.replace(b'"CHOICES"', b"[" + choice % (nested, nested) + b"]")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["openrouter/qwen/qwen3.8-flash", "auto"])
def test_an_answer_that_cannot_be_written(make_gateway: MakeGateway, model: str, stream: bool) -> None:
    """JSON that is nested too deeply to be passed on is the upstream's failure: a 502 and an error in the ledger, under `auto` the next candidate."""
    raw = in_bytes({"id": "1", "model": "m"})

    def upstream(request: httpx2.Request) -> httpx2.Response:
        if vendor(request) != "openrouter":
            return answer()(request)
        if stream:
            return httpx2.Response(
                200, headers={"content-type": "text/event-stream"}, content=b"data: " + raw + b"\n\n"
            )
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=raw)

    gateway = make_gateway(upstream)
    routing = {"models": ["openrouter/qwen/qwen3.8-flash", CLAUDE]} if model == "auto" else {}
    response = gateway.ask(model=model, stream=stream, routing=routing)
    row = gateway.rows[-1]
    failed = [each for each in row["attempts"] if each["provider"] == "openrouter"]
    assert [each["error"] for each in failed] in ([], ["upstream_invalid_response"])
    if model == "auto":
        assert (response.status_code, row["status"]) == (200, "ok")
        assert response.headers["x-gateway-provider"] == "claude"
    else:
        assert (response.status_code, row["status"], len(failed)) == (502, "error", 1)
        assert response.json()["error"]["code"] == "upstream_invalid_response"


def test_body_above_a_providers_limit_is_not_sent_there(make_gateway: MakeGateway) -> None:
    """What is larger than a provider takes is not sent there: a 413 that names its limit, under `auto` another provider is given the whole of it."""
    came: list[int] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        came.append(len(request.content))
        return answer()(request)

    gateway = make_gateway(upstream)
    body = orjson.dumps(with_image(34_000_000, model=CLAUDE))
    refused = gateway.client.post("/v1/chat/completions", content=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")
    assert str(Claude.max_request_bytes) in refused.json()["error"]["message"]
    routing = {"providers": ["claude", "gemini"]}
    body = orjson.dumps({**with_image(34_000_000, model="auto:quality"), "routing": routing})
    served = gateway.client.post("/v1/chat/completions", content=body)
    assert served.headers["x-gateway-provider"] == "gemini"
    assert [size > 34_000_000 for size in came] == [True]


async def test_all_bodies_together_are_bounded(tmp_path: Path) -> None:
    """What no longer fits beside the bodies under way is a 503 with `retry-after`; small requests go on, and what ended makes room."""
    async with serving(tmp_path, config="limits: {body_bytes: 1000000, bodies_bytes: 1000000}") as gateway:
        first, second, third = [await gateway.client() for _ in range(3)]
        gateway.upstream.begin.set()
        first.ask("x" * 600_000)
        gateway.upstream.say("a")
        await first.until(b"\r\n\r\n")
        second.ask("x" * 600_000)
        head = await second.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 2" in head.lower()
        body = chat("x" * 600_000).partition(b"\r\n\r\n")[2]
        third.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        third.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert (await third.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 503")
        gateway.upstream.end()
        await first.until(b"[DONE]")
        await gateway.idle()
        again: Client = await gateway.client()
        again.ask("x" * 600_000)
        gateway.upstream.say("a")
        assert (await again.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")


class Watched(Claude):
    """Notes in which thread it translates and reads."""

    def __init__(self) -> None:
        super().__init__(UpstreamEndpoint("http://anthropic", "key"))
        self.threads: list[str] = []

    def build_request(self, request: ChatRequest, model: str) -> UpstreamRequest:
        self.threads.append(threading.current_thread().name)
        return super().build_request(request, model)

    def parse_response(self, body: object, sent: UpstreamRequest) -> Completion:
        self.threads.append(threading.current_thread().name)
        return super().parse_response(body, sent)  # type: ignore[arg-type]  # JSON


@pytest.mark.parametrize(("size", "thread"), [(LARGE, "MainThread"), (LARGE + 1, "large-bodies_0")])
async def test_large_bodies_are_translated_off_the_loop(size: int, thread: str) -> None:
    """Translating, writing and reading a large body happens in a thread, a small one's at once."""
    messages = [{"role": "user", "content": "hi"}]
    request = ChatRequest({"model": "m", "messages": messages}, model="m", messages=messages, size=size)
    provider, worker = Watched(), BodyExecutor()
    text = "4" * (size - 1000) if size == LARGE else "4" * size
    async_transport = HttpxTransport(transport=httpx2.MockTransport(answer(text)))
    completion = await call_upstream(
        provider, request, "claude-haiku-5-5", transport=async_transport, timeouts=Timeouts(), worker=worker
    )
    worker.close()
    await async_transport.aclose()
    assert isinstance(completion, Completion)
    assert provider.threads == [thread, thread]


def test_a_megabyte_is_served(make_gateway: MakeGateway) -> None:
    """A megabyte of prompt is served like any other, and its row counts its tokens."""
    gateway = make_gateway()
    assert gateway.ask("word " * 250_000, model=MODEL).status_code == 200
    assert gateway.rows[-1]["status"] == "ok"


@pytest.fixture
def frozen() -> Iterator[None]:
    """As in a gateway that serves: what was there before is not walked by collections."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def held(work: Awaitable[object]) -> float:
    """CPU seconds of this process between two turns of the event loop, at most, while `work` is done: other processes do not count."""
    longest, last = 0.0, time.process_time()
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0.0005)
        now = time.process_time()
        longest, last = max(longest, now - last), now
    with suppress(InvalidRequest):
        task.result()
    return longest


@pytest.mark.parametrize(
    "name",
    [
        "18 MB of ; in a data URL",
        "18 MB image",
        "1M entries of logit_bias",
        "512 tools of 60 properties",
        "400,000 messages",
        "18 MB of arguments",
    ],
)
@pytest.mark.usefixtures("frozen")
async def test_heavy_request_does_not_block_the_event_loop(name: str) -> None:
    """While a request that is heavy to parse or to translate is worked on, the event loop gets its turns."""
    raw = orjson.dumps({"model": "m", **CASES[name]()})
    worker = BodyExecutor()
    providers = (Claude(UpstreamEndpoint("http://anthropic", "key")), Gemini(UpstreamEndpoint("http://google", "key")))

    async def served(provider: Provider) -> None:
        request = await parse_inbound(InboundRequest(raw), CHAT_COMPLETIONS, worker=worker)
        translated = partial(provider.build_request, request, "claude-haiku-4-5")
        await worker.run(request.size, lambda: dumps(translated().json))

    for provider in providers:
        waits = [await held(served(provider))]
        while waits[-1] >= HELD and len(waits) < 3:  # a machine that is busy with other things may be slow once
            waits.append(await held(served(provider)))
        assert waits[-1] < HELD
    worker.close()
