"""Collects what the router learns from a request: labels of its answer and of earlier ones, and the session's model."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.catalog import ModelKey
from gateway.catalog.catalog import Catalog
from gateway.catalog.service_tier import STANDARD_RATES
from gateway.completion import ChatRequest, Usage
from gateway.proxy.answering import answering_attempt
from gateway.records import Attempt, RequestRecord
from gateway.routing import (
    FAILED_VALIDATION,
    UPSTREAM_ERROR,
    AnswerFacts,
    Corroboration,
    ImplicitFeedback,
    Label,
    Plan,
    PromptTurn,
    SessionAffinity,
    is_new_turn,
    label_of,
    last_user_text,
    with_derived_label,
)
from gateway.store import InsertOutcome, Store, StoredOutcome

# A judge's rating counts half of a person's.
JUDGE_WEIGHT = 0.5


class OutcomeCollector:
    """Turns requests into outcomes. Nothing here delays an answer; an outcome that is lost is only not learned from."""

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
        """Label the previous answer of the conversation, if this request says something about it.

        Returns None for a named model while there is no recent answer that it could be about, and for a request that is no
        part of a conversation: one without messages, as for embeddings.
        """
        if not request.messages or (plan.pinned and not self._implicit_feedback.has_recent):
            return None
        session, facts = plan.session, plan.context.facts
        turn = self._implicit_feedback.turn(
            plan.context.prompt or last_user_text(request.messages),
            key_id=record.key_id,
            session_id=session.conversation if session is not None else self._sessions.conversation(request),
            fresh=is_new_turn(request.messages),
            digest=facts.digest if facts is not None else None,
        )
        if not record.client_retries:  # an SDK retries because of an error, not because of an answer
            rank = self._rank(*plan.ranking.chosen) if plan.pinned else None
            label = self._implicit_feedback.on_request(turn, named_rank=rank)
            if label is not None and self._counts(label, record):
                self._store.submit(InsertOutcome(label))
        return turn

    def on_settled(
        self,
        plan: Plan,
        request: ChatRequest,
        record: RequestRecord,
        *,
        turn: PromptTurn | None,
        answer: AnswerFacts | None = None,
        failed: Sequence[ModelKey] = (),
        rejected: Sequence[ModelKey] = (),
    ) -> Sequence[StoredOutcome]:
        """The outcomes of a settled row, to be stored with it. A pinned request has some only in shadow mode.

        `answer` is given for a whole answer; `failed` are models that failed on the request, `rejected` those whose answers
        failed validation.
        """
        if plan.pinned and plan.shadow is None:
            return ()
        served = outcome_of(record, plan)
        plain = without_usage(served)
        if record.status == "ok" and not plan.pinned:
            self._corroboration.witnesses.add(ModelKey(served.provider, served.model), record.key_id)
        labels = [_labelled(plain, key, FAILED_VALIDATION) for key in rejected]
        labels += [_labelled(plain, key, UPSTREAM_ERROR) for key in failed]
        if record.status == "ok" and answer is not None:
            labels += self._answer_label(record, request, plain=plain, answer=answer)
        outcomes = [served, *self._asked(record, served), *(label for label in labels if self._counts(label, record))]
        if record.status == "ok":
            self._remember(plan, record, served=served, plain=plain, turn=turn)
        return outcomes

    def _asked(self, record: RequestRecord, served: StoredOutcome) -> list[StoredOutcome]:
        """Of the models that were asked at once: cost and tokens of those whose answer was not given, and what the comparison says of all.

        Where labels of this key are not learned, only cost and tokens are.
        """
        agreement, found = record.agreement, []
        if agreement is None:
            return []
        for attempt in record.attempts[: len(agreement.models)]:
            if attempt.status != "settled" or attempt.usage is None:
                continue
            key = ModelKey(attempt.provider, attempt.model)
            self._corroboration.witnesses.add(key, record.key_id)
            own = _of_attempt(served, attempt, attempt.usage)
            compared = with_derived_label(own._replace(agreement=agreement))
            given = key == (served.provider, served.model)
            if compared.quality is not None and self._counts(compared, record):
                found.append(without_usage(compared) if given else compared)
            elif not given:
                found.append(own)
        return found

    def on_judged(self, plan: Plan, record: RequestRecord, *, quality: float) -> None:
        """Store the judge's rating of a settled answer, 0 to 1."""
        plain = without_usage(outcome_of(record, plan))
        label = _labelled(plain, ModelKey(plain.provider, plain.model), Label("judge", quality, JUDGE_WEIGHT))
        if self._counts(label, record):
            self._store.submit(InsertOutcome(label))

    def _counts(self, label: StoredOutcome, record: RequestRecord) -> bool:
        return self._corroboration.accepts(label.source, ModelKey(label.provider, label.model), record.key_id)

    def _remember(
        self, plan: Plan, record: RequestRecord, *, served: StoredOutcome, plain: StoredOutcome, turn: PromptTurn | None
    ) -> None:
        """Remember the answering model, for the next requests of the conversation."""
        if plan.session is not None:
            tokens = _cached_tokens(plan, record.usage, ModelKey(served.provider, served.model))
            self._sessions.record(plan.session, provider=served.provider, model=served.model, tokens=tokens)
        if turn is not None and not plan.pinned:
            rank = self._rank(served.provider, served.model)
            self._implicit_feedback.on_response(turn, plain, rank=rank)

    def _answer_label(
        self, record: RequestRecord, request: ChatRequest, *, plain: StoredOutcome, answer: AnswerFacts
    ) -> list[StoredOutcome]:
        """The label of the answer itself, if it has one."""
        key = ModelKey(plain.provider, plain.model)
        label = label_of(
            answer,
            max_tokens=request.output_limit,
            model=self._catalog.get(*key),
            request_id=record.request_id,
        )
        return [] if label is None else [_labelled(plain, key, label)]

    def _rank(self, provider: str, model: str) -> int:
        """The rank of a model's tier, 0 to 2; -1 for a model that is not in the catalog."""
        entry = self._catalog.get(provider, model)
        return entry.rank if entry is not None else -1


def _cached_tokens(plan: Plan, usage: Usage | None, key: ModelKey) -> int:
    """Tokens that the model's prompt cache should hold now; with explicit breakpoints, only those that were read or written."""
    if usage is None:
        return 0
    if not plan.breakpoints.needed_by(key):
        return usage.total_tokens
    return usage.cached_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens


def outcome_of(record: RequestRecord, plan: Plan) -> StoredOutcome:
    """The outcome of a settled row, without a quality."""
    ranking = plan.shadow or plan.ranking
    usage = record.usage
    attempt = answering_attempt(record.attempts, usage)
    if attempt is None:
        key = ModelKey(record.selected_provider, record.selected_model)
    else:
        key = ModelKey(attempt.provider, attempt.model)
    return StoredOutcome(
        request_id=record.request_id,
        timestamp=record.timestamp,
        provider=key[0],
        model=key[1],
        pattern=ranking.pattern or "",
        complexity=ranking.complexity or 0.0,
        cost=None if attempt is None else _list_cost(attempt, plan),
        input_tokens=usage.prompt_tokens if usage is not None else None,
        output_tokens=usage.completion_tokens if usage is not None else None,
        latency=record.duration,
        error=record.error_code,
        features=record.features,
        source="served",
    )


def _list_cost(attempt: Attempt, plan: Plan) -> float | None:
    """The cost without what decisions add themselves: the service tier's factor, and the surcharge for a cold cache."""
    if attempt.cost is None:
        return None
    factor = STANDARD_RATES if attempt.usage is None else attempt.usage.rate_factor
    surcharge = plan.context.surcharges.get(ModelKey(attempt.provider, attempt.model), 0.0)
    return max(0.0, float(attempt.cost / factor) - surcharge)


def without_usage(served: StoredOutcome) -> StoredOutcome:
    """The outcome without cost, tokens and latency, which are counted once; `agreement` stays."""
    return served._replace(cost=None, input_tokens=None, output_tokens=None, latency=None, error=None)


def _of_attempt(served: StoredOutcome, attempt: Attempt, usage: Usage) -> StoredOutcome:
    """The outcome of another call of the same request."""
    return served._replace(
        provider=attempt.provider,
        model=attempt.model,
        cost=None if attempt.cost is None else float(attempt.cost),
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        latency=attempt.duration,
    )


def _labelled(plain: StoredOutcome, key: ModelKey, label: Label) -> StoredOutcome:
    return plain._replace(
        provider=key[0], model=key[1], source=label.source, quality=label.quality, weight=label.weight
    )
