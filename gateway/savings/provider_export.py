"""Reads a provider's usage export or invoice (CSV) into entries.

The formats are told apart by their columns: OpenRouter's activity export, the usage and the cost export of Anthropic's console, and
a plain one for everything else. Further columns are ignored.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from gateway.completion import Usage

MAX_LINES = 1_000_000
_SHOWN = 40  # characters of a wrong value in a message
Row = Mapping[str, str]


class ExportError(ValueError):
    """The file cannot be read: the message says what is wrong, in which line, and what to do."""


class ExportEntry(NamedTuple):
    """One line of an export: a request, or what a UTC day used of one model.

    `cost` is in USD and includes `fees` (web search and other tools); None where the export has tokens only. `usage` is None
    where it has costs only. `id` is the provider's id of the answer, or the gateway's of the request.
    """

    line: int
    moment: datetime
    model: str
    usage: Usage | None = None
    cost: Decimal | None = None
    fees: Decimal = Decimal(0)
    id: str | None = None


class ProviderExport(NamedTuple):
    """`provider` is the gateway's name for it, None where the format does not tell. `daily`: each entry is part of a day's sum."""

    format: str
    provider: str | None
    daily: bool
    entries: list[ExportEntry]

    @property
    def first(self) -> datetime:
        return min(entry.moment for entry in self.entries)

    @property
    def last(self) -> datetime:
        """The last moment that the export covers."""
        latest = max(entry.moment for entry in self.entries)
        return latest + timedelta(days=1, microseconds=-1) if self.daily else latest


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    provider: str | None
    columns: tuple[str, ...]
    entry: Callable[[_Line], ExportEntry]
    daily: bool = False


class _Line:
    """One line, with checked access to its fields."""

    def __init__(self, number: int, fields: Row) -> None:
        self.number = number
        self._fields = fields

    def text(self, name: str) -> str:
        return (self._fields.get(name) or "").strip()

    def usd(self, name: str) -> Decimal:
        """An amount in USD; an empty field is 0. Refunds are negative."""
        text = self.text(name).removeprefix("$")
        try:
            amount = Decimal(text or "0")
        except InvalidOperation:
            amount = Decimal("nan")
        if not amount.is_finite() or abs(amount) > 10**9:
            raise self.error(name, "no amount in USD, such as 0.0123")
        return amount

    def tokens(self, name: str) -> int:
        """A number of tokens; an empty field is 0."""
        text = self.text(name) or "0"
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise self.error(name, "no number of tokens, such as 1234")
        return int(text)

    def moment(self, name: str) -> datetime:
        """A time; without a zone it is UTC."""
        try:
            moment = datetime.fromisoformat(self.text(name).removesuffix(" UTC"))
        except ValueError:
            raise self.error(name, "no time, such as 2026-11-29T10:00:00Z or 2026-11-29") from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def day(self, name: str) -> datetime:
        return self.moment(name).replace(hour=0, minute=0, second=0, microsecond=0)

    def error(self, name: str, problem: str) -> ExportError:
        return ExportError(
            f"line {self.number}: {name} is {self.text(name)[:_SHOWN]!r}, {problem}. Correct or remove the line, or export the "
            "file again."
        )


def read_export(lines: Iterable[str]) -> ProviderExport:
    """The entries of a CSV file. Raises ExportError for an unknown format, a wrong line, and a file without entries."""
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        chosen = _format_of(header)
        entries = [chosen.entry(line) for line in _lines(reader, header)]
    except csv.Error as error:
        raise ExportError(
            f"line {reader.line_num}: no CSV ({error}). Export the file again, separated by commas."
        ) from None
    if not entries:
        raise ExportError("the file has a header but no entries. Export a period in which the provider was used.")
    daily = chosen.daily or (chosen is PLAIN and all(_is_day(entry.moment) for entry in entries))
    return ProviderExport(chosen.name, chosen.provider, daily, entries)


def _format_of(header: list[str]) -> _Format:
    for known in FORMATS:
        if set(known.columns) <= set(header):
            return known
    shown = ", ".join(header)[:200] or "nothing"
    raise ExportError(
        f"line 1: no known export: its columns are {shown}. Known are "
        + "; ".join(f"{known.name} ({', '.join(known.columns)})" for known in FORMATS)
        + ". Bring other files into the plain format."
    )


def _lines(reader: Iterator[list[str]], header: list[str]) -> Iterator[_Line]:
    for number, fields in enumerate(reader, start=2):
        if number > MAX_LINES:
            raise ExportError(f"the file has more than {MAX_LINES:,} lines. Export a shorter period.")
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(header):
            raise ExportError(
                f"line {number} has {len(fields)} fields, the header has {len(header)}. Was the file cut off, or a value not quoted? "
                "Export it again."
            )
        yield _Line(number, dict(zip(header, fields, strict=True)))


def _is_day(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)


def _openrouter(line: _Line) -> ExportEntry:
    """For a customer's own key (BYOK) the ledger's cost includes what the provider behind OpenRouter charges."""
    return ExportEntry(
        line.number,
        line.moment("created_at"),
        line.text("model_permaslug"),
        Usage(line.tokens("tokens_prompt"), line.tokens("tokens_completion"), line.tokens("tokens_cached")),
        cost=line.usd("cost_total") + line.usd("byok_usage_inference"),
        fees=line.usd("cost_web_search") + line.usd("cost_file_processing"),
        id=line.text("generation_id") or None,
    )


def _anthropic_usage(line: _Line) -> ExportEntry:
    plain, read = line.tokens("usage_input_tokens_no_cache"), line.tokens("usage_input_tokens_cache_read")
    minutes, hour = line.tokens("usage_input_tokens_cache_write_5m"), line.tokens("usage_input_tokens_cache_write_1h")
    usage = Usage(
        prompt_tokens=plain + read + minutes + hour,
        completion_tokens=line.tokens("usage_output_tokens"),
        cached_tokens=read,
        cache_write_tokens=minutes,
        cache_write_1h_tokens=hour,
    )
    return ExportEntry(line.number, line.day("usage_date_utc"), line.text("model_version"), usage)


def _anthropic_cost(line: _Line) -> ExportEntry:
    """A line is one kind of tokens of a model and day, or a tool, which has no model."""
    cost = line.usd("cost_usd")
    tool = line.text("cost_type") not in ("", "token", "tokens")
    model = line.text("model") or line.text("cost_type") or "(no model)"
    fees = cost if tool else Decimal(0)
    return ExportEntry(line.number, line.day("usage_date_utc"), model, cost=cost, fees=fees)


def _plain(line: _Line) -> ExportEntry:
    usage = Usage(line.tokens("input_tokens"), line.tokens("output_tokens"))
    return ExportEntry(
        line.number,
        line.moment("timestamp"),
        line.text("model"),
        usage,
        cost=line.usd("cost_usd"),
        id=line.text("request_id") or None,
    )


PLAIN = _Format("plain", None, ("timestamp", "model", "input_tokens", "output_tokens", "cost_usd"), _plain)
FORMATS = (
    _Format(
        "OpenRouter activity",
        "openrouter",
        ("created_at", "model_permaslug", "tokens_prompt", "tokens_completion", "cost_total"),
        _openrouter,
    ),
    _Format(
        "Anthropic usage",
        "claude",
        ("usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens"),
        _anthropic_usage,
        daily=True,
    ),
    _Format(
        "Anthropic cost", "claude", ("usage_date_utc", "model", "token_type", "cost_usd"), _anthropic_cost, daily=True
    ),
    PLAIN,
)
