"""What to do when an upstream fails: who is tried next and when, who rests and for how long, what the client is told."""

from gateway.resilience.failover import AttemptSequence, Candidate, FailoverPolicy, deployment
from gateway.resilience.failure_classes import FailurePolicy, FailureScope, failure_policy
from gateway.resilience.key_rotation import KeyRotation
from gateway.resilience.upstream_health import CooldownStarted, UpstreamHealth

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
