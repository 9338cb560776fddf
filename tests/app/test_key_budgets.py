"""The budgets of keys are read beside the requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.accounts.budgets import Balance, Budget
from gateway.accounts.virtual_keys import digest_of
from gateway.app.key_budgets import KeyBudgetReader
from gateway.observability.key_metrics import MAX_KEYS
from gateway.store import InsertVirtualKey
from gateway.store.sqlite import SqliteStore
from tests.conftest import MakeGateway
from tests.observability.test_key_metrics import KEY
from tests.tenants import issue

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def reader(tmp_path: Path) -> KeyBudgetReader:
    store = SqliteStore(str(tmp_path / "gateway.db"))
    for key in (
        replace(KEY, digest=digest_of("1")),
        replace(KEY, id="key_2", name="expired", digest=digest_of("2"), expires=NOW - timedelta(days=1)),
        replace(KEY, id="key_3", name="free", digest=digest_of("3"), budget=None),
        *(
            replace(KEY, id=f"key_x{number}", name=f"x{number}", digest=digest_of(f"x{number}"))
            for number in range(MAX_KEYS)
        ),
    ):
        store.submit(InsertVirtualKey(key)).result()
    return KeyBudgetReader(store, now=lambda: NOW)


def test_usable_keys_with_a_budget_are_read(reader: KeyBudgetReader) -> None:
    """Expired ones and those without a budget are left out, and there are at most MAX_KEYS."""
    reader.wanted = True
    reader.refresh()
    assert len(reader.budgets) == MAX_KEYS
    assert (reader.budgets[0].key.name, reader.budgets[0].balance) == ("team-search", Balance())
    assert {"expired", "free"}.isdisjoint(budget.key.name for budget in reader.budgets)


def test_nothing_is_read_for_nobody(reader: KeyBudgetReader) -> None:
    """Without the setting the ledger is not asked."""
    reader.refresh()
    assert reader.budgets == []


def test_metrics_by_key_of_a_whole_gateway(make_gateway: MakeGateway) -> None:
    """With `metrics_key_labels` a request of a virtual key is found in `/metrics` under the key's name, and its budget after the next reading."""
    gateway = make_gateway(config="metrics_key_labels: true\n")
    secret = issue(gateway, "team-search", budget=Budget.parse("5/day"))
    gateway.client.headers["authorization"] = f"Bearer {secret}"
    assert gateway.ask().status_code == 200
    services = gateway.app.state.gateway.services
    services.key_budgets.refresh()
    registry = services.exporter.registry
    samples = {
        sample.name: sample for family in registry.collect() for sample in family.samples if "key" in sample.labels
    }
    assert {sample.labels["key"] for sample in samples.values()} == {"team-search"}
    assert samples["gateway_key_requests_total"].value == 1
    assert samples["gateway_key_budget_usd"].value == 5
    assert samples["gateway_key_budget_spent_usd"].value > 0
