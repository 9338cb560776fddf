"""`GET` and `DELETE /v1/responses/{response_id}`, and the input items of a response that is kept."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.auth import Principal
from gateway.api.response_state import ResponseState
from gateway.dialects.responses import ENCRYPTED, visible_items
from gateway.errors import InvalidRequest, NotFound
from gateway.field_checks import shown
from gateway.store import StoredResponse

MAX_ITEMS = 100  # of one page


class StoredResponses:
    """Keys see and delete only their own responses. `state` is None where nothing is kept."""

    def __init__(self, state: ResponseState | None) -> None:
        self._state = state

    async def get(self, request: Request) -> Response:
        if request.query_params.get("stream", "false") != "false":
            raise InvalidRequest(
                "A response that is kept cannot be streamed.", param="stream", code="unsupported_parameter"
            )
        stored = await self._stored(request)
        include = request.query_params.getlist("include") + request.query_params.getlist("include[]")
        output = visible_items(orjson.loads(stored.output), encrypted=ENCRYPTED in include)
        return JSONResponse({**orjson.loads(stored.response), "store": True, "output": output})

    async def delete(self, request: Request) -> Response:
        id = request.path_params["response_id"]
        if self._state is None or not await self._state.delete(id, key_id=_key_id(request)):
            _raise_not_found(id)
        return JSONResponse({"id": id, "object": "response", "deleted": True})

    async def input_items(self, request: Request) -> Response:
        """The items of the request alone, newest first unless `order=asc`."""
        stored = await self._stored(request)
        query = request.query_params
        limit, order, after = query.get("limit", "20"), query.get("order", "desc"), query.get("after")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= MAX_ITEMS:
            raise InvalidRequest(f"limit must be from 1 to {MAX_ITEMS}.", param="limit")
        if order not in ("asc", "desc"):
            raise InvalidRequest("order must be `asc` or `desc`.", param="order")
        items = _with_ids(orjson.loads(stored.input), stored)
        if order == "desc":
            items.reverse()
        if after is not None:
            ids = [item["id"] for item in items]
            if after not in ids:
                raise InvalidRequest(f"Item with id {shown(after)} not found.", param="after")
            items = items[ids.index(after) + 1 :]
        page = items[: int(limit)]
        return JSONResponse(
            {
                "object": "list",
                "data": page,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
                "has_more": len(items) > len(page),
            }
        )

    async def _stored(self, request: Request) -> StoredResponse:
        id = request.path_params["response_id"]
        found = {} if self._state is None else await self._state.find([id], key_id=_key_id(request))
        if id not in found:
            _raise_not_found(id)
        return found[id]


def _key_id(request: Request) -> str | None:
    principal: Principal = request.scope["principal"]
    return principal.key_id


def _raise_not_found(id: str) -> NoReturn:
    raise NotFound(f"Response with id {shown(id)} not found.", param="response_id", code="response_not_found")


def _with_ids(items: list[dict[str, Any]], stored: StoredResponse) -> list[dict[str, Any]]:
    """The items with what clients expect of each: an id, a type, and content as parts."""
    for number, item in enumerate(items):
        item.setdefault("type", "message")
        if not isinstance(item.get("id"), str):
            item["id"] = f"in_{stored.id}_{number}"
        if isinstance(item.get("content"), str):
            kind = "output_text" if item.get("role") == "assistant" else "input_text"
            item["content"] = [{"type": kind, "text": item["content"]}]
    return items
