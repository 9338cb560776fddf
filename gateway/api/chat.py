"""`POST /v1/chat/completions`: it is the hot path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.datastructures import QueryParams

from gateway.api.admission import ConcurrencyLimiter, StartPacer
from gateway.api.auth import Authenticator, Principal, Role
from gateway.api.body import BodyBudget, ClientDisconnected
from gateway.api.client import HeaderMap, RawRequest
from gateway.api.disconnect import CancelOnDisconnect
from gateway.api.errors import internal_error
from gateway.api.headers import gateway_headers, header_text
from gateway.api.lifecycle import Lifecycle
from gateway.api.response import KEEP_ALIVE, ResponseWriter
from gateway.completion import ChatRequest
from gateway.dialects.chat_completions import parse_chat_request
from gateway.dialects.client_sessions import with_client_session
from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed
from gateway.proxy import AutoRoute, Caller, ChatError, ChatProxy
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.routing.prompt.context import prompt_tokens_of


class ChatEndpoint:
    """Reads, serves and answers one completion a call; a client that leaves cancels it wherever it stands."""

    def __init__(
        self,
        proxy: ChatProxy,
        authenticator: Authenticator,
        *,
        admission: ConcurrencyLimiter,
        lifecycle: Lifecycle,
        start_pacer: StartPacer,
        max_body_bytes: int,
        new_request_id: Callable[[], str],
        keep_alive: float = KEEP_ALIVE,
        bodies: BodyBudget | None = None,
        worker: BodyExecutor | None = None,
    ) -> None:
        self._bodies = bodies or BodyBudget(max_body_bytes)
        self._worker = worker or BodyExecutor()
        self._proxy = proxy
        self._authenticator = authenticator
        self._admission = admission
        self._lifecycle = lifecycle
        self._start_pacer = start_pacer
        self._max_body_bytes = max_body_bytes
        self._new_request_id = new_request_id
        self._keep_alive = keep_alive

    async def serve(self, client: RawRequest) -> None:
        request_id = self._new_request_id()
        answer = ResponseWriter(client, request_id, keep_alive=self._keep_alive)
        try:
            if client.method != "POST":
                raise MethodNotAllowed(f"{client.method} is not allowed here; use POST.", allow="POST")
            principal = self._authenticator.authenticate(client.headers, Role.CLIENT)
            auto_route = requested_mode(client.query)
            self._admission.check_capacity()
            await self._start_pacer.wait()
            with self._bodies.share() as share:
                raw = await client.body(limit=self._max_body_bytes, share=share)
                request = await parse_body(raw, worker=self._worker)
                del raw
                request = with_client_session(request, client.fields)
                caller = caller_from(client.fields, principal=principal)
                with CancelOnDisconnect(client, answer, lifecycle=self._lifecycle):
                    async with self._admission:
                        served = await self._proxy.serve(
                            request, request_id=request_id, auto_route=auto_route, caller=caller, waiting=answer
                        )
                        await answer.send(served)
        except ClientDisconnected:
            return
        except ChatError as failed:
            await answer.send_error(failed.error, gateway_headers(failed.record))
        except GatewayError as error:
            await answer.send_error(error)
        except Exception:  # the server logs it
            await answer.send_error(internal_error())
            raise
        finally:
            answer.close()


async def parse_body(raw: bytes, *, worker: BodyExecutor) -> ChatRequest:
    """The checked request; a large body is parsed and measured by `worker`."""
    return await worker.run(len(raw), partial(_parsed, raw))


def _parsed(raw: bytes) -> ChatRequest:
    request = parse_chat_request(raw)
    return request if len(raw) <= LARGE else request._replace(prompt_tokens=prompt_tokens_of(request))


def requested_mode(query: bytes) -> AutoRoute:
    """`?auto_route=`: true, false, shadow, or None when absent."""
    if b"auto_route" not in query:
        return None
    value = QueryParams(query.decode("latin-1")).get("auto_route", "").lower()
    if value in ("true", "1"):
        return True
    if value in ("false", "0"):
        return False
    if value == "shadow":
        return "shadow"
    raise InvalidRequest(f"auto_route must be `true`, `false` or `shadow`, not {value!r}.", param="auto_route")


def caller_from(fields: HeaderMap, *, principal: Principal) -> Caller:
    """Who calls, with the ids that official SDKs and proxies send along."""
    own_id = fields.get(b"x-request-id") or fields.get(b"x-client-request-id")
    retries = fields.get(b"x-stainless-retry-count", b"")
    return Caller(
        key_id=principal.key_id,
        client_request_id=header_text(own_id.decode("latin-1"))[:128] if own_id else None,
        retries=int(retries[:4]) if retries[:4].isdigit() else None,
        key=principal.key,
    )
