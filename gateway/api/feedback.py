"""`POST /v1/feedback`: a client's rating of an answer, of a session, or of everything with a tag."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.accounts.label_weight import MAX_FEEDBACK_AGE_DAYS
from gateway.api.auth import Principal
from gateway.api.body import read_body
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.records import Feedback
from gateway.store import InsertFeedback, Store

BODY_LIMIT = 64 * 1024
MAX_RATED = 10_000  # requests that one feedback on a session or a tag rates
_PAGE = 1_000  # rows read at once
_CHUNK = 200  # ratings queued at once, so that a large session does not fill the ledger's queue
_OPINIONS = ("score", "rating")
_SUBJECTS = ("request_id", "session_id", "tag")


def _only(member: str, *, of: Sequence[str]) -> dict[str, JsonValue]:
    """JSON Schema: this one of the members is given, and none of the others."""
    null: dict[str, JsonValue] = {"type": "null"}
    others: dict[str, JsonValue] = {name: null for name in of if name != member}
    return {"required": [member], "properties": {**others, member: {"not": null}}}


def _one_of(names: Sequence[str]) -> dict[str, JsonValue]:
    return {"oneOf": [_only(name, of=names) for name in names]}


class FeedbackBody(BaseModel):
    """Exactly one of `request_id`, `session_id` and `tag`, and exactly one of `score` (0 to 1) and `rating`."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"allOf": [_one_of(_SUBJECTS), _one_of(_OPINIONS)]}
    )

    request_id: str | None = Field(default=None, min_length=1, max_length=128)
    session_id: str | None = Field(default=None, min_length=1, max_length=512)
    tag: dict[str, str] | None = Field(default=None, min_length=1, max_length=1)
    score: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    rating: Literal["up", "down"] | None = None
    comment: str | None = Field(default=None, max_length=4000)

    @model_validator(mode="after")
    def one_of_each(self) -> FeedbackBody:
        if sum(getattr(self, name) is not None for name in _SUBJECTS) != 1:
            raise ValueError("give one of request_id, session_id and tag")
        if (self.score is None) == (self.rating is None):
            raise ValueError("give either score (0 to 1) or rating (up or down)")
        return self

    @property
    def value(self) -> float:
        """0 to 1; up is 1, down 0."""
        if self.score is not None:
            return self.score
        return 1.0 if self.rating == "up" else 0.0

    @property
    def subject(self) -> dict[str, Any]:
        """The one of the three members that is given."""
        return {name: value for name in _SUBJECTS if (value := getattr(self, name)) is not None}

    @property
    def filters(self) -> dict[str, object]:
        """The rows of the session or tag, as `Store.requests` takes them."""
        return {"session": self.session_id, **{f"tag:{name}": value for name, value in (self.tag or {}).items()}}


class FeedbackEndpoint:
    """Accepts feedback on the caller's own requests, once for each. `rated` is called with the id of each rated request.

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
        answer = {"object": "feedback", **body.subject, "score": body.value}
        if body.request_id is not None:
            await self.rate(body.request_id, body, key_id=principal.key_id)
            return JSONResponse(answer)
        ids = await asyncio.to_thread(self._unrated, body, key_id=principal.key_id)
        count = 0
        for start in range(0, len(ids), _CHUNK):
            count += await self._rate_all(ids[start : start + _CHUNK], body, key_id=principal.key_id, first=start == 0)
        return JSONResponse({**answer, "requests": count})

    async def rate(self, request_id: str, body: FeedbackBody, *, key_id: str | None) -> None:
        """Returns once it is committed. Raises NotFound for a request of another key, Conflict for a repeated rating."""
        await self._store.write(self._mutation(request_id, body, key_id=key_id, comment=body.comment))
        self._rated(request_id)

    async def _rate_all(self, ids: Sequence[str], body: FeedbackBody, *, key_id: str | None, first: bool) -> int:
        """The number of requests that were rated: one that was rated meanwhile keeps its rating.

        The comment stands with the newest request only.
        """
        mutations = [
            self._mutation(request_id, body, key_id=key_id, comment=body.comment if first and not number else None)
            for number, request_id in enumerate(ids)
        ]
        results = await asyncio.gather(*map(self._store.write, mutations), return_exceptions=True)
        for request_id, failure in zip(ids, results, strict=True):
            if failure is None:
                self._rated(request_id)
            elif not isinstance(failure, Conflict):
                raise failure
        return results.count(None)

    def _mutation(
        self, request_id: str, body: FeedbackBody, *, key_id: str | None, comment: str | None
    ) -> InsertFeedback:
        feedback = Feedback(
            request_id=request_id,
            score=body.value,
            timestamp=self._now().isoformat(timespec="milliseconds"),
            comment=comment,
            key_id=key_id,
        )
        return InsertFeedback(feedback, keys=self._needed(key_id))

    def _unrated(self, body: FeedbackBody, *, key_id: str | None) -> list[str]:
        """The ids of the key's requests of the session or tag that are young enough and have no feedback, newest first. Blocks.

        Raises NotFound where there is none at all, Conflict where all have feedback or are too old.
        """
        since = (self._now() - timedelta(days=MAX_FEEDBACK_AGE_DAYS)).isoformat(timespec="milliseconds")
        filters = {**body.filters, "key_id": key_id}
        ids: list[str] = []
        before: int | None = None
        found = False
        while True:
            rows = self._store.requests(limit=_PAGE, before=before, filters=filters)
            found = found or bool(rows)
            ids += [row["request_id"] for row in rows if _can_be_rated(row, since=since)]
            if len(ids) >= MAX_RATED or len(rows) < _PAGE or rows[-1]["timestamp"] < since:
                break
            before = rows[-1]["id"]
        (name,) = body.subject
        if not found:
            raise NotFound(f"There is no request of this {name.removesuffix('_id')} by this key.", param=name)
        if not ids:
            raise Conflict(
                f"All requests of this {name.removesuffix('_id')} have their feedback already, or are more than "
                f"{MAX_FEEDBACK_AGE_DAYS} days old.",
                param=name,
            )
        return ids[:MAX_RATED]


def _can_be_rated(row: Mapping[str, Any], *, since: str) -> bool:
    return row["feedback_score"] is None and row["status"] != "open" and row["timestamp"] >= since


def checked(raw: bytes) -> FeedbackBody:
    """Raises InvalidRequest naming the first field that is wrong."""
    try:
        return FeedbackBody.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or None
        raise InvalidRequest(f"{where or 'body'}: {first['msg']}.", param=where) from None
