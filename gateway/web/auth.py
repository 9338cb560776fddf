"""Who may call what: one check for every route and every way of sending a key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import Forbidden, InvalidKey, InvalidRequest

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


class Access(Enum):
    """What a route asks for. Every route has one; there is no default."""

    OPEN = "open"
    CLIENT = "client"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: the key's id (a digest's head, never the key), None on an open gateway."""

    key_id: str | None = None


class Gatekeeper:
    """Knows the keys by digest. Without client keys the gateway is open to loopback hosts and `allowed_hosts` only.

    The admin key is `admin_key`, else the first client key; with neither, admin routes are as open as the rest.
    """

    def __init__(
        self, client_keys: Sequence[str], admin_key: str | None = None, *, allowed_hosts: Iterable[str] = ()
    ) -> None:
        self._clients = {_digest(key): key_id(key) for key in client_keys}
        admin = admin_key or (client_keys[0] if client_keys else None)
        self._admins = {_digest(admin): key_id(admin)} if admin else {}
        self._hosts = frozenset(host.lower() for host in (*LOOPBACK_HOSTS, *allowed_hosts))

    def admit(self, scope: Mapping[str, Any], access: Access) -> Principal:
        """Raises InvalidKey, Forbidden, InvalidRequest (two different keys)."""
        if access is Access.OPEN:
            return Principal()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._clients:
            self._refuse_foreign(headers)
        known = self._clients if access is Access.CLIENT else self._admins
        if not known:
            return Principal()
        sent = presented_key(headers, basic=access is Access.ADMIN)
        if sent is None:
            raise InvalidKey("No API key was sent. Send it as `Authorization: Bearer <key>`.")
        found = None
        for digest, name in known.items():
            if hmac.compare_digest(digest, _digest(sent)):
                found = name
        if found is None:
            raise InvalidKey("The API key is not one of this gateway's.")
        return Principal(found)

    def _refuse_foreign(self, headers: Mapping[str, str]) -> None:
        """An open gateway serves this machine's own programs, not pages of other sites (DNS rebinding, CSRF)."""
        host = _hostname("//" + headers.get("host", ""))
        if host not in self._hosts:
            raise Forbidden(
                f"The host {host!r} is not served without a key. Set GATEWAY_API_KEY or allow the host in the configuration."
            )
        origin = headers.get("origin")
        if origin is not None and _hostname(origin) not in self._hosts:
            raise Forbidden("Requests from other origins are not served without a key.")
        if headers.get("sec-fetch-site") == "cross-site":
            raise Forbidden("Cross-site requests are not served without a key.")


def presented_key(headers: Mapping[str, str], *, basic: bool) -> str | None:
    """The key a request carries, in any of the usual headers; `basic` also takes a browser's password. Two different ones are refused."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    found = [headers[name] for name in ("x-api-key", "api-key", "x-goog-api-key") if headers.get(name)]
    if scheme.lower() == "bearer" and value.strip():
        found.append(value.strip())
    elif basic and scheme.lower() == "basic":
        found.append(_password(value))
    if len(set(found)) > 1:
        raise InvalidRequest("The request carries two different API keys; send one.", code="conflicting_keys")
    return found[0] if found else None


def key_id(key: str) -> str:
    """A short public name for a key: the head of its SHA-256 digest."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidKey("The Basic credentials cannot be read.") from None


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
