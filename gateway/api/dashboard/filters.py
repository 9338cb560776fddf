"""The filters of the pages: read from the address, and kept in every link, so that an address can be sent to somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request

from gateway.errors import InvalidRequest
from gateway.savings import moment

KNOWN = ("since", "until", "zone", "key", "model", "pattern", "status", "strategy", "session", "tag", "before", "q")
MAX_LENGTH = 200  # characters of one value
DEFAULT_SINCE = "30d"
_BOUNDS = ("since", "until")
_COLUMNS = {"key": "key_id", "pattern": "pattern_detected", "status": "status", "strategy": "strategy_used"}


@dataclass(frozen=True, slots=True)
class PageFilters:
    """What a page is limited to. `given` are the values of the address by name, without the empty ones; `since` and `until` are UTC."""

    given: Mapping[str, str]
    since: datetime
    until: datetime | None
    zone: tzinfo

    def value(self, name: str) -> str:
        """As it was given; empty when it was not."""
        return self.given.get(name, "")

    def query(self, **changes: str | None) -> str:
        """The query of an address with these values changed; None and the empty text leave one out."""
        values = {**self.given, **changes}
        return "?" + urlencode({name: text for name, text in values.items() if text})

    @property
    def columns(self) -> dict[str, object]:
        """For `Store.requests`. The period only where the address has one: the newest rows are found faster without."""
        found: dict[str, object] = {column: self.given[name] for name, column in _COLUMNS.items() if name in self.given}
        if "model" in self.given:
            found["selected_provider"], _, found["selected_model"] = self.given["model"].partition("/")
        session = self.given.get("session") or self.given.get("q")
        if session is not None:
            found["session_id"] = session
        if "tag" in self.given:
            name, _, value = self.given["tag"].partition("=")
            found[f"tag:{name}"] = value
        if "since" in self.given:
            found["since"] = self.since.isoformat()
        if self.until is not None:
            found["until"] = self.until.isoformat()
        return found

    @property
    def export(self) -> str:
        """The address of the same rows as CSV."""
        names = ("key", "pattern", "status", "strategy")
        values = {"format": "csv", **{name: self.given[name] for name in names if name in self.given}}
        columns = self.columns
        moves = {"selected_provider": "provider", "selected_model": "model", "session_id": "session"}
        values |= {name: str(columns[column]) for column, name in moves.items() if column in columns}
        values |= {name: str(value) for name, value in columns.items() if name in _BOUNDS or name.startswith("tag:")}
        return "/v1/routing/requests?" + urlencode(values)

    @property
    def before(self) -> int | None:
        """The row that the page of requests ends before. Raises InvalidRequest."""
        text = self.given.get("before")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise InvalidRequest(f"before is the number of a row, not {text[:40]!r}.", param="before")
        return int(text)


def page_filters(request: Request, *, now: datetime) -> PageFilters:
    """Raises InvalidRequest for an unknown filter, a time that cannot be read and an unknown time zone."""
    given = {}
    for name, text in request.query_params.items():
        if name not in KNOWN:
            raise InvalidRequest(f"There is no filter {name[:40]!r}; known are {', '.join(KNOWN)}.", param=name[:40])
        if len(text) > MAX_LENGTH:
            raise InvalidRequest(f"{name} has more than {MAX_LENGTH} characters.", param=name)
        if text.strip():
            given[name] = text.strip()
    if "tag" in given and not given["tag"].partition("=")[2]:
        raise InvalidRequest(f"tag is NAME=VALUE, not {given['tag'][:40]!r}.", param="tag")
    zone = _zone(given["zone"]) if "zone" in given else UTC
    since = _moment(given.get("since", DEFAULT_SINCE), zone, now=now, name="since")
    until = _moment(given["until"], zone, now=now, name="until") if "until" in given else None
    return PageFilters(given, since, until, zone)


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise InvalidRequest(
            f"zone is a time zone of this machine, such as UTC or Europe/Berlin, not {name[:40]!r}.", param="zone"
        ) from None


def _moment(text: str, zone: tzinfo, *, now: datetime, name: str) -> datetime:
    """A date or time without an offset is one of the page's time zone."""
    found = moment(text, now=now, name=name)
    if zone is not UTC:
        try:
            local = datetime.fromisoformat(text)
        except ValueError:
            return found
        if local.tzinfo is None:
            return min(max(local, _FIRST), _LAST).replace(tzinfo=zone).astimezone(UTC)
    return found


# A day's distance from the ends, so that no time zone leads beyond them.
_FIRST, _LAST = datetime.min + timedelta(days=2), datetime.max - timedelta(days=2)  # noqa: DTZ901 - without a zone
