"""The filters of `gateway requests` and `gateway export`."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cli.conftest import Invoke
from tests.cli.test_requests import write
from tests.store.cases import ended


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
