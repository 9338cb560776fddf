"""Virtual keys at the door: client routes by their limits, admin routes never."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.accounts.key_cache import VirtualKeyCache
from gateway.accounts.virtual_keys import AdminKey, VirtualKey, digest_of
from gateway.api.auth import Authenticator, Principal, Role, key_id
from gateway.api.rate_limit import SlidingWindowLimiter
from gateway.errors import Forbidden, InvalidKey, RateLimited
from tests.resilience.clocks import Clock

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = VirtualKey(id="key_1", name="team", digest=digest_of("gw-team"), last4="team", created=NOW)


def keeper(
    *client_keys: str, admin: str | None = None, key: VirtualKey | None = KEY, ledger_admin: str | None = None
) -> Authenticator:
    kept = AdminKey(digest_of(ledger_admin), "last", NOW) if ledger_admin else None
    key_cache = VirtualKeyCache(lambda: [key] if key else [], now=lambda: NOW, load_admin=lambda: kept)
    key_cache.refresh()
    return Authenticator(client_keys, admin, key_cache=key_cache, rate_limiter=SlidingWindowLimiter(Clock()))


def sending(key: str | None, host: str = "127.0.0.1:8000") -> list[tuple[bytes, bytes]]:
    headers = [(b"host", host.encode())]
    return [*headers, (b"authorization", f"Bearer {key}".encode())] if key else headers


@pytest.mark.parametrize("client_keys", [(), ("env-key",)])
def test_a_virtual_key_opens_client_routes(client_keys: tuple[str, ...]) -> None:
    """A virtual key is a client key, from any host, and its limits come along."""
    principal = keeper(*client_keys).authenticate(sending("gw-team", host="gateway.example"), Role.CLIENT)
    assert principal == Principal("key_1", KEY)


def test_configured_keys_have_no_limits() -> None:
    """A key of GATEWAY_API_KEY stays one beside virtual keys."""
    assert keeper("env-key").authenticate(sending("env-key"), Role.CLIENT) == Principal(key_id("env-key"))


@pytest.mark.parametrize("sent", [None, "gw-other", "sk-anything"])
def test_a_virtual_key_closes_the_gateway(sent: str | None) -> None:
    """From the first virtual key on a client route wants one, whatever SDKs send otherwise."""
    with pytest.raises(InvalidKey):
        keeper().authenticate(sending(sent), Role.CLIENT)


@pytest.mark.parametrize("change", [{"revoked": NOW}, {"expires": NOW}], ids=["revoked", "expired"])
def test_revoked_or_expired_key_opens_nothing(change: dict[str, Any]) -> None:
    """A revoked or expired key opens nothing, and does not open the gateway to everybody either."""
    authenticator = keeper(key=replace(KEY, **change))
    for sent in ("gw-team", None):
        with pytest.raises(InvalidKey):
            authenticator.authenticate(sending(sent), Role.CLIENT)


@pytest.mark.parametrize(("client_keys", "admin"), [((), None), (("env-key",), None), ((), "admin-key")])
def test_virtual_key_opens_no_admin_route(client_keys: tuple[str, ...], admin: str | None) -> None:
    """A virtual key opens no admin route, not even where there is no admin key."""
    with pytest.raises(Forbidden):
        keeper(*client_keys, admin=admin).authenticate(sending("gw-team"), Role.ADMIN)


@pytest.mark.parametrize("change", [{}, {"revoked": NOW}, {"expires": NOW}], ids=["live", "revoked", "expired"])
@pytest.mark.parametrize("sent", [None, "sk-any"])
def test_a_virtual_key_closes_the_admin_routes(change: dict[str, Any], sent: str | None) -> None:
    """From the first virtual key on, also when it has ended, the admin routes want an admin key, even where there is none."""
    with pytest.raises(InvalidKey, match="admin key"):
        keeper(key=replace(KEY, **change)).authenticate(sending(sent), Role.ADMIN)


def test_admin_key_of_the_ledger_opens_admin_routes_only() -> None:
    """The admin key that the ledger keeps opens the admin routes, from any host, and no client route."""
    authenticator = keeper(ledger_admin="gw-admin-one")
    assert authenticator.authenticate(sending("gw-admin-one", host="gw.example"), Role.ADMIN) == Principal(
        key_id("gw-admin-one")
    )
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sending("gw-admin-one"), Role.CLIENT)
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sending("gw-admin-two"), Role.ADMIN)


@pytest.mark.parametrize(("client_keys", "admin"), [(("env-key",), None), ((), "env-key")])
def test_admin_key_of_the_environment_wins_over_the_ledgers(client_keys: tuple[str, ...], admin: str | None) -> None:
    """Where the environment sets an admin key, the ledger's does not count."""
    authenticator = keeper(*client_keys, admin=admin, ledger_admin="gw-admin-one")
    assert authenticator.authenticate(sending("env-key"), Role.ADMIN) == Principal(key_id("env-key"))
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sending("gw-admin-one"), Role.ADMIN)


def test_an_admin_key_without_virtual_keys() -> None:
    """An admin key in the ledger closes the admin routes alone."""
    authenticator = keeper(key=None, ledger_admin="gw-admin-one")
    assert authenticator.authenticate(sending(None), Role.CLIENT) == Principal()
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sending(None), Role.ADMIN)


def test_an_open_gateway_with_an_empty_ring() -> None:
    """A gateway that never had a key is open to this machine only."""
    authenticator = keeper(key=None)
    assert authenticator.authenticate(sending("sk-any"), Role.CLIENT) == Principal()
    with pytest.raises(Forbidden):
        authenticator.authenticate(sending(None, host="evil.example"), Role.CLIENT)


async def test_the_rate_counts_on_every_client_route() -> None:
    """A key's requests a minute are counted where the key is recognised, so no route is left out."""
    authenticator = keeper(key=replace(KEY, rpm=2))
    for _ in range(2):
        await authenticator.admit(sending("gw-team"), Role.CLIENT)
    with pytest.raises(RateLimited):
        await authenticator.admit(sending("gw-team"), Role.CLIENT)
