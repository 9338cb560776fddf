"""Listening sockets."""

from __future__ import annotations

from gateway.server.sockets import close_all, listen


def test_every_address_of_a_host_name_is_listened_on() -> None:
    """A name is listened on at all of its addresses, on the same port, and what it lacks here is left out."""
    sockets = listen("localhost", 0)
    try:
        addresses = {listening.getsockname()[0] for listening in sockets}
        assert "127.0.0.1" in addresses
        assert len({listening.getsockname()[1] for listening in sockets}) == 1
    finally:
        close_all(sockets)
