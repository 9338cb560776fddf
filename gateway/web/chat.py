"""`POST /v1/chat/completions`: it is the hot path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.datastructures import QueryParams

from gateway.errors import GatewayError, InvalidRequest, MethodNotAllowed
from gateway.proxy import AutoRoute, Caller, ChatFailed, ChatProxy
from gateway.proxy.worker import LARGE, Worker
from gateway.routing.prompt.request import prompt_tokens_of
from gateway.web.admission import Admission
from gateway.web.answer import KEEP_ALIVE, Answer
from gateway.web.auth import Access, Gatekeeper, Principal
from gateway.web.body import BodyBudget, ClientGone
from gateway.web.client import Client, Fields
from gateway.web.departure import Departure
from gateway.web.errors import internal_error
from gateway.web.headers import gateway_head, header_text
from gateway.web.lifecycle import Lifecycle
from gateway.web.turnstile import Turnstile
from gateway.wire import ChatRequest, parse_chat_request, with_client_session


class ChatEndpoint:
    """Reads, serves and answers one completion a call; a client that leaves cancels it wherever it stands."""

    def __init__(
        self,
        proxy: ChatProxy,
        gatekeeper: Gatekeeper,
        *,
        admission: Admission,
        lifecycle: Lifecycle,
        turnstile: Turnstile,
        max_body_bytes: int,
        new_request_id: Callable[[], str],
        keep_alive: float = KEEP_ALIVE,
        bodies: BodyBudget | None = None,
        worker: Worker | None = None,
    ) -> None:
        self._bodies = bodies or BodyBudget(max_body_bytes)
        self._worker = worker or Worker()
        self._proxy = proxy
        self._gatekeeper = gatekeeper
        self._admission = admission
        self._lifecycle = lifecycle
        self._turnstile = turnstile
        self._max_body_bytes = max_body_bytes
        self._new_request_id = new_request_id
        self._keep_alive = keep_alive

    async def serve(self, client: Client) -> None:
        request_id = self._new_request_id()
        answer = Answer(client, request_id, keep_alive=self._keep_alive)
        try:
            if client.method != "POST":
                raise MethodNotAllowed(f"{client.method} is not allowed here; use POST.", allow="POST")
            principal = self._gatekeeper.admit(client.headers, Access.CLIENT)
            auto_route = auto_route_of(client.query)
            self._admission.refuse_if_full()
            await self._turnstile.enter()
            with self._bodies.share() as share:
                raw = await client.body(limit=self._max_body_bytes, share=share)
                request = await parsed(raw, worker=self._worker)
                del raw
                request = with_client_session(request, client.fields)
                caller = caller_of(client.fields, principal=principal)
                with Departure(client, answer, lifecycle=self._lifecycle):
                    async with self._admission:
                        served = await self._proxy.serve(
                            request, request_id=request_id, auto_route=auto_route, caller=caller, waiting=answer
                        )
                        await answer.give(served)
        except ClientGone:
            return
        except ChatFailed as failed:
            await answer.fail(failed.error, gateway_head(failed.record))
        except GatewayError as error:
            await answer.fail(error)
        except Exception:  # the server logs it
            await answer.fail(internal_error())
            raise
        finally:
            answer.close()


async def parsed(raw: bytes, *, worker: Worker) -> ChatRequest:
    """The checked request; a large body is parsed and measured by `worker`."""
    return await worker.run(len(raw), partial(_parsed, raw))


def _parsed(raw: bytes) -> ChatRequest:
    request = parse_chat_request(raw)
    return request if len(raw) <= LARGE else request._replace(prompt_tokens=prompt_tokens_of(request))


def auto_route_of(query: bytes) -> AutoRoute:
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


def caller_of(fields: Fields, *, principal: Principal) -> Caller:
    """Who calls, with the ids that official SDKs and proxies send along."""
    own_id = fields.get(b"x-request-id") or fields.get(b"x-client-request-id")
    retries = fields.get(b"x-stainless-retry-count", b"")
    return Caller(
        key_id=principal.key_id,
        client_request_id=header_text(own_id.decode("latin-1"))[:128] if own_id else None,
        retries=int(retries[:4]) if retries[:4].isdigit() else None,
        key=principal.key,
    )
