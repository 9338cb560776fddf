"""A stream made of a whole answer."""

from __future__ import annotations

import orjson

from gateway.completion import Completion, Usage
from gateway.dialects import CHAT_COMPLETIONS, ResponseHead
from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import GatewayError
from gateway.proxy.buffered_stream import BufferedStream, chunks_of, unstreamed
from gateway.records import RequestRecord

BODY = {
    "model": "auto",
    "stream": True,
    "stream_options": {"include_usage": True},
    "messages": [{"role": "user", "content": "2+2?"}],
}
REQUEST = parse_chat_request(orjson.dumps(BODY))
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ANSWER = Completion(
    [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
        }
    ],
    Usage(10, 5),
)
RECORD = RequestRecord(
    "req_1", "2026-11-30T00:00:00.000+00:00", "hybrid", "claude", "haiku", "claude", "haiku", usage=Usage(10, 5)
)


class Client:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send_nowait(self, piece: bytes) -> bool:
        self.sent.append(piece)
        return True

    async def send(self, piece: bytes) -> None:
        self.sent.append(piece)


def stream(ends: list[str]) -> BufferedStream:
    async def before_end() -> None:
        ends.append("written")

    writer = CHAT_COMPLETIONS.stream_writer(ResponseHead("req_1", 1, "claude/haiku", REQUEST))
    return BufferedStream(ANSWER, RECORD, writer=writer, before_end=before_end)


async def test_all_events_are_sent_and_the_end_last() -> None:
    """What has to be done before the end is done before it is sent."""
    ends: list[str] = []
    client, events = Client(), stream(ends)
    await events.send_to(client)
    await events.aclose()
    assert client.sent[-1].endswith(b"data: [DONE]\n\n")
    assert ends == ["written"]
    assert events.sent_at > 0
    assert events.keep_alive.startswith(b":")
    assert b"overloaded" in events.error_events(GatewayError("overloaded"))


def test_calls_have_their_place() -> None:
    """A delta's call has an index, and members that are null are left out."""
    first, last = chunks_of(ANSWER)
    assert first.choices[0]["delta"] == {"role": "assistant", "tool_calls": [{"index": 0, **CALL}]}
    assert last.choices[0]["finish_reason"] == "tool_calls"


def test_request_is_sent_without_its_wish_for_a_stream() -> None:
    """The upstream answers whole; the client's body is not changed."""
    sent = unstreamed(REQUEST)
    assert (sent.stream, sent.native) == (False, None)
    assert not {"stream", "stream_options"} & sent.body.keys()
    assert REQUEST.body["stream"] is True
