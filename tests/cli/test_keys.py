"""`gateway keys`"""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result

from gateway.accounts.budgets import Budget
from gateway.accounts.virtual_keys import AdminKey, VirtualKey, digest_of
from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import Invoke


def stored(db: Path) -> list[VirtualKey]:
    store = SqliteStore(db)
    try:
        return list(store.virtual_keys())
    finally:
        store.close()


def listed(invoke: Invoke) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in invoke("keys", "list", "--json").stdout.splitlines()]


def secret_of(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_key_is_shown_once(invoke: Invoke, db: Path) -> None:
    """The key has at least 192 random bits and is printed alone; the ledger has its digest only."""
    secret = secret_of(invoke("keys", "create", "--name", "team"))
    assert re.fullmatch(r"gw-[\w-]{43}", secret)
    (key,) = stored(db)
    assert (key.digest, key.last4, key.name) == (digest_of(secret), secret[-4:], "team")
    assert all(secret.encode() not in path.read_bytes() for path in db.parent.glob("gateway.db*"))
    assert secret not in invoke("keys", "list").output


def test_keys_create_stores_every_limit(invoke: Invoke, db: Path) -> None:
    """Limits are stored as they were given, models by their full names."""
    result = invoke(
        *("keys", "create", "--name", "a", "--budget", "5/day", "--rpm", "60", "--max-tier", "moderate"),
        *("--models", "claude-haiku-5-5, gemini/*", "--max-cost", "0.05", "--expires", "2027-01-31"),
    )
    secret_of(result)
    (key,) = stored(db)
    assert key.budget == Budget(5 * 10**9, "day")
    assert (key.rpm, key.max_tier, key.max_cost_nano) == (60, "moderate", 50_000_000)
    assert key.models == ("claude/claude-haiku-5-5", "gemini/*")
    assert key.expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert "budget 5/day, requests a minute 60" in result.stderr
    (told,) = listed(invoke)
    assert told["budget"]["limit"] == 5
    assert (told["state"], told["max_cost"], told["last4"]) == ("live", 0.05, key.last4)


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("30d", 720), ("2w", 336), ("2099-01-01T00:00+02:00", 0)])
def test_keys_create_takes_duration_or_moment_as_expiry(invoke: Invoke, db: Path, text: str, hours: int) -> None:
    """A key ends some time from now, or at a moment."""
    secret_of(invoke("keys", "create", "--name", "a", "--expires", text))
    (key,) = stored(db)
    assert key.expires is not None
    lifetime = (key.expires - key.created).total_seconds() / 3600
    assert lifetime == pytest.approx(hours, abs=0.1) if hours else key.expires.year == 2098


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--budget", "five"), "5/day"),
        (("--models", "gpt-9"), "does not exist"),
        (("--models", "auto"), "needs no permission"),
        (("--models", ","), "no model is named"),
        (("--expires", "soon"), "30d"),
        (("--rpm", "0"), "rpm"),
        (("--max-cost", "0"), "max-cost"),
        (("--name", "line\nbreak"), "printable"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, tuple) else "",
)
def test_impossible_limit_is_refused_and_makes_no_key(
    invoke: Invoke, db: Path, arguments: tuple[str, ...], words: str
) -> None:
    """A limit that cannot be meant is refused with a sentence, and no key is made."""
    result = invoke("keys", "create", "--name", "a", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert not db.exists() or not stored(db)


def test_key_names_are_unique(invoke: Invoke) -> None:
    """Two keys that are not revoked cannot have one name."""
    secret_of(invoke("keys", "create", "--name", "a"))
    assert "already" in invoke("keys", "create", "--name", "a").output
    assert invoke("keys", "revoke", "a").exit_code == 0
    secret_of(invoke("keys", "create", "--name", "a"))
    assert [key["state"] for key in listed(invoke)] == ["revoked", "live"]


def test_keys_rotate_prints_a_new_key_for_the_same_id(invoke: Invoke, db: Path) -> None:
    """Rotating prints another key for the same name and id."""
    first = secret_of(invoke("keys", "create", "--name", "a"))
    (before,) = stored(db)
    secret_of(invoke("keys", "create", "--name", "b"))
    second = secret_of(invoke("keys", "rotate", "a"))
    after, other = sorted(stored(db), key=lambda key: key.name)
    assert first != second
    assert (after.id, after.digest) == (before.id, digest_of(second))
    secret_of(invoke("keys", "rotate", other.id))


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_unknown_key_id_ends_with_1_and_a_hint(invoke: Invoke, db: Path, command: str) -> None:
    """What is no key that could be changed ends with 1 and where to look."""
    SqliteStore(db).close()
    result = invoke("keys", command, "nobody")
    assert result.exit_code == 1
    assert "keys list" in result.output


def test_keys_list_shows_a_line_for_each_key(invoke: Invoke, db: Path) -> None:
    """A line for each key: name, id, last four characters, state, limits, and what is left of its budget."""
    secret_of(invoke("keys", "create", "--name", "plain", GATEWAY_ADMIN_KEY="an-admin-key-of-some-length"))
    secret = secret_of(invoke("keys", "create", "--name", "spender", "--budget", "1.5", "--expires", "1999-12-31"))
    lines = invoke("keys", "list").stdout.splitlines()
    plain, spender = stored(db)
    assert lines[0] == f"{plain.id} ...{plain.last4} live     plain: no limits"
    assert lines[1].startswith(f"{spender.id} ...{secret[-4:]} expired  spender: budget 1.5/total, until 1999-12-31")
    assert lines[1].endswith("; 0 spent, 0 held")


def admin_key_in(result: Result) -> str | None:
    found = re.search(r"^admin key: (gw-admin-[\w-]{43})$", result.stderr, re.MULTILINE)
    return None if found is None else found[1]


def kept_admin(db: Path) -> AdminKey | None:
    with closing(SqliteStore(db)) as store:
        return store.admin_key()


def test_the_first_key_brings_an_admin_key(invoke: Invoke, db: Path) -> None:
    """Where there is no admin key, the first virtual key comes with one: shown once, apart from the key, kept as a digest."""
    first = invoke("keys", "create", "--name", "a")
    admin = admin_key_in(first)
    assert admin is not None
    assert admin not in first.stdout
    kept = kept_admin(db)
    assert kept is not None
    assert (kept.digest, kept.last4) == (digest_of(admin), admin[-4:])
    assert all(admin.encode() not in path.read_bytes() for path in db.parent.glob("gateway.db*"))
    assert admin_key_in(invoke("keys", "create", "--name", "b")) is None
    assert kept_admin(db) == kept


@pytest.mark.parametrize("variable", ["GATEWAY_API_KEY", "GATEWAY_ADMIN_KEY"])
def test_a_configured_admin_key_is_enough(invoke: Invoke, db: Path, variable: str) -> None:
    """Where the environment sets an admin key none is made."""
    assert admin_key_in(invoke("keys", "create", "--name", "a", **{variable: "x" * 24})) is None
    assert kept_admin(db) is None


def test_a_refused_key_brings_an_admin_key_all_the_same(invoke: Invoke, db: Path) -> None:
    """An admin key that was made is shown, whatever becomes of the virtual key."""
    assert invoke("keys", "create", "--name", "a", GATEWAY_ADMIN_KEY="x" * 24).exit_code == 0
    refused = invoke("keys", "create", "--name", "a")
    assert refused.exit_code == 1
    kept, shown = kept_admin(db), admin_key_in(refused)
    assert kept is not None
    assert shown is not None
    assert kept.digest == digest_of(shown)


def test_keys_admin_prints_a_new_admin_key(invoke: Invoke, db: Path) -> None:
    """`gateway keys admin` prints another admin key alone, and the one before ends; it says when the environment's counts instead."""
    secrets = [secret_of(invoke("keys", "admin")) for _ in range(2)]
    assert secrets[0] != secrets[1]
    kept = kept_admin(db)
    assert kept is not None
    assert kept.digest == digest_of(secrets[1])
    told = invoke("keys", "admin", GATEWAY_API_KEY="x" * 24)
    assert "is not used while the environment sets one: the first key of GATEWAY_API_KEY" in told.stderr
    assert "does not count" not in invoke("keys", "admin").stderr


def test_a_ledger_that_cannot_be_opened(invoke: Invoke, tmp_path: Path) -> None:
    """A ledger that cannot be opened ends the command with its sentence."""
    result = invoke("keys", "create", "--name", "a", "--db", str(tmp_path / "missing" / "gateway.db"))
    assert result.exit_code == 1
    assert "its directory has to exist" in result.output


def test_keys_limit_raises_what_a_session_may_cost(invoke: Invoke, db: Path) -> None:
    """A new limit replaces the one of `create`; without a value there is none."""
    result = invoke("keys", "create", "--name", "agent", "--session-budget", "2")
    secret_of(result)
    assert "USD a session 2" in result.stderr
    assert [key["session_budget"] for key in listed(invoke)] == [2]
    raised = invoke("keys", "limit", "agent", "--session-budget", "5")
    assert (raised.exit_code, "limited to 5 USD" in raised.stderr) == (0, True)
    assert [key.session_budget_nano for key in stored(db)] == [5 * 10**9]
    assert "without a limit" in invoke("keys", "limit", "agent").stderr
    assert [key["session_budget"] for key in listed(invoke)] == [None]
    assert invoke("keys", "limit", "nobody", "--session-budget", "5").exit_code == 1


def test_a_key_is_made_without_holdback(invoke: Invoke, db: Path) -> None:
    """`--no-holdback` is stored and shown."""
    result = invoke("keys", "create", "--name", "a", "--no-holdback")
    secret_of(result)
    assert ": no holdback." in result.stderr
    assert [key.holdback for key in stored(db)] == [told["holdback"] for told in listed(invoke)] == [False]
