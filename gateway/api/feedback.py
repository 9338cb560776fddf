"""`POST /v1/feedback`: a client's rating of an answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.auth import Principal
from gateway.api.body import read_body
from gateway.errors import InvalidRequest
from gateway.records import Feedback
from gateway.store import InsertFeedback, Store

BODY_LIMIT = 64 * 1024


def _only(opinion: str) -> dict[str, JsonValue]:
    """JSON Schema: this one of the two members is given, and not the other."""
    null: dict[str, JsonValue] = {"type": "null"}
    others: dict[str, JsonValue] = {name: null for name in ("score", "rating") if name != opinion}
    return {"required": [opinion], "properties": {**others, opinion: {"not": null}}}


class FeedbackBody(BaseModel):
    """Exactly one of `score` (0 to 1) and `rating`."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"oneOf": [_only("score"), _only("rating")]}
    )

    request_id: str = Field(min_length=1, max_length=128)
    score: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    rating: Literal["up", "down"] | None = None
    comment: str | None = Field(default=None, max_length=4000)

    @model_validator(mode="after")
    def one_opinion(self) -> FeedbackBody:
        if (self.score is None) == (self.rating is None):
            raise ValueError("give either score (0 to 1) or rating (up or down)")
        return self

    @property
    def value(self) -> float:
        """0 to 1; up is 1, down 0."""
        if self.score is not None:
            return self.score
        return 1.0 if self.rating == "up" else 0.0


class FeedbackEndpoint:
    """Accepts feedback on the caller's own requests, once for each. `rated` is called with the request's id.

    `needed` returns how many keys must have used a model before feedback on it by this key is learned.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        rated: Callable[[str], None],
        needed: Callable[[str | None], int],
    ) -> None:
        self._store = store
        self._now = now
        self._rated = rated
        self._needed = needed

    async def post(self, request: Request) -> Response:
        raw = await read_body(dict(request.scope["headers"]), request.receive, limit=BODY_LIMIT)
        body = checked(raw)
        principal: Principal = request.scope["principal"]
        await self.rate(body.request_id, body, key_id=principal.key_id)
        return JSONResponse({"object": "feedback", "request_id": body.request_id, "score": body.value})

    async def rate(self, request_id: str, body: FeedbackBody, *, key_id: str | None) -> None:
        """Returns once it is committed. Raises NotFound for a request of another key, Conflict for a repeated rating."""
        feedback = Feedback(
            request_id=request_id,
            score=body.value,
            timestamp=self._now().isoformat(timespec="milliseconds"),
            comment=body.comment,
            key_id=key_id,
        )
        await self._store.write(InsertFeedback(feedback, keys=self._needed(key_id)))
        self._rated(request_id)


def checked(raw: bytes) -> FeedbackBody:
    """Raises InvalidRequest naming the first field that is wrong."""
    try:
        return FeedbackBody.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or None
        raise InvalidRequest(f"{where or 'body'}: {first['msg']}.", param=where) from None
