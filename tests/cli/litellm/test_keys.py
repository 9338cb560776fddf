"""An export of LiteLLM's keys."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from gateway.catalog.packaged import load_catalog
from gateway.cli.litellm.keys import KeyImport, read_keys
from tests.cli.litellm.conftest import NOW

CATALOG = load_catalog().with_aliases({"gpt-4o": "claude/claude-sonnet-5-5", "smart": "auto"})
ROW = {
    "token": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    "key_name": "sk-...abcd",
    "key_alias": "team-search",
    "spend": 0.0,
    "expires": "2027-01-31T00:00:00Z",
    "models": ["gpt-4o", "anthropic/*"],
    "max_budget": 100.0,
    "budget_duration": "30d",
    "rpm_limit": 60,
    "blocked": None,
}


def keys(text: str) -> list[KeyImport]:
    return read_keys(text, CATALOG, now=NOW)


def one(**changes: Any) -> KeyImport:
    (key,) = keys(orjson.dumps([{**ROW, **changes}]).decode())
    return key


def as_csv(row: dict[str, Any]) -> str:
    """As PostgreSQL writes it: `{a,"b"}` for arrays, nothing for null."""
    out = io.StringIO()
    writer = csv.DictWriter(out, row)
    writer.writeheader()
    writer.writerow({**row, "models": '{gpt-4o,"anthropic/*"}', "expires": "2027-01-31 00:00:00+00"})
    return out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        orjson.dumps([ROW]).decode(),
        orjson.dumps({"keys": [ROW], "total_count": 1}).decode(),
        orjson.dumps(ROW).decode(),
        orjson.dumps(ROW).decode() + "\n\n",
        as_csv(ROW),
    ],
    ids=["list", "/key/list", "one", "lines", "csv"],
)
def test_every_form_gives_the_same_key(text: str) -> None:
    """A list, the answer of /key/list, JSON lines and CSV say the same: budget, rate, models by their names here, end."""
    (key,) = keys(text)
    assert (key.name, str(key.budget), key.rpm) == ("team-search", "100/month", 60)
    assert key.models == ("claude/claude-sonnet-5-5", "claude/*")
    assert key.expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert (key.notes, key.refusal) == ((), None)


def test_several_lines_of_json() -> None:
    """Each line is a key; one without an alias is named by its end, else by its number."""
    rows = [ROW, {**ROW, "key_alias": None}, {"token": "x"}]
    named = keys("\n".join(orjson.dumps(row).decode() for row in rows))
    assert [key.name for key in named] == ["team-search", "litellm-abcd", "litellm-3"]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"blocked": True}, "blocked"),
        ({"expires": "2026-01-01T00:00:00"}, "expired on 2026-01-01"),
        ({"expires": "soon"}, "no time"),
        ({"models": ["nobody"]}, "none of its models"),
        ({"models": ["no-default-models"]}, "none of its models"),
        ({"max_budget": "much"}, "no number"),
        ({"max_budget": -1}, "not from 0"),
        ({"budget_duration": "fortnight"}, "no duration"),
        ({"rpm_limit": 0}, "nothing"),
    ],
)
def test_a_key_that_cannot_be_made_as_it_was(changes: dict[str, Any], refusal: str) -> None:
    """A key whose limits are not understood is not made, so that no key may do more than before."""
    assert refusal in (one(**changes).refusal or "")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"spend": 3.5}, "counts from zero"),
        ({"budget_duration": "2d"}, "100 USD per 2d became 50/day"),
        ({"tpm_limit": 1000}, "tpm_limit is not supported"),
        ({"models": ["gpt-4o", "nobody"]}, "no model is called 'nobody' here"),
        ({"models": ["smart"]}, "'smart' stands for auto"),
        ({"models": ["all-team-models"]}, "all models"),
    ],
)
def test_what_differs_is_noted(changes: dict[str, Any], note: str) -> None:
    """What is not the same as before is said."""
    assert any(note in each for each in one(**changes).notes)


def test_a_key_without_limits() -> None:
    """Nulls, empty lists and empty columns are no limits."""
    key = one(models=[], max_budget=None, rpm_limit="", expires="")
    assert (key.models, key.budget, key.rpm, key.expires, key.refusal) == (None, None, None, None, None)
    assert one(models=["house/*"]).models == ("house/*",)


def test_names_can_be_printed() -> None:
    """What a terminal would obey is replaced, and a name is at most as long as a key's."""
    assert one(key_alias="a\x1b[2J" + "b" * 80).name == "a_[2J" + "b" * 59


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "no column"),
        ("[1]", "no list of keys"),
        ('["hash"]', "no list of keys"),
        ("{", "neither CSV nor JSON"),
        ('{"keys": ["hash"]}', "return_full_object"),
        ("", "no column"),
    ],
)
def test_anything_else_is_an_error(text: str, words: str) -> None:
    """A file that is no export says what to export."""
    with pytest.raises(ValueError, match=words):
        keys(text)


def test_the_number_of_keys_is_limited() -> None:
    """An export of more keys than anybody has is refused."""
    with pytest.raises(ValueError, match="more than 100,000"):
        keys("key_alias\n" + "a\n" * 100_001)
