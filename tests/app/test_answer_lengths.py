"""Token counts of stored outcomes reach the length ratios."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gateway.app.answer_lengths import AnswerLengthReader, lengths_of
from gateway.catalog import ModelKey
from gateway.routing import no_pause
from gateway.savings import LengthRatios
from gateway.store import InsertOutcome, StoredOutcome
from gateway.store.sqlite import SqliteStore

PRO, FLASH = ModelKey("gemini", "pro"), ModelKey("gemini", "flash")


def outcome(key: ModelKey, tokens: int | None, *, error: str | None = None) -> StoredOutcome:
    return StoredOutcome(
        *key, "code", 0.2, output_tokens=tokens, input_tokens=12, error=error, features={"tokens": 10.0}
    )


def test_labels_and_failed_answers_say_nothing() -> None:
    """Only whole answers with tokens count; the gateway's own estimate of the prompt comes with them."""
    read = list(lengths_of([outcome(PRO, 100), outcome(PRO, None), outcome(PRO, 9, error="client_disconnected")]))
    assert [(answer.output_tokens, answer.input_tokens, answer.estimated_tokens) for answer in read] == [
        (100, 12, 10.0)
    ]
    assert next(lengths_of([outcome(PRO, 100)._replace(features=None)])).estimated_tokens is None


def test_each_outcome_is_read_once(tmp_path: Path) -> None:
    """A refresh continues where the last one ended, and a start leaves out what is older than the newest."""
    lengths = LengthRatios()
    with closing(SqliteStore(tmp_path / "gateway.db")) as store:
        reader = AnswerLengthReader(store, lengths)
        reader.refresh(no_pause)
        before = lengths.ratios
        for key, tokens, count in ((PRO, 1, 100), (PRO, 400, 150), (FLASH, 100, 30)):
            for _ in range(count):
                store.submit(InsertOutcome(outcome(key, tokens)))
        store.flush()
        late = AnswerLengthReader(store, lengths, newest=60)
        late.refresh(no_pause)
        middle = lengths.ratios.of(FLASH, PRO, pattern="code")[1].middle
        published = lengths.ratios
        late.refresh(no_pause)
    assert before is not published
    assert lengths.ratios is published
    assert 3 < middle < 4
