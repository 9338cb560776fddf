"""Selects the proxy of an upstream from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, upper or lower case.

The lower-case name wins, as in curl; an empty variable counts as unset. Loopback addresses are never proxied.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. `secure`: the connection to the proxy uses TLS. `variable`: where it was set. `problem`: why it is unusable."""

    variable: str
    host: str = ""
    port: int = 0
    secure: bool = False
    authorization: str | None = field(default=None, repr=False)  # the value of `proxy-authorization`
    problem: str | None = None

    @property
    def url(self) -> str:
        """The URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Proxies:
    """Proxies by the scheme of the upstream's URL, and the hosts that bypass them."""

    by_scheme: Mapping[str, Proxy] = field(default_factory=dict)
    exempt: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        by_scheme: dict[str, Proxy] = {}
        for scheme in _PORTS:
            for name in (f"{scheme}_proxy", "all_proxy"):
                variable, value = _value(environment, name)
                if value:
                    by_scheme[scheme] = _proxy(variable, value)
                    break
        _, exempt = _value(environment, "no_proxy")
        return cls(by_scheme, tuple(entry for entry in re.split(r"[,\s]+", exempt.lower()) if entry))

    def of(self, url: str) -> Proxy | None:
        """The proxy for this upstream; None for a direct connection."""
        parts = urlsplit(url)
        proxy, host = self.by_scheme.get(parts.scheme), (parts.hostname or "").rstrip(".")
        if proxy is None or _is_loopback(host):
            return None
        port = parts.port or _PORTS[parts.scheme]
        return None if any(_covers(entry, host, port=port) for entry in self.exempt) else proxy


def _value(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """The variable that is set, and its value; an empty value where none is."""
    for variable in (name, name.upper()):
        if value := environment.get(variable, "").strip():
            return variable, value
    return name, ""


def _proxy(variable: str, value: str) -> Proxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return Proxy(variable, problem="a proxy whose URL cannot be read")
    if parts.scheme not in _PORTS:
        return Proxy(variable, problem=f"a {parts.scheme} proxy, which is not supported")
    if not host or not value.isascii() or not value.isprintable() or " " in value:
        return Proxy(variable, problem="a proxy whose URL cannot be read")
    authorization = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(credentials.encode()).decode()
    secure = parts.scheme == "https"
    return Proxy(variable, host, port or _PORTS[parts.scheme], secure=secure, authorization=authorization)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _covers(entry: str, host: str, *, port: int) -> bool:
    """Whether this `NO_PROXY` entry matches: `*`, an address, a network, or a domain with its subdomains; a port is optional."""
    if entry == "*":
        return True
    with_port = re.fullmatch(r"(\[.*\]|[^:]*):([0-9]{1,5})", entry)
    if with_port is not None:
        if int(with_port[2]) != port:
            return False
        entry = with_port[1]
    entry = entry.strip("[]")
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        domain = entry.removeprefix("*").strip(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
