"""What a request teaches: labels of its answer and of earlier ones, and which model its conversation is with."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from gateway.catalog.catalog import Catalog
from gateway.completion import ChatRequest, Usage
from gateway.proxy.planner import Plan
from gateway.proxy.settlement import answering_attempt
from gateway.records import RequestRecord
from gateway.routing.feedback.corroboration import Corroboration
from gateway.routing.feedback.implicit_feedback import ImplicitFeedback, PromptTurn
from gateway.routing.feedback.labels import FAILED_VALIDATION, UPSTREAM_ERROR, AnswerFacts, Label, label_of
from gateway.routing.prompt.context import last_user_text
from gateway.routing.sessions.affinity import SessionAffinity
from gateway.store import InsertOutcome, Store, StoredOutcome

Key = tuple[str, str]


class RequestEnd(NamedTuple):
    """How a request ended besides its row: `answer` where one was finished, who `broke` on it, whose answers were `rejected`."""

    answer: AnswerFacts | None = None
    broke: Sequence[Key] = ()
    rejected: Sequence[Key] = ()


class OutcomeCollector:
    """Says what is learned of a request. None of it may delay an answer, and what is lost is only not learned."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        *,
        sessions: SessionAffinity,
        implicit_feedback: ImplicitFeedback,
        corroboration: Corroboration | None = None,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._sessions = sessions
        self._implicit_feedback = implicit_feedback
        self._corroboration = corroboration or Corroboration()

    def on_request(self, plan: Plan, request: ChatRequest, record: RequestRecord) -> PromptTurn | None:
        """A request has begun; it may say something of the answer before. None where a named model leaves nothing to notice."""
        if plan.pinned and not self._implicit_feedback.has_recent:
            return None
        visit = plan.visit
        turn = self._implicit_feedback.turn(
            plan.context.prompt or last_user_text(request.messages),
            key_id=record.key_id,
            session_id=visit.conversation if visit is not None else self._sessions.conversation(request),
            fresh=request.messages[-1].get("role") == "user",
        )
        if not record.client_retries:  # an SDK repeats a request because of an error, not of an answer
            rank = self._rank(plan.decision.provider, plan.decision.model) if plan.pinned else None
            label = self._implicit_feedback.on_request(turn, named_rank=rank)
            if label is not None and self._counts(label, record):
                self._store.submit(InsertOutcome(label))
        return turn

    def on_settled(
        self, plan: Plan, request: ChatRequest, record: RequestRecord, *, turn: PromptTurn | None, ending: RequestEnd
    ) -> Sequence[StoredOutcome]:
        """What a row that is final teaches, to be stored with it. A pinned request teaches only where the router looked on."""
        if plan.pinned and plan.shadow is None:
            return ()
        served = outcome_of(record, plan)
        plain = without_usage(served)
        if record.status == "ok" and not plan.pinned:
            self._corroboration.witnesses.add((served.provider, served.model), record.key_id)
        labels = self._labelled(record, request, plain=plain, ending=ending)
        outcomes = [served, *(label for label in labels if self._counts(label, record))]
        if record.status == "ok":
            self._remember(plan, record, served=served, plain=plain, turn=turn)
        return outcomes

    def _counts(self, label: StoredOutcome, record: RequestRecord) -> bool:
        return self._corroboration.accepts(label.source, (label.provider, label.model), record.key_id)

    def _remember(
        self, plan: Plan, record: RequestRecord, *, served: StoredOutcome, plain: StoredOutcome, turn: PromptTurn | None
    ) -> None:
        """Who answered, for the requests that follow."""
        if plan.visit is not None:
            tokens = _kept_in_cache(plan, record.usage, (served.provider, served.model))
            self._sessions.record(plan.visit, provider=served.provider, model=served.model, tokens=tokens)
        if turn is not None and not plan.pinned:
            rank = self._rank(served.provider, served.model)
            self._implicit_feedback.on_response(turn, plain, rank=rank)

    def _labelled(
        self, record: RequestRecord, request: ChatRequest, *, plain: StoredOutcome, ending: RequestEnd
    ) -> list[StoredOutcome]:
        found = [_of(plain, key, FAILED_VALIDATION) for key in ending.rejected]
        found += [_of(plain, key, UPSTREAM_ERROR) for key in ending.broke]
        if record.status == "ok" and ending.answer is not None:
            key = (plain.provider, plain.model)
            listed = self._catalog.get(*key)
            label = label_of(
                ending.answer,
                max_tokens=request.body.get("max_completion_tokens", request.body.get("max_tokens")),
                tier=listed.tier if listed is not None else None,
                request_id=record.request_id,
            )
            if label is not None:
                found.append(_of(plain, key, label))
        return found

    def _rank(self, provider: str, model: str) -> int:
        """The tier of a model, 0 to 2; -1 for one that is not listed."""
        listed = self._catalog.get(provider, model)
        return listed.rank if listed is not None else -1


def _kept_in_cache(plan: Plan, usage: Usage | None, key: Key) -> int:
    """Tokens that the model's cache should hold now: where it keeps only what is marked, those that were read or written."""
    if usage is None:
        return 0
    if not plan.marks.needed_by(key):
        return usage.total_tokens
    return usage.cached_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens


def outcome_of(record: RequestRecord, plan: Plan) -> StoredOutcome:
    """What strategies may learn from a settled row; its quality is not known yet."""
    seen = plan.shadow.metadata if plan.shadow is not None else plan.decision.metadata
    usage = record.usage
    attempt = answering_attempt(record.attempts, usage)
    key = (record.selected_provider, record.selected_model) if attempt is None else (attempt.provider, attempt.model)
    return StoredOutcome(
        request_id=record.request_id,
        timestamp=record.timestamp,
        provider=key[0],
        model=key[1],
        pattern=seen.get("pattern") or "",
        complexity=seen.get("complexity") or 0.0,
        cost=None if attempt is None or attempt.cost is None else _without_surcharge(attempt.cost, plan, key),
        input_tokens=usage.prompt_tokens if usage is not None else None,
        output_tokens=usage.completion_tokens if usage is not None else None,
        latency=record.duration,
        error=record.error_code,
        features=record.features,
        source="served",
    )


def _without_surcharge(cost: Decimal, plan: Plan, key: Key) -> float:
    """The cost without what the decision had counted for this conversation's cache, which must not be learned a second time."""
    return max(0.0, float(cost) - plan.context.surcharges.get(key, 0.0))


def without_usage(served: StoredOutcome) -> StoredOutcome:
    """The same case without what it cost and took, which is counted once."""
    return served._replace(cost=None, input_tokens=None, output_tokens=None, latency=None, error=None)


def _of(plain: StoredOutcome, key: Key, label: Label) -> StoredOutcome:
    return plain._replace(
        provider=key[0], model=key[1], source=label.source, quality=label.quality, weight=label.weight
    )
