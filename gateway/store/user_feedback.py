"""What clients say of answers: kept at once, and learned as outcomes once enough keys have spoken of the model."""

from __future__ import annotations

from typing import Any

import apsw

from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.records import Feedback
from gateway.store import StoredOutcome, encoding, sql
from gateway.store.label_weight import HELD_OF_A_KEY, damped_weight
from gateway.store.mutations import add_outcome


def add_feedback(connection: apsw.Connection, feedback: Feedback, *, keys: int = 1) -> None:
    """Raises NotFound, Conflict, InvalidRequest. Held opinions of the model are learned with the one that makes the keys enough."""
    if not 0 <= feedback.score <= 1:
        raise InvalidRequest("score has to be a number from 0 to 1.", param="score")
    request_id = encoding.text(feedback.request_id)
    row = connection.execute(sql.RATED_ROW, (request_id,)).fetchone()
    if row is None or feedback.key_id not in (None, row[0]):
        raise NotFound(f"There is no request {request_id}.", param="request_id")
    key_id, provider, model, pattern, *_, asked = row
    said = {
        "request_id": request_id,
        "timestamp": encoding.text(feedback.timestamp),
        "score": feedback.score,
        "comment": encoding.text(feedback.comment),
        "key_id": key_id,
    }
    if connection.execute(sql.LATE, {"said": said["timestamp"], "asked": asked}).get:
        raise Conflict(
            f"The request {request_id} is more than a day old.", param="request_id", code="feedback_too_late"
        )
    weight = damped_weight(1.0, earlier=_labels_today(connection, key_id, said["timestamp"]), key_id=key_id)
    learns = pattern is not None  # when pinned the router saw nothing to learn from
    if not sql.changed(connection, sql.FEEDBACK, {**said, "held_weight": weight if learns else None}):
        raise Conflict(f"The request {request_id} has its feedback already.", param="request_id")
    connection.execute(sql.RATE, said)
    if learns:
        _learn(connection, provider, model, key_id=key_id, request_id=said["request_id"], keys=keys)


def _learn(
    connection: apsw.Connection, provider: str, model: str, *, key_id: str | None, request_id: str, keys: int
) -> None:
    """The opinion of a caller without a key counts by itself; a key's with all that is held of the model, once the keys are enough."""
    names = {"provider": provider, "model": model}
    if key_id is not None:
        connection.execute(sql.FEEDBACK_KEY, {**names, "key_id": key_id})
    if key_id is None or keys <= 1:
        ready = [(request_id,)]
    elif connection.execute(sql.FEEDBACK_KEYS, names).get < keys:
        return
    else:
        ready = sql.tuples(connection, sql.HELD_FEEDBACK, {**names, "most": HELD_OF_A_KEY})
    for (each,) in ready:
        _teach(connection, each)
    if len(ready) > 1:
        connection.execute(sql.DROP_HELD, names)


def _teach(connection: apsw.Connection, request_id: str) -> None:
    (row,) = sql.tuples(connection, sql.RATED_ROW, (request_id,))
    _, provider, model, pattern, complexity, cost, input_tokens, output_tokens, duration, features, _ = row
    ((timestamp, score, weight),) = sql.tuples(connection, sql.OPINION, (request_id,))
    add_outcome(
        connection,
        StoredOutcome(
            provider=provider,
            model=model,
            pattern=pattern,
            complexity=complexity,
            timestamp=timestamp,
            request_id=request_id,
            quality=score,
            cost=cost,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            latency=duration,
            features=encoding.loads(features) or None,
            source="feedback",
            weight=weight,
        ),
    )
    connection.execute(sql.LEARNED, (request_id,))


def _labels_today(connection: apsw.Connection, key_id: str | None, timestamp: Any) -> int:
    """How many opinions the key gave on the UTC day of `timestamp`."""
    day = timestamp[:10]
    bounds = {"key_id": key_id, "day": day, "next_day": f"{day}~"}
    return int(connection.execute(sql.FEEDBACK_COUNT, bounds).get)
