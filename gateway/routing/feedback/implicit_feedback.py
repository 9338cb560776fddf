"""Remembers for some minutes who was answered by which model, and notices who asks the same again or goes to a stronger one.

Kept are keyed hashes of what was said, never the text, and only in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from gateway.accounts.label_weight import damped_weight
from gateway.routing.feedback.labels import OVERRIDDEN, RESENT, Label
from gateway.store import StoredOutcome

WINDOW = 300.0  # seconds
_CAPACITY = 10_000
_DAY = 86_400.0
# What is shorter is said again in any conversation ("yes", "go on") and means nothing.
_TELLING = 16
_READ = 32_768  # characters at each end

FeedbackPlace = tuple[str | None, bytes]


@dataclass(frozen=True, slots=True)
class PromptTurn:
    """One request of a caller. `said` is a hash of its newest human turn, None when that is too short or was asked about before."""

    key_id: str | None
    session_id: str
    said: bytes | None


@dataclass(frozen=True, slots=True)
class _Answered:
    turn: PromptTurn
    outcome: StoredOutcome
    rank: int
    at: float


class ImplicitFeedback:
    """Bounded in number and time. `clock` is monotonic seconds, `secret` keys the hashes."""

    def __init__(self, clock: Callable[[], float], *, secret: bytes, capacity: int = _CAPACITY) -> None:
        self._clock = clock
        self._secret = secret[:64]
        self._capacity = capacity
        self._answers: OrderedDict[str, _Answered] = OrderedDict()
        self._by_words: dict[FeedbackPlace, str] = {}
        self._by_session: dict[tuple[str | None, str], str] = {}
        self._repeated: OrderedDict[FeedbackPlace, float] = OrderedDict()
        self._counts: OrderedDict[str | None, tuple[float, int]] = OrderedDict()

    @property
    def has_recent(self) -> bool:
        """Whether an answer is recent enough that a request could say something of it."""
        return bool(self._answers) and self._clock() - next(reversed(self._answers.values())).at <= WINDOW

    def turn(self, prompt: str, *, key_id: str | None, session_id: str, fresh: bool) -> PromptTurn:
        """`fresh` says that the human turn is the request's newest message: while tools work it stays the same."""
        telling = fresh and len(prompt) >= _TELLING
        return PromptTurn(key_id, session_id, self._hashed(prompt) if telling else None)

    def on_response(self, turn: PromptTurn, outcome: StoredOutcome, *, rank: int) -> None:
        """A routed request was answered whole; `rank` is its model's tier, 0 to 2."""
        if outcome.request_id is None:
            return
        self._answers[outcome.request_id] = _Answered(turn, outcome, rank, self._clock())
        if turn.said is not None:
            self._by_words[turn.key_id, turn.said] = outcome.request_id
        self._by_session[turn.key_id, turn.session_id] = outcome.request_id
        while len(self._answers) > self._capacity:
            self.forget(next(iter(self._answers)))

    def on_request(self, turn: PromptTurn, *, named_rank: int | None) -> StoredOutcome | None:
        """The label that this request is for an earlier answer. `named_rank` is the tier of the model that the client named, if it did."""
        found = self._recent(self._by_words.get((turn.key_id, turn.said)) if turn.said is not None else None)
        label: Label | None = None
        if named_rank is None:
            label = RESENT if found is not None and not self._again(turn) else None
        else:
            found = found or self._recent(self._by_session.get((turn.key_id, turn.session_id)))
            label = OVERRIDDEN if found is not None and named_rank > found.rank else None
        if found is None or label is None:
            return None
        self.forget(found.outcome.request_id or "")
        weight = damped_weight(label.weight, earlier=self._count(turn.key_id), key_id=turn.key_id)
        return found.outcome._replace(source=label.source, quality=label.quality, weight=weight)

    def forget(self, request_id: str) -> None:
        """That answer is judged already: by its label, or by what its client said of it."""
        answered = self._answers.pop(request_id, None)
        if answered is None:
            return
        turn = answered.turn
        if turn.said is not None and self._by_words.get((turn.key_id, turn.said)) == request_id:
            del self._by_words[turn.key_id, turn.said]
        if self._by_session.get((turn.key_id, turn.session_id)) == request_id:
            del self._by_session[turn.key_id, turn.session_id]

    def _recent(self, request_id: str | None) -> _Answered | None:
        answered = self._answers.get(request_id) if request_id is not None else None
        return answered if answered is not None and self._clock() - answered.at <= WINDOW else None

    def _again(self, turn: PromptTurn) -> bool:
        """Whether these words were sent again before: what comes over and over comes from a program, which judges nothing."""
        place, now = (turn.key_id, turn.said or b""), self._clock()
        before = self._repeated.pop(place, None)
        self._repeated[place] = now
        while len(self._repeated) > self._capacity:
            self._repeated.popitem(last=False)
        return before is not None and now - before <= WINDOW

    def _hashed(self, prompt: str) -> bytes:
        """Of its length, head and tail: more of a huge prompt need not be read to know it again."""
        read = f"{len(prompt)}:{prompt[:_READ]}:{prompt[-_READ:]}"
        return blake2b(read.encode(errors="replace"), key=self._secret, digest_size=16).digest()

    def _count(self, key_id: str | None) -> int:
        """How many labels this key's behaviour gave in the day before, and one more from now on."""
        now = self._clock()
        began, count = self._counts.pop(key_id, (now, 0))
        if now - began >= _DAY:
            began, count = now, 0
        self._counts[key_id] = began, count + 1
        while len(self._counts) > self._capacity:
            self._counts.popitem(last=False)
        return count
