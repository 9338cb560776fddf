"""What happens after an upstream fails: which candidate is called next and when, which upstreams cool down, which error the
client gets."""

from gateway.resilience.candidates import Candidate, deployment
from gateway.resilience.escalation import Cascade
from gateway.resilience.failover import AttemptSequence, FailoverPolicy
from gateway.resilience.failure_classes import FailurePolicy, FailureScope, failure_policy
from gateway.resilience.key_rotation import KeyRotation
from gateway.resilience.retry_budget import RetryBudget
from gateway.resilience.upstream_health import CooldownStarted, UpstreamHealth

__all__ = [
    "AttemptSequence",
    "Candidate",
    "Cascade",
    "CooldownStarted",
    "FailoverPolicy",
    "FailurePolicy",
    "FailureScope",
    "KeyRotation",
    "RetryBudget",
    "UpstreamHealth",
    "deployment",
    "failure_policy",
]
