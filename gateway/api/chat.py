"""A request that costs money, in any dialect: authenticate, read, parse, serve and respond. Hot path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, Protocol

from starlette.datastructures import QueryParams

from gateway.api.admission import ConcurrencyLimiter, StartPacer
from gateway.api.auth import Authenticator, Principal, Role
from gateway.api.body import BodyBudget, BodyShare, ClientDisconnected
from gateway.api.client import HeaderMap, RawRequest
from gateway.api.disconnect import CancelOnDisconnect
from gateway.api.errors import internal_error
from gateway.api.headers import gateway_headers, header_text
from gateway.api.lifecycle import Lifecycle
from gateway.api.refusals import RefusalCounter
from gateway.api.response import KEEP_ALIVE, ResponseWriter
from gateway.completion import ChatRequest
from gateway.dialects import Dialect, InboundRequest
from gateway.dialects.client_sessions import with_client_session
from gateway.dialects.client_tags import TAG_HEADER, with_client_tags
from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed
from gateway.proxy import BufferedStream, ChatError, ChatProxy, ChatResult, ChatStream
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.request_trace import RequestTrace, TraceStart, continued_trace
from gateway.routing import Caller, RoutingMode, with_prompt_tokens

Serve = Callable[[], Awaitable[ChatResult | ChatStream | BufferedStream]]


class ReceivedRequest(NamedTuple):
    """A request whose key was checked and whose body is read.

    `mode` is the client's wish. What is kept in memory beside the body is taken from `share`.
    """

    inbound: InboundRequest
    mode: RoutingMode | None
    request_id: str
    caller: Caller
    response: ResponseWriter
    share: BodyShare


class RequestService(Protocol):
    """What an endpoint does with the requests that it admits."""

    async def prepare(self, received: ReceivedRequest) -> Serve:
        """Parse and check a request; returns what serves it. Raises InvalidRequest."""
        ...


class ChatService:
    """Serves completions in `dialect`."""

    def __init__(
        self,
        dialect: Dialect,
        proxy: ChatProxy,
        *,
        worker: BodyExecutor | None = None,
        tag_header: str = TAG_HEADER,
    ) -> None:
        self._tag_header = tag_header.encode()
        self._dialect = dialect
        self._proxy = proxy
        self._worker = worker or BodyExecutor()

    async def prepare(self, received: ReceivedRequest) -> Serve:
        request = await parse_inbound(received.inbound, self._dialect, worker=self._worker)
        headers = received.inbound.headers
        return partial(
            self._proxy.serve,
            with_client_tags(with_client_session(request, headers), headers, header=self._tag_header),
            dialect=self._dialect,
            request_id=received.request_id,
            mode=received.mode,
            caller=received.caller,
            response=received.response,
        )


class ChatEndpoint:
    """Admits one request per call and has `service` serve it. Errors are in `dialect`. A client that leaves cancels it (`disconnect.py`)."""

    def __init__(
        self,
        dialect: Dialect,
        service: RequestService,
        authenticator: Authenticator,
        *,
        admission: ConcurrencyLimiter,
        lifecycle: Lifecycle,
        start_pacer: StartPacer,
        max_body_bytes: int,
        new_request_id: Callable[[], str],
        keep_alive: float = KEEP_ALIVE,
        bodies: BodyBudget | None = None,
        refusals: RefusalCounter | None = None,
        begin_trace: TraceStart = continued_trace,
        route: str = "",
    ) -> None:
        self._begin_trace = begin_trace
        self._route = route or dialect.path
        self._refusals = refusals
        self._bodies = bodies or BodyBudget(max_body_bytes)
        self._dialect = dialect
        self._service = service
        self._authenticator = authenticator
        self._admission = admission
        self._lifecycle = lifecycle
        self._start_pacer = start_pacer
        self._max_body_bytes = max_body_bytes
        self._new_request_id = new_request_id
        self._keep_alive = keep_alive

    async def serve(self, client: RawRequest) -> None:
        request_id = self._new_request_id()
        trace = self._begin_trace(client.headers, client.fields, request_id=request_id, route=self._route)
        response = ResponseWriter(client, request_id, dialect=self._dialect, keep_alive=self._keep_alive)
        key_id = None
        try:
            if client.method != "POST":
                raise MethodNotAllowed(f"{client.method} is not allowed here; use POST.", allow="POST")
            principal = await self._authenticator.admit(client.headers, Role.CLIENT)
            key_id = principal.key_id
            mode = requested_mode(client.query)
            self._admission.check_capacity()
            await self._start_pacer.wait()
            with self._bodies.share() as share:
                raw = await client.body(limit=self._max_body_bytes, share=share)
                inbound = InboundRequest(raw, client.fields, client.query)
                caller = caller_from(client.fields, principal=principal, trace=trace)
                received = ReceivedRequest(inbound, mode, request_id, caller, response, share)
                serve = await self._service.prepare(received)
                del raw, inbound, received
                with CancelOnDisconnect(client, response, lifecycle=self._lifecycle):
                    async with self._admission:
                        await response.send(await serve())
        except ClientDisconnected:
            return
        except ChatError as failure:
            await response.send_error(failure.error, gateway_headers(failure.record))
        except GatewayError as error:
            if self._refusals is not None:
                self._refusals.count(error, key_id=key_id)
            if trace is not None:
                trace.refused(error)
            await response.send_error(error)
        except Exception:  # the server logs it
            if trace is not None:
                trace.refused(internal_error())
            await response.send_error(internal_error())
            raise
        finally:
            response.close()


async def parse_inbound(inbound: InboundRequest, dialect: Dialect, *, worker: BodyExecutor) -> ChatRequest:
    """Parse and check a request; `worker` does it for a large body, with the count of prompt tokens."""
    return await worker.run(len(inbound.body), partial(_parsed, inbound, dialect))


def _parsed(inbound: InboundRequest, dialect: Dialect) -> ChatRequest:
    request = dialect.parse_request(inbound)
    return request if len(inbound.body) <= LARGE else with_prompt_tokens(request)


_MODES = {
    "true": RoutingMode.AUTO,
    "1": RoutingMode.AUTO,
    "false": RoutingMode.COMPLEXITY,
    "0": RoutingMode.COMPLEXITY,
    "shadow": RoutingMode.SHADOW,
}


def requested_mode(query: bytes) -> RoutingMode | None:
    """The routing mode of `?auto_route=`; None when it is absent. Raises InvalidRequest."""
    if b"auto_route" not in query:
        return None
    value = QueryParams(query.decode("latin-1")).get("auto_route", "").lower()
    if (mode := _MODES.get(value)) is not None:
        return mode
    raise InvalidRequest(f"auto_route must be `true`, `false` or `shadow`, not {value!r}.", param="auto_route")


def caller_from(fields: HeaderMap, *, principal: Principal, trace: RequestTrace | None = None) -> Caller:
    """The caller, with the ids that official SDKs and proxies send; without one, the id of the client's trace is its id."""
    client_id = fields.get(b"x-request-id") or fields.get(b"x-client-request-id")
    if not client_id and trace is not None and trace.parent is not None:
        client_id = trace.parent.trace_id.encode()
    retries = fields.get(b"x-stainless-retry-count", b"")
    return Caller(
        key_id=principal.key_id,
        client_request_id=header_text(client_id.decode("latin-1"))[:128] if client_id else None,
        retries=int(retries[:4]) if retries[:4].isdigit() else None,
        key=principal.key,
        trace=trace,
    )
