"""An upstream for crowds, as a process: `python -m tests.soak.upstream` prints its port and serves until it is killed.

It speaks OpenRouter's API with as little work as possible. The prompt's first word says how it answers: `hold` says one word and
then nothing, `flood` never stops, `slow` takes a fifth of a second, `flaky` is overloaded half of the time; `long SECONDS` takes that
long: a tenth of it without content, then half of it with comments only, then words. Anything else is answered at once.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httptools
import orjson
import uvloop

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.000125}
HEAD = {"id": "gen-1", "created": 1, "model": "m"}
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
SLOW = 0.2  # seconds
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


def event(payload: dict[str, Any]) -> bytes:
    data = b"data: " + orjson.dumps(payload) + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


def said(text: str, *, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return event({**HEAD, "object": "chat.completion.chunk", "choices": [choice]})


LAST = said("", finish="stop") + event({**HEAD, "choices": [], "usage": USAGE}) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
WORD = said("word ")
NOTE = b"e\r\n: PROCESSING\n\n\r\n"
STEPS = 72  # of a long answer
MUCH = said("x" * 16_000)
MESSAGE = {"role": "assistant", "content": "4"}
WHOLE = orjson.dumps({**HEAD, "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}], "usage": USAGE})


class Upstream(asyncio.Protocol):
    """One request at a time on each connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is none by class
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""
        self.open = True
        self.room = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False

    def pause_writing(self) -> None:
        self.room = False

    def resume_writing(self) -> None:
        self.room = True
        self.flood()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.body = b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        asked = orjson.loads(self.body)
        how = str(asked["messages"][-1]["content"]).split()[0]
        loop = asyncio.get_running_loop()
        if how == "flaky" and loop.time() % 1 < 0.5:
            self.say(BUSY)
            return
        if not asked.get("stream"):
            answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE)
            loop.call_later(SLOW if how == "slow" else 0, self.say, answer + WHOLE)
            return
        if how == "long":
            self.long(float(str(asked["messages"][-1]["content"]).split()[1]))
            return
        self.say(SSE + WORD)
        if how == "flood":
            self.flood()
        elif how == "slow":
            loop.call_later(SLOW, self.say, LAST)
        elif how != "hold":
            self.say(LAST)

    def long(self, seconds: float) -> None:
        """Nothing, a word, comments, words, the end."""
        self.say(SSE)
        later = asyncio.get_running_loop().call_later
        silent, busy = STEPS // 10, STEPS // 10 + STEPS // 2
        for step in range(silent, STEPS):
            later(seconds * step / STEPS, self.say, NOTE if silent < step < busy else WORD)
        later(seconds, self.say, LAST)

    def say(self, data: bytes) -> None:
        if self.open:
            self.transport.write(data)

    def flood(self) -> None:
        if self.open and self.room:
            self.transport.write(MUCH)
            asyncio.get_running_loop().call_soon(self.flood)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
