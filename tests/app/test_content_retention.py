"""Prompts and answers end with the retention."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gateway.app.content_retention import PAGE, ContentRetention
from gateway.store import InsertContent, StoredContent
from gateway.store.opening import open_store
from tests.store.cases import NOW


def test_contents_older_than_the_retention_are_deleted(tmp_path: Path) -> None:
    """All that are older than the days go, however many; a longer retention leaves them."""
    with closing(open_store(tmp_path / "gateway.db")) as store:
        for number in range(PAGE + 1):
            store.submit(InsertContent(StoredContent(f"r{number}", "2026-11-12T10:00:00.000+00:00", "p", "a"))).result()
        store.submit(InsertContent(StoredContent("new", NOW.isoformat(), "p", "a"))).result()
        retention = ContentRetention(store, now=lambda: NOW, days=30)
        retention.delete()
        assert store.content("r0") is not None
        retention.days = 7
        retention.delete()
        assert [store.content(name) is None for name in ("r0", f"r{PAGE}", "new")] == [True, True, False]
