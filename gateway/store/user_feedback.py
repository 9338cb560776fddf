"""Client feedback: stored at once, learned as outcomes once enough different keys have rated the model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.accounts.label_weight import MAX_FEEDBACK_AGE_DAYS, MAX_HELD_PER_KEY, damped_weight
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.records import Feedback
from gateway.store import encoding, sql
from gateway.store.mutations import StoredOutcome
from gateway.store.requests import insert_outcome
from gateway.store.sql import Connection

_LATE = timedelta(days=MAX_FEEDBACK_AGE_DAYS)


def insert(connection: Connection, feedback: Feedback, *, keys: int = 1) -> None:
    """Store feedback. The one that completes the number of `keys` also inserts the outcomes of all held feedback on the model.

    Raises NotFound, Conflict, InvalidRequest.
    """
    if not 0 <= feedback.score <= 1:
        raise InvalidRequest("score has to be a number from 0 to 1.", param="score")
    request_id = encoding.text(feedback.request_id)
    row = connection.execute(sql.RATED_ROW, (request_id,)).fetchone()
    if row is None or feedback.key_id not in (None, row[0]):
        raise NotFound(f"There is no request {request_id}.", param="request_id")
    key_id, provider, model, pattern, *_, requested = row
    timestamp = encoding.text(feedback.timestamp)
    if _is_late(timestamp, requested=requested):
        raise Conflict(
            f"The request {request_id} is more than {MAX_FEEDBACK_AGE_DAYS} days old.",
            param="request_id",
            code="feedback_too_late",
        )
    weight = damped_weight(1.0, earlier=_feedback_today(connection, key_id, timestamp), key_id=key_id)
    learnable = pattern is not None  # a pinned request has no decision to learn from
    values = {
        "request_id": request_id,
        "timestamp": timestamp,
        "score": feedback.score,
        "comment": encoding.text(feedback.comment),
        "key_id": key_id,
        "held_weight": weight if learnable else None,
    }
    if not sql.changed(connection, sql.INSERT_FEEDBACK, values):
        raise Conflict(f"The request {request_id} has its feedback already.", param="request_id")
    connection.execute(sql.SET_FEEDBACK_SCORE, {"request_id": request_id, "score": feedback.score})
    if learnable:
        _learn(connection, provider, model, key_id=key_id, request_id=request_id, keys=keys)


def _is_late(rated: str, *, requested: Any) -> bool:
    """Whether the feedback came too long after the request. A timestamp that cannot be read is never late."""
    try:
        times = [datetime.fromisoformat(timestamp) for timestamp in (rated, requested)]
    except (TypeError, ValueError):
        return False
    given, asked = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in times)
    return given - asked > _LATE


def _learn(
    connection: Connection, provider: str, model: str, *, key_id: str | None, request_id: str, keys: int
) -> None:
    """Feedback without a key is learned by itself; with a key, together with all held feedback, once enough keys rated the model."""
    names = {"provider": provider, "model": model}
    if key_id is not None:
        connection.execute(sql.FEEDBACK_KEY, {**names, "key_id": key_id})
    if key_id is None or keys <= 1:
        ready = [request_id]
    elif connection.execute(sql.FEEDBACK_KEYS, names).get < keys:
        return
    else:
        held = sql.tuples(connection, sql.HELD_FEEDBACK, {**names, "most": MAX_HELD_PER_KEY})
        ready = [held_id for (held_id,) in held]
    for ready_id in ready:
        _insert_outcome(connection, ready_id)
    if len(ready) > 1:
        connection.execute(sql.DROP_HELD, names)


def _insert_outcome(connection: Connection, request_id: str) -> None:
    (row,) = sql.tuples(connection, sql.RATED_ROW, (request_id,))
    _, provider, model, pattern, complexity, cost, input_tokens, output_tokens, duration, features, agreement, _ = row
    ((timestamp, score, weight),) = sql.tuples(connection, sql.RATING, (request_id,))
    insert_outcome(
        connection,
        StoredOutcome(
            provider=provider,
            model=model,
            pattern=pattern,
            complexity=complexity,
            timestamp=timestamp,
            request_id=request_id,
            quality=score,
            cost=cost if agreement is None else None,  # otherwise it is that of several models
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            latency=duration,
            features=encoding.loads(features) or None,
            source="feedback",
            weight=weight,
            agreement=encoding.decode_agreement(agreement),
        ),
    )
    connection.execute(sql.MARK_LEARNED, (request_id,))


def _feedback_today(connection: Connection, key_id: str | None, timestamp: Any) -> int:
    """The number of feedbacks that the key gave on the UTC day of `timestamp`."""
    day = timestamp[:10]
    bounds = {"key_id": key_id, "day": day, "next_day": f"{day}~"}
    return int(connection.execute(sql.FEEDBACK_COUNT, bounds).get)
