"""`POST /v1/chat/completions`, as a plain ASGI application: it is the hot path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import QueryParams
from starlette.types import Message, Receive, Scope, Send

from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed
from gateway.proxy import Caller, ChatAnswer, ChatFailed, ChatProxy, ChatStream
from gateway.web.auth import Access, Gatekeeper
from gateway.web.body import ClientGone, read_body
from gateway.web.errors import error_response
from gateway.web.headers import cost_headers, gateway_headers, header_text
from gateway.wire import ChatRequest, parse_chat_request

LARGE_BODY = 1_000_000  # bytes from which parsing would hold up the loop for others


class ChatEndpoint:
    """Reads, serves and answers one completion a call; a client that leaves cancels it wherever it stands."""

    def __init__(
        self, proxy: ChatProxy, gatekeeper: Gatekeeper, *, max_body_bytes: int, new_request_id: Callable[[], str]
    ) -> None:
        self._proxy = proxy
        self._gatekeeper = gatekeeper
        self._max_body_bytes = max_body_bytes
        self._new_request_id = new_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._new_request_id()
        answer = Answer(send, {"x-request-id": request_id})
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(f"{scope['method']} is not allowed here; use POST.")
            principal = self._gatekeeper.admit(scope, Access.CLIENT)
            auto_route = auto_route_of(scope)
            request = await parsed(await read_body(scope, receive, limit=self._max_body_bytes))
            caller = caller_of(scope, key_id=principal.key_id)
            async with Departure(receive, answer):
                served = await self._proxy.serve(request, request_id=request_id, auto_route=auto_route, caller=caller)
                await answer.give(served)
        except ClientGone:
            return
        except ChatFailed as failed:
            headers = answer.headers | gateway_headers(failed.record)
            await error_response(failed.error, headers)(scope, receive, send)
        except GatewayError as error:
            await error_response(error, answer.headers)(scope, receive, send)


class Answer:
    """What goes back: `last` is True from the moment the last message is being sent."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self.headers = dict(headers)
        self.last = False

    async def give(self, served: ChatAnswer | ChatStream) -> None:
        """Send a whole answer or a stream to its end; the stream is closed whatever happens."""
        headers = self.headers | gateway_headers(served.record)
        if isinstance(served, ChatAnswer):
            headers |= cost_headers(served.record) | {
                "content-type": "application/json",
                "content-length": str(len(served.body)),
            }
            await self._send(_start(headers))
            await self._end(served.body)
            return
        try:
            await self._send(
                _start(headers | {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"})
            )
            async for piece in served.events():
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await self._end(b"")
        finally:
            await served.aclose()

    async def _end(self, body: bytes) -> None:
        self.last = True
        await self._send({"type": "http.response.body", "body": body})


class Departure:
    """Cancels the task inside it as soon as the client leaves, and ends it quietly then.

    Starlette does not cancel a plain handler whose client is gone, and a server's `send` is silent about it.
    """

    def __init__(self, receive: Receive, answer: Answer) -> None:
        self._receive = receive
        self._answer = answer
        self._gone = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is served inside a task")
        self._task = task
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        if not self._answer.last:
            self._gone = True
            self._task.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._watcher.cancel()
        if self._gone and kind is asyncio.CancelledError:
            self._task.uncancel()
            return True
        return False


async def parsed(raw: bytes) -> ChatRequest:
    """The checked request; a large body is parsed off the loop."""
    if len(raw) > LARGE_BODY:
        return await asyncio.to_thread(parse_chat_request, raw)
    return parse_chat_request(raw)


def auto_route_of(scope: Mapping[str, Any]) -> bool | None:
    """`?auto_route=`: true, false, or None when absent."""
    query: bytes = scope.get("query_string", b"")
    if b"auto_route" not in query:
        return None
    value = QueryParams(query.decode("latin-1")).get("auto_route", "").lower()
    if value in ("true", "1"):
        return True
    if value in ("false", "0"):
        return False
    raise InvalidRequest(f"auto_route must be `true` or `false`, not {value!r}.", param="auto_route")


def caller_of(scope: Mapping[str, Any], *, key_id: str | None) -> Caller:
    """Who calls, with the ids that official SDKs and proxies send along."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    own_id = headers.get(b"x-request-id") or headers.get(b"x-client-request-id")
    retries = headers.get(b"x-stainless-retry-count", b"")
    return Caller(
        key_id=key_id,
        client_request_id=header_text(own_id.decode("latin-1"))[:128] if own_id else None,
        retries=int(retries[:4]) if retries[:4].isdigit() else None,
    )


def _start(headers: Mapping[str, str]) -> Message:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": raw}
