"""Applies one mutation to the ledger, within the writer's transaction."""

from __future__ import annotations

from typing import Any

from gateway.errors import GatewayError, LedgerUnavailable
from gateway.store import (
    checkpoints,
    report_groups,
    repricing,
    requests,
    stored_contents,
    stored_responses,
    user_feedback,
    virtual_keys,
)
from gateway.store.mutations import (
    AddRefusals,
    DeleteContents,
    DeleteExpiredResponses,
    DeleteResponse,
    InsertAdminKey,
    InsertCheckpoint,
    InsertContent,
    InsertFeedback,
    InsertOutcome,
    InsertRequest,
    InsertResponse,
    InsertVirtualKey,
    LimitVirtualKey,
    Mutation,
    RejectCheckpoint,
    ReplaceAdminKey,
    RevokeVirtualKey,
    RotateVirtualKey,
    SettleRequest,
    UpdateCosts,
    UpsertAttempt,
)
from gateway.store.sql import Connection
from gateway.store.writer import Operation


def apply_one(connection: Connection, operation: Operation, *, owner: requests.Owner) -> Any:
    """The result of an operation. A refusal (unknown, repeated) is a result too: it is raised before anything was written."""
    try:
        return _apply(connection, operation, owner=owner)
    except LedgerUnavailable:
        raise
    except GatewayError as refusal:
        return refusal


def _apply(connection: Connection, operation: Operation, *, owner: requests.Owner) -> Any:
    match operation:
        case InsertRequest():
            return requests.insert(connection, operation, owner=owner)
        case SettleRequest(record):
            requests.settle(connection, record)
            for outcome in operation.stored_outcomes:
                requests.insert_outcome(connection, outcome)
            return None
        case UpsertAttempt(request_id, attempt):
            return requests.upsert_attempt(connection, request_id, attempt)
        case InsertOutcome(single):
            return requests.insert_outcome(connection, single)
        case InsertFeedback(feedback, keys):
            return user_feedback.insert(connection, feedback, keys=keys)
        case InsertVirtualKey(key):
            return virtual_keys.insert(connection, key)
        case RotateVirtualKey():
            return virtual_keys.rotate(connection, operation)
        case LimitVirtualKey():
            return virtual_keys.limit(connection, operation)
        case RevokeVirtualKey(key_id, at):
            return virtual_keys.revoke(connection, key_id, at=at)
        case InsertAdminKey(admin_key):
            return virtual_keys.insert_admin(connection, admin_key)
        case ReplaceAdminKey(admin_key):
            return virtual_keys.replace_admin(connection, admin_key)
        case InsertCheckpoint(checkpoint, body):
            return checkpoints.insert(connection, checkpoint, body)
        case RejectCheckpoint(number, problem):
            return checkpoints.reject(connection, number, problem)
        case UpdateCosts(repricings, repriced):
            return repricing.apply(connection, repricings, repriced=repriced)
        case AddRefusals(counts):
            return report_groups.add_refusals(connection, counts)
        case InsertResponse(response):
            return stored_responses.insert(connection, response)
        case DeleteResponse(id, key_id):
            return stored_responses.delete(connection, id, key_id)
        case DeleteExpiredResponses(now):
            return stored_responses.delete_expired(connection, now)
        case InsertContent(content):
            return stored_contents.insert(connection, content)
        case DeleteContents(before, limit):
            return stored_contents.delete(connection, before=before, limit=limit)
        case Mutation():
            raise TypeError(f"The ledger cannot apply {type(operation).__name__}")
        case _:
            return operation(connection)
