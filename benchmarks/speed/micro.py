"""The parts by themselves, in microseconds: reading a request, deciding, translating, decoding streams, serving, writing the ledger."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

from benchmarks.speed import server
from benchmarks.speed.samples import ANSWERS, chat, events
from gateway.completion import Usage
from gateway.dialects.chat_completions import ChunkWriter, parse_chat_request
from gateway.providers import PROVIDERS
from gateway.providers.base import Provider, UpstreamEndpoint
from gateway.records import Attempt, RequestRecord
from gateway.routing import RoutingEngine, context_of
from gateway.sse import SSEDecoder
from gateway.store import InsertRequest, SettleRequest
from gateway.store.sqlite import SqliteStore

BATCH = 16  # rows in one commit, as under load

# What to call, and how many of the named thing one call does.
Case = tuple[Callable[[], object], int]


@contextmanager
def cases() -> Iterator[dict[str, Case]]:
    """Every case by name; what they need lives as long as the context."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found: dict[str, Case] = {"request: read 2 KB": (lambda: parse_chat_request(BODY), 1)}
        big = chat("auto", kilobytes=100, messages=20)
        found["request: read 100 KB"] = (lambda: parse_chat_request(big), 1)
        found["auto: decide on 500 tokens"] = (_decision(folder, stack), 1)
        for name, kind in PROVIDERS.items():
            if name in ANSWERS:
                found |= _translation(kind(UpstreamEndpoint("http://127.0.0.1:1", "a-key"), name=name))
        found |= stack.enter_context(server.cases())
        found["ledger: begin and settle a row"] = (_ledger(folder, stack), BATCH)
        yield found


BODY = chat("auto")


def _decision(folder: Path, stack: ExitStack) -> Callable[[], object]:
    engine = stack.enter_context(RoutingEngine(folder / "decisions.db", seed=1))
    request = parse_chat_request(BODY)

    def decide() -> object:
        context = context_of(request, available_providers=["gemini", "claude", "openrouter"])
        return engine.route(context.prompt, auto_route=True, context=context)

    return decide


def _translation(provider: Provider) -> dict[str, Case]:
    name, request = provider.name, parse_chat_request(BODY)
    streamed = provider.build_request(request._replace(stream=True), "model")
    wire = events(name)
    return {
        f"{name}: request out": (lambda: provider.build_request(request, "model"), 1),
        f"{name}: answer in": (
            lambda: provider.parse_response(ANSWERS[name], provider.build_request(request, "model")),
            1,
        ),
        f"{name}: a stream's chunk": (lambda: _translated(provider.stream_parser(streamed).feed, wire), len(wire)),
    }


def _translated(feed: Callable[..., object], wire: list[bytes]) -> int:
    """Decode, parse and write anew every event."""
    decoder = SSEDecoder()
    writer = ChunkWriter(id="chatcmpl-1", created=1, model="m", include_usage=True, legacy_functions=False)
    size = 0
    for piece in wire:
        for event in decoder.feed(piece):
            chunks = feed(event)
            for chunk in chunks if isinstance(chunks, list) else ():
                size += len(writer.write(chunk))
    return size


def _ledger(folder: Path, stack: ExitStack) -> Callable[[], object]:
    store = SqliteStore(folder / "ledger.db")
    stack.callback(store.close)
    numbers = itertools.count()
    usage = Usage(prompt_tokens=420, completion_tokens=60, raw={"prompt_tokens": 420, "completion_tokens": 60})
    begun = RequestRecord("", "2026-11-22T12:00:00.000+00:00", "pinned", "claude", "model", "claude", "model")
    attempt = Attempt(1, "claude", "model", "settled", cost=Decimal("0.001"), usage=usage)
    ended = begun._replace(status="ok", actual_cost=Decimal("0.001"), usage=usage, attempts=(attempt,), http_status=200)

    def write() -> None:
        ids = [f"req_{next(numbers)}" for _ in range(BATCH)]
        for waiting in [store.submit(InsertRequest(begun._replace(request_id=each))) for each in ids]:
            waiting.result()
        for waiting_too in [store.submit(SettleRequest(ended._replace(request_id=each))) for each in ids]:
            waiting_too.result()

    return write
