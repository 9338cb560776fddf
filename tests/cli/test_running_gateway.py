"""The running gateway that commands ask."""

from __future__ import annotations

import pytest

from gateway.cli.running_gateway import running_gateway
from gateway.settings import load


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"GATEWAY_PORT": "8123"}, "http://127.0.0.1:8123"),
        ({"GATEWAY_HOST": "0.0.0.0", "GATEWAY_API_KEY": "k" * 24}, "http://127.0.0.1:8000"),
        ({"GATEWAY_HOST": "::1"}, "http://[::1]:8000"),
    ],
)
def test_the_address_is_that_of_the_settings(environment: dict[str, str], url: str) -> None:
    """Without --url the gateway of the settings is asked, at an address that can be reached; --url wins."""
    settings = load(environment)
    assert running_gateway(settings, None).url == url
    assert running_gateway(settings, "http://there:1/").url == "http://there:1"


def test_the_key_is_the_first_client_key() -> None:
    """The first client key is sent; without client keys none is."""
    settings = load({"GATEWAY_API_KEY": f"{'a' * 24},{'b' * 24}"})
    assert running_gateway(settings, None).headers == {"authorization": f"Bearer {'a' * 24}"}
    assert running_gateway(load({}), None).headers == {}
