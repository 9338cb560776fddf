"""Who may call what: one check for every route and every way of sending a key."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from gateway.errors import Forbidden, InvalidKey, InvalidRequest
from gateway.keyring import KeyRing
from gateway.keys import VirtualKey, digest_of
from gateway.web.client import Fields, Headers
from gateway.web.pace import Pace

_NAME = re.compile(rb"([A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
KEY_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")  # beside `authorization`
_KEY_NAMES = frozenset(name.encode() for name in ("authorization", *KEY_HEADERS))


class Access(Enum):
    """What a route asks for. Every route has one; there is no default."""

    OPEN = "open"
    CLIENT = "client"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: the key's id (never the key), None on an open gateway; `key` has a virtual key's limits."""

    key_id: str | None = None
    key: VirtualKey | None = None


NOBODY = Principal()  # in particular


class Gatekeeper:
    """Knows the keys by digest. Without any client key the gateway is open to loopback hosts and `allowed_hosts` only.

    The admin key is `admin_key`, else the first of `client_keys`; with neither, admin routes are open to those hosts. The
    keys on the `ring` are client keys that never open an admin route; `pace` keeps their rates.
    """

    def __init__(
        self,
        client_keys: Sequence[str],
        admin_key: str | None = None,
        *,
        allowed_hosts: Iterable[str] = (),
        ring: KeyRing | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._clients = {digest_of(key): Principal(key_id(key)) for key in client_keys}
        admin = admin_key or (client_keys[0] if client_keys else None)
        self._admins = {digest_of(admin): Principal(key_id(admin))} if admin else {}
        self._hosts = frozenset(host.lower() for host in (*LOOPBACK_HOSTS, *allowed_hosts))
        self._ring = ring
        self._pace = pace

    def admit(self, headers: Headers, access: Access) -> Principal:
        """Raises InvalidKey, Forbidden, InvalidRequest (two different keys), RateLimited."""
        if access is Access.OPEN:
            return NOBODY
        virtual = self._ring is not None and self._ring.keyed
        known = self._clients if access is Access.CLIENT else self._admins
        closed = bool(known) or (virtual and access is Access.CLIENT)
        if not (closed and (self._clients or virtual)):
            self._refuse_foreign(dict(headers))
        if not closed and not virtual:
            return NOBODY
        sent = presented_key(headers, basic=access is Access.ADMIN)
        if sent is None and closed:
            raise InvalidKey("No API key was sent. Send it as `Authorization: Bearer <key>`.")
        principal = self._recognised(digest_of(sent or ""), known, access=access)
        if principal is None and closed:
            raise InvalidKey("The API key is not one of this gateway's.")
        return principal or NOBODY

    def _recognised(self, digest: bytes, known: Mapping[bytes, Principal], *, access: Access) -> Principal | None:
        found = None
        for each, principal in known.items():
            if hmac.compare_digest(each, digest):
                found = principal
        if found is not None:
            return found
        key = self._ring.lookup(digest) if self._ring is not None else None
        if key is None:
            return None
        if access is Access.ADMIN:
            raise Forbidden("This key is for clients; the admin routes want the admin key.")
        if key.rpm is not None and self._pace is not None:
            self._pace.admit(key.id, rpm=key.rpm)
        return Principal(key.id, key)

    def _refuse_foreign(self, headers: Fields) -> None:
        """An open gateway serves this machine's own programs, not pages of other sites (DNS rebinding, CSRF)."""
        sent = headers.get(b"host", b"")
        host = _named(sent) or _hostname(b"//" + sent)
        if host not in self._hosts:
            raise Forbidden(
                f"The host {host!r} is not served without a key. Set GATEWAY_API_KEY or allow the host in the configuration."
            )
        origin = headers.get(b"origin")
        if origin is not None and _hostname(origin) not in self._hosts:
            raise Forbidden("Requests from other origins are not served without a key.")
        if headers.get(b"sec-fetch-site", b"").lower() == b"cross-site":
            raise Forbidden("Cross-site requests are not served without a key.")


def presented_key(headers: Headers, *, basic: bool) -> str | None:
    """The key a request carries, in any of the usual headers; `basic` also takes a browser's password.

    Two different ones are refused, those of one header sent twice too: which of them counts is never left to chance.
    """
    sent = [_key_in(name, value, basic=basic) for name, value in headers if name in _KEY_NAMES]
    found = {key for key in sent if key}
    if len(found) > 1:
        raise InvalidRequest("The request carries two different API keys; send one.", code="conflicting_keys")
    return found.pop() if found else None


def _key_in(name: bytes, value: bytes, *, basic: bool) -> str | None:
    """The key that one of the headers carries that may."""
    if name != b"authorization":
        return value.decode("latin-1")
    scheme, _, rest = value.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    return _password(rest) if basic and scheme.lower() == "basic" else None


def key_id(key: str) -> str:
    """A short public name for a key: the head of its SHA-256 digest."""
    return digest_of(key).hex()[:12]


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidKey("The Basic credentials cannot be read.") from None


def _named(host: bytes) -> str | None:
    """The plain name or IPv4 address in a Host header, or None where it is anything else: nearly every request has one."""
    found = _NAME.fullmatch(host)
    return None if found is None else found[1].decode("ascii").lower()


def _hostname(url: bytes) -> str:
    try:
        return (urlsplit(url.decode("latin-1")).hostname or "").lower()
    except ValueError:
        return ""
