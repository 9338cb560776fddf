"""Implicit feedback: a client that repeats a prompt, or switches to a stronger model, was not satisfied with the answer before.

Recent answers are remembered for some minutes, in memory only, under keyed hashes of their prompts; no prompt text is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.accounts.label_weight import damped_weight
from gateway.routing.feedback.labels import OVERRIDDEN, RESENT, Label
from gateway.routing.prompt.digest import prompt_digest
from gateway.store import StoredOutcome

WINDOW = 300.0  # seconds
_CAPACITY = 10_000
_DAY = 86_400.0
# Shorter prompts ("yes", "go on") are repeated in any conversation and say nothing about the answer.
_MIN_LENGTH = 16

_PromptKey = tuple[str | None, bytes]  # virtual key, hash of the prompt


@dataclass(frozen=True, slots=True)
class PromptTurn:
    """One request of a caller. `prompt_hash` is None if the user message is too short, or is not the newest message."""

    key_id: str | None
    session_id: str
    prompt_hash: bytes | None


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
        self._secret = secret
        self._capacity = capacity
        self._answers: OrderedDict[str, _Answered] = OrderedDict()
        self._by_prompt: dict[_PromptKey, str] = {}
        self._by_session: dict[tuple[str | None, str], str] = {}
        self._repeated_at: OrderedDict[_PromptKey, float] = OrderedDict()
        self._label_counts: OrderedDict[str | None, tuple[float, int]] = OrderedDict()

    @property
    def has_recent(self) -> bool:
        """Whether some answer is recent enough for a request to be feedback on it."""
        return bool(self._answers) and self._clock() - next(reversed(self._answers.values())).at <= WINDOW

    def turn(
        self, prompt: str, *, key_id: str | None, session_id: str, fresh: bool, digest: bytes | None = None
    ) -> PromptTurn:
        """`fresh` says that the prompt is the request's newest message; while an agent runs tools, it stays the same.

        `digest` is the prompt's `prompt_digest` with the same secret, if the caller has it.
        """
        if not fresh or len(prompt) < _MIN_LENGTH:
            return PromptTurn(key_id, session_id, None)
        return PromptTurn(key_id, session_id, digest or prompt_digest(prompt, secret=self._secret))

    def on_response(self, turn: PromptTurn, outcome: StoredOutcome, *, rank: int) -> None:
        """Remembers a routed request that was answered completely. `rank` is the tier of its model, 0 to 2."""
        if outcome.request_id is None:
            return
        self._answers[outcome.request_id] = _Answered(turn, outcome, rank, self._clock())
        if turn.prompt_hash is not None:
            self._by_prompt[turn.key_id, turn.prompt_hash] = outcome.request_id
        self._by_session[turn.key_id, turn.session_id] = outcome.request_id
        while len(self._answers) > self._capacity:
            self.forget(next(iter(self._answers)))

    def on_request(self, turn: PromptTurn, *, named_rank: int | None) -> StoredOutcome | None:
        """The label that this request gives to an earlier answer, if any.

        `named_rank` is the tier of the model that the client named; None if the gateway chooses the model.
        """
        prompt_hash = turn.prompt_hash
        answered = self._recent(self._by_prompt.get((turn.key_id, prompt_hash)) if prompt_hash is not None else None)
        label: Label | None = None
        if named_rank is None:
            label = RESENT if answered is not None and not self._is_automated(turn) else None
        else:
            answered = answered or self._recent(self._by_session.get((turn.key_id, turn.session_id)))
            label = OVERRIDDEN if answered is not None and named_rank > answered.rank else None
        if answered is None or label is None:
            return None
        self.forget(answered.outcome.request_id or "")
        weight = damped_weight(label.weight, earlier=self._count_label(turn.key_id), key_id=turn.key_id)
        return answered.outcome._replace(source=label.source, quality=label.quality, weight=weight)

    def forget(self, request_id: str) -> None:
        """Drops an answer that has its label, from a later request or from explicit feedback."""
        answered = self._answers.pop(request_id, None)
        if answered is None:
            return
        turn = answered.turn
        if turn.prompt_hash is not None and self._by_prompt.get((turn.key_id, turn.prompt_hash)) == request_id:
            del self._by_prompt[turn.key_id, turn.prompt_hash]
        if self._by_session.get((turn.key_id, turn.session_id)) == request_id:
            del self._by_session[turn.key_id, turn.session_id]

    def _recent(self, request_id: str | None) -> _Answered | None:
        answered = self._answers.get(request_id) if request_id is not None else None
        return answered if answered is not None and self._clock() - answered.at <= WINDOW else None

    def _is_automated(self, turn: PromptTurn) -> bool:
        """Whether this prompt was already repeated within the window: then a program sends it, not an unsatisfied person."""
        key, now = (turn.key_id, turn.prompt_hash or b""), self._clock()
        repeated_at = self._repeated_at.pop(key, None)
        self._repeated_at[key] = now
        while len(self._repeated_at) > self._capacity:
            self._repeated_at.popitem(last=False)
        return repeated_at is not None and now - repeated_at <= WINDOW

    def _count_label(self, key_id: str | None) -> int:
        """The number of labels from this key on the current day so far; counts one more."""
        now = self._clock()
        day_start, count = self._label_counts.pop(key_id, (now, 0))
        if now - day_start >= _DAY:
            day_start, count = now, 0
        self._label_counts[key_id] = day_start, count + 1
        while len(self._label_counts) > self._capacity:
            self._label_counts.popitem(last=False)
        return count
