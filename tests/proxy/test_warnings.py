"""Warnings for people who run the gateway: once for each cause."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.completion import Usage
from gateway.proxy.warnings import MAX_CAUSES, OperatorWarnings
from gateway.records import Attempt, RequestRecord


def record(*, cost: Decimal | None = Decimal(1), model: str = "m") -> RequestRecord:
    attempts = (Attempt(1, "gemini", "free"), Attempt(2, "gemini", model, usage=Usage(), cost=cost))
    return RequestRecord(
        request_id="req_1",
        timestamp="2026-11-22T10:00:00Z",
        strategy_used="pinned",
        selected_provider="gemini",
        selected_model=model,
        baseline_provider="gemini",
        baseline_model=model,
        actual_cost=cost,
        attempts=attempts,
    )


def test_a_cost_that_is_not_known(caplog: pytest.LogCaptureFixture) -> None:
    """A model whose answers cannot be priced is warned about once, by name, with what to do."""
    notices = OperatorWarnings()
    for _ in range(3):
        notices.observe(record(cost=None))
    notices.observe(record())
    (line,) = caplog.messages
    assert "gemini/m" in line
    assert "`prices` in models.yaml" in line


def test_embeddings_without_a_price_are_no_reason_to_change_the_catalogue(caplog: pytest.LogCaptureFixture) -> None:
    """The warning about embeddings does not advise models.yaml, from which `auto` would choose the model for chats."""
    OperatorWarnings().observe(record(cost=None)._replace(endpoint="embeddings"))
    (line,) = caplog.messages
    assert "embeddings of gemini/m" in line
    assert "models.yaml" not in line


def test_content_that_is_not_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    """Each kind of content that is dropped is warned about once; the log holds the kind, never the content."""
    notices = OperatorWarnings()
    for _ in range(2):
        notices.incomplete("gemini", ["executableCode", "x" * 500])
    assert len(caplog.messages) == 2
    assert "'executableCode'" in caplog.messages[0]
    assert len(caplog.messages[1]) < 300


def test_what_is_remembered_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Names come from clients and providers, so there is an end to the warnings."""
    notices = OperatorWarnings()
    for number in range(MAX_CAUSES + 10):
        notices.observe(record(cost=None, model=str(number)))
    assert len(caplog.messages) == MAX_CAUSES
