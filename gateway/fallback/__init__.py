"""What to do when an upstream fails: who is tried next and when, who rests and for how long, what the client is told."""

from gateway.fallback.cooldowns import CooldownStarted, UpstreamHealth
from gateway.fallback.policy import AttemptSequence, Candidate, FailoverPolicy, deployment
from gateway.fallback.turns import KeyRotation
from gateway.fallback.verdicts import FailurePolicy, FailureScope, failure_policy

__all__ = [
    "AttemptSequence",
    "Candidate",
    "CooldownStarted",
    "FailoverPolicy",
    "FailurePolicy",
    "FailureScope",
    "KeyRotation",
    "UpstreamHealth",
    "deployment",
    "failure_policy",
]
