"""The filters that the pages read from the address."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.requests import Request

from gateway.api.dashboard.filters import PageFilters, page_filters
from gateway.errors import InvalidRequest

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def filters(**query: str) -> PageFilters:
    scope = {"type": "http", "query_string": urlencode(query).encode(), "headers": []}
    return page_filters(Request(scope), now=NOW)


def test_without_filters_a_page_covers_thirty_days() -> None:
    """The period is 30 days unless the address says otherwise, and rows are then found without it."""
    found = filters(model="", key=" ")
    assert (NOW - found.since).days == 30
    assert (found.until, found.zone, found.columns, found.before, found.query()) == (None, UTC, {}, None, "?")


def test_filters_become_columns_and_stay_in_links() -> None:
    """A full model name is split into provider and model; links and the export keep what was chosen."""
    found = filters(model="openrouter/z-ai/glm", status="error", q="s-1", since="7d", until="1h")
    assert found.columns["selected_provider"] == "openrouter"
    assert found.columns["selected_model"] == "z-ai/glm"
    assert found.columns["session_id"] == "s-1"
    assert parse_qs(found.query(before="9", q=None)[1:])["before"] == ["9"]
    assert "q=" not in found.query(q=None)
    exported = parse_qs(urlsplit(found.export).query)
    assert exported["format"] == ["csv"]
    assert (exported["provider"], exported["model"], exported["session"]) == (["openrouter"], ["z-ai/glm"], ["s-1"])
    assert {"since", "until", "status"} <= exported.keys()


def test_a_tag_is_a_name_and_a_value() -> None:
    """Rows are found by a tag, and the export has the same ones; a value may contain the sign between both."""
    found = filters(tag="branch=a=b")
    assert found.columns == {"tag:branch": "a=b"}
    assert parse_qs(urlsplit(found.export).query)["tag:branch"] == ["a=b"]


def test_dates_are_of_the_chosen_time_zone() -> None:
    """A date is the start of the day where the reader is; a time with an offset keeps it."""
    assert filters(since="2026-11-20", zone="Europe/Berlin").since == datetime(2026, 11, 19, 23, tzinfo=UTC)
    assert filters(since="2026-11-20T00:00:00+00:00", zone="Europe/Berlin").since == datetime(2026, 11, 20, tzinfo=UTC)
    assert filters(since="1d", zone="Europe/Berlin").since == datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert filters(since="0001-01-01", zone="Europe/Berlin").since.year == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("colour", "red"),
        ("since", "soon"),
        ("until", "late"),
        ("zone", "Nowhere"),
        ("zone", "../x"),
        ("model", "x" * 201),
        ("tag", "team"),
    ],
)
def test_bad_filters_are_named(name: str, text: str) -> None:
    """An unknown filter, time or zone is an error that names the filter."""
    with pytest.raises(InvalidRequest) as raised:
        filters(**{name: text})
    assert raised.value.param == name


@pytest.mark.parametrize("text", ["x", "-1", "1" * 19, "²"])
def test_before_is_the_number_of_a_row(text: str) -> None:
    """A page of rows ends before a row's number and nothing else."""
    assert filters(before="17").before == 17
    with pytest.raises(InvalidRequest):
        _ = filters(before=text).before
