"""Who may call a gateway after what happened to its ledger: whole processes, their ledgers in files."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.accounts.virtual_keys import AdminKey, digest_of
from gateway.app import lost_keys_of, open_ledger
from gateway.cli.access import accept_lost_keys, access_lines
from gateway.settings import load
from gateway.store import ReplaceAdminKey
from tests.cli.conftest import KEYS, Invoke, Running, Start
from tests.store.cases import NOW
from tests.store.test_connection import damaged

ADMIN = "an-admin-key-of-the-tests"


def made(invoke: Invoke) -> tuple[str, str]:
    """A virtual key and the admin key that came with it."""
    result = invoke("keys", "create", "--name", "team")
    found = re.search(r"^admin key: (\S+)$", result.stderr, re.MULTILINE)
    assert found is not None
    return result.stdout.strip(), found[1]


def statuses(gateway: Running, key: str | None = None) -> tuple[int, int]:
    """What a client's route and an admin's answer."""
    headers = {"x-api-key": key} if key else {}
    client, admin = (httpx2.get(gateway.url + path, headers=headers).status_code for path in ("/v1/models", "/metrics"))
    return client, admin


def overwrite(db: Path) -> None:
    """Damage that leaves nothing to read but the header."""
    size = os.path.getsize(db)
    with db.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


class Served:
    """`gateway serve` on one ledger."""

    def __init__(self, start: Start, db: Path) -> None:
        self._start = start
        self._db = db

    def __call__(self, *flags: str, environment: Mapping[str, str] | None = None) -> Running:
        arguments = ("serve", "--port", "0", "--db", str(self._db), *flags)
        return self._start(*arguments, environment={**KEYS, **(environment or {})})


@pytest.fixture
def serve(start: Start, db: Path) -> Served:
    return Served(start, db)


def test_virtual_keys_close_a_running_gateway(serve: Served, invoke: Invoke) -> None:
    """A running gateway without keys closes within seconds of the first virtual key, its admin routes too; restarted it stays so.

    Slow: the gateway reads keys of other processes every two seconds, and starts twice.
    """
    gateway = serve()
    assert statuses(gateway) == (200, 200)
    client, admin = made(invoke)
    until = time.monotonic() + 10
    while statuses(gateway) != (401, 401) and time.monotonic() < until:
        time.sleep(0.05)
    assert (statuses(gateway, client), statuses(gateway, admin)) == ((200, 403), (401, 200))
    gateway.end()
    assert invoke("keys", "revoke", "team").exit_code == 0
    gateway = serve()
    assert (statuses(gateway), statuses(gateway, client)) == ((401, 401), (401, 401))
    assert statuses(gateway, admin) == (401, 200)
    assert any(re.fullmatch(r"admin key: \.\.\.\S{4}, of the ledger", line) for line in gateway.lines)


def test_a_damaged_ledger_leaves_the_gateway_closed(serve: Served, invoke: Invoke, db: Path) -> None:
    """A ledger that had keys and is found damaged leaves the gateway closed, at further starts too, until somebody says otherwise.

    Slow: four starts, because the rule is about what a restart must not forget.
    """
    client, admin = made(invoke)
    overwrite(db)
    gateway = serve()
    for key in (None, client, admin):
        assert statuses(gateway, key) == (401, 401)
    assert any("--accept-lost-keys" in line for line in gateway.lines)
    assert gateway.end() == 0
    gateway = serve(environment={"GATEWAY_ADMIN_KEY": ADMIN})
    assert (statuses(gateway), statuses(gateway, ADMIN)) == ((401, 401), (401, 200))
    gateway.end()
    gateway = serve("--accept-lost-keys")
    assert statuses(gateway) == (200, 200)
    assert any("The loss of the keys is accepted" in line for line in gateway.lines)
    gateway.end()
    assert statuses(serve()) == (200, 200)


def test_new_keys_open_it_to_those_who_have_them(serve: Served, invoke: Invoke, db: Path) -> None:
    """After the loss new keys are made as the first were, with a new admin key."""
    made(invoke)
    overwrite(db)
    serve().end()
    client, admin = made(invoke)
    gateway = serve()
    assert (statuses(gateway), statuses(gateway, client), statuses(gateway, admin)) == (
        (401, 401),
        (200, 403),
        (401, 200),
    )


def test_workers_move_a_damaged_ledger_once(serve: Served, invoke: Invoke, db: Path) -> None:
    """Several workers stay closed as one does, and the damaged ledger is moved away once."""
    made(invoke)
    overwrite(db)
    gateway = serve("--workers", "2")
    for _ in range(8):
        assert statuses(gateway) == (401, 401)
    assert gateway.end() == 0
    assert (
        len([each for each in db.parent.glob("gateway.db.damaged-*") if not each.name.endswith(("-wal", "-shm"))]) == 1
    )


def test_a_ledger_deleted_while_it_is_used(serve: Served, invoke: Invoke, db: Path) -> None:
    """When the ledger is deleted under a running gateway, neither that gateway nor the next start opens.

    Slow: the write that notices it happens at most once a second, and the gateway starts twice.
    """
    made(invoke)
    gateway = serve()
    for part in db.parent.glob("gateway.db*"):
        part.unlink()
    marker = db.with_name("gateway.db.keys-lost")
    until = time.monotonic() + 15
    while not marker.exists() and time.monotonic() < until:
        assert statuses(gateway) == (401, 401)
        httpx2.get(f"{gateway.url}/readyz")  # a tiny write, with which the ledger is created again
        time.sleep(0.1)
    assert marker.exists()
    gateway.end()
    assert statuses(serve()) == (401, 401)


def test_a_damaged_ledger_without_keys_changes_nothing(serve: Served, db: Path) -> None:
    """Where the damaged ledger can be seen to have had no keys, the gateway is as open as before."""
    damaged(db)
    gateway = serve()
    assert statuses(gateway) == (200, 200)
    assert not db.with_name("gateway.db.keys-lost").exists()


def test_workers_share_sign_in_sessions(serve: Served) -> None:
    """Who signed in at one worker is signed in at all of them, and signed out of all."""
    gateway = serve("--workers", "2", environment={"GATEWAY_API_KEY": ADMIN})
    with httpx2.Client(base_url=gateway.url, headers={"accept": "text/html"}) as browser:
        page = browser.get("/sign-in").text
        token = re.search(r'name="form_token" value="([^"]+)"', page)
        assert token is not None
        assert browser.post("/sign-in", data={"form_token": token[1], "key": ADMIN}).status_code == 303
    cookies = dict(browser.cookies)

    def asked(method: str, path: str, **options: Any) -> httpx2.Response:
        """On a connection of its own, which either worker may take."""
        with httpx2.Client(base_url=gateway.url, cookies=cookies, headers={"accept": "text/html"}) as client:
            return client.request(method, path, **options)

    pages = [asked("GET", "/") for _ in range(8)]
    assert {page.status_code for page in pages} == {200}
    token = re.search(r'name="form_token" value="([^"]+)"', pages[0].text)
    assert token is not None
    assert asked("POST", "/sign-out", data={"form_token": token[1]}).status_code == 303
    assert {asked("GET", "/").status_code for _ in range(8)} == {401}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "admin key: none: the admin routes are open to this machine"),
        ({"GATEWAY_API_KEY": ADMIN}, "admin key: the first key of GATEWAY_API_KEY"),
        ({"GATEWAY_ADMIN_KEY": ADMIN}, "admin key: GATEWAY_ADMIN_KEY"),
    ],
    ids=["none", "client", "admin"],
)
def test_where_the_admin_key_comes_from(db: Path, environment: dict[str, str], said: str) -> None:
    """The start says where the admin key comes from, never the key."""
    settings = load({"GATEWAY_DB": str(db), **environment})
    with closing(open_ledger(settings, now=lambda: NOW)) as store:
        lines = list(access_lines(settings, store))
    assert lines == [said]


def test_ledger_without_admin_key_says_how_to_get_one(invoke: Invoke, db: Path) -> None:
    """A ledger with virtual keys and no admin key, as older gateways leave them, is told with how to get one."""
    assert invoke("keys", "create", "--name", "a", GATEWAY_ADMIN_KEY=ADMIN).exit_code == 0
    settings = load({"GATEWAY_DB": str(db)})
    with closing(open_ledger(settings, now=lambda: NOW)) as store:
        first, second = access_lines(settings, store)
    assert first == "virtual keys: 1 in the ledger: clients need a key"
    assert "`gateway keys admin`" in second


def test_what_the_start_says_of_lost_keys(db: Path) -> None:
    """Where keys were lost the start says that the gateway is closed and what to do, unless there are keys again."""
    lost_keys_of(settings := load({"GATEWAY_DB": str(db)})).set("lost")  # type: ignore[union-attr]  # the ledger is a file
    with closing(open_ledger(settings, now=lambda: NOW)) as store:
        first, second = access_lines(settings, store)
        assert first.startswith("admin key: none: the admin routes are closed")
        assert "start with --accept-lost-keys" in second
        assert list(access_lines(load({"GATEWAY_DB": str(db), "GATEWAY_API_KEY": ADMIN}), store)) == [
            "admin key: the first key of GATEWAY_API_KEY"
        ]
        store.submit(ReplaceAdminKey(AdminKey(digest_of(ADMIN), "ests", NOW))).result()
        assert next(access_lines(settings, store)) == "admin key: ...ests, of the ledger"
    assert accept_lost_keys(settings)
    assert not accept_lost_keys(settings)


def test_memory_ledger_has_no_lost_keys_marker() -> None:
    """A ledger in memory has no marker beside it."""
    assert not accept_lost_keys(load({"GATEWAY_DB": ":memory:"}))


def test_a_marker_that_cannot_be_removed(invoke: Invoke, db: Path) -> None:
    """A start that cannot do what --accept-lost-keys asks for is refused, with what to do."""
    db.with_name("gateway.db.keys-lost").mkdir()
    result = invoke("serve", "--accept-lost-keys", **KEYS)
    assert (result.exit_code, "remove it by hand" in result.output) == (1, True)
