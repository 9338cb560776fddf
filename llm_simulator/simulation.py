"""The state of a running simulator: settings, caches, planned faults and recorded requests."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

from llm_simulator.faults import FaultPlan
from llm_simulator.tokens import PromptCache

MAX_REQUESTS = 500


@dataclass(slots=True)
class RecordedRequest:
    """A received request and its outcome."""

    number: int
    provider: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    """The JSON body; None where it is not JSON or larger than a megabyte."""
    model: str = ""
    stream: bool = False
    status: int | None = None
    error: str | None = None
    """The error message, where the request was rejected."""
    fault: str | None = None
    outcome: str = "open"
    """`open`, `answered`, or `client_left` (disconnected before the end)."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Simulation:
    """The shared state of one simulator; the same seed and the same requests give the same answers."""

    seed: int = 0
    latency: float = 0.0
    """Seconds before the headers."""
    chunk_delay: float = 0.0
    """Seconds between the pieces of a stream."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Provider -> its only valid key; without an entry every key without a word such as `invalid` in it."""
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """OpenRouter's model -> USD per million prompt and completion tokens; without an entry the price is invented."""
    clock: Callable[[], float] = time.time
    faults: FaultPlan = field(init=False)
    requests: deque[RecordedRequest] = field(init=False)

    def __post_init__(self) -> None:
        self.faults = FaultPlan(seed=self.seed)
        self.requests = deque(maxlen=MAX_REQUESTS)
        self.cache = PromptCache(clock=self.clock)
        self._answer_counts: Counter[str] = Counter()
        self._request_count = 0

    def record_request(self, provider: str, **facts: Any) -> RecordedRequest:
        """Record a request; only the newest MAX_REQUESTS are kept."""
        self._request_count += 1
        record = RecordedRequest(number=self._request_count, provider=provider, **facts)
        self.requests.append(record)
        return record

    def answer_key(self, *parts: str) -> tuple[str, int]:
        """A key for the response, from the seed and the request, and how often the same request came before."""
        text = "\x1f".join((str(self.seed), *parts)).encode("utf-8", "surrogatepass")
        key = blake2b(text, digest_size=12).hexdigest()
        self._answer_counts[key] += 1
        return key, self._answer_counts[key] - 1
