"""The ledger: its interface, the values it stores and the mutations it accepts."""

from gateway.store.mutations import (
    Checkpoint,
    CommitCallback,
    InsertAdminKey,
    InsertCheckpoint,
    InsertFeedback,
    InsertOutcome,
    InsertRequest,
    InsertVirtualKey,
    LimitVirtualKey,
    Mutation,
    RejectCheckpoint,
    ReplaceAdminKey,
    RevokeVirtualKey,
    RotateVirtualKey,
    SettleRequest,
    StoredOutcome,
    UpsertAttempt,
)
from gateway.store.protocol import Store

__all__ = [
    "Checkpoint",
    "CommitCallback",
    "InsertAdminKey",
    "InsertCheckpoint",
    "InsertFeedback",
    "InsertOutcome",
    "InsertRequest",
    "InsertVirtualKey",
    "LimitVirtualKey",
    "Mutation",
    "RejectCheckpoint",
    "ReplaceAdminKey",
    "RevokeVirtualKey",
    "RotateVirtualKey",
    "SettleRequest",
    "Store",
    "StoredOutcome",
    "UpsertAttempt",
]
