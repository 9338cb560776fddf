"""Authentication: one check for every route and every way of sending a key."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from gateway.accounts.key_cache import VirtualKeyCache
from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.api.admin_sessions import COOKIE, AdminSessions
from gateway.api.client import HeaderList
from gateway.api.rate_limit import RateLimiter
from gateway.errors import Forbidden, InvalidKey, InvalidRequest

_NAME = re.compile(rb"([A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
# The names of the host machine inside a container (Docker, Podman).
CONTAINER_HOSTS = ("host.docker.internal", "gateway.docker.internal", "host.containers.internal")
KEY_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")  # beside `authorization`
_KEY_NAMES = frozenset(name.encode() for name in ("authorization", *KEY_HEADERS))


class RateClass(Enum):
    """What a key's limit of requests per minute counts."""

    REQUESTS = "requests"
    # Calls that cost nothing, such as counting tokens: agents send dozens at once. A limit of their own.
    FREE = "free"


FREE_PER_MINUTE = 600  # of a key that has a limit
_FREE_SUFFIX = "-free"


class Role(Enum):
    """The access that a route requires. Every route has one; there is no default."""

    OPEN = "open"
    CLIENT = "client"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: the key's id (never the key), None on an open gateway; `key` has a virtual key's limits.

    `session` is the token of the dashboard session that authenticated an admin, None otherwise.
    """

    key_id: str | None = None
    key: VirtualKey | None = None
    session: str | None = field(default=None, repr=False)


ANONYMOUS = Principal()


class Authenticator:
    """Knows the keys by digest. Without any client key the gateway is open to loopback hosts and `allowed_hosts` only.

    The admin key is `admin_key`, else the first of `client_keys`, else the one in the ledger, which `key_cache` knows. With none
    of them admin routes are open to those hosts, until there is a virtual key: then they are closed. The virtual keys of `key_cache` are
    client keys and never open an admin route; `rate_limiter` limits their requests a minute. `sessions` are those of the dashboard.
    """

    def __init__(
        self,
        client_keys: Sequence[str],
        admin_key: str | None = None,
        *,
        allowed_hosts: Iterable[str] = (),
        key_cache: VirtualKeyCache | None = None,
        rate_limiter: RateLimiter | None = None,
        sessions: AdminSessions | None = None,
    ) -> None:
        self._clients = {digest_of(key): Principal(key_id(key)) for key in client_keys}
        admin = admin_key or (client_keys[0] if client_keys else None)
        self._configured_admin = digest_of(admin) if admin else None
        self._hosts = frozenset(host.lower() for host in (*LOOPBACK_HOSTS, *allowed_hosts))
        self._key_cache = key_cache
        self._rate_limiter = rate_limiter
        self._sessions = sessions

    @property
    def keyed(self) -> bool:
        """Whether client routes require a key."""
        return bool(self._clients) or (self._key_cache is not None and self._key_cache.any_keys)

    @property
    def admin_keyed(self) -> bool:
        """Whether admin routes require a key."""
        return self.keyed or self.has_admin_key

    @property
    def has_admin_key(self) -> bool:
        """Whether any key opens admin routes; without one they are open, or closed to everybody."""
        return self._admin_digest is not None

    async def admit(self, headers: HeaderList, access: Role, *, rate: RateClass = RateClass.REQUESTS) -> Principal:
        """As `authenticate`, and the request counts for its key. Raises also RateLimited, and LedgerUnavailable where it cannot be counted."""
        principal = self.authenticate(headers, access)
        key = principal.key
        if key is not None and key.rpm is not None and self._rate_limiter is not None:
            if rate is RateClass.FREE:
                await self._rate_limiter.admit(f"{key.id}{_FREE_SUFFIX}", rpm=max(key.rpm, FREE_PER_MINUTE))
            else:
                await self._rate_limiter.admit(key.id, rpm=key.rpm)
        return principal

    def authenticate(self, headers: HeaderList, access: Role) -> Principal:
        """Raises InvalidKey, Forbidden, InvalidRequest (two different keys)."""
        if access is Role.OPEN:
            return ANONYMOUS
        if not self.keyed:
            self._check_host_and_origin(headers)
        return self._admit_client(headers) if access is Role.CLIENT else self._admit_admin(headers)

    def admin_of(self, key: str) -> bytes | None:
        """The digest of `key` where it is the admin key."""
        digest = digest_of(key)
        known = self._admin_digest
        return digest if known is not None and hmac.compare_digest(known, digest) else None

    def session_of(self, headers: HeaderList) -> str | None:
        """The token of the live session that a request's cookie names; None for a request from a page of another origin."""
        if self._sessions is None or not (is_same_origin(headers) or _is_navigation(headers)):
            return None
        token = cookie_in(headers, COOKIE)
        digest = None if token is None else self._sessions.admin_digest(token)
        known = self._admin_digest
        return token if digest is not None and known is not None and hmac.compare_digest(known, digest) else None

    def is_local(self, headers: HeaderList) -> bool:
        """Whether a gateway without client keys accepts this request, by its `Host`, `Origin` and `Sec-Fetch-Site`."""
        try:
            self._check_host_and_origin(headers)
        except Forbidden:
            return False
        return True

    @property
    def _admin_digest(self) -> bytes | None:
        if self._configured_admin is not None or self._key_cache is None or self._key_cache.admin is None:
            return self._configured_admin
        return self._key_cache.admin.digest

    def _admit_client(self, headers: HeaderList) -> Principal:
        if not self.keyed:
            return ANONYMOUS
        sent = presented_key(headers, basic=False)
        if sent is None:
            raise InvalidKey("No API key was sent. Send it as `Authorization: Bearer <key>`.")
        digest, found = digest_of(sent), None
        for each, principal in self._clients.items():
            if hmac.compare_digest(each, digest):
                found = principal
        if found is not None:
            return found
        key = self._virtual(digest)
        if key is None:
            raise InvalidKey("The API key is not one of this gateway's.")
        return Principal(key.id, key)

    def _admit_admin(self, headers: HeaderList) -> Principal:
        if not self.admin_keyed:
            return ANONYMOUS
        sent = presented_key(headers, basic=True)
        if sent is None:
            session = self.session_of(headers)
            known = self._admin_digest
            if session is not None and known is not None:
                return Principal(_id_of(known), session=session)
            raise InvalidKey(self._missing_key_message())
        digest = self.admin_of(sent)
        if digest is not None:
            return Principal(_id_of(digest))
        if self._virtual(digest_of(sent)) is not None:
            raise Forbidden("This key is for clients; the admin routes want the admin key.")
        raise InvalidKey("The API key is not the admin key of this gateway.")

    def _missing_key_message(self) -> str:
        if self._admin_digest is None:
            return (
                "The admin routes want the admin key, and this gateway has none: make one with `gateway keys admin`, or set "
                "GATEWAY_ADMIN_KEY and restart."
            )
        return "No API key was sent. Send the admin key as `Authorization: Bearer <key>`."

    def _virtual(self, digest: bytes) -> VirtualKey | None:
        return self._key_cache.lookup(digest) if self._key_cache is not None else None

    def _check_host_and_origin(self, headers: HeaderList) -> None:
        """An open gateway serves this machine's own programs, not pages of other sites (DNS rebinding, CSRF)."""
        fields = dict(headers)
        sent = fields.get(b"host", b"")
        host = _named(sent) or _hostname(b"//" + sent)
        if host not in self._hosts:
            raise Forbidden(_foreign_host(host))
        origins = [value for name, value in headers if name == b"origin"]
        if any(_hostname(origin) not in self._hosts for origin in origins):
            raise Forbidden("Requests from other origins are not served without a key.")
        # A page of this machine may call another of its names: http://localhost:3000 is another site than http://127.0.0.1:8000.
        if not origins and fields.get(b"sec-fetch-site", b"").lower() == b"cross-site":
            raise Forbidden("Cross-site requests are not served without a key.")


def _foreign_host(host: str) -> str:
    if host in CONTAINER_HOSTS:
        return (
            f"A container calls this machine as {host!r}, which is not served without a key. Set GATEWAY_API_KEY (and "
            "GATEWAY_HOST=0.0.0.0 where the container does not reach loopback), restart, and send the key from the container."
        )
    return f"The host {host!r} is not served without a key: call 127.0.0.1 or localhost, or set GATEWAY_API_KEY."


def is_same_origin(headers: HeaderList) -> bool:
    """False if the headers show that a browser sends this from a page of another origin.

    `Sec-Fetch-Site` is set by the browser and is reliable also behind a proxy that changes `Host`; where it is missing
    (plain HTTP to
    another machine) `Origin` has to name the same host and port as `Host`.
    """
    fields = dict(headers)
    site = fields.get(b"sec-fetch-site")
    if site is not None:
        return site.lower() in (b"same-origin", b"none")
    return all(_authority(value) == fields.get(b"host", b"").lower() for name, value in headers if name == b"origin")


def _is_navigation(headers: HeaderList) -> bool:
    """Whether a browser follows a link or an address: the page that named it does not see the answer."""
    fields = dict(headers)
    return fields.get(b"sec-fetch-mode") == b"navigate" and fields.get(b"sec-fetch-dest") == b"document"


def cookie_in(headers: HeaderList, name: str) -> str | None:
    """The value of a cookie; None where it is sent more than once with different values."""
    found = set()
    for header, value in headers:
        if header == b"cookie":
            pairs = (pair.strip().partition("=") for pair in value.decode("latin-1").split(";"))
            found |= {text for key, _, text in pairs if key == name}
    return found.pop() if len(found) == 1 else None


def presented_key(headers: HeaderList, *, basic: bool) -> str | None:
    """The key a request carries, in any of the usual headers; `basic` also takes a browser's password.

    Two different keys are refused, also in one repeated header: it must be clear which one counts.
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
    return _id_of(digest_of(key))


def _id_of(digest: bytes) -> str:
    return digest.hex()[:12]


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


def _authority(origin: bytes) -> bytes:
    """The host and port of an origin, as a Host header has them."""
    return origin.lower().partition(b"://")[2]
