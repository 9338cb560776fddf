"""OpenAI's Responses as an inbound dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.completion import ChatRequest, Completion, Json
from gateway.dialects.base import ErrorReply, InboundRequest, ResponseHead
from gateway.dialects.responses.answer import echoed, response_head, status_of, visible_items
from gateway.dialects.responses.client_paths import SAME_PATHS, ClientPaths
from gateway.dialects.responses.earlier import NOTHING_EARLIER, RESPONSE_PREFIX
from gateway.dialects.responses.parameters import wants_encrypted
from gateway.dialects.responses.request import NAME, parse_body
from gateway.dialects.responses.stream import Keep, ResponseEventWriter, output_builder
from gateway.errors import GatewayError
from gateway.json_body import parse_object
from gateway.sse import one_line


def _keep_nothing(response: Json, items: list[Json]) -> bool:
    return False


def _tell_nobody(type: str, members: dict[str, Any]) -> None:
    return


class Responses:
    """https://platform.openai.com/docs/api-reference/responses, and https://www.openresponses.org

    Without arguments it knows no earlier response and keeps none. One request's own dialect has the `paths` of its members, for
    errors, and `keep`, which is called with the finished response; `unix_time` is in seconds.
    """

    name = NAME
    path = "/v1/responses"
    request_id_header = ""

    def __init__(
        self,
        *,
        paths: ClientPaths = SAME_PATHS,
        keep: Keep | None = None,
        unix_time: Callable[[], int] | None = None,
    ) -> None:
        self._paths = paths
        self._stores = keep is not None
        self._keep = keep or _keep_nothing
        self._unix_time = unix_time

    def parse_request(self, inbound: InboundRequest) -> ChatRequest:
        return parse_body(parse_object(inbound.body), NOTHING_EARLIER, size=len(inbound.body)).chat

    def response_body(self, completion: Completion, head: ResponseHead, *, usage: Json) -> dict[str, Any]:
        body = _body_of(head)
        output = output_builder(head, body, _tell_nobody)
        choice = completion.choices[0] if completion.choices else {}
        output.add(choice.get("message") or {}, choice.get("logprobs"))
        status, incomplete = status_of(choice.get("finish_reason"))
        output.finish(status)
        response = response_head(
            head.id(RESPONSE_PREFIX),
            head.created,
            head.model,
            status=status,
            completed_at=head.created if incomplete is None else None,
            incomplete=incomplete,
            usage=usage,
        ) | echoed(body)
        kept = self._keep(response, output.items)
        return {**response, "store": kept, "output": visible_items(output.items, encrypted=wants_encrypted(body))}

    def stream_writer(self, head: ResponseHead) -> ResponseEventWriter:
        return ResponseEventWriter(
            head, _body_of(head), stores=self._stores, keep=self._keep, unix_time=self._unix_time
        )

    def error_reply(self, error: GatewayError, *, request_id: str) -> ErrorReply:
        message, param = self._paths.renamed(error)
        described = error.body()["error"]
        if param != error.param:
            described = {**described, "message": message, "param": param}
        return ErrorReply(error.status, {"error": described})

    def early_error_events(self, error: GatewayError, *, request_id: str) -> bytes:
        """The response had not begun, so it is created and fails; when and by which model it would have been is not known."""
        id = RESPONSE_PREFIX + request_id.removeprefix("req_")
        created = {**response_head(id, 0, "", status="in_progress"), **echoed({}), "store": False, "output": []}
        failed = {**created, "status": "failed", "error": response_head(id, 0, "", status="", error=error)["error"]}
        return b"".join(
            b"event: %b\ndata: %b\n\n"
            % (type.encode(), one_line({"type": type, "response": response, "sequence_number": number}))
            for number, (type, response) in enumerate([("response.created", created), ("response.failed", failed)])
        )


def _body_of(head: ResponseHead) -> Mapping[str, Any]:
    """The client's body."""
    native = head.request.native
    return {} if native is None else native.body
