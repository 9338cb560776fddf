"""What to do when an upstream fails: who is tried next and when, who rests and for how long, what the client is told."""

from gateway.fallback.cooldowns import Cooldowns, Cooled
from gateway.fallback.policy import Attempts, Candidate, FailoverPolicy, deployment
from gateway.fallback.turns import KeyTurns
from gateway.fallback.verdicts import Harm, Verdict, verdict

__all__ = [
    "Attempts",
    "Candidate",
    "Cooldowns",
    "Cooled",
    "FailoverPolicy",
    "Harm",
    "KeyTurns",
    "Verdict",
    "deployment",
    "verdict",
]
