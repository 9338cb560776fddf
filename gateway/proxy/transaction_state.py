"""The states of a request's transaction (`transaction.py`).

                call     ask     compare  first_byte    fail    reject    settle
    OPEN        CALLING  ASKING  -        -             -       -         SETTLED
    CALLING     -        -       -        ANSWERING     OPEN    -         SETTLED
    ASKING      -        -       OPEN     -             -       -         SETTLED
    ANSWERING   -        -       -        -             -       OPEN      SETTLED
    SETTLED     -        -       -        -             -       -         -

OPEN: no call is under way. CALLING: an upstream was called. ASKING: several were called at once, whose answers are compared.
ANSWERING: the answer has begun. SETTLED: the final row was given to the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class State(StrEnum):
    OPEN = "open"
    CALLING = "calling"
    ASKING = "asking"
    ANSWERING = "answering"
    SETTLED = "settled"


Event = Literal["call", "ask", "compare", "first_byte", "fail", "reject", "settle"]
TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.OPEN: {"call": State.CALLING, "ask": State.ASKING, "settle": State.SETTLED},
        State.CALLING: {"first_byte": State.ANSWERING, "fail": State.OPEN, "settle": State.SETTLED},
        State.ASKING: {"compare": State.OPEN, "settle": State.SETTLED},
        State.ANSWERING: {"reject": State.OPEN, "settle": State.SETTLED},
        State.SETTLED: {},
    }
)
