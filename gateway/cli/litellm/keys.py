"""An export of LiteLLM's table of keys (`LiteLLM_VerificationToken`) -> what new keys are to be like.

LiteLLM stores only hashes of its keys, so each client gets a new one. Columns are those of LiteLLM's `schema.prisma`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.accounts.budgets import Budget
from gateway.catalog.catalog import Auto, Catalog
from gateway.cli.litellm.durations import budget_of
from gateway.errors import ModelNotFound

MAX_KEYS = 100_000
_ALL_MODELS = {"all-proxy-models", "all-team-models", "*"}
_NOT_TAKEN = (
    "tpm_limit",
    "max_parallel_requests",
    "model_max_budget",
    "soft_budget",
    "aliases",
    "team_id",
    "budget_id",
)
_ARRAY_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}]+)')


@dataclass(frozen=True, slots=True)
class KeyImport:
    """What one row becomes: a key with these limits, or none where there is a `refusal`. `notes` say what differs."""

    name: str
    budget: Budget | None = None
    rpm: int | None = None
    models: tuple[str, ...] | None = None
    expires: datetime | None = None
    notes: tuple[str, ...] = ()
    refusal: str | None = None


def read_keys(text: str, catalog: Catalog, *, now: datetime) -> list[KeyImport]:
    """The keys of an export: a JSON list, the answer of `/key/list`, JSON lines, or CSV with a header.

    Raises ValueError for anything else.
    """
    rows = list(_rows(text))
    if len(rows) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS:,} keys")
    return [_key(row, number, catalog, now=now) for number, row in enumerate(rows, 1)]


def _rows(text: str) -> Iterator[Mapping[str, Any]]:
    start = text.lstrip()[:1]
    if start not in ("[", "{"):
        reader = csv.DictReader(io.StringIO(text))
        if not {"token", "key_alias", "key_name"} & {*(reader.fieldnames or ())}:
            raise ValueError(
                "it has no column key_alias, key_name or token: export the table LiteLLM_VerificationToken"
            )
        yield from reader
        return
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            found = [orjson.loads(line) for line in text.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            raise ValueError(f"it is neither CSV nor JSON: {error}") from None
    if isinstance(found, dict):
        found = found.get("keys", [found])
    if not (isinstance(found, list) and all(isinstance(row, dict) for row in found)):
        raise ValueError(
            "it is no list of keys; ask LiteLLM for /key/list?return_full_object=true, or export the table"
        )
    yield from found


def _key(row: Mapping[str, Any], number: int, catalog: Catalog, *, now: datetime) -> KeyImport:
    name = _name(row, number)
    notes: list[str] = []
    try:
        if _flag(row.get("blocked")):
            raise ValueError("it is blocked")
        expires = _moment(row.get("expires"))
        if expires is not None and expires <= now:
            raise ValueError(f"it expired on {expires:%Y-%m-%d}")
        budget = _budget(row, notes)
        if (rpm := _number(row, "rpm_limit")) == 0:
            raise ValueError("its rpm_limit is 0, so it may send nothing")
        models = _models(row.get("models"), catalog, notes)
    except ValueError as error:
        return KeyImport(name, refusal=str(error))
    notes += [f"{column} is not supported" for column in _NOT_TAKEN if row.get(column) not in (None, "", "{}", {}, [])]
    return KeyImport(
        name, budget, None if rpm is None else min(1_000_000, max(1, int(rpm))), models, expires, tuple(notes)
    )


def _name(row: Mapping[str, Any], number: int) -> str:
    """The alias, else the end of the key that LiteLLM shows, else the row's number; printable, at most 64 characters."""
    shown = str(row.get("key_name") or "")[-4:]
    text = str(row.get("key_alias") or "") or (f"litellm-{shown}" if shown else f"litellm-{number}")
    return "".join(char if char.isprintable() else "_" for char in text)[:64]


def _budget(row: Mapping[str, Any], notes: list[str]) -> Budget | None:
    most = _number(row, "max_budget")
    if most is None:
        return None
    budget, same = budget_of(most, row.get("budget_duration"))
    if not same:
        notes.append(f"{most:g} USD per {row['budget_duration']} became {budget}")
    if _number(row, "spend"):
        notes.append("what was spent so far counts from zero")
    return budget


def _models(value: Any, catalog: Catalog, notes: list[str]) -> tuple[str, ...] | None:
    """Full names and patterns; None means all. Raises ValueError where none of the names is known, so that no key gets more."""
    names = list(_names(value))
    if not names or _ALL_MODELS & {*names}:
        if "all-team-models" in names:
            notes.append("it may use all models, since there are no teams")
        return None
    patterns: dict[str, None] = {}
    for name in names:
        try:
            patterns[_pattern(name, catalog, notes)] = None
        except ModelNotFound:
            notes.append(f"no model is called {name!r} here, so the key may not use it")
    if not patterns:
        raise ValueError(f"none of its models is known here ({', '.join(names)}); add aliases for them first")
    return tuple(patterns)


def _pattern(name: str, catalog: Catalog, notes: list[str]) -> str:
    """Raises ModelNotFound."""
    if "*" in name:
        return name.replace("anthropic/", "claude/", 1) if name.startswith("anthropic/") else name
    target = catalog.resolve(name)
    if isinstance(target, Auto):
        notes.append(f"{name!r} stands for auto, so the key may use all models")
        return "*"
    return target.key.full_name


def _names(value: Any) -> Iterable[str]:
    """A JSON list, or PostgreSQL's `{a,"b c"}` in CSV."""
    if isinstance(value, list):
        return [str(name) for name in value]
    found = _ARRAY_ITEM.findall(str(value or "").strip().removeprefix("{").removesuffix("}"))
    return [re.sub(r"\\(.)", r"\1", quoted) or bare.strip() for quoted, bare in found]


def _number(row: Mapping[str, Any], column: str) -> float | None:
    """Raises ValueError for what is no number from 0 up."""
    value = row.get(column)
    if value in (None, ""):
        return None
    try:
        figure = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{column} is no number: {value!r}") from None
    if not 0 <= figure <= 1e9:
        raise ValueError(f"{column} is not from 0 to 1,000,000,000: {value!r}")
    return figure


def _moment(value: Any) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"expires is no time: {value!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _flag(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "t", "1")
