"""Who is let in, by which header, from which host."""

from __future__ import annotations

import base64

import pytest

from gateway.api.auth import Authenticator, Principal, Role, key_id
from gateway.errors import Forbidden, InvalidKey, InvalidRequest


def sent(**headers: str) -> list[tuple[bytes, bytes]]:
    named = {"host": "127.0.0.1:8000"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return [(name.encode(), value.encode()) for name, value in named.items()]


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()


@pytest.mark.parametrize("header", ["x_api_key", "api_key", "x_goog_api_key", "authorization"])
def test_client_key_is_read_from_every_sdk_header(header: str) -> None:
    """A client key is taken from each header that official SDKs use."""
    authenticator = Authenticator(["one", "two"])
    value = "Bearer two" if header == "authorization" else "two"
    assert authenticator.authenticate(sent(**{header: value}), Role.CLIENT) == Principal(key_id("two"))


def test_wrong_or_missing_key_is_refused_without_echo() -> None:
    """A wrong or missing key is refused, and the message repeats none."""
    authenticator = Authenticator(["secret-key"])
    with pytest.raises(InvalidKey) as wrong:
        authenticator.authenticate(sent(authorization="Bearer other-key"), Role.CLIENT)
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sent(), Role.CLIENT)
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sent(authorization="Bearer "), Role.CLIENT)
    assert "key" not in wrong.value.message.replace("API key", "")


def test_two_different_keys_are_a_400() -> None:
    """Two different keys in one request are a 400: guessing which one counts is how checks are passed by."""
    with pytest.raises(InvalidRequest):
        Authenticator(["a"]).authenticate(sent(authorization="Bearer a", x_api_key="b"), Role.CLIENT)


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_two_keys_in_one_header(name: str) -> None:
    """A header that is sent twice with two keys is a 400 as well, in either order; the same key twice is one key."""
    prefix = b"Bearer " if name == "authorization" else b""
    twice = [(b"host", b"localhost"), (name.encode(), prefix + b"a"), (name.encode(), prefix + b"b")]
    with pytest.raises(InvalidRequest):
        Authenticator(["a"]).authenticate(twice, Role.CLIENT)
    with pytest.raises(InvalidRequest):
        Authenticator(["b"]).authenticate(twice, Role.CLIENT)
    twice[2] = twice[1]
    assert Authenticator(["a"]).authenticate(twice, Role.CLIENT) == Principal(key_id("a"))


def test_no_key_from_anywhere_else() -> None:
    """A key in a cookie, a proxy's header or under another scheme is no key."""
    for headers in ({"cookie": "key=a"}, {"proxy_authorization": "Bearer a"}, {"authorization": "Token a"}):
        with pytest.raises(InvalidKey):
            Authenticator(["a"]).authenticate(sent(**headers), Role.CLIENT)


def test_admin_needs_the_admin_key() -> None:
    """With an admin key set, a client key opens no admin route, and the admin key no client route."""
    authenticator = Authenticator(["client"], "admin")
    assert authenticator.authenticate(sent(x_api_key="admin"), Role.ADMIN).key_id == key_id("admin")
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sent(x_api_key="client"), Role.ADMIN)
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sent(x_api_key="admin"), Role.CLIENT)


def test_first_client_key_is_admin() -> None:
    """Without an admin key the first client key is it, the others are not."""
    authenticator = Authenticator(["first", "second"])
    assert authenticator.authenticate(sent(x_api_key="first"), Role.ADMIN).key_id == key_id("first")
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sent(x_api_key="second"), Role.ADMIN)


def test_admin_key_works_as_basic_password_on_admin_routes_only() -> None:
    """A browser sends the admin key as a Basic password; client routes do not take that."""
    authenticator = Authenticator(["client"], "admin")
    assert authenticator.authenticate(sent(authorization=basic("admin")), Role.ADMIN).key_id == key_id("admin")
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sent(authorization=basic("client")), Role.CLIENT)
    with pytest.raises(InvalidKey):
        authenticator.authenticate(sent(authorization="Basic %%%"), Role.ADMIN)


def test_open_gateway_ignores_keys() -> None:
    """Without client keys whatever a client sends is ignored: SDKs always send one."""
    assert Authenticator([]).authenticate(sent(authorization="Bearer sk-whatever"), Role.CLIENT) == Principal()
    assert Authenticator([]).authenticate(sent(), Role.ADMIN) == Principal()


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": ""},
        {"host": "[::1"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "Cross-Site"},
    ],
    ids=str,
)
def test_open_gateway_refuses_foreign_pages(headers: dict[str, str]) -> None:
    """Without client keys a page of another site, or a rebound host name, is refused."""
    with pytest.raises(Forbidden):
        Authenticator([]).authenticate(sent(**headers), Role.CLIENT)


def test_one_foreign_origin_of_two() -> None:
    """Where `Origin` is sent twice, each has to be this machine's."""
    for order in (("http://localhost", "https://evil.example"), ("https://evil.example", "http://localhost")):
        with pytest.raises(Forbidden):
            Authenticator([]).authenticate([*sent(), *((b"origin", each.encode()) for each in order)], Role.CLIENT)


def test_page_on_localhost_may_call_the_gateway() -> None:
    """A page at localhost may call 127.0.0.1, which for a browser is another site; a link from another site may not."""
    headers = sent(origin="http://localhost:3000", sec_fetch_site="cross-site")
    assert Authenticator([]).authenticate(headers, Role.CLIENT) == Principal()


@pytest.mark.parametrize("host", ["host.docker.internal:8000", "host.containers.internal"])
def test_a_container_is_told_what_to_set(host: str) -> None:
    """A container that calls the machine by its usual name is told what to set; with a key it is let in."""
    with pytest.raises(Forbidden, match=r"container .*Set GATEWAY_API_KEY"):
        Authenticator([]).authenticate(sent(host=host), Role.CLIENT)
    assert Authenticator(["one"]).authenticate(sent(host=host, x_api_key="one"), Role.CLIENT) == Principal(
        key_id("one")
    )


def test_configured_and_loopback_hosts_pass() -> None:
    """Hosts of the configuration, the loopback names and same-origin pages pass."""
    authenticator = Authenticator([], allowed_hosts=["Gateway.internal"])
    for headers in (
        {"host": "gateway.internal"},
        {"host": "[::1]:8000"},
        {"origin": "http://localhost:3000"},
        {"sec_fetch_site": "same-origin"},
    ):
        assert authenticator.authenticate(sent(**headers), Role.CLIENT) == Principal()


def test_health_needs_no_key() -> None:
    """Health is told without a key, to anyone."""
    assert Authenticator(["a"]).authenticate(sent(host="anything"), Role.OPEN) == Principal()
