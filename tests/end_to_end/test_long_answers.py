"""Answers that take long: what the client gets meanwhile, which limit ends what, and who is asked next. Every limit is set in milliseconds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import openai
import orjson
import pytest

from tests.serving import HEAD, HeldUpstream, Serving, serving
from tests.upstreams import answer

pytestmark = pytest.mark.anyio

COMMENT = b": keep-alive\n\n"
THINKS = "openrouter/deepseek/deepseek-v4-flash-0731"
ASKING = {"stream": True, "stream_options": {"include_usage": True}, "messages": [{"role": "user", "content": "Hi"}]}


class Replaced(HeldUpstream):
    """The first call fails with 503 once `fails` is set; the second is answered as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = asyncio.Event()

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.calls == 0:
            self.calls = 1
            await self.fails.wait()
            return httpx2.Response(503, json={"error": {"message": "busy"}})
        return await super().__call__(request)


class Late(HeldUpstream):
    """Every vendor answers `seconds` late."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.calls += 1
        await asyncio.sleep(self._seconds)
        return answer()(request)


class Written(HeldUpstream):
    """A stream of `pieces`, each sent `pause` seconds after the one before it."""

    def __init__(self, *pieces: bytes, pause: float) -> None:
        super().__init__()
        self._written = pieces
        self._pause = pause

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        asyncio.get_running_loop().create_task(self._write()).add_done_callback(lambda _: None)
        self.begin.set()
        return await super().__call__(request)

    async def _write(self) -> None:
        for piece in self._written:
            await asyncio.sleep(self._pause)
            self._pieces.put_nowait(piece)
        self.end()


def asking(**body: Any) -> bytes:
    """A streamed request with usage, on the wire."""
    raw = orjson.dumps({**ASKING, **body})
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(raw), raw)


async def asked(served: Serving, model: str = THINKS, **body: Any) -> httpx2.Response:
    """One whole exchange."""
    request = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **body}
    async with httpx2.AsyncClient(timeout=10) as client:
        return await client.post(f"{served.url}/chat/completions", json=request)


async def test_a_stream_begins_before_there_is_content(tmp_path: Path) -> None:
    """After `keep_alive` seconds without content the client gets 200, what is known of the decision, and comments; then the answer."""
    async with serving(tmp_path, config="keep_alive: 0.02") as served:
        client = await served.client()
        client.send(asking(model=THINKS))
        await served.upstream.called.wait()
        head = await client.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        for line in (b"x-request-id: req_", b"x-gateway-strategy: pinned", b"x-accel-buffering: no"):
            assert line in head
        for name in (b"x-gateway-provider", b"x-gateway-model", b"x-gateway-attempts", b"x-gateway-fallback"):
            assert name not in head
        await client.until(COMMENT)
        await client.until(COMMENT)
        served.upstream.begin.set()
        served.upstream.say("Hello")
        served.upstream.end()
        rest = await client.until(b"data: [DONE]\n\n")
        assert b'"content":"Hello"' in rest
        last = orjson.loads(rest.split(b"data: ")[-2].split(b"\n")[0])
        assert last["usage"]["cost"] > 0
        who = {"provider": "openrouter", "model": THINKS.partition("/")[2], "attempts": 1, "fallback": False}
        assert last["gateway"] == who
        await served.idle()
        (row,) = await served.rows()
        assert (row["status"], row["http_status"]) == ("ok", 200)


async def test_a_quick_stream_has_all_headers(tmp_path: Path) -> None:
    """A stream with content in time tells who answers in its headers, and says no comment; no proxy may hold it back."""
    async with serving(tmp_path) as served:
        served.upstream.begin.set()
        served.upstream.say("Hello")
        served.upstream.end()
        reply = await asked(served, stream=True)
        assert (reply.headers["x-gateway-provider"], reply.headers["x-gateway-attempts"]) == ("openrouter", "1")
        assert (reply.headers["x-accel-buffering"], reply.headers["cache-control"]) == ("no", "no-cache, no-store")
        assert COMMENT not in reply.content


async def test_failover_after_the_stream_began(tmp_path: Path) -> None:
    """Under `auto` another candidate answers a stream that had begun without content, and the usage chunk says who."""
    upstream = Replaced()
    async with serving(tmp_path, config="keep_alive: 0.02", upstream=upstream) as served:
        client = await served.client()
        client.send(asking(model="auto", routing={"models": [THINKS, "openrouter/qwen/qwen3.8-flash"]}))
        await client.until(COMMENT)
        upstream.fails.set()
        upstream.begin.set()
        upstream.say("Hello")
        upstream.end()
        rest = await client.until(b"data: [DONE]\n\n")
        last = orjson.loads(rest.split(b"data: ")[-2].split(b"\n")[0])
        await served.idle()
        (row,) = await served.rows()
    assert [attempt["status"] for attempt in row["attempts"]] == ["failed_free", "settled"]
    assert last["gateway"] == {
        "provider": "openrouter",
        "model": row["selected_model"],
        "attempts": 2,
        "fallback": True,
        "fallback_reason": row["fallback_reason"],
    }
    assert last["model"] == f"openrouter/{row['selected_model']}"


async def test_error_after_the_stream_began_is_its_last_event(tmp_path: Path) -> None:
    """When nobody answers a stream that had begun, its last event is the error, without [DONE]; the row says 200 and error."""
    upstream = Replaced()
    async with serving(tmp_path, config="keep_alive: 0.02\nmax_attempts: 1", upstream=upstream) as served:
        client = await served.client()
        client.ask(model=THINKS)
        await client.until(COMMENT)
        upstream.fails.set()
        rest = await client.until(b"0\r\n\r\n")
        assert b'"code":"upstream_overloaded"' in rest
        assert b"[DONE]" not in rest
        await served.idle()
        (row,) = await served.rows()
    assert (row["status"], row["http_status"], row["error_code"]) == ("error", 200, "upstream_overloaded")


async def test_a_client_that_leaves_in_the_silence(tmp_path: Path) -> None:
    """A client that leaves before there is content cancels the call, and the row says so."""
    async with serving(tmp_path, config="keep_alive: 0.02") as served:
        client = await served.client()
        client.ask(model=THINKS)
        await client.until(COMMENT)
        client.leave()
        await served.upstream.closed.wait()
        await served.idle()
        (row,) = await served.rows()
    assert (row["status"], [attempt["status"] for attempt in row["attempts"]]) == (
        "cancelled",
        ["cancelled_estimated"],
    )


async def test_the_end_of_the_gateway_in_the_silence(tmp_path: Path) -> None:
    """A stream that waits for content when the gateway ends is told so in an event."""
    async with serving(tmp_path, config="keep_alive: 0.02\ndrain_delay: 0\ngrace: 0.05") as served:
        client = await served.client()
        client.ask(model=THINKS)
        await client.until(COMMENT)
        served.server.should_exit = True
        rest = await client.rest()
        await served.ended
        (row,) = await served.rows()
    assert b"data: {" in rest
    assert b'"error"' in rest
    assert b"[DONE]" not in rest
    assert row["status"] == "interrupted"


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_the_official_sdk_passes_over_comments(tmp_path: Path, kind: str) -> None:
    """OpenAI's SDK reads a stream with comments before its content and within as one without."""
    async with serving(tmp_path, config="keep_alive: 0.02") as served:
        served.upstream.begin.set()

        async def say() -> None:
            await asyncio.sleep(0.1)
            served.upstream.say("Hel")
            await asyncio.sleep(0.1)
            served.upstream.say("lo")
            served.upstream.end()

        saying = asyncio.create_task(say())
        options: dict[str, Any] = {"model": THINKS, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        if kind == "async":
            async with openai.AsyncOpenAI(base_url=served.url, api_key="x", max_retries=0) as client:
                chunks = [chunk async for chunk in await client.chat.completions.create(**options)]
        else:
            with openai.OpenAI(base_url=served.url, api_key="x", max_retries=0) as plain:
                chunks = await asyncio.to_thread(lambda: list(plain.chat.completions.create(**options)))
        await saying
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_whole_answers_have_only_the_total(tmp_path: Path) -> None:
    """No limit on the first byte or on silence ends a whole answer."""
    config = "timeouts: {first_byte: 0.01, thinking: 0.01, idle: 0.01, total: 10, stream: 0.01}"
    async with serving(tmp_path, config=config, upstream=Late(0.1)) as served:
        reply = await asked(served)
    assert reply.status_code == 200


async def test_total_timeout_ends_a_whole_answer(tmp_path: Path) -> None:
    """A whole answer that takes longer than `timeouts.total` is a 504; what it may cost is in the row."""
    async with serving(tmp_path, config="timeouts: {total: 0.05}", upstream=Late(10)) as served:
        reply = await asked(served)
        (row,) = await served.rows()
    assert (reply.status_code, reply.json()["error"]["code"]) == (504, "upstream_timeout")
    assert [attempt["status"] for attempt in row["attempts"]] == ["unknown_estimated"]


async def test_a_probably_billed_attempt_is_followed_by_one_other(tmp_path: Path) -> None:
    """Under `auto`, when an answer does not come in time, one other candidate is asked and no third; row and error say why."""
    rows = "".join(
        f"  - {{name: {name}, kind: {name}, base_url: 'https://{host}', api_key_env: {key}, timeouts: {{total: 0.05}}}}\n"
        for name, host, key in (
            ("gemini", "generativelanguage.googleapis.com", "GEMINI_API_KEY"),
            ("claude", "api.anthropic.com", "ANTHROPIC_API_KEY"),
            ("openrouter", "openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        )
    )
    (tmp_path / "providers.yaml").write_text(f"providers:\n{rows}")
    upstream = Late(10)
    async with serving(tmp_path, config="timeouts: {total: 5}", upstream=upstream) as served:
        reply = await asked(served, "auto")
        (row,) = await served.rows()
    assert (reply.status_code, upstream.calls) == (503, 2)
    assert reply.json()["error"]["message"].endswith("No further model was called: a failed attempt may be billed")
    assert [attempt["status"] for attempt in row["attempts"]] == ["unknown_estimated"] * 2
    assert row["fallback_reason"].endswith("upstream_timeout (may be billed)")
    assert row["actual_cost"] > 0


async def test_stream_may_outlast_the_total_timeout(tmp_path: Path) -> None:
    """`timeouts.total` does not end a stream; comments of the provider are signs of life."""
    config = "timeouts: {total: 0.02, first_byte: 5, thinking: 5, idle: 0.4, stream: 10}"
    said = b"data: " + orjson.dumps({**HEAD, "choices": [{"index": 0, "delta": {"content": "x"}}]}) + b"\n\n"
    upstream = Written(said, *[b": PROCESSING\n\n"] * 10, said, pause=0.06)
    async with serving(tmp_path, config=config, upstream=upstream) as served:
        reply = await asked(served, stream=True)
    assert reply.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("config", "body", "status"),
    [
        ("{first_byte: 0.05, thinking: 5}", {}, 200),
        ("{first_byte: 0.05, thinking: 5}", {"reasoning_effort": "none"}, 504),
        ("{first_byte: 5, thinking: 0.05}", {}, 504),
    ],
    ids=["thinks", "told not to", "too long even so"],
)
async def test_first_content_has_its_own_time_limit(
    tmp_path: Path, config: str, body: dict[str, Any], status: int
) -> None:
    """A stream's first content has `first_byte`, or `thinking` where the model may think; a role or comments are no content."""
    role = b"data: " + orjson.dumps({**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
    upstream = Written(role + b"\n\n", *[b": PROCESSING\n\n"] * 5, pause=0.03)
    async with serving(tmp_path, config=f"timeouts: {config}", upstream=upstream) as served:
        reply = await asked(served, stream=True, **body)
    assert reply.status_code == status


async def test_idle_timeout_applies_from_the_first_content(tmp_path: Path) -> None:
    """From the first content on `idle` is the longest silence, however long thinking may take."""
    async with serving(tmp_path, config="timeouts: {thinking: 60, idle: 0.05}") as served:
        served.upstream.begin.set()
        served.upstream.say("Hello")
        reply = await asked(served, stream=True)
        (row,) = await served.rows()
    assert "upstream_timeout" in reply.text
    assert "[DONE]" not in reply.text
    assert row["error_code"] == "upstream_timeout"


async def test_stream_timeout_ends_an_endless_stream(tmp_path: Path) -> None:
    """`timeouts.stream` ends a stream that does not end by itself."""
    said = b"data: " + orjson.dumps({**HEAD, "choices": [{"index": 0, "delta": {"content": "x"}}]}) + b"\n\n"
    async with serving(tmp_path, config="timeouts: {stream: 0.1}", upstream=Written(*[said] * 50, pause=0.02)) as s:
        reply = await asked(s, stream=True)
    assert "upstream_timeout" in reply.text


async def test_time_limits_of_a_model_win(tmp_path: Path) -> None:
    """A model's own limits win over its provider's, those over the gateway's, for the request's deadline too."""
    provider = "{name: local, kind: openai, base_url: 'https://openrouter.ai/api/v1', timeouts: {total: 0.05}}"
    (tmp_path / "providers.yaml").write_text(f"providers:\n  - {provider}\n")
    row = "{id: patient, provider: local, tier: simple, prices: {input: 0, output: 0}, timeouts: {total: 5}}"
    (tmp_path / "models.yaml").write_text(f"models:\n  - {row}\n")
    async with serving(tmp_path, config="timeouts: {total: 0.02}", upstream=Late(0.1)) as served:
        assert (await asked(served, "local/patient")).status_code == 200
        assert (await asked(served, "local/other")).status_code == 504
