"""What a running simulator knows: its settings, its caches, the ordered faults and the requests it saw."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

from llm_simulator.faults import FaultPlan
from llm_simulator.tokens import PromptCache

MOST_REQUESTS = 500


@dataclass(slots=True)
class Seen:
    """One request as it arrived, and what became of it."""

    number: int
    provider: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    """The JSON; None when it was none or over a megabyte."""
    model: str = ""
    stream: bool = False
    status: int | None = None
    error: str | None = None
    """The sentence of the refusal, when it was refused."""
    fault: str | None = None
    outcome: str = "open"
    """`open`, `answered`, or `client_left` before the end."""

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
    """Provider -> the only key it takes; without an entry any key that does not call itself invalid."""
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """OpenRouter's model -> USD per million prompt and completion tokens; without an entry a price is invented."""
    clock: Callable[[], float] = time.time
    faults: FaultPlan = field(init=False)
    requests: deque[Seen] = field(init=False)

    def __post_init__(self) -> None:
        self.faults = FaultPlan(seed=self.seed)
        self.requests = deque(maxlen=MOST_REQUESTS)
        self.cache = PromptCache(clock=self.clock)
        self._asked: Counter[str] = Counter()
        self._arrived = 0

    def arrived(self, provider: str, **facts: Any) -> Seen:
        """Note a request; the oldest are forgotten."""
        self._arrived += 1
        seen = Seen(number=self._arrived, provider=provider, **facts)
        self.requests.append(seen)
        return seen

    def answer_key(self, *parts: str) -> tuple[str, int]:
        """A key for an answer, from the seed and the request, and how often this very request came before."""
        text = "\x1f".join((str(self.seed), *parts)).encode("utf-8", "surrogatepass")
        key = blake2b(text, digest_size=12).hexdigest()
        self._asked[key] += 1
        return key, self._asked[key] - 1
