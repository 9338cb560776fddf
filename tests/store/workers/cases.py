"""Changes that workers send."""

from __future__ import annotations

from gateway.records import Attempt
from gateway.store import InsertRequest, SettleRequest, UpsertAttempt
from tests.store.cases import begun, ended

BEGUN = InsertRequest(begun())
ENDED = SettleRequest(ended())
RETRIED = UpsertAttempt("r1", Attempt(2, "claude", "haiku"))
