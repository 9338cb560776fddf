"""`gateway requests`: the rows of the ledger, and new ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from gateway.records import RequestRecord
from gateway.store import InsertRequest, SettleRequest
from gateway.store.opening import open_store
from tests.cli.conftest import Invoke
from tests.store.cases import begun, ended


def write(db: Path, *records: RequestRecord) -> None:
    with closing(open_store(db)) as store:
        for record in records:
            store.submit(SettleRequest(record)).result()


def test_rows_are_listed_oldest_first(invoke: Invoke, db: Path) -> None:
    """Each row is a line with its model, cost and saving; the newest is the last one, and --limit cuts the oldest."""
    write(db, ended("a"), ended("b", actual_cost=None), ended("c", status="error", error_code="upstream_error"))
    lines = invoke("requests", "--limit", "2").stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["b", "upstream_error"]
    assert "gemini/flash" in lines[0]
    assert "unknown" in lines[0]
    first = invoke("requests").stdout.splitlines()[0]
    assert first.split() == [
        "2026-11-22T10:00:00",
        "ok",
        "gemini/flash",
        "$0.001000",
        "saved",
        "$0.003000",
        "hybrid",
        "a",
    ]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--status", "error"), ["b"]),
        (("--model", "flash", "--provider", "gemini"), ["a", "b"]),
        (("--tag", "team=red"), ["a"]),
        (("--session", "s"), ["b"]),
        (("--since", "2026-11-22T10:30:00"), ["b"]),
        (("--until", "2026-11-22T10:30:00"), ["a"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_filters_are_those_of_the_api(invoke: Invoke, db: Path, arguments: tuple[str, ...], found: list[str]) -> None:
    """An option leaves the rows that the filter of `/v1/routing/requests` with its name leaves; --json shows whole rows."""
    later = {"timestamp": "2026-11-22T11:00:00.000+00:00", "session_id": "s"}
    write(db, ended("a", tags={"team": "red"}), ended("b", status="error", **later))
    lines = invoke("requests", "--json", *arguments).stdout.splitlines()
    assert [orjson.loads(line)["request_id"] for line in lines] == found


def test_a_tag_without_a_value_is_wrong_use(invoke: Invoke, db: Path) -> None:
    """A tag that is no NAME=VALUE is status 2, and says what to write."""
    write(db)
    result = invoke("requests", "--tag", "team")
    assert (result.exit_code, "write NAME=VALUE" in result.output) == (2, True)


@pytest.mark.parametrize(("arguments", "said"), [((), "is empty"), (("--status", "error"), "no such request")])
def test_no_rows_are_told(invoke: Invoke, db: Path, arguments: tuple[str, ...], said: str) -> None:
    """Nothing to list is told on standard error; standard output stays empty for programs."""
    write(db)
    result = invoke("requests", *arguments)
    assert (result.exit_code, result.stdout, said in result.stderr) == (0, "", True)


def looks(monkeypatch: pytest.MonkeyPatch, *between: Callable[[], None]) -> None:
    """What happens while the command sleeps, one call for each sleep; then Ctrl-C."""
    steps = iter(between)

    def sleep(_seconds: float) -> None:
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr("gateway.cli.requests.sleep", sleep)


def test_follow_shows_each_request_once_when_it_ends(invoke: Invoke, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--follow goes on with requests that end, whenever they began, and not again with those that were shown; Ctrl-C ends it with 0."""
    with closing(open_store(db)) as store:
        store.submit(InsertRequest(begun("slow"))).result()
        store.submit(SettleRequest(ended("old"))).result()
        looks(
            monkeypatch,
            lambda: store.submit(SettleRequest(ended("new"))).result(),
            lambda: store.submit(SettleRequest(ended("slow"))).result(),
            lambda: None,
        )
        result = invoke("requests", "--follow", "--json")
    rows = [orjson.loads(line) for line in result.stdout.splitlines()]
    assert [(row["request_id"], row["status"]) for row in rows] == [
        ("slow", "open"),
        ("old", "ok"),
        ("new", "ok"),
        ("slow", "ok"),
    ]
    assert result.exit_code == 0
